//! Sources of every kind over loopback HTTP, well behaved and not.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use catalog_harvester::Coverage;
use serde_json::json;
use support::{Answer, harvest, harvest_from, serve};

fn row(number: usize) -> String {
    format!("C{number:010}-TEST\tTitle {number}\t[-10.0, -10.0, 10.0, 10.0]\n")
}

fn files(base: &str, path: &str) -> serde_json::Value {
    json!({ "id": "t", "kind": "files", "url": format!("{base}{path}"), "mapping": "nasa-cmr", "allowPrivateAddresses": true })
}

const HEADER: &str = "concept-id\tEntryTitle\tbbox\n";

#[tokio::test]
async fn a_table_is_read_once_and_asked_for_changes_afterwards() {
    let base = serve(|path, _| {
        let mut answer =
            Answer::of("text/tab-separated-values", format!("{HEADER}{}{}bad\n{}", row(1), row(2), row(3)));
        answer.1.push(("etag", "\"1\"".to_owned()));
        if path == "/t.tsv" { answer } else { Answer::status(404) }
    })
    .await;
    let said = harvest(files(&base, "/t.tsv")).await;
    assert_eq!(said.keys(), ["C0000000001-TEST", "C0000000002-TEST", "C0000000003-TEST"]);
    assert!(said.is_complete());
    let fault = &said.faults[0];
    assert_eq!((fault.code.as_str(), fault.place.line), ("table.fields", Some(4)));
    assert_eq!(said.outcome.cursor.state["validators"]["etag"], "\"1\"");
    let missing = harvest(files(&base, "/none.tsv")).await;
    assert_eq!(missing.trouble(), "fetch.status");
}

#[tokio::test]
async fn what_did_not_change_is_not_read_again() {
    let read = std::sync::atomic::AtomicBool::new(false);
    let base = serve(move |_, _| {
        if read.swap(true, std::sync::atomic::Ordering::Relaxed) {
            return Answer::status(304);
        }
        let mut answer = Answer::of("text/tab-separated-values", format!("{HEADER}{}", row(1)));
        answer.1.push(("etag", "\"1\"".to_owned()));
        answer
    })
    .await;
    let first = harvest(files(&base, "/t.tsv")).await;
    let said = harvest_from(files(&base, "/t.tsv"), first.outcome.cursor).await;
    assert_eq!(said.outcome.coverage, Coverage::Unchanged);
    assert_eq!(said.outcome.cursor.state["validators"]["etag"], "\"1\"");
}

#[tokio::test]
async fn half_a_table_a_login_page_and_a_private_address_are_not_an_empty_source() {
    let base = serve(|path, _| match path {
        "/cut.tsv" => {
            let mut answer = Answer::of("text/tab-separated-values", format!("{HEADER}{}", row(1)));
            answer.1.push(("content-length", "100000".to_owned()));
            answer
        }
        _ => Answer::of("text/html", "<html><form action='/login'>Please sign in</form></html>"),
    })
    .await;
    let said = harvest(json!({ "id": "t", "kind": "files", "url": format!("{base}/login"), "mapping": "nasa-cmr", "allowPrivateAddresses": true })).await;
    assert_eq!((said.trouble(), said.records.len()), ("page.format", 0));
    let private =
        harvest(json!({ "id": "t", "kind": "files", "url": format!("{base}/t.tsv"), "mapping": "nasa-cmr" })).await;
    assert_eq!(private.trouble(), "fetch.policy");
}

#[tokio::test]
async fn an_index_of_files_is_read_as_a_tree() {
    let base = serve(|path, _| match path {
        "/data/" => Answer::of("text/html", "<a href='../'>up</a><a href=\"a.yaml\">a</a> <a href=sub/>sub</a><a href='?C=N'>sort</a><a href='http://elsewhere.example/x.yaml'>x</a>"),
        "/data/sub/" => Answer::of("text/html; charset=utf-8", "<a href='b%20c.yaml'>b</a><a href='/data/'>root</a><a href='bad.yaml'>bad</a>"),
        "/data/a.yaml" => Answer::of("application/octet-stream", "Name: A\nDescription: One\nResources:\n- {ARN: 'arn:aws:s3:::a', Type: S3 Bucket}\n"),
        "/data/sub/b%20c.yaml" => Answer::of("text/plain", "Name: B\nResources: []\n"),
        "/data/sub/bad.yaml" => Answer::of("text/plain", "Name: [\nB: }\n"),
        _ => Answer::status(404),
    })
    .await;
    let said = harvest(json!({ "id": "aws", "kind": "files", "url": format!("{base}/data/"), "mapping": "aws-open-data", "allowPrivateAddresses": true })).await;
    assert!(said.is_complete(), "{:?}", said.outcome);
    assert_eq!(said.keys(), ["a", "b%20c"]);
    assert_eq!(said.records[0].manifest["distribution"][0]["accessURL"], "s3://a");
    assert_eq!(said.codes(), ["yaml.syntax"]);
    assert!(
        said.faults[0].place.file.ends_with("/data/sub/bad.yaml") && said.faults[0].place.line == Some(2),
        "{:?}",
        said.faults
    );
}

