use std::collections::HashSet;

use super::*;

/// Every row of the design's table of terms, a row with slashes as several keys.
const ROWS: &[(Kind, &str)] = &[
    (
        Kind::Datalab,
        "@id identifier otherIdentifier name alternateName abstract description ESAOfficial officialConfirmed \
         audienceType citation associatedFileType keyword domain mission instrument thematicArea property \
         applicationCategory applicationSubCategory featureList interfaceType softwareVersion previousVersion \
         hasVersion isVersionOf releaseNotes developmentStatus programmingLanguage runtimePlatform operatingSystem \
         softwareRequirements license accessRights author creator maintainer publisher contactPoint \
         supportEmailInternal codeRepository softwareHelp landingPage image screenshot dateCreated datePublished \
         dateModified conformsTo label relation",
    ),
    (
        Kind::Datalab,
        "datalabImage.id datalabImage.platform datalabImage.keyword datalabImage.reference datalabImage.digest \
         datalabImage.architecture datalabImage.byteSize runtime.port runtime.path runtime.readiness.path \
         runtime.readiness.timeout runtime.command runtime.args runtime.env.name runtime.env.value runtime.user \
         runtime.privileged build.recipe build.test startupHint",
    ),
    (
        Kind::Datalab,
        "needs.cpu.min needs.cpu.max needs.memory.min needs.memory.max needs.storage.scratch needs.gpu.count \
         needs.gpu.maxCount needs.gpu.vendor needs.gpu.model needs.gpu.memory needs.gpu.runtime needs.walltime \
         needs.network volume.volume volume.mountPath volume.mode volume.required dataset service.endpointURL \
         personalSpace teamSpace",
    ),
    (Kind::Pipeline, "volume dataset service personalSpace teamSpace"),
    (
        Kind::Dataset,
        "title description identifier otherIdentifier keyword theme mission instrument domain publisher creator \
         contactPoint license accessRights issued modified version temporal.startDate spatial.bbox skyCoverage \
         distribution.accessURL distribution.downloadURL distribution.mediaType distribution.byteSize \
         distribution.checksum.value accessService.endpointURL accessService.conformsTo inSeries wasGeneratedBy \
         wasDerivedFrom availableAs embargoUntil",
    ),
    (
        Kind::DataVolume,
        "name abstract keyword mission defaultMountPath mode kind replica.datazone replica.byteSize replica.files \
         replica.contentVersion replica.lastVerified replica.backendSource replica.bandwidth",
    ),
    (
        Kind::Pipeline,
        "name abstract keyword softwareVersion version license author cwlFile cwlVersion input.name input.type \
         input.format input.required output.name step.image step.digest requirements.cpu.min requirements.memory.min \
         runner validation.valid validation.at validation.tool validation.messages allowedGroup allowedUser",
    ),
    (
        Kind::Datazone,
        "name alternateName provider.name location catalog harvest.endpoint harvest.format harvest.schedule \
         harvest.precedence harvest.maxDeleteFraction launch.endpoint launch.kind capability.cpuMax \
         capability.memoryMax capability.gpu.vendor capability.gpu.model capability.gpu.memory capability.gpu.count \
         capability.gpu.cuda capability.architecture capability.interfaceType capacity.resource capacity.total \
         capacity.allocated capacity.free capacity.observedAt capacity.ttl membership publicKey \
         quota.maxSessionsPerUser quota.maxGpuPerUser health.lastSeen health.lastHarvest health.lastHarvestResult",
    ),
    (
        Kind::CatalogRecord,
        "primaryTopic source sourceGraph firstSeen lastSeen modified contentHash harvestRun tombstone.removedAt \
         tombstone.removalReason overlay supersededValue",
    ),
    (
        Kind::Launch,
        "id name owner datalab version digest datazone offer requested.cpu.min granted.cpu.min mount.volume \
         mount.replicaVersion mount.path mount.mode mount.result options.openWhenReady options.removeWhenFinished \
         state stage failureCode message created ready ended expires accessURL",
    ),
];

/// The rows about governance, which every record has.
const GOVERNANCE: &str = "state reviewNote replacedBy owner allowedGroup allowedUser discoverable policy qualityScore \
                          packageDigest signature.keyId signature.algorithm signature.hash";

#[test]
fn the_embedded_table_is_well_formed() {
    Table::read(TERMS_TTL).unwrap();
}

