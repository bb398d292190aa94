//! Runs of a source: what is asked for again, how far one says that it has come, and where it goes on.

#![allow(clippy::unwrap_used, clippy::panic, reason = "what a test cannot do must fail it")]

use std::time::{Duration, Instant};

use catalog_tests::site::Sites;
use catalog_tests::{Sandbox, Settings};
use serde_json::{Value, json};

/// Long enough for a busy machine; no test waits for it when all is well.
const PATIENCE: Duration = Duration::from_secs(240);

#[tokio::test(flavor = "multi_thread")]
async fn what_did_not_change_in_a_tree_is_not_sent_again() {
    let (sandbox, sites) = (Sandbox::start(Settings::default()).await, Sites::start().await);
    let collection = |name: &str, title: &str| {
        json!({
            "type": "Collection", "stac_version": "1.0.0", "id": name, "title": title, "description": title,
            "license": "CC-BY-4.0", "extent": { "spatial": { "bbox": [[0, 0, 1, 1]] }, "temporal": { "interval": [[null, null]] } },
            "links": []
        })
    };
    let root = json!({
        "type": "Catalog", "stac_version": "1.0.0", "id": "root", "description": "Root",
        "links": [{ "rel": "child", "href": "one.json" }, { "rel": "child", "href": "two.json" }]
    });
    let say = |two: &str| {
        let pages = [
            ("/catalog.json", root.clone(), "r"),
            ("/one.json", collection("one", "One"), "1"),
            ("/two.json", collection("two", two), two),
        ];
        let answer = |(path, body, tag): (&str, Value, &str)| {
            (path.to_owned(), json!({ "type": "application/json", "body": body, "etag": format!("\"{tag}\"") }))
        };
        sites.set("tree", pages.into_iter().map(answer).collect());
    };
    let source = json!({
        "id": "tree", "kind": "stac", "url": format!("{}/catalog.json", sites.base("tree")), "allowPrivateAddresses": true
    });
    sandbox.admin().source_define(&serde_json::from_value(source).unwrap()).await.unwrap();
    for (two, counts, asked) in [
        ("Two", (2, 0, 0), ["/tree/catalog.json", "/tree/one.json", "/tree/two.json"]),
        ("Two", (0, 0, 2), ["/tree/catalog.json [\"r\"]", "/tree/one.json [\"1\"]", "/tree/two.json [\"Two\"]"]),
        ("More", (0, 1, 1), ["/tree/catalog.json [\"r\"]", "/tree/one.json [\"1\"]", "/tree/two.json [\"Two\"]"]),
        ("More", (0, 0, 2), ["/tree/catalog.json [\"r\"]", "/tree/one.json [\"1\"]", "/tree/two.json [\"More\"]"]),
    ] {
        say(two);
        let run = sandbox.harvest("tree", false).await;
        assert_eq!((run.state.as_str(), run.complete), ("completed", true), "{run:?}");
        assert_eq!((run.added, run.changed, run.unchanged), counts, "{run:?}");
        let mut seen = sites.asked("tree");
        seen.sort();
        assert_eq!(seen, asked);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_reads_slowly_says_how_far_it_has_come() {
    let (sandbox, sites) = (Sandbox::start(Settings::default()).await, Sites::start().await);
    let names: Vec<String> = ('a'..='z').map(String::from).collect();
    let links: Vec<_> = names.iter().map(|name| json!({ "rel": "child", "href": format!("{name}.json") })).collect();
    let catalog = |name: &str, links: &[Value]| {
        let body =
            json!({ "type": "Catalog", "stac_version": "1.0.0", "id": name, "description": name, "links": links });
        (format!("/{name}.json"), json!({ "type": "application/json", "body": body }))
    };
    sites.set("slow", names.iter().map(|name| catalog(name, &[])).chain([catalog("root", &links)]).collect());
    let source = json!({
        "id": "slow", "kind": "stac", "url": format!("{}/root.json", sites.base("slow")),
        "allowPrivateAddresses": true, "pauseMs": 500
    });
    sandbox.admin().source_define(&serde_json::from_value(source).unwrap()).await.unwrap();
    let run = sandbox.admin().run_start("slow", true).await.unwrap();
    let started = Instant::now();
    loop {
        let run = sandbox.admin().run("slow", run.number).await.unwrap();
        if run.done > 0 {
            assert_eq!(run.state, "running", "it says nothing before its end: {run:?}");
            break;
        }
        assert!(started.elapsed() < PATIENCE, "it says nothing at all: {run:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// A page of an OAI-PMH list of five pages with four records each.
fn oai_page(page: usize) -> Value {
    let record = |n: usize| {
        format!(
            "<record><header><identifier>urn:x:{n}</identifier><datestamp>2020-01-01</datestamp></header><metadata>\
             <oai_dc:dc xmlns:oai_dc=\"o\" xmlns:dc=\"d\"><dc:title>Record {n}</dc:title></oai_dc:dc></metadata></record>"
        )
    };
    let records: String = (page * 4..page * 4 + 4).map(record).collect();
    let token = if page < 4 { format!("{}", page + 1) } else { String::new() };
    let body = format!(
        "<OAI-PMH xmlns=\"http://www.openarchives.org/OAI/2.0/\"><responseDate>2026-01-01T00:00:00Z</responseDate><request/>\
         <ListRecords>{records}<resumptionToken completeListSize=\"20\">{token}</resumptionToken></ListRecords></OAI-PMH>"
    );
    json!({ "type": "text/xml", "body": body })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_goes_on_where_it_was_when_its_server_was_killed() {
    let mut sandbox = Sandbox::start(Settings::default()).await;
    let sites = Sites::start().await;
    let path = |page: usize| match page {
        0 => "/oai?verb=ListRecords&metadataPrefix=oai_dc".to_owned(),
        page => format!("/oai?verb=ListRecords&resumptionToken={page}"),
    };
    // Whether the token still holds after the kill, and from which page the list is asked for then.
    for (name, holds, goes_on_at) in [("patient", true, 1), ("forgetful", false, 0)] {
        let answers = |last: Value| (0..4).map(|page| (path(page), oai_page(page))).chain([(path(4), last)]).collect();
        sites.set(name, answers(json!({ "hang": true })));
        let url = format!("{}/oai", sites.base(name));
        let settings = json!({ "id": name, "kind": "oai-pmh", "url": url, "allowPrivateAddresses": true });
        sandbox.admin().source_define(&serde_json::from_value(settings).unwrap()).await.unwrap();
        let run = sandbox.admin().run_start(name, false).await.unwrap();
        let started = Instant::now();
        let mut asked = Vec::new();
        while !asked.iter().any(|asked: &String| asked.ends_with("resumptionToken=4")) {
            assert!(started.elapsed() < PATIENCE, "the last page was not asked for: {asked:?}\n{}", sandbox.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
            asked.extend(sites.asked(name));
        }
        // What the first page said was kept at once; the rest is read again.
        tokio::time::sleep(Duration::from_millis(500)).await;
        sandbox.kill9();
        let mut now: std::collections::HashMap<String, Value> = answers(oai_page(4));
        if !holds {
            let refusal = "<OAI-PMH xmlns=\"http://www.openarchives.org/OAI/2.0/\"><responseDate>2026-01-01T00:00:00Z</responseDate>\
                           <request/><error code=\"badResumptionToken\">it is too old</error></OAI-PMH>";
            // A new list has new tokens.
            let renewed = |page: usize| {
                let mut answer = oai_page(page);
                let body = answer["body"].as_str().unwrap().replace("\">", "\">new").replace("new</resump", "</resump");
                answer["body"] = json!(body.replacen("\">new", "\">", body.matches("\">new").count() - 1));
                answer
            };
            now = [(path(1), json!({ "type": "text/xml", "body": refusal })), (path(0), renewed(0))].into();
            now.extend((1..4).map(|page| (path(page).replace("Token=", "Token=new"), renewed(page))));
            now.insert(path(4).replace("Token=", "Token=new"), oai_page(4));
        }
        sites.set(name, now);
        sandbox.run().await;
        let over = sandbox.end_of(sandbox.admin().run(name, run.number).await.unwrap()).await;
        let asked = sites.asked(name);
        assert_eq!((over.state.as_str(), over.complete, over.resumed), ("completed", true, 1), "{over:?} {asked:?}");
        assert_eq!((over.added, over.quarantined), (20, 0), "{over:?} {asked:?}");
        assert!(asked[0].ends_with("resumptionToken=1"), "it went on where it was: {asked:?}");
        let again = asked.iter().filter(|asked| asked.contains("metadataPrefix")).count();
        assert_eq!(again, usize::from(goes_on_at == 0), "{asked:?}");
        sandbox.wait_until_in_step().await;
        assert_eq!(sandbox.search(&[("source", name)]).await.total, 20);
        let still = sandbox.harvest(name, false).await;
        assert_eq!((still.added, still.changed, still.removed, still.unchanged), (0, 0, 0, 20), "{still:?}");
    }
}