#[tokio::test]
async fn a_static_stac_tree_is_walked() {
    let base = serve(|path, _| match path {
        "/catalog.json" => Answer::of("application/json", json!({ "type": "Catalog", "id": "root", "links": [
            { "rel": "self", "href": "./catalog.json" }, { "rel": "child", "href": "./a/collection.json" },
            { "rel": "child", "href": "./sub/catalog.json" }, { "rel": "child", "href": "./broken.json" } ] }).to_string()),
        "/sub/catalog.json" => Answer::of("application/json", json!({ "type": "Catalog", "id": "sub", "links": [
            { "rel": "root", "href": "../catalog.json" }, { "rel": "child", "href": "../catalog.json" }, { "rel": "item", "href": "record.json" } ] }).to_string()),
        "/sub/record.json" => Answer::of("application/geo+json", json!({ "type": "Feature", "id": "wf", "geometry": null,
            "conformsTo": ["http://www.opengis.net/spec/ogcapi-records-1/1.0/req/record-core"], "properties": { "type": "workflow", "title": "A workflow" }, "links": [] }).to_string()),
        "/a/collection.json" => Answer::of("application/json", json!({ "type": "Collection", "id": "a", "title": "A", "description": "About A", "license": "CC-BY-4.0",
            "extent": { "spatial": { "bbox": [[170.0, -10.0, -170.0, 10.0]] }, "temporal": { "interval": [["2015-06-27T10:25:31Z", null]] } },
            "links": [{ "rel": "item", "href": "./item.json" }] }).to_string()),
        "/a/item.json" => Answer::of("application/geo+json", json!({ "type": "Feature", "stac_version": "1.0.0", "id": "i", "collection": "a",
            "geometry": { "type": "Point", "coordinates": [1.0, 2.0] }, "properties": { "datetime": "2020-01-01T00:00:00Z" }, "links": [], "assets": {} }).to_string()),
        "/broken.json" => Answer::of("application/json", "{\n nope"),
        _ => Answer::status(404),
    })
    .await;
    let settings =
        json!({ "id": "osc", "kind": "stac", "url": format!("{base}/catalog.json"), "allowPrivateAddresses": true });
    let said = harvest(settings.clone()).await;
    // A node that cannot be read hides what is beneath it.
    assert_eq!(said.trouble(), "page.syntax");
    let mut keys = said.keys();
    keys.sort_unstable();
    assert_eq!(keys, ["a", "wf"]);
    let collection = said.records.iter().find(|record| record.key == "a").unwrap();
    assert_eq!(collection.manifest["temporal"], json!([{ "startDate": "2015-06-27" }]));
    assert!(
        collection.manifest["spatial"][0]["bbox"].as_str().unwrap().starts_with("MULTIPOLYGON"),
        "{:#}",
        collection.manifest
    );
    assert_eq!(said.records.iter().find(|record| record.key == "wf").unwrap().kind.as_str(), "Pipeline");
    assert_eq!(said.faults[0].place.line, Some(2));
    let mut with_items = settings;
    with_items["items"] = json!(true);
    let said = harvest(with_items).await;
    let item = said.records.iter().find(|record| record.key == "a/i").unwrap();
    assert_eq!(item.manifest["spatial"][0]["bbox"], "POINT(1 2)");
}

