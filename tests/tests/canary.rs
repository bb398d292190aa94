//! Every private value is a word that exists nowhere else; whoever may not read it never meets it, wherever they look.
//!
//! What is looked at is not listed here: operations come from the OpenAPI document, pages from links, files from the data
//! folder. A new route is looked at from the day it is there.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what a test cannot do must fail it")]

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::io::Read;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use catalog_schemas::account::{Role, Scope};
use catalog_tests::package::{datalab, package_with};
use catalog_tests::sandbox::{Settings, read};
use catalog_tests::{ADMIN_TOKEN, Sandbox};
use futures::StreamExt;
use rand::Rng;
use rand::distr::Alphanumeric;
use serde_json::{Value, json};

/// Media types that an operation is asked for.
const MEDIA_TYPES: [&str; 9] = [
    "*/*",
    "text/html",
    "application/json",
    "text/turtle",
    "application/ld+json",
    "application/rdf+xml",
    "application/n-triples",
    "application/atom+xml",
    "text/csv",
];

/// Pages that a crawl of one viewer looks at before it stops; far more than there are.
const MOST_PAGES: usize = 1200;

/// Requests under way at once.
const AT_ONCE: usize = 8;

/// The words that only some may read, by what they stand for.
#[derive(Default)]
struct Canaries {
    words: Vec<(String, String)>,
}

impl Canaries {
    /// Makes a word for a place; every one begins alike, so that searching for the beginning could bring all of them up.
    fn make(&mut self, place: &str) -> String {
        let tail: String = rand::rng().sample_iter(Alphanumeric).take(14).map(char::from).collect();
        let word = format!("canary{}", tail.to_lowercase());
        self.words.push((place.to_owned(), word.clone()));
        word
    }

    /// Returns the places whose words are in some bytes, packed or not.
    fn found(&self, bytes: &[u8]) -> Vec<&str> {
        let unpacked = unpacked(bytes);
        let haystacks = [bytes, unpacked.as_slice()];
        let holds = |word: &str| {
            // The beginning is shared, so what follows it is what tells; indexes keep it in other places than the whole.
            let needle = &word.as_bytes()["canary".len()..];
            haystacks
                .iter()
                .any(|haystack| haystack.windows(needle.len()).any(|window| window.eq_ignore_ascii_case(needle)))
        };
        self.words.iter().filter(|(_, word)| holds(word)).map(|(place, _)| place.as_str()).collect()
    }
}

/// Returns what is in a gzip or in the entries of a zip.
fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        let _ = flate2::read::MultiGzDecoder::new(bytes).take(64 << 20).read_to_end(&mut out);
    } else if bytes.starts_with(b"PK")
        && let Ok(package) = catalog_archive::open(bytes, &catalog_archive::Budget::default())
    {
        for entry in &package.entries {
            out.extend(package.read(bytes, &entry.path).ok().flatten().unwrap_or_default());
        }
    }
    out
}

/// What was published: records with private words in every place that has one.
struct Planted {
    sandbox: Sandbox,
    owner: String,
    canaries: Canaries,
    /// The places that the datalab's developers read on its page and by the API.
    of_lab: Vec<&'static str>,
}

const LAB: &str = "canaries.own.lab";
const SET: &str = "canaries.own.set";

