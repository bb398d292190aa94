//! Real catalogues over loopback HTTP into a real server: the counts are those that were counted by hand, what does not
//! change is not written, and later states come out exactly.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "what a test cannot do must fail it")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use catalog_schemas::harvest::{RunFinding, RunView, SourceSettings};
use catalog_tests::site::Sites;
use catalog_tests::{Sandbox, Settings, sparql};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(600);

/// Returns the folder of real data, saying loudly when there is none.
fn shared() -> Option<PathBuf> {
    let folder = std::env::var_os("ALIDADE_TEST_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"), PathBuf::from);
    if folder.join("expected").is_dir() {
        return Some(folder);
    }
    eprintln!("SKIPPED: there is no real data at {}; ALIDADE_TEST_DATA says where it is", folder.display());
    None
}

fn expected(data: &Path, name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(data.join(format!("expected/{name}-give.json"))).unwrap()).unwrap()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target)
        } else {
            std::fs::copy(entry.path(), target).map(drop).unwrap()
        }
    }
}

/// A server, and sites that it harvests.
struct Bench {
    sandbox: Sandbox,
    sites: Sites,
    folder: tempfile::TempDir,
    data: PathBuf,
}

impl Bench {
    async fn start() -> Option<Self> {
        let data = shared()?;
        let (sandbox, sites) = (Sandbox::start(Settings::default()).await, Sites::start().await);
        Some(Self { sandbox, sites, folder: tempfile::tempdir().unwrap(), data })
    }

    /// Serves a copy of a folder of real data; returns the copy.
    fn serve(&self, name: &str) -> PathBuf {
        let copied = self.folder.path().join(name);
        copy(&self.data.join(name), &copied);
        self.sites.mount(name, &copied);
        copied
    }

    /// Serves the documents of DataCite's own test data, one of each identifier, and one that is no JSON; returns how
    /// many records they hold.
    fn serve_datacite(&self) -> u64 {
        let (from, to) = (self.data.join("datacite-bolognese"), self.folder.path().join("datacite"));
        std::fs::create_dir_all(&to).unwrap();
        let mut names: Vec<_> = std::fs::read_dir(&from).unwrap().flatten().map(|entry| entry.file_name()).collect();
        names.sort();
        let mut identifiers = std::collections::BTreeSet::new();
        for name in names {
            let text = std::fs::read_to_string(from.join(&name)).unwrap_or_default();
            let is_kernel = text.contains("http://datacite.org/schema/");
            let identifier = text.split_once("identifierType=\"DOI\">").and_then(|(_, rest)| rest.split_once('<'));
            let Some((identifier, _)) = identifier.filter(|_| is_kernel) else { continue };
            if identifiers.insert(identifier.trim().to_lowercase()) {
                std::fs::write(to.join(name), text).unwrap();
            }
        }
        let broken = "datacite_software_missing_comma.json";
        std::fs::copy(from.join(broken), to.join(broken)).unwrap();
        self.sites.mount("datacite", &to);
        identifiers.len() as u64
    }

    async fn define(&self, id: &str, mut settings: Value) {
        let more = json!({ "id": id, "allowPrivateAddresses": true, "retries": 0 });
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let settings: SourceSettings = serde_json::from_value(settings).unwrap();
        self.sandbox.admin().source_define(&settings).await.unwrap();
    }

    async fn harvest(&self, source: &str) -> RunView {
        self.sandbox.harvest(source, false).await
    }

    async fn ledger(&self) -> Value {
        let (_, text) = self.sandbox.get("/readyz").await;
        serde_json::from_str::<Value>(&text).unwrap()["ledgerSeq"].clone()
    }

    /// Harvests until the run of a number: nothing changes, and nothing is written.
    async fn assert_still(&self, source: &str, records: u64, last: u64) {
        let before = self.ledger().await;
        for round in 2..=last {
            let run = self.harvest(source).await;
            let counts = (run.state.as_str(), run.added, run.changed, run.removed, run.unchanged);
            assert_eq!(counts, ("completed", 0, 0, 0, records), "run {round} of {source}: {:?}", run.reason);
        }
        assert_eq!(self.ledger().await, before, "{source} wrote something although nothing changed");
    }