#[tokio::test]
async fn a_stac_api_is_paged_and_a_circle_is_found() {
    let collection = |id: &str| json!({ "type": "Collection", "id": id, "description": "d", "license": "MIT", "extent": {}, "links": [] });
    let base = Arc::new(std::sync::OnceLock::<String>::new());
    let known = Arc::clone(&base);
    let address = serve(move |path, _| {
        let base = known.get().cloned().unwrap_or_default();
        let page = |id: &str, next: &str| {
            json!({ "collections": [collection(id)], "links": [{ "rel": "next", "href": format!("{base}{next}") }] }).to_string()
        };
        Answer::of("application/json", match path {
            "/" => json!({ "type": "Catalog", "id": "x", "conformsTo": [], "links": [{ "rel": "data", "href": "/collections" }] }).to_string(),
            "/collections" => page("a", "/collections?page=2"),
            "/collections?page=2" => json!({ "collections": [collection("b")], "links": [] }).to_string(),
            "/circle" => page("c", "/circle?page=2"),
            _ => page("d", "/circle"),
        })
    })
    .await;
    base.set(address.clone()).unwrap();
    let said =
        harvest(json!({ "id": "x", "kind": "stac", "url": format!("{address}/"), "allowPrivateAddresses": true }))
            .await;
    assert!(said.is_complete(), "{:?}", said.outcome);
    assert_eq!(said.keys(), ["a", "b"]);
    let said = harvest(
        json!({ "id": "x", "kind": "stac", "url": format!("{address}/circle"), "allowPrivateAddresses": true }),
    )
    .await;
    assert_eq!(said.trouble(), "paging.loop");
}

fn oai(body: &str) -> Answer {
    Answer::of(
        "text/xml",
        format!(
            "<?xml version='1.0'?><OAI-PMH xmlns='http://www.openarchives.org/OAI/2.0/'><responseDate>2026-11-25T12:00:00Z</responseDate><request/>{body}</OAI-PMH>"
        ),
    )
}

fn oai_record(id: &str) -> String {
    format!(
        "<record><header><identifier>oai:x:{id}</identifier><datestamp>2026-01-01</datestamp></header><metadata><oai_dc:dc xmlns:oai_dc='o' xmlns:dc='d'><dc:title>Title {id}</dc:title><dc:identifier>10.1234/{id}</dc:identifier></oai_dc:dc></metadata></record>"
    )
}

#[tokio::test]
async fn oai_pmh_goes_on_with_its_token_and_says_what_is_gone() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let base = serve(move |path, _| {
        counter.fetch_add(1, Ordering::SeqCst);
        if path.contains("from=2026-11-25") {
            return oai("<error code='noRecordsMatch'>none</error>");
        }
        if path.contains("resumptionToken=t%2F2") {
            return oai(&format!("<ListRecords><record><header status='deleted'><identifier>oai:x:9</identifier></header></record>{}<resumptionToken/></ListRecords>", oai_record("3")));
        }
        oai(&format!("<ListRecords>{}{}<resumptionToken completeListSize='4'>t/2</resumptionToken></ListRecords>", oai_record("1"), oai_record("2")))
    })
    .await;
    let settings = json!({ "id": "x", "kind": "oai-pmh", "url": format!("{base}/oai"), "incremental": true, "allowPrivateAddresses": true });
    let said = harvest(settings.clone()).await;
    assert!(said.is_complete(), "{:?}", said.outcome);
    assert_eq!(said.keys(), ["oai:x:1", "oai:x:2", "oai:x:3"]);
    assert_eq!(said.gone[0].key, "oai:x:9");
    assert_eq!(said.records[0].identifiers[1].value, "https://doi.org/10.1234/1");
    let again = harvest_from(settings, said.outcome.cursor).await;
    assert_eq!((again.outcome.coverage.clone(), again.records.len()), (Coverage::Changes, 0), "{again:?}");
}

#[tokio::test]
async fn oai_pmh_that_misbehaves_ends_partially() {
    for (body, code) in [
        ("<ListRecords>RECORD<resumptionToken>same</resumptionToken></ListRecords>", "paging.loop"),
        ("<error code='badResumptionToken'>expired</error>", "oai.token"),
        ("<error code='cannotDisseminateFormat'>no</error>", "oai.error"),
    ] {
        let body = body.replace("RECORD", &oai_record("1"));
        let base = serve(move |_, _| oai(&body)).await;
        let said = harvest(json!({ "id": "x", "kind": "oai-pmh", "url": base, "allowPrivateAddresses": true })).await;
        assert_eq!(said.trouble(), code);
    }
    for text in ["<html>sign in</html>", "<OAI-PMH><ListRecords>", "<!DOCTYPE x [<!ENTITY a 'b'>]><OAI-PMH/>", ""] {
        let base = serve(move |_, _| Answer::of("text/xml", text)).await;
        let said = harvest(json!({ "id": "x", "kind": "oai-pmh", "url": base, "allowPrivateAddresses": true })).await;
        assert!(["page.format", "page.syntax", "xml.doctype"].contains(&said.trouble()), "{text}: {}", said.trouble());
        assert!(said.records.is_empty());
    }
}