async fn planted() -> Planted {
    let mut canaries = Canaries::default();
    let folder = canaries.make("the folder of a volume");
    let configuration = format!(
        "[zone]\nid = \"go-esa\"\nname = \"GO.ESA\"\n[[datazone]]\nid = \"demo\"\nname = \"Demo\"\nbackend = \"demo\"\ncpu = 8\nmemoryMiB = 16384\n\
         [[datazone.volume]]\nvolume = \"nest\"\npath = \"/srv/{folder}\"\nmode = \"ro\"\n"
    );
    let sandbox = Sandbox::start(Settings { configuration: Some(configuration), ..Settings::default() }).await;
    let owner = sandbox.account("ann", Role::User, &[Scope::Admin]).await.token;

    let mut of_lab = Vec::new();
    let mut word = |place: &'static str| {
        of_lab.push(place);
        canaries.make(place)
    };
    let mut lab = datalab(LAB, "1.0.0");
    lab["supportEmailInternal"] = json!(format!("{}@example.org", word("supportEmailInternal")));
    lab["datalabImage"] = json!({ "reference": format!("registry.example/{}:1", word("datalabImage.reference")), "keyword": [word("datalabImage.keyword")] });
    lab["runtime"] = json!({
        "port": [8888], "path": format!("/{}", word("runtime.path")),
        "readiness": { "path": format!("/{}", word("runtime.readiness.path")) },
        "command": [word("runtime.command")], "args": [word("runtime.args")],
        "env": [{ "name": "COLOUR", "value": word("runtime.env.value") }]
    });
    lab["build"] =
        json!({ "recipe": format!("https://example.org/{}", word("build.recipe")), "test": [word("build.test")] });
    lab["startupHint"] = json!({ "en": format!("Begin with {}.", word("startupHint")) });
    lab["allowedUser"] = json!([word("allowedUser")]);
    lab["allowedGroup"] = json!([word("allowedGroup")]);
    let foreign = canaries.make("another vocabulary's property");
    lab["https://example.org/ns#note"] = json!(foreign);
    let dockerfile = canaries.make("image/Dockerfile");
    let files = [("image/Dockerfile", format!("FROM {dockerfile}\n")), ("README.md", "# For everybody\n".to_owned())];
    let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (*path, text.as_str())).collect();
    put(&sandbox, &owner, LAB, "1.0.0", package_with(&lab, &files)).await;
    // An older version has its own words, and so has what was amended.
    let mut old = lab.clone();
    old["softwareVersion"] = json!("0.9.0");
    old["startupHint"] = json!({ "en": canaries.make("startupHint of an older version") });
    put(&sandbox, &owner, LAB, "0.9.0", package_with(&old, &files)).await;
    let amended = canaries.make("an amended supportEmailInternal");
    patch(&sandbox, &owner, LAB, &json!({ "supportEmailInternal": format!("{amended}@example.org") })).await;
    of_lab.retain(|place| *place != "supportEmailInternal");
    of_lab.push("an amended supportEmailInternal");
    let note = canaries.make("reviewNote");
    of_lab.push("reviewNote");
    patch(&sandbox, ADMIN_TOKEN, LAB, &json!({ "reviewNote": [note] })).await;

    for (identifier, kind) in [(SET, "Dataset"), ("canaries.own.nest", "DataVolume")] {
        let internal = canaries.make(&format!("supportEmailInternal of a {kind}"));
        let mut manifest = json!({
            "@context": "https://w3id.org/esado/context/v1", "@type": kind, "identifier": identifier,
            "abstract": { "en": "What the tests look for and what nobody else needs to find." },
            "description": { "en": "What the tests look for and what nobody else needs to find." },
            "license": "https://spdx.org/licenses/MIT", "domain": ["space-science"], "creator": [{ "name": "Somebody" }],
            "supportEmailInternal": format!("{internal}@example.org"),
            "allowedUser": [canaries.make(&format!("allowedUser of a {kind}"))]
        });
        if kind == "Dataset" {
            manifest["title"] = json!({ "en": "A set of the tests" });
            manifest.as_object_mut().unwrap().remove("abstract");
        } else {
            manifest["name"] = json!({ "en": "A volume of the tests" });
            manifest["alternateName"] = json!("nest");
            manifest["defaultMountPath"] = json!("/data/user/nest");
            manifest["mode"] = json!("ro");
        }
        put(&sandbox, &owner, identifier, "1", package_with(&manifest, &[])).await;
    }

    // Records of which nobody else may even know: only for trying out, made undiscoverable, and their names.
    let hidden = |word: &str, identifier: &str| {
        let mut manifest = datalab(identifier, "1.0.0");
        manifest["name"] = json!({ "en": format!("The lab {word}") });
        manifest
    };
    let name = canaries.make("the name of a sandbox record");
    put(&sandbox, &owner, "sandbox.ann.lab", "1.0.0", package_with(&hidden(&name, "sandbox.ann.lab"), &[])).await;
    let name = canaries.make("the name of an undiscoverable record");
    put(&sandbox, &owner, "canaries.own.secret", "1.0.0", package_with(&hidden(&name, "canaries.own.secret"), &[]))
        .await;
    patch(&sandbox, ADMIN_TOKEN, "canaries.own.secret", &json!({ "discoverable": false })).await;
    sandbox.wait_until_in_step().await;
    Planted { sandbox, owner, canaries, of_lab }
}

async fn put(sandbox: &Sandbox, token: &str, identifier: &str, version: &str, package: Bytes) {
    let request = sandbox.request("PUT", &format!("/api/v1/packages/{identifier}/{version}")).bearer_auth(token);
    let (status, text) = read(request.body(package)).await;
    assert_eq!(status, 201, "{identifier}: {text}");
}

