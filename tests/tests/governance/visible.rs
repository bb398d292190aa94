//! Who comes across which record, whatever they ask (THREATS T3): requests of every shape by every kind of viewer, against what a
//! plain reading of the rules says they may know.
//!
//! Listed is what is published or deprecated, not in the sandbox, and not made undiscoverable. Everything else is known to its
//! developers and moderators; what is published and hidden also to those whom it names, by account or team.

use std::collections::BTreeSet;

use catalog_schemas::account::{Role, Scope};
use catalog_tests::package::{datalab, package};
use catalog_tests::sandbox::read;
use catalog_tests::{ADMIN_TOKEN, Sandbox};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::{developer, reviewed, send};

/// How many requests are drawn.
const REQUESTS: usize = 250;

/// A record of the little world, and what is to be known of it.
#[derive(Debug, Clone)]
struct Asset {
    identifier: String,
    kind: &'static str,
    state: &'static str,
    hidden: bool,
    named: &'static str,
    /// A word that only this record says.
    word: String,
}

impl Asset {
    fn is_sandbox(&self) -> bool {
        self.identifier.starts_with("sandbox.")
    }

    fn is_public(&self) -> bool {
        matches!(self.state, "published" | "deprecated")
    }

    fn is_listed(&self) -> bool {
        self.is_public() && !self.hidden && !self.is_sandbox()
    }

    /// Says whether a viewer may open it.
    fn is_known_to(&self, viewer: &str) -> bool {
        match viewer {
            "owner" | "moderator" => true,
            "named" | "member" => {
                let is_named = self.named == viewer && self.hidden && self.is_public() && !self.is_sandbox();
                self.is_listed() || is_named
            }
            _ => self.is_listed(),
        }
    }

    fn manifest(&self) -> Value {
        let mut manifest = datalab(&self.identifier, "1.0.0");
        manifest["name"] = json!({ "en": format!("Asset {}", self.word) });
        manifest["keyword"] = json!({ "en": ["asset", self.word] });
        if self.kind != "Datalab" {
            manifest = json!({
                "@context": manifest["@context"], "@type": self.kind, "identifier": self.identifier,
                "description": { "en": format!("What the tests look for, called {}.", self.word) },
                "license": manifest["license"], "domain": manifest["domain"], "creator": [{ "name": "Somebody" }],
                "keyword": manifest["keyword"],
            });
        }
        if self.kind == "Dataset" {
            manifest["title"] = json!({ "en": format!("Asset {}", self.word) });
        } else if self.kind == "DataVolume" {
            manifest["name"] = json!({ "en": format!("Asset {}", self.word) });
            manifest["abstract"] = json!({ "en": "A volume that the tests look for and nobody else needs." });
            manifest["alternateName"] = json!(self.word);
            manifest["defaultMountPath"] = json!(format!("/data/user/{}", self.word));
            manifest["mode"] = json!("ro");
        }
        match self.named {
            "named" => manifest["allowedUser"] = json!(["cleo"]),
            "member" => manifest["allowedGroup"] = json!(["crew"]),
            _ => {}
        }
        manifest
    }

    fn version(&self) -> &'static str {
        if self.kind == "Datalab" { "1.0.0" } else { "1" }
    }
}

fn assets() -> Vec<Asset> {
    let mut all = Vec::new();
    let mut add = |kind, state, hidden, named, prefix: &str| {
        // Words that no stemmer and no misspelling brings near each other.
        let word = format!("q{}zx{}", ["uarb", "ombl", "irst", "elph", "yndr"][all.len() % 5], all.len() * 7919 + 13);
        all.push(Asset { identifier: format!("{prefix}.{word}"), kind, state, hidden, named, word });
    };
    for kind in ["Datalab", "Dataset", "DataVolume"] {
        for named in ["nobody", "named", "member"] {
            add(kind, "published", true, named, "vis.own");
        }
        add(kind, "published", false, "named", "vis.own");
        add(kind, "draft", false, "member", "vis.own");
        add(kind, "withdrawn", false, "nobody", "vis.own");
    }
    add("Datalab", "deprecated", false, "nobody", "vis.own");
    add("Datalab", "deprecated", true, "named", "vis.own");
    add("Datalab", "submitted", false, "nobody", "vis.own");
    add("Datalab", "published", false, "member", "sandbox.ann");
    all
}