#[tokio::test]
async fn dcat_is_paged_by_hydra_and_crawled_by_its_parts() {
    let base = Arc::new(std::sync::OnceLock::<String>::new());
    let known = Arc::clone(&base);
    let prefixes = "@prefix dcat: <http://www.w3.org/ns/dcat#> . @prefix dct: <http://purl.org/dc/terms/> . @prefix hydra: <http://www.w3.org/ns/hydra/core#> . @prefix ldp: <http://www.w3.org/ns/ldp#> .\n";
    let address = serve(move |path, _| {
        let base = known.get().cloned().unwrap_or_default();
        let body = match path {
            "/catalog" => format!("<{base}/catalog> a dcat:Catalog ; dct:title \"C\" ; dcat:dataset <{base}/a> . <{base}/a> a dcat:Dataset ; dct:title \"A\"@en . <#view> hydra:next <{base}/catalog?page=2> ."),
            "/catalog?page=2" => format!("<{base}/b> a dcat:Dataset ; dct:title \"B\" ; dct:issued \"2015\"^^<http://www.w3.org/2001/XMLSchema#gYear> ."),
            "/fdp" => format!("<{base}/fdp> a <https://w3id.org/fdp/fdp-o#FAIRDataPoint>, dcat:DataService ; dct:title \"FDP\" ; <https://w3id.org/fdp/fdp-o#metadataCatalog> <{base}/fdp/catalog> . "),
            "/fdp/catalog" => format!("<{base}/fdp/catalog> a dcat:Catalog ; dct:title \"C\" ; dcat:dataset <{base}/fdp/d> ."),
            "/fdp/d" => format!("<{base}/fdp/d> a dcat:Dataset ; dct:title \"D\" ; dcat:distribution <{base}/fdp/x> ."),
            "/fdp/x" => format!("<{base}/fdp/x> a dcat:Distribution ; dct:title \"X\" ; dcat:downloadURL <http://data.example/x.csv> ; dcat:mediaType \"text/csv\" ."),
            _ => return Answer::status(404),
        };
        Answer::of("text/turtle", format!("{prefixes}{body}"))
    })
    .await;
    base.set(address.clone()).unwrap();
    let said = harvest(
        json!({ "id": "x", "kind": "dcat", "url": format!("{address}/catalog"), "allowPrivateAddresses": true }),
    )
    .await;
    assert!(said.is_complete(), "{:?}", said.outcome);
    assert_eq!(said.records.len(), 2, "{:?} {:?}", said.keys(), said.faults);
    assert_eq!(said.records[1].manifest["issued"], "2015");
    let said =
        harvest(json!({ "id": "x", "kind": "dcat", "url": format!("{address}/fdp"), "allowPrivateAddresses": true }))
            .await;
    let dataset =
        said.records.iter().find(|record| record.manifest["title"]["en"] == "D").expect("the dataset is found");
    assert_eq!(
        dataset.manifest["distribution"][0]["downloadURL"], "http://data.example/x.csv",
        "{:#}",
        dataset.manifest
    );
}