async fn patch(sandbox: &Sandbox, token: &str, identifier: &str, patch: &Value) {
    let request = sandbox.request("PATCH", &format!("/api/v1/records/go-esa/{identifier}")).bearer_auth(token);
    let (status, text) = read(request.body(patch.to_string())).await;
    assert_eq!(status, 200, "{identifier}: {text}");
}

/// Something that answers with what should not be in it.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Leak {
    viewer: &'static str,
    url: String,
    accept: String,
    places: Vec<String>,
}

/// The addresses of every operation that can be asked plainly, with every value that a part of them may have here.
fn addresses(document: &Value) -> Vec<String> {
    let examples: HashMap<&str, Vec<&str>> = HashMap::from([
        ("zone", vec!["go-esa"]),
        ("identifier", vec![LAB, SET, "canaries.own.nest", "canaries.own.secret", "sandbox.ann.lab"]),
        ("version", vec!["1.0.0", "0.9.0", "1"]),
    ]);
    // What a new kind of part may be called nobody knows yet: it is tried with everything that has a name here.
    let anything = vec![
        "go-esa",
        "demo",
        LAB,
        SET,
        "nest",
        "canaries.own.nest",
        "canaries.own.secret",
        "sandbox.ann.lab",
        "canaries.own",
        "1.0.0",
        "ann",
        "admin",
        "1",
    ];
    let mut all = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let Some(operation) = operations.get("get") else { continue };
        let mut filled = vec![path.clone()];
        while let Some(at) = filled.iter().position(|path| path.contains('{')) {
            let open = filled.swap_remove(at);
            let (start, end) = (open.find('{').unwrap(), open.find('}').unwrap());
            let name = &open[start + 1..end];
            let values = examples.get(name).unwrap_or(&anything);
            filled.extend(values.iter().map(|value| format!("{}{value}{}", &open[..start], &open[end + 1..])));
        }
        for suffix in ["", ".ttl", ".jsonld", ".rdf", ".nt"] {
            if suffix.is_empty() || path.starts_with("/id/") {
                all.extend(filled.iter().map(|path| format!("{path}{suffix}")));
            }
        }
        // Each parameter of a query alone, with the words' common beginning and with what may bring them up.
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap_or_default();
            if parameter["in"] != "query" {
                continue;
            }
            for value in ["canary", LAB, "1.0.0", "0.9.0", "0", "canaries.own"] {
                all.extend(filled.iter().map(|path| format!("{path}?{name}={value}")));
            }
        }
    }
    let query = "SELECT * WHERE { { ?s ?p ?o } UNION { GRAPH ?g { ?s ?p ?o } } FILTER (CONTAINS(LCASE(CONCAT(STR(?s), STR(?o))), \"canary\")) }";
    let describe = format!("DESCRIBE <http://x/id/go-esa/{LAB}>");
    for text in [query, "ASK { ?s <https://w3id.org/esado#startupHint> ?o }", &describe] {
        all.push(format!("/sparql?{}", encoded("query", text)));
    }
    all.sort();
    all.dedup();
    all
}

fn encoded(name: &str, value: &str) -> String {
    let bytes = value
        .bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") });
    format!("{name}={}", bytes.collect::<String>())
}