struct World {
    sandbox: Sandbox,
    assets: Vec<Asset>,
    viewers: Vec<(&'static str, String)>,
}

impl World {
    async fn make() -> Self {
        let sandbox = reviewed().await;
        let ann = developer(&sandbox, "ann").await;
        let viewers = vec![
            ("anonymous", String::new()),
            ("stranger", developer(&sandbox, "ben").await),
            ("named", developer(&sandbox, "cleo").await),
            ("member", developer(&sandbox, "dora").await),
            ("owner", ann.clone()),
            ("moderator", sandbox.account("mia", Role::Moderator, &[Scope::Admin]).await.token),
        ];
        let crew = r#"{"kind":"team","name":"crew"}"#;
        assert_eq!(send(&sandbox, "POST", "/api/v1/groups", ADMIN_TOKEN, crew).await.0, 201);
        let member = "/api/v1/groups/team/crew/members/dora";
        assert_eq!(send(&sandbox, "PUT", member, ADMIN_TOKEN, r#"{"rank":"member"}"#).await.0, 204);
        assert_eq!(send(&sandbox, "POST", "/api/v1/groups/team/crew/acceptance", &viewers[3].1, "").await.0, 204);
        let assets = assets();
        for asset in &assets {
            let path = format!("/api/v1/packages/{}/{}", asset.identifier, asset.version());
            let (status, answer) = send(&sandbox, "PUT", &path, &ann, package(&asset.manifest())).await;
            assert_eq!(status, 201, "{asset:?}: {answer}");
            if asset.hidden {
                // Before anybody could see it: whatever is told of it later is a leak.
                let record = format!("/api/v1/records/go-esa/{}", asset.identifier);
                let (status, answer) = send(&sandbox, "PATCH", &record, ADMIN_TOKEN, r#"{"discoverable":false}"#).await;
                assert_eq!(status, 200, "{answer}");
            }
            let steps: &[&str] = match asset.state {
                _ if asset.is_sandbox() => &[],
                "published" => &["published"],
                "deprecated" => &["published", "deprecated"],
                "withdrawn" => &["withdrawn"],
                "submitted" => &["submitted"],
                _ => &[],
            };
            for to in steps {
                let by = if *to == "submitted" { ann.as_str() } else { ADMIN_TOKEN };
                let change = json!({ "state": to, "reason": "as the test needs it" }).to_string();
                let (status, answer) = send(&sandbox, "POST", &format!("{path}/state"), by, change).await;
                assert_eq!(status, 200, "{asset:?} to {to}: {answer}");
            }
        }
        sandbox.wait_until_in_step().await;
        Self { sandbox, assets, viewers }
    }

    async fn get(&self, token: &str, path: &str) -> (u16, String) {
        let request = self.sandbox.request("GET", path);
        read(if token.is_empty() { request } else { request.bearer_auth(token) }).await
    }

    fn identifiers(&self, which: impl Fn(&Asset) -> bool) -> BTreeSet<&str> {
        self.assets.iter().filter(|asset| which(asset)).map(|asset| asset.identifier.as_str()).collect()
    }

    /// The identifiers and words of which a text speaks although its reader may not know them.
    fn told(&self, text: &str, viewer: &str, also_identifiers: bool) -> Vec<&str> {
        let unknown = self.assets.iter().filter(|asset| !asset.is_known_to(viewer));
        let holds = |asset: &&Asset| {
            text.contains(&format!("Asset {}", asset.word)) || also_identifiers && text.contains(&asset.identifier)
        };
        unknown.filter(holds).map(|asset| asset.identifier.as_str()).collect()
    }
}

/// A search of any shape: with and without words, with facets alone, beyond the last page, with a size of nothing, waiting.
fn search() -> impl Strategy<Value = (Vec<(&'static str, String)>, Option<u64>)> {
    let words: Vec<String> = assets().into_iter().map(|asset| asset.word).collect();
    let beginnings: Vec<String> = words.iter().map(|word| word[..5].to_owned()).collect();
    let q = prop_oneof![
        3 => Just(String::new()),
        4 => proptest::sample::select(words),
        2 => proptest::sample::select(beginnings),
        2 => proptest::sample::select(vec!["asset", "asset*", "\"asset\"", "-asset", "*", "vis.own", "\"", "nobody OR asset"])
            .prop_map(str::to_owned),
        1 => "\\PC{0,12}",
    ];
    let facet = proptest::sample::select(vec![
        ("type", "Datalab"),
        ("type", "Dataset"),
        ("type", "DataVolume"),
        ("domain", "space-science"),
        ("property", "AnalysisTool"),
        ("licence", "Apache-2.0"),
        ("source", "go-esa"),
        ("datazone", "demo"),
        ("interface", "web"),
        ("year", "2026"),
        ("type", "Nothing"),
    ]);
    let facets = proptest::collection::vec(facet, 0..4);
    let rest = (
        proptest::sample::select(vec!["", "relevance", "newest", "name"]),
        proptest::sample::select(vec!["", "1", "2", "99"]),
        proptest::sample::select(vec!["", "0", "1", "5", "100"]),
        any::<bool>(),
        proptest::option::weighted(0.2, 0_u64..40),
    );
    (q, facets, rest).prop_map(|(q, facets, (sort, page, size, can_start, seq))| {
        let mut pairs: Vec<(&'static str, String)> =
            facets.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
        let given = [("q", q), ("sort", sort.to_owned()), ("page", page.to_owned()), ("size", size.to_owned())];
        pairs.extend(given.into_iter().filter(|(_, value)| !value.is_empty()));
        if can_start {
            pairs.push(("canStartNow", "true".to_owned()));
        }
        (pairs, seq)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_comes_across_what_is_not_for_them_whatever_they_ask() {
    let world = World::make().await;
    searches(&world).await;
    names(&world).await;
    lists(&world).await;
    plans(&world).await;
}

async fn searches(world: &World) {
    let listed = world.identifiers(Asset::is_listed);
    // First of all: everybody finds all that is listed, so that finding nothing proves nothing.
    for (viewer, token) in &world.viewers {
        let (_, text) = world.get(token, "/api/v1/search?size=100").await;
        let answer: Value = serde_json::from_str(&text).unwrap();
        let found: BTreeSet<&str> =
            answer["hits"].as_array().unwrap().iter().map(|hit| hit["identifier"].as_str().unwrap()).collect();
        assert_eq!(found, listed, "{viewer}");
    }
    let mut runner = TestRunner::deterministic();
    let shapes = search();
    for _ in 0..REQUESTS {
        let (pairs, seq) = shapes.new_tree(&mut runner).unwrap().current();
        let (viewer, token) = proptest::sample::select(world.viewers.clone()).new_tree(&mut runner).unwrap().current();
        let mut request = world.sandbox.request("GET", "/api/v1/search").query(&pairs);
        if !token.is_empty() {
            request = request.bearer_auth(&token);
        }
        if let Some(seq) = seq {
            request = request.header("alidade-min-seq", seq);
        }
        let (status, text) = read(request).await;
        assert!(status < 500 || status == 503, "{pairs:?}: {status} {text}");
        let Ok(answer) = serde_json::from_str::<Value>(&text) else { panic!("{pairs:?}: {text}") };
        for hit in answer["hits"].as_array().into_iter().flatten() {
            let identifier = hit["identifier"].as_str().unwrap();
            assert!(listed.contains(identifier), "{viewer} finds {identifier} by {pairs:?}");
        }
        let total = answer["total"].as_u64().unwrap_or_default();
        assert!(total <= listed.len() as u64, "{viewer}: {total} for {pairs:?}");
        // What was typed may come back; the words of others may not, in counts, labels or proposals.
        let typed = pairs.iter().find(|(name, _)| *name == "q").map(|(_, q)| q.clone()).unwrap_or_default();
        for asset in world.assets.iter().filter(|asset| !asset.is_listed() && !typed.contains(&asset.word)) {
            assert!(!text.contains(&asset.word), "{viewer} reads `{}` by {pairs:?}: {text}", asset.word);
        }
        let beginning: String = typed.chars().take(6).collect();
        let (_, text) = read(world.sandbox.request("GET", "/api/v1/suggest").query(&[("q", beginning)])).await;
        for asset in world.assets.iter().filter(|asset| !asset.is_listed()) {
            assert!(!text.contains(&asset.word), "`{}` is completed for {typed:?}: {text}", asset.word);
        }
    }
}

/// Everything that is asked for by name.
async fn names(world: &World) {
    for (viewer, token) in &world.viewers {
        for asset in &world.assets {
            let known = asset.is_known_to(viewer);
            let there = if asset.state == "withdrawn" { 410 } else { 200 };
            let identifier = &asset.identifier;
            for path in [
                format!("/api/v1/records/go-esa/{identifier}"),
                format!("/record/go-esa/{identifier}"),
                format!("/api/v1/packages/{identifier}/{}", asset.version()),
            ] {
                let (status, text) = world.get(token, &path).await;
                assert_eq!(status, if known { there } else { 404 }, "{viewer}, {asset:?}: {path}");
                assert!(known || !text.contains(&format!("Asset {}", asset.word)), "{viewer}: {path}");
            }
            // Documents are the same for everybody.
            for suffix in [".ttl", ".dcat-ap.ttl", ".datacite.json", ".ro-crate.jsonld", ".bib"] {
                let (status, _) = world.get(token, &format!("/id/go-esa/{identifier}{suffix}")).await;
                assert_eq!(status == 200, asset.is_listed(), "{viewer}, {asset:?}: {suffix} {status}");
            }
            for path in ["difference", "provenance"] {
                let (status, _) = world.get(token, &format!("/api/v1/records/go-esa/{identifier}/{path}")).await;
                assert!(known || status == 404, "{viewer}, {asset:?}: {path} {status}");
            }
        }
    }
}

/// Everything that lists.
async fn lists(world: &World) {
    let query = "/sparql?query=SELECT%20%2A%20WHERE%20%7B%20%7B%20%3Fs%20%3Fp%20%3Fo%20%7D%20UNION%20%7B%20GRAPH%20%3Fg%20%7B%20%3Fs%20%3Fp%20%3Fo%20%7D%20%7D%20%7D";
    for (viewer, token) in &world.viewers {
        for path in [
            "/dump.nq",
            "/dump.nt",
            "/catalog",
            "/catalog.ttl",
            "/fdp",
            "/ga4gh/trs/v2/tools",
            "/sitemap.xml",
            "/sitemap/0.xml",
            "/.well-known/void",
            "/search",
            "/volumes",
            "/",
            query,
            "/api/v1/queue",
            "/oai?verb=ListIdentifiers&metadataPrefix=oai_dc",
            "/oai?verb=ListRecords&metadataPrefix=oai_dc",
        ] {
            let (status, text) = world.get(token, path).await;
            assert!(status < 500 || status == 503, "{path}: {status}");
            let told = world.told(&text, viewer, true);
            assert!(told.is_empty(), "{path} tells {viewer} of {told:?}");
        }
        // Feeds are the same for everybody: they say that something is gone only of what everybody could see.
        for path in ["/feed.atom", "/feed", "/api/v1/changes?limit=1000"] {
            let (status, text) = world.get(token, path).await;
            assert_eq!(status, 200, "{path}");
            assert!(world.told(&text, "anonymous", true).is_empty(), "{path} tells {viewer}: {text}");
        }
        let (_, text) = world.get(token, "/api/v1/volumes").await;
        let volumes: Value = serde_json::from_str(&text).unwrap();
        let shown: BTreeSet<&str> = volumes["volumes"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|volume| volume["iri"].as_str()?.rsplit('/').next())
            .collect();
        let expected = world.identifiers(|asset| {
            let may = asset.is_known_to(viewer) && asset.is_public() && !asset.is_sandbox();
            // A moderator who is not named reads every record, and mounts none that is for others.
            asset.kind == "DataVolume" && may && (asset.is_listed() || *viewer != "moderator")
        });
        assert_eq!(shown, expected, "{viewer}");
    }
}

/// What may be planned, and with what.
async fn plans(world: &World) {
    let lab = world.assets.iter().find(|asset| asset.kind == "Datalab" && asset.is_listed() && asset.named == "nobody");
    let lab = format!("go-esa/{}", lab.unwrap().identifier);
    for (viewer, token) in &world.viewers {
        for asset in &world.assets {
            let asked = match asset.kind {
                "Datalab" => json!({ "datalab": format!("go-esa/{}", asset.identifier) }),
                "DataVolume" => json!({ "datalab": lab, "volumes": [{ "volume": asset.word }] }),
                _ => json!({ "datalab": lab, "datasets": [format!("go-esa/{}", asset.identifier)] }),
            };
            let (status, answer) = send(&world.sandbox, "POST", "/api/v1/plans", token, asked.to_string()).await;
            let known = asset.is_known_to(viewer) && asset.is_public();
            let is_mountable = asset.kind != "DataVolume" || asset.is_listed() || *viewer != "moderator";
            let text = answer.to_string();
            if known && is_mountable && !asset.is_sandbox() {
                assert_eq!(status, 200, "{viewer} {asset:?}: {answer}");
            } else if !known {
                assert!(matches!(status, 404 | 422), "{viewer} {asset:?}: {status} {answer}");
                assert!(!text.contains("Asset "), "{viewer} {asset:?}: {answer}");
            }
        }
    }
}