#[tokio::test]
async fn dcat_in_every_syntax_and_none_that_fetches() {
    let pages: [(&str, &str, &str); 4] = [
        (
            "application/n-triples",
            "<urn:d> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <http://www.w3.org/ns/dcat#Dataset> .\n<urn:d> <http://purl.org/dc/terms/title> \"D\" .",
            "",
        ),
        (
            "application/rdf+xml",
            "<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' xmlns:dcat='http://www.w3.org/ns/dcat#' xmlns:dct='http://purl.org/dc/terms/'><dcat:Dataset rdf:about='urn:d'><dct:title>D</dct:title></dcat:Dataset></rdf:RDF>",
            "",
        ),
        (
            "application/ld+json",
            r#"{"@context":{"dcat":"http://www.w3.org/ns/dcat#","dct":"http://purl.org/dc/terms/"},"@id":"urn:d","@type":"dcat:Dataset","dct:title":"D"}"#,
            "",
        ),
        ("application/ld+json", r#"{"@context":"http://127.0.0.2/context.jsonld","@id":"urn:d"}"#, "page.syntax"),
    ];
    for (media_type, body, trouble) in pages {
        let base = serve(move |_, _| Answer::of(media_type, body)).await;
        let said = harvest(json!({ "id": "x", "kind": "dcat", "url": base, "allowPrivateAddresses": true })).await;
        if trouble.is_empty() {
            assert_eq!(said.keys(), ["urn:d"], "{media_type} {:?} {:?}", said.faults, said.outcome);
        } else {
            assert_eq!(said.trouble(), trouble);
        }
    }
    let base = serve(|_, _| Answer::of("application/json", r#"{"conformsTo":"https://project-open-data.cio.gov/v1.1/schema","dataset":[{"identifier":"u1","title":"U","accessLevel":"public","publisher":{"name":"P"},"distribution":[{"downloadURL":"https://x.example/u.csv","mediaType":"text/csv"}]}]}"#)).await;
    let said = harvest(
        json!({ "id": "x", "kind": "dcat", "url": format!("{base}/data.json"), "allowPrivateAddresses": true }),
    )
    .await;
    assert_eq!(said.keys(), ["u1"], "{:?} {:?}", said.faults, said.outcome);
    assert_eq!(said.records[0].manifest["accessRights"], "PUBLIC");
}

#[tokio::test]
async fn a_sparql_endpoint_is_asked_page_by_page() {
    let base = serve(|_, form| {
        let page = |number: usize| (0..2).map(|at| {
            let id = number * 2 + at;
            format!("<urn:d{id}> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <http://www.w3.org/ns/dcat#Dataset> .\n<urn:d{id}> <http://purl.org/dc/terms/title> \"D{id}\" .\n")
        }).collect::<String>();
        let body = if form.contains("OFFSET+0") || form.contains("OFFSET%200") { page(0) } else if form.contains("OFFSET+2") || form.contains("OFFSET%202") { page(1) } else { String::new() };
        Answer::of("application/n-triples", body)
    })
    .await;
    let said = harvest(json!({ "id": "x", "kind": "sparql", "url": base, "query": "CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o }", "pageSize": 2, "allowPrivateAddresses": true })).await;
    assert!(said.is_complete(), "{:?}", said.outcome);
    assert_eq!(said.records.len(), 4);
    let stuck = serve(|_, _| Answer::of("application/n-triples", "<urn:s> <urn:p> <urn:o> .\n")).await;
    let said = harvest(json!({ "id": "x", "kind": "sparql", "url": stuck, "query": "CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o }", "allowPrivateAddresses": true })).await;
    assert_eq!(said.trouble(), "paging.loop");
}

#[tokio::test]
async fn two_records_with_one_key_are_told_apart_from_a_second_run() {
    let base = serve(|_, _| Answer::of("text/tab-separated-values", format!("{HEADER}{}{}", row(1), row(1)))).await;
    for _ in 0..2 {
        let said = harvest(files(&base, "/t.tsv")).await;
        assert_eq!((said.records.len(), said.codes()), (1, vec!["duplicate"]));
        assert_eq!(said.faults[0].key.as_deref(), Some("C0000000001-TEST"));
    }
}

/// Six records on three pages, as a kind of source lists them; `asked` counts the answers.
fn a_page(kind: &str, base: &str, path: &str, form: &str, asked: usize) -> Answer {
    let (text, key) = match kind {
        "oai-pmh" => (path, "resumptionToken="),
        "sparql" => (form, "OFFSET+"),
        _ => (path, "page="),
    };
    let number = text.split_once(key).and_then(|(_, rest)| rest.split('&').next()?.parse::<usize>().ok());
    let page = number.map(|number| if kind == "sparql" { number / 2 } else { number });
    let page = page.unwrap_or_default();
    let ids = [page * 2, page * 2 + 1];
    let next = (page < 2).then_some(page + 1);
    match kind {
        "oai-pmh" => {
            let token = next.map(|next| next.to_string()).unwrap_or_default();
            let records: String = ids.iter().map(|id| oai_record(&id.to_string())).collect();
            let body = format!(
                "<ListRecords>{records}<resumptionToken completeListSize='6'>{token}</resumptionToken></ListRecords>"
            );
            // The time of every answer is another: that of the first counts.
            let Answer(status, headers, body) = oai(&body);
            let text = String::from_utf8_lossy(&body).replace("2026-11-25T", &format!("2026-11-{:02}T", asked + 1));
            Answer(status, headers, text.into_bytes())
        }
        "sparql" if page > 2 => Answer::of("application/n-triples", ""),
        "sparql" => {
            let triples = ids.map(|id| format!("<urn:d{id}> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <http://www.w3.org/ns/dcat#Dataset> .\n<urn:d{id}> <http://purl.org/dc/terms/title> \"D{id}\" .\n"));
            Answer::of("application/n-triples", triples.concat())
        }
        "dcat" => {
            let next =
                next.map(|next| format!("<#view> <http://www.w3.org/ns/hydra/core#next> <{base}/?page={next}> .\n"));
            let datasets = ids.map(|id| format!("<{base}/d{id}> a <http://www.w3.org/ns/dcat#Dataset> ; <http://purl.org/dc/terms/title> \"D{id}\" .\n"));
            let total = "<#view> <http://www.w3.org/ns/hydra/core#totalItems> 6 .\n";
            Answer::of("text/turtle", format!("{total}{}{}", next.unwrap_or_default(), datasets.concat()))
        }
        _ => {
            let links: Vec<_> =
                next.iter().map(|next| json!({ "rel": "next", "href": format!("?page={next}") })).collect();
            let body = if path.contains("/items") {
                let of = path.split('/').nth(2).unwrap_or_default();
                let item = |id: &usize| {
                    json!({ "type": "Feature", "id": format!("{of}-{id}"), "collection": of, "geometry": null,
                    "properties": { "title": format!("Item {id}"), "datetime": "2020-01-01T00:00:00Z" }, "links": [], "assets": {} })
                };
                json!({ "type": "FeatureCollection", "numberMatched": 6, "features": ids.iter().map(item).collect::<Vec<_>>(), "links": links })
            } else if path.starts_with("/collections") {
                let collection = |id: &usize| {
                    json!({ "type": "Collection", "id": format!("c{id}"), "description": "d", "license": "MIT", "extent": {},
                    "links": [{ "rel": "items", "href": format!("{base}/collections/c{id}/items") }] })
                };
                json!({ "collections": ids.iter().map(collection).collect::<Vec<_>>(), "links": links })
            } else {
                json!({ "type": "Catalog", "id": "x", "conformsTo": [], "links": [{ "rel": "data", "href": "/collections" }] })
            };
            Answer::of("application/json", body.to_string())
        }
    }
}

#[tokio::test]
async fn a_list_goes_on_from_wherever_it_was_interrupted() {
    for (kind, more, least) in [
        ("oai-pmh", json!({ "incremental": true }), 2),
        (
            "sparql",
            json!({ "query": "CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o } LIMIT {limit} OFFSET {offset}", "pageSize": 2 }),
            3,
        ),
        ("dcat", json!({}), 2),
        // Two pages of collections, and two of the items of each.
        ("stac", json!({ "items": true }), 14),
    ] {
        let (base, asked) = (Arc::new(std::sync::OnceLock::<String>::new()), AtomicUsize::new(0));
        let known = Arc::clone(&base);
        let address = serve(move |path, form| {
            a_page(kind, &known.get().cloned().unwrap_or_default(), path, form, asked.fetch_add(1, Ordering::SeqCst))
        })
        .await;
        base.set(address.clone()).unwrap();
        let mut settings =
            json!({ "id": "x", "kind": kind, "url": format!("{address}/"), "allowPrivateAddresses": true });
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let whole = harvest(settings.clone()).await;
        assert!(whole.is_complete() && whole.faults.is_empty(), "{kind}: {:?} {:?}", whole.outcome, whole.faults);
        assert!(
            whole.keys().len() >= 6 && whole.positions.len() >= least,
            "{kind}: {:?} {:?}",
            whole.keys(),
            whole.positions
        );
        for (position, before) in &whole.positions {
            let cursor = catalog_harvester::Cursor { position: position.clone(), ..Default::default() };
            let rest = harvest_from(settings.clone(), cursor).await;
            let keys = [&whole.keys()[..*before], &rest.keys()].concat();
            assert_eq!((keys, rest.is_complete()), (whole.keys(), true), "{kind} from {position}: {:?}", rest.outcome);
            assert_eq!(rest.outcome.cursor, whole.outcome.cursor, "{kind} from {position}");
        }
    }
}