    /// Asserts that the API, the search and SPARQL count the same.
    async fn assert_counts(&self, source: &str, records: u64) {
        assert_eq!(self.sandbox.admin().source(source).await.unwrap().records, records, "{source}");
        self.sandbox.wait_until_in_step().await;
        // A run is told as completed a moment before the ledger's last sequence is.
        let started = Instant::now();
        while self.sandbox.search(&[("source", source)]).await.total as u64 != records {
            let total = self.sandbox.search(&[("source", source)]).await.total;
            assert!(started.elapsed() < PATIENCE, "{source}: {total} of {records} are found");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let graph = format!("{}/graph/{source}", self.sandbox.base());
        // A graph of many hundreds is counted within the limit of a query only by a build with optimisation or on an idle machine.
        if records > 300 {
            return;
        }
        // Every harvested record keeps the identifier that its source gave it.
        let named = "<http://www.w3.org/ns/adms#identifier>";
        let query = format!("SELECT (COUNT(DISTINCT ?s) AS ?n) WHERE {{ GRAPH <{graph}> {{ ?s {named} ?i }} }}");
        assert_eq!(sparql::number(&self.sandbox, &query).await as u64, records, "{source}");
    }
}

fn counts(run: &RunView) -> (&str, bool, u64, u64, u64, u64) {
    (run.state.as_str(), run.complete, run.added, run.changed, run.removed, run.quarantined)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_of_files_and_its_later_states() {
    let Some(mut bench) = Bench::start().await else { return };
    let (folder, wanted) = (bench.serve("aws-open-data"), expected(&bench.data, "aws"));
    let records = wanted["records"].as_u64().unwrap();
    std::fs::write(folder.join("zz-broken.yaml"), "Name: Broken\nDescription: [\nnever: }\n").unwrap();
    let url = format!("{}/", bench.sites.base("aws-open-data"));
    bench.define("aws", json!({ "kind": "files", "url": url, "mapping": "aws-open-data" })).await;
    let run = bench.harvest("aws").await;
    // Four files of the registry are lists of tags and services, which are no records.
    assert_eq!(counts(&run), ("completed", true, records, 0, 0, 5), "{:?}", run.reason);
    let set_aside: Vec<_> = run.findings.iter().filter(|finding| finding.quarantined).collect();
    let broken = |one: &&&RunFinding| one.finding.file.as_ref().is_some_and(|file| file.ends_with("zz-broken.yaml"));
    let broken = set_aside.iter().find(broken).unwrap();
    assert!(broken.finding.line.is_some_and(|line| line >= 2), "{broken:?}");
    bench.assert_counts("aws", records).await;
    bench.assert_still("aws", records, 3).await;

    // A later state: two are gone, one says something else, one is new; the broken one is still broken and hides nothing.
    let deprecated = wanted["deprecated"].as_array().unwrap();
    for name in &deprecated[..2] {
        std::fs::remove_file(folder.join(format!("{}.yaml", name.as_str().unwrap()))).unwrap();
    }
    let changed = folder.join("sentinel-3.yaml");
    let text = std::fs::read_to_string(&changed).unwrap().replacen("Name:", "Name: Renamed", 1);
    std::fs::write(&changed, text).unwrap();
    std::fs::write(folder.join("brand-new.yaml"), "Name: Brand new\nDescription: New\nResources: []\n").unwrap();
    let before = bench.ledger().await.as_u64().unwrap();
    let run = bench.harvest("aws").await;
    assert_eq!(counts(&run), ("completed", true, 1, 1, 2, 5), "{:?}", run.reason);
    assert_eq!(bench.ledger().await.as_u64().unwrap() - before, 4);
    let diff = run.diff.unwrap();
    assert!(diff.changed[0].fields.iter().any(|field| field.key == "name"), "{:?}", diff.changed);
    bench.assert_counts("aws", records - 1).await;

    // Killed at some moments of a run that would add again what went, nothing is lost and nothing is half there.
    copy(&bench.data.join("aws-open-data"), &folder);
    for wait in [300, 1500] {
        bench.sandbox.admin().run_start("aws", false).await.unwrap();
        tokio::time::sleep(Duration::from_millis(wait)).await;
        bench.sandbox.kill9();
        bench.sandbox.run().await;
        let left = bench.sandbox.admin().source("aws").await.unwrap().records;
        assert!(left == records - 1 || left == records + 1, "{left} records after a crash");
    }
    let run = bench.harvest("aws").await;
    assert_eq!(run.state, "completed", "{run:?}");
    bench.assert_counts("aws", records + 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_and_its_later_states() {
    let Some(bench) = Bench::start().await else { return };
    let (folder, wanted) = (bench.serve("nasa-cmr-tsv"), expected(&bench.data, "nasa"));
    let records = wanted["rows"].as_u64().unwrap();
    let name = "nasa_earth_data.give.2025-05-30.tsv";
    let url = format!("{}/{name}", bench.sites.base("nasa-cmr-tsv"));
    bench.define("nasa", json!({ "kind": "files", "url": url, "mapping": "nasa-cmr" })).await;
    let run = bench.harvest("nasa").await;
    assert_eq!(counts(&run), ("completed", true, records, 0, 0, 0), "{:?}", run.reason);
    bench.assert_counts("nasa", records).await;
    bench.assert_still("nasa", records, 3).await;
    // A later state of the table: rows that stand on one line and are followed by another such go, or are renamed.
    let text = std::fs::read_to_string(folder.join(name)).unwrap();
    let lines: Vec<&str> = text.split('\n').collect();
    let is_row = |line: &str| {
        line.starts_with('C')
            && line.matches('"').count().is_multiple_of(2)
            && line.matches('\t').count() == lines[0].matches('\t').count()
    };
    let whole: Vec<usize> = (1..lines.len() - 2).filter(|at| is_row(lines[*at]) && is_row(lines[at + 1])).collect();
    let (gone, renamed) = (&whole[10..17], &whole[100..105]);
    let title = lines[0].split('\t').position(|name| name == "EntryTitle").unwrap();
    let mut later: Vec<String> = Vec::new();
    for (at, line) in lines.iter().enumerate().filter(|(at, _)| !gone.contains(at)) {
        let mut fields: Vec<String> = line.split('\t').map(str::to_owned).collect();
        if renamed.contains(&at) {
            fields[title] = format!("Renamed {}", fields[title].replace('"', ""));
        }
        later.push(fields.join("\t"));
    }
    let mut fresh: Vec<String> = lines[whole[0]].split('\t').map(str::to_owned).collect();
    fresh[lines[0].split('\t').position(|name| name == "concept-id").unwrap()] = "C9999999999-TEST".to_owned();
    later.insert(1, fresh.join("\t"));
    std::fs::write(folder.join(name), later.join("\n")).unwrap();
    let run = bench.harvest("nasa").await;
    assert_eq!(counts(&run), ("completed", true, 1, 5, 7, 0), "{:?}", run.reason);
    bench.assert_counts("nasa", records - 6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_lines_and_profiles() {
    let Some(bench) = Bench::start().await else { return };
    for (id, name, path, settings, records) in [
        (
            "spase",
            "spase-nasa",
            "/",
            json!({ "kind": "files", "mapping": "spase" }),
            expected(&bench.data, "spase")["records"].as_u64(),
        ),
        ("hubs", "datalabs-2i2c", "/", json!({ "kind": "files", "mapping": "jupyterhub" }), None),
        (
            "tools",
            "tools-biotools",
            "/bioschemas.give.jsonl",
            json!({ "kind": "files", "mapping": "bioschemas" }),
            None,
        ),
    ] {
        bench.serve(name);
        let mut settings = settings;
        settings["url"] = json!(format!("{}{path}", bench.sites.base(name)));
        bench.define(id, settings).await;
        let run = bench.harvest(id).await;
        assert_eq!((run.state.as_str(), run.complete), ("completed", true), "{id}: {:?}", run.reason);
        let codes: Vec<_> =
            run.findings.iter().filter(|one| one.quarantined).map(|one| one.finding.code.as_str()).collect();
        match id {
            "tools" => {
                let documents = expected(&bench.data, "biotools")["documents"].as_u64().unwrap();
                assert_eq!(run.added + run.quarantined, documents, "{:?}", &codes[..codes.len().min(10)]);
            }
            "hubs" => {
                let images = expected(&bench.data, "2i2c")["distinct_images"].as_u64().unwrap();
                assert!(run.added >= images && run.quarantined == 0, "{} {codes:?}", run.added);
            }
            _ => {}
        }
        if let Some(records) = records {
            assert_eq!((run.added, run.quarantined), (records, 0), "{id}");
        }
        assert!(run.added > 0, "{id}: {codes:?}");
        bench.assert_counts(id, run.added).await;
        bench.assert_still(id, run.added, if run.added < 300 { 3 } else { 2 }).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_of_datacite() {
    let Some(bench) = Bench::start().await else { return };
    let records = bench.serve_datacite();
    assert!(records >= 15, "{records} documents of DataCite");
    let url = format!("{}/", bench.sites.base("datacite"));
    bench.define("datacite", json!({ "kind": "files", "url": url, "mapping": "datacite" })).await;
    let run = bench.harvest("datacite").await;
    let set_aside: Vec<_> = run.findings.iter().filter(|finding| finding.quarantined).collect();
    assert_eq!(counts(&run), ("completed", true, records, 0, 0, 1), "{set_aside:#?}");
    assert_eq!(set_aside[0].finding.line, Some(4), "{set_aside:?}");
    bench.assert_counts("datacite", records).await;
    bench.assert_still("datacite", records, 3).await;
    // What came as DataCite is given as DataCite again, under the same identifier.
    let hit = bench.sandbox.search(&[("source", "datacite")]).await.hits.remove(0);
    let (status, given) = bench.sandbox.get(&format!("/id/{}/{}.datacite.json", hit.zone, hit.identifier)).await;
    assert!(status == 200 && given.contains("\"10."), "{given}");
}

#[tokio::test(flavor = "multi_thread")]
async fn protocols() {
    let Some(bench) = Bench::start().await else { return };
    let read = |path: &str| std::fs::read_to_string(bench.data.join(path)).unwrap();
    // The answers of pycsw, as it gave them; the second page is the end of the list.
    let first = read("csw-oaipmh-stac-pycsw/oaipmh/expected/get_ListRecords_oai_dc.xml");
    let record = |id: &str| {
        format!(
            "<record><header><identifier>{id}</identifier><datestamp>2020-01-01</datestamp></header><metadata><oai_dc:dc xmlns:oai_dc=\"o\" xmlns:dc=\"d\"><dc:title>{id}</dc:title></oai_dc:dc></metadata></record>"
        )
    };
    let last = format!(
        "<OAI-PMH xmlns=\"http://www.openarchives.org/OAI/2.0/\"><responseDate>2026-01-01T00:00:00Z</responseDate><request/><ListRecords>{}{}<resumptionToken completeListSize=\"12\"/></ListRecords></OAI-PMH>",
        record("urn:x:11"),
        record("urn:x:12")
    );
    let answers = [
        ("/oai?verb=ListRecords&metadataPrefix=oai_dc", json!({ "type": "text/xml", "body": first })),
        ("/oai?verb=ListRecords&resumptionToken=11", json!({ "type": "text/xml", "body": last })),
    ];
    bench.sites.set("pycsw", answers.into_iter().map(|(path, answer)| (path.to_owned(), answer)).collect());
    bench.define("pycsw", json!({ "kind": "oai-pmh", "url": format!("{}/oai", bench.sites.base("pycsw")) })).await;
    let run = bench.harvest("pycsw").await;
    assert_eq!((run.state.as_str(), run.complete, run.added + run.quarantined), ("completed", true, 12), "{run:?}");
    bench.assert_counts("pycsw", run.added).await;
    bench.assert_still("pycsw", run.added, 3).await;

    // Every example of DCAT that says something of a data set or a service.
    let mut harvested = 0;
    for folder in ["dcat/w3c-dxwg-examples", "dcat/semic-geodcat-ap/examples"] {
        let Ok(entries) = std::fs::read_dir(bench.data.join(folder)) else { continue };
        let name = folder.replace('/', "-");
        bench.sites.mount(&name, &bench.data.join(folder));
        let mut files: Vec<String> =
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        files.retain(|file| file.ends_with(".ttl"));
        files.sort();
        for (number, file) in files.iter().enumerate().take(8) {
            let id = format!("dcat-{}-{number}", &name[5..8]);
            bench.define(&id, json!({ "kind": "dcat", "url": format!("{}/{file}", bench.sites.base(&name)) })).await;
            let run = bench.harvest(&id).await;
            assert!(run.state == "completed", "{file}: {run:?}");
            harvested += run.added;
            if number == 0 {
                bench.assert_still(&id, run.added, 3).await;
            }
        }
    }
    assert!(harvested >= 8, "{harvested}");
}