#[test]
fn every_row_of_the_design_is_in_the_table() {
    let table = Table::get();
    let mut missing = Vec::new();
    let governed = [Kind::Datalab, Kind::Dataset, Kind::DataVolume, Kind::Pipeline, Kind::Datazone];
    let rows = ROWS.iter().copied().chain(governed.into_iter().map(|kind| (kind, GOVERNANCE)));
    for (kind, keys) in rows {
        for key in keys.split_whitespace() {
            if table.by_key(kind, key).is_none() {
                missing.push(format!("{kind}.{key}"));
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn the_rows_of_the_deck_are_as_in_the_deck() {
    let table = Table::get();
    let rows = [
        ("abstract", "sdo:abstract", Visibility::Public, Role::Developer),
        ("alternateName", "sdo:alternateName", Visibility::Public, Role::Developer),
        ("associatedFileType", "esado:associatedFileType", Visibility::Public, Role::Developer),
        ("ESAOfficial", "esado:ESAOfficial", Visibility::Public, Role::Developer),
        ("audienceType", "sdo:audienceType", Visibility::Public, Role::Developer),
        ("citation", "sdo:citation", Visibility::Public, Role::Developer),
        ("datalabImage.platform", "sdo:version", Visibility::Private, Role::Application),
        ("datalabImage.id", "sdo:identifier", Visibility::Private, Role::Application),
        ("datalabImage.keyword", "dcat:keyword", Visibility::Private, Role::Developer),
        ("dateCreated", "sdo:dateCreated", Visibility::Private, Role::Application),
    ];
    for (key, iri, visibility, role) in rows {
        let term = table.by_key(Kind::Datalab, key).unwrap();
        assert_eq!(
            (term.compact_iri().as_str(), term.visibility, term.writers.roles()),
            (iri, visibility, vec![role]),
            "{key}"
        );
        assert_eq!(term.source, "source deck", "{key}");
    }
    assert_eq!(table.by_key(Kind::Datalab, "displayName"), table.by_key(Kind::Datalab, "alternateName"));
}

#[test]
fn every_term_is_told_well() {
    for term in Table::get().terms() {
        let at = term.anchor();
        assert!(!term.label.is_empty() && term.label.len() <= 40, "{at}: label {:?}", term.label);
        assert!(term.definition.ends_with('.') && term.definition.len() >= 6, "{at}: definition {:?}", term.definition);
        for pattern in [term.pattern.as_deref(), term.datatype.pattern()].into_iter().flatten() {
            regex::Regex::new(pattern).unwrap_or_else(|error| panic!("{at}: {error}"));
        }
        if let Some(default) = &term.default {
            serde_json::from_str::<serde_json::Value>(default).unwrap_or_else(|error| panic!("{at}: {error}"));
        }
        assert!(term.max.is_none_or(|max| term.min <= max), "{at}: cardinality");
        let bounded =
            matches!(term.datatype, Datatype::LanguageText | Datatype::Text | Datatype::TextOrIri | Datatype::TextList);
        let closed = !term.values.is_empty() || term.pattern.is_some();
        assert!(!bounded || term.max_length.is_some() || closed, "{at}: text without a limit");
    }
}

#[test]
fn what_is_inside_something_private_is_private() {
    let table = Table::get();
    for term in table.terms() {
        if let Some(around) = table.by_key(term.kind, term.prefix())
            && around.visibility == Visibility::Private
        {
            assert_eq!(term.visibility, Visibility::Private, "{}", term.anchor());
        }
    }
}

#[test]
fn terms_are_found_by_property_on_their_own_node() {
    let table = Table::get();
    let keys = |terms: Vec<&Term>| terms.into_iter().map(|term| term.key.clone()).collect::<Vec<_>>();
    assert_eq!(keys(table.by_iri(Kind::Datalab, None, "https://schema.org/identifier")), ["identifier"]);
    let image = table.by_key(Kind::Datalab, "datalabImage");
    assert_eq!(keys(table.by_iri(Kind::Datalab, image, "https://schema.org/identifier")), ["datalabImage.id"]);
    let needs = table.by_key(Kind::Datalab, "needs");
    assert_eq!(keys(table.by_iri(Kind::Datalab, needs, "https://w3id.org/esado#minCpuCores")), ["needs.cpu.min"]);
    let creators = keys(table.by_iri(Kind::Datalab, None, "http://purl.org/dc/terms/creator"));
    assert_eq!(creators, ["creator", "author"], "the first property before those written beside it");
}

#[test]
fn children_are_those_directly_below() {
    let table = Table::get();
    let keys: Vec<_> = table.children(Kind::Datalab, "needs.cpu").into_iter().map(|term| term.name()).collect();
    assert_eq!(keys, ["min", "max"]);
    assert!(table.children(Kind::Datalab, "").iter().all(|term| !term.key.contains('.')));
    assert_eq!(table.children(Kind::Pipeline, "needs"), table.children(Kind::Pipeline, "requirements"));
}

#[test]
fn a_key_has_one_meaning_in_a_node() {
    let table = Table::get();
    for kind in Kind::ALL {
        let mut keys = HashSet::new();
        assert!(table.of(kind).all(|term| keys.insert(term.key.clone())), "{kind} has a key twice");
    }
}

#[test]
fn a_malformed_table_is_refused_with_its_place() {
    let error = |turtle: &str| Table::read(turtle).unwrap_err().to_string();
    assert!(error("esado:Datalab").contains("not turtle"));
    assert!(error("").contains("Datalab"));
    let wrong = TERMS_TTL.replacen("esado:valueType \"ShortName\"", "esado:valueType \"Shortname\"", 1);
    assert!(error(&wrong).contains("Datalab.alternateName>: `Shortname` is no value type"), "{}", error(&wrong));
    let unwritable = TERMS_TTL.replacen("esado:writer \"developer\"", "esado:writer \"anonymous\"", 1);
    assert!(error(&unwritable).contains("is no role that writes"));
}