/// Fetches one address and says what of it should not be there; hands back the body of a page for its links.
async fn fetch(
    planted: &Planted,
    (viewer, token): (&'static str, Option<&str>),
    url: &str,
    accept: &str,
) -> (Option<Leak>, u16, String) {
    let mut request = planted.sandbox.request("GET", url).header("accept", accept);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let response = request.send().await.unwrap_or_else(|error| panic!("{url}: {error}"));
    let status = response.status().as_u16();
    let mut bytes: Vec<u8> = Vec::new();
    for (name, value) in response.headers() {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.extend_from_slice(value.as_bytes());
        bytes.push(b'\n');
    }
    let is_page =
        response.headers().get("content-type").is_some_and(|kind| kind.to_str().unwrap_or("").starts_with("text/html"));
    let location =
        response.headers().get("location").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let body = response.bytes().await.unwrap_or_default();
    let mut places: BTreeSet<String> = planted.canaries.found(&body).into_iter().map(str::to_owned).collect();
    places.extend(planted.canaries.found(&bytes).into_iter().map(str::to_owned));
    let leak = (!places.is_empty()).then(|| Leak {
        viewer,
        url: url.to_owned(),
        accept: accept.to_owned(),
        places: places.into_iter().collect(),
    });
    let text = if is_page { String::from_utf8_lossy(&body).into_owned() } else { format!("href=\"{location}\"") };
    (leak, status, text)
}

/// Returns the addresses that a page leads to on this server, without parts that only reorder what is there.
fn links(base: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for attribute in ["href=\"", "src=\"", "action=\""] {
        for part in text.split(attribute).skip(1) {
            let link = part.split('"').next().unwrap_or_default().replace("&amp;", "&").replace("&#x2f;", "/");
            let link = link.strip_prefix(base).unwrap_or(&link).split('#').next().unwrap_or_default().to_owned();
            // Filters on filters are more pages than anybody follows, of the same hits as each filter alone.
            if link.matches('&').count() > 0 && link.starts_with("/search?") {
                continue;
            }
            if link.starts_with('/') && !link.starts_with("//") && !link.starts_with("/lab/") {
                found.push(link);
            }
        }
    }
    found
}

/// Follows every link from the home page and the records' pages on.
async fn crawl(planted: &Planted, who: (&'static str, Option<&str>)) -> (Vec<Leak>, usize) {
    let mut waiting: VecDeque<String> = [
        "/",
        "/search",
        "/search?q=canary",
        "/queue",
        "/notifications",
        "/account",
        "/audit",
        "/volumes",
        "/datazones",
    ]
    .map(str::to_owned)
    .into();
    for identifier in [LAB, SET, "canaries.own.nest", "canaries.own.secret", "sandbox.ann.lab"] {
        waiting.push_back(format!("/record/go-esa/{identifier}"));
        waiting.push_back(format!("/record/go-esa/{identifier}?tab=details"));
        waiting.push_back(format!("/edit/go-esa/{identifier}"));
        waiting.push_back(format!("/review/go-esa/{identifier}/1.0.0"));
        waiting.push_back(format!("/launch?datalab=go-esa/{identifier}"));
    }
    let mut seen: HashSet<String> = waiting.iter().cloned().collect();
    let mut leaks = Vec::new();
    let mut count = 0;
    while !waiting.is_empty() && count < MOST_PAGES {
        let piece: Vec<String> = waiting.drain(..waiting.len().min(AT_ONCE)).collect();
        count += piece.len();
        let answers = futures::future::join_all(piece.iter().map(|url| fetch(planted, who, url, "text/html"))).await;
        for (leak, status, text) in answers {
            leaks.extend(leak);
            assert!(status < 500, "{piece:?}: {status}");
            for link in links(planted.sandbox.base(), &text) {
                if seen.insert(link.clone()) {
                    waiting.push_back(link);
                }
            }
        }
    }
    assert!(waiting.is_empty(), "the crawl stopped with {} pages to go", waiting.len());
    (leaks, count)
}

/// Every file of the data folder but the truth itself, and what only moderators are given.
fn projections(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("ledger") || name == "blobs" || name.contains("staff") {
            continue;
        }
        if path.is_dir() { files.extend(projections(&path)) } else { files.push(path) }
    }
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_meets_a_private_word_who_may_not_read_it() {
    let planted = planted().await;
    let user = planted.sandbox.account("ben", Role::User, &[Scope::Admin]).await.token;
    let other = planted.sandbox.account("cleo", Role::User, &[Scope::Admin]).await.token;
    put(&planted.sandbox, &other, "others.own.lab", "1.0.0", package_with(&datalab("others.own.lab", "1.0.0"), &[]))
        .await;
    planted.sandbox.wait_until_in_step().await;
    let (_, text) = planted.sandbox.get("/openapi.json").await;
    let addresses = addresses(&serde_json::from_str(&text).unwrap());
    assert!(addresses.len() > 60, "{}", addresses.len());

    let mut leaks = Vec::new();
    let mut asked = 0;
    for who in [("anonymous", None), ("user", Some(user.as_str())), ("other developer", Some(other.as_str()))] {
        let pairs = addresses.iter().flat_map(|url| MEDIA_TYPES.iter().map(move |accept| (url, *accept)));
        // What a query finds does not depend on the form it is asked for by everybody: one form for those is enough.
        let pairs = pairs.filter(|(url, accept)| !url.contains('?') || url.starts_with("/sparql") || *accept == "*/*");
        let planted = &planted;
        let mut answers = futures::stream::iter(
            pairs.map(|(url, accept)| async move { (url.clone(), fetch(planted, who, url, accept).await) }),
        )
        .buffer_unordered(AT_ONCE);
        while let Some((url, (leak, status, _))) = answers.next().await {
            assert!(status < 500 || status == 503, "{url}: {status}");
            leaks.extend(leak);
            asked += 1;
        }
        let (found, pages) = crawl(planted, who).await;
        leaks.extend(found);
        asked += pages;
    }
    leaks.sort();
    assert!(
        leaks.is_empty(),
        "{} of {asked} answers leak:\n{}",
        leaks.len(),
        leaks.iter().map(|leak| format!("{leak:?}")).collect::<Vec<_>>().join("\n")
    );
    assert!(asked > 1000, "{asked}");

    for file in projections(&planted.sandbox.data()) {
        let mut found = planted.canaries.found(&std::fs::read(&file).unwrap_or_default());
        // It was public until it was hidden, and whoever wanted could copy it. A segment of the index and the files of the
        // RDF store keep what was true before until they are merged, and answer nobody with it; nothing else may.
        let folder = file.strip_prefix(planted.sandbox.data()).unwrap().components().next().unwrap();
        let folder = folder.as_os_str().to_string_lossy().into_owned();
        if folder.starts_with("index") || folder.starts_with("graph") {
            found.retain(|name| *name != "the name of an undiscoverable record");
        }
        assert!(found.is_empty(), "{} holds {found:?}", file.display());
    }
    let log = planted.sandbox.log();
    assert!(log.lines().count() > 100, "the log is read");
    let found = planted.canaries.found(log.as_bytes());
    assert!(found.is_empty(), "the log holds {found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn developers_and_moderators_read_what_is_private() {
    let planted = planted().await;
    let sandbox = &planted.sandbox;
    for (who, token) in [("owner", planted.owner.as_str()), ("moderator", ADMIN_TOKEN)] {
        for (address, what) in
            [(format!("/api/v1/records/go-esa/{LAB}"), "API"), (format!("/record/go-esa/{LAB}?tab=details"), "page")]
        {
            let (_, text) = read(sandbox.request("GET", &address).bearer_auth(token)).await;
            let found = planted.canaries.found(text.as_bytes());
            let missing: Vec<_> = planted.of_lab.iter().filter(|place| !found.contains(place)).collect();
            assert!(missing.is_empty(), "{who} does not find {missing:?} by the {what}");
        }
        let package =
            sandbox.request("GET", &format!("/api/v1/packages/{LAB}/1.0.0")).bearer_auth(token).send().await.unwrap();
        assert_eq!(package.headers()["alidade-package"], "whole");
        let found = planted.canaries.found(&package.bytes().await.unwrap()).len();
        assert!(found > 10, "{who} downloads the whole package: {found}");
        for identifier in ["sandbox.ann.lab", "canaries.own.secret"] {
            let (status, _) =
                read(sandbox.request("GET", &format!("/record/go-esa/{identifier}")).bearer_auth(token)).await;
            assert_eq!(status, 200, "{who} opens {identifier}");
        }
    }
    // Moderators ask for it in SPARQL, and nobody else may.
    let query = "/sparql/staff?query=SELECT%20%3Fo%20WHERE%20%7B%20%3Fs%20%3Fp%20%3Fo%20%7D";
    let mut answer = (503, String::new());
    while answer.0 == 503 {
        answer = read(sandbox.request("GET", query).bearer_auth(ADMIN_TOKEN)).await;
    }
    assert_eq!(answer.0, 200, "{}", answer.1);
    let found = planted.canaries.found(answer.1.as_bytes());
    for place in ["startupHint", "datalabImage.reference", "reviewNote", "the name of a sandbox record"] {
        assert!(found.contains(&place), "a moderator finds {place} in SPARQL: {found:?}");
    }
    for token in [None, Some(planted.owner.as_str())] {
        let request = sandbox.request("GET", query);
        let request = if let Some(token) = token { request.bearer_auth(token) } else { request };
        assert!(matches!(read(request).await.0, 401 | 403));
    }
    // Everybody else has the package without what is private, and its files are sound.
    let package = sandbox.request("GET", &format!("/api/v1/packages/{LAB}/1.0.0")).send().await.unwrap();
    assert_eq!(package.headers()["alidade-package"], "public");
    let bytes = package.bytes().await.unwrap();
    let opened = catalog_archive::open(&bytes, &catalog_archive::Budget::default()).unwrap();
    let paths: Vec<_> = opened.entries.iter().map(|entry| entry.path.as_str()).collect();
    assert_eq!(paths, ["README.md", "SHA256SUMS", "manifest.jsonld"], "with sums of its own");
}
