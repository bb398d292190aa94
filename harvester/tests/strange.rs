//! Sources as they are met in the world: odd in ways that are allowed, or wrong in ways that nobody notices.

#![allow(clippy::unwrap_used, reason = "what a test cannot do must fail it")]

mod support;

use std::io::Write;

use catalog_harvester::Coverage;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use support::{Answer, Said, harvest, harvest_from, serve};

fn source(kind: &str, url: String, more: Value) -> Value {
    let mut all = json!({ "id": "t", "kind": kind, "url": url, "allowPrivateAddresses": true, "retries": 0 });
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    all
}

async fn table(answer: impl Fn(&str, &str) -> Answer + Send + Sync + 'static, path: &str) -> Said {
    let base = serve(answer).await;
    harvest(source("files", format!("{base}{path}"), json!({ "mapping": "nasa-cmr" }))).await
}

#[tokio::test]
async fn tables_as_spreadsheets_save_them() {
    let text = "concept-id;EntryTitle\r\nC0000000001-TEST;\"Café; a title\"\r\n";
    let wide: Vec<u8> = std::iter::once(0xfeff).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    for (media_type, body) in [
        ("text/csv", text.as_bytes().to_vec()),
        ("text/csv; charset=ISO-8859-1", text.as_bytes().to_vec()),
        (
            "text/csv; charset=ISO-8859-1",
            text.replace('é', "\u{1}").bytes().map(|b| if b == 1 { 0xe9 } else { b }).collect(),
        ),
        ("text/csv", wide),
    ] {
        let said = table(move |_, _| Answer::of(media_type, body.clone()), "/t.csv").await;
        assert!(said.is_complete() && said.records.len() == 1, "{media_type}: {:?}", said.faults);
        assert_eq!(said.records[0].manifest["title"], json!({ "en": "Café; a title" }));
        assert_eq!(said.records[0].place.line, Some(2));
    }
}

#[tokio::test]
async fn an_answer_that_nothing_changed_is_none_where_nothing_is_known() {
    assert_eq!(table(|_, _| Answer::status(304), "/t.csv").await.trouble(), "fetch.status");
}

#[tokio::test]
async fn a_host_is_not_believed_for_ever_that_nothing_changed() {
    let base = serve(|_, _| Answer::status(304)).await;
    for (hours, is_believed) in [(1, true), (24 * 8, false), (-1, false)] {
        let read = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(hours);
        let digest = catalog_harvester::Mappings::shipped().unwrap().digest();
        let state = json!({ "validators": { "etag": "\"1\"" }, "read": read, "mappings": digest });
        let cursor = catalog_harvester::Cursor { state, ..Default::default() };
        let settings = source("files", format!("{base}/t.csv"), json!({ "mapping": "nasa-cmr" }));
        let said = harvest_from(settings, cursor).await;
        assert_eq!(said.outcome.coverage == Coverage::Unchanged, is_believed, "{hours}: {:?}", said.outcome);
    }
}

#[tokio::test]
async fn a_packed_file_below_an_index_that_cannot_be_unpacked_is_a_gap() {
    let packed = |bytes: &[u8]| {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(bytes).unwrap();
        packer.finish().unwrap()
    };
    let whole = packed("concept-id,EntryTitle\nC0000000001-TEST,One\n".repeat(50).as_bytes());
    let twice = packed(&whole[..whole.len() - 9]);
    let index = "<a href=\"a.csv.gz\">a</a>";
    let said = table(
        move |path, _| match path {
            "/" => Answer::of("text/html", index),
            _ => Answer::of("application/gzip", twice.clone()),
        },
        "/",
    )
    .await;
    assert_eq!(said.trouble(), "source.read");
    assert!(said.codes().contains(&"source.read"), "{:?}", said.faults);
}

#[tokio::test]
async fn a_source_that_moved_says_where_to() {
    let moved = |to: &str| Answer(301, vec![("location", to.to_owned())], Vec::new());
    let said = table(
        move |path, _| match path {
            "/t.csv" => moved("/new.csv"),
            "/new.csv" => Answer(302, vec![("location", "/now.csv".to_owned())], Vec::new()),
            _ => Answer::of("text/csv", "concept-id,EntryTitle\nC0000000001-TEST,One\n"),
        },
        "/t.csv",
    )
    .await;
    assert!(said.is_complete() && said.records.len() == 1, "{:?}", said.outcome);
    assert_eq!(said.remarks.len(), 1);
    let (remark, told) = (&said.remarks[0], &said.remarks[0].message);
    assert!(remark.code == "source.moved" && told.ends_with("/new.csv`"), "{remark:?}");
    let base = serve(move |path, _| match path.split_once('?') {
        Some(("/oai", query)) => moved(&format!("/oai2?{query}")),
        _ => Answer::of("text/xml", "<OAI-PMH><error code='noRecordsMatch'/></OAI-PMH>"),
    })
    .await;
    let said = harvest(source("oai-pmh", format!("{base}/oai"), json!({}))).await;
    assert_eq!(said.remarks[0].message, format!("it moved to `{base}/oai2`"));
}

#[tokio::test]
async fn a_list_of_stac_goes_on_by_post() {
    let item = |id: u64| {
        json!({ "type": "Feature", "id": format!("i{id}"), "geometry": null, "collection": "c", "links": [], "assets": {},
            "properties": { "title": "I", "datetime": "2020-01-01T00:00:00Z" } })
    };
    let base = serve(move |path, body| {
        let asked: Value = serde_json::from_str(body).unwrap_or_default();
        let page = match (path, asked["token"].as_u64()) {
            ("/items", None) => 0,
            ("/search", Some(page)) if asked["collections"] == json!(["c"]) && asked["limit"] == 1 => page,
            _ => return Answer::status(400),
        };
        let body = match page {
            // What was sent first stands in the address, and all of it in the first body.
            0 => json!({ "token": 1, "collections": ["c"], "limit": 1 }),
            page => json!({ "token": page + 1 }),
        };
        let get = json!({ "rel": "previous", "href": "/search" });
        let post = json!({ "rel": "next", "method": "POST", "href": "/search", "body": body, "merge": true });
        let links = if page < 3 { vec![get, post] } else { vec![get] };
        Answer::of(
            "application/geo+json",
            json!({ "type": "FeatureCollection", "features": [item(page)], "links": links }).to_string(),
        )
    })
    .await;
    let settings = source("stac", format!("{base}/items"), json!({}));
    let said = harvest(settings.clone()).await;
    assert!(said.is_complete(), "{:?}", said.outcome);
    assert_eq!(said.keys(), ["c/i0", "c/i1", "c/i2", "c/i3"]);
    for (position, before) in said.positions {
        let cursor = catalog_harvester::Cursor { position, ..Default::default() };
        let rest = harvest_from(settings.clone(), cursor).await;
        assert!(rest.is_complete() && rest.records.len() == 4 - before, "{before}: {:?}", rest.outcome);
    }
}

/// Answers a query as an endpoint does that gives at most so many solutions at once; each is a dataset.
fn endpoint(form: &str, most: usize) -> std::ops::Range<usize> {
    let number =
        |key: &str| form.split_once(key).and_then(|(_, rest)| rest.split(['+', '&', '%']).next()?.parse().ok());
    let (limit, offset): (usize, usize) = (number("LIMIT+").unwrap(), number("OFFSET+").unwrap());
    offset.min(8)..(offset + limit.min(most)).min(8)
}

fn triples(ids: std::ops::Range<usize>, label: &str) -> String {
    ids.map(|id| format!(
        "<urn:d{id}> <http://www.w3.org/1999/02/22-rdf-syntax-ns#type> <http://www.w3.org/ns/dcat#Dataset> .\n<urn:d{id}> <http://purl.org/dc/terms/title> \"D{id}\" .\n<urn:d{id}> <http://purl.org/dc/terms/publisher> _:{label}{id} .\n"
    ))
    .collect()
}

const QUERIES: [&str; 2] = [
    "CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o } ORDER BY ?s",
    "CONSTRUCT { ?s ?p ?o } WHERE { { SELECT ?s WHERE { ?s a <http://www.w3.org/ns/dcat#Dataset> } ORDER BY ?s LIMIT {limit} OFFSET {offset} } ?s ?p ?o }",
];

#[tokio::test]
async fn an_endpoint_that_gives_less_than_it_is_asked_for_is_found_out() {
    for query in QUERIES {
        for (most, complete) in [(3, true), (2, false)] {
            let base = serve(move |_, form| Answer::of("text/plain", triples(endpoint(form, most), "b"))).await;
            let said = harvest(source("sparql", base, json!({ "query": query, "pageSize": 3 }))).await;
            if complete {
                assert!(said.is_complete() && said.records.len() == 8, "{query}: {:?}", said.outcome);
            } else {
                assert_eq!((said.trouble(), said.records.len()), ("page.short", 6), "{query}");
            }
        }
    }
}

#[tokio::test]
async fn an_endpoint_that_knows_no_offset_is_found_out_though_it_names_things_anew() {
    for query in QUERIES {
        let asked = std::sync::atomic::AtomicUsize::new(0);
        let base = serve(move |_, _| {
            let label = format!("b{}x", asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst));
            Answer::of("application/n-triples", triples(0..3, &label))
        })
        .await;
        let said = harvest(source("sparql", base, json!({ "query": query, "pageSize": 3 }))).await;
        assert_eq!(said.trouble(), "paging.loop", "{query}");
        assert!(said.outcome.pages < 8);
    }
}

#[tokio::test]
async fn rdf_in_xml_is_read_in_the_character_set_that_it_declares() {
    let text = |name: &str| {
        format!(
            "<?xml version='1.0' encoding='{name}'?>\n<rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' xmlns:dcat='http://www.w3.org/ns/dcat#' xmlns:dct='http://purl.org/dc/terms/'><dcat:Dataset rdf:about='urn:d'><dct:title>Café</dct:title></dcat:Dataset></rdf:RDF>"
        )
    };
    let latin: Vec<u8> = text("ISO-8859-1").chars().map(|character| character as u8).collect();
    let wide: Vec<u8> =
        std::iter::once(0xfeff).chain(text("UTF-16").encode_utf16()).flat_map(u16::to_be_bytes).collect();
    for body in [text("utf-8").into_bytes(), latin, wide] {
        let base = serve(move |_, _| Answer::of("application/rdf+xml", body.clone())).await;
        let said = harvest(source("dcat", base, json!({}))).await;
        assert!(said.is_complete(), "{:?}", said.outcome);
        assert_eq!(said.records[0].manifest["title"], json!({ "en": "Café" }));
    }
}

#[tokio::test]
async fn rdf_within_oai_pmh_is_read_however_it_is_wrapped() {
    // As pycsw writes it: a prefix for everything, every namespace at the root, names that begin alike.
    let record = |id: u8| {
        format!(
            "<oai:record><oai:header><oai:identifier>oai:x:{id}</oai:identifier></oai:header><oai:metadata><rdf:RDF><dcat:Dataset rdf:about='urn:d{id}'><dct:title>Café {id}</dct:title><recordings:of xmlns:recordings='urn:r'>x</recordings:of></dcat:Dataset></rdf:RDF></oai:metadata></oai:record>"
        )
    };
    let list = format!(
        "<?xml version='1.0' encoding='ISO-8859-1'?><oai:OAI-PMH xmlns:oai='http://www.openarchives.org/OAI/2.0/' xmlns:rdf='http://www.w3.org/1999/02/22-rdf-syntax-ns#' xmlns:dcat='http://www.w3.org/ns/dcat#' xmlns:dct='http://purl.org/dc/terms/'><oai:ListRecords>{}{}</oai:ListRecords></oai:OAI-PMH>",
        record(1),
        record(2)
    );
    let latin: Vec<u8> = list.chars().map(|character| character as u8).collect();
    let base = serve(move |_, _| Answer::of("text/xml", latin.clone())).await;
    let said = harvest(source("oai-pmh", base, json!({ "metadataPrefix": "dcat" }))).await;
    assert!(said.is_complete() && said.faults.is_empty(), "{:?} {:?}", said.outcome, said.faults);
    assert_eq!(said.keys(), ["oai:x:1", "oai:x:2"]);
    assert_eq!(said.records[1].manifest["title"], json!({ "en": "Café 2" }));
}

#[tokio::test]
async fn a_repository_that_keeps_no_deletions_is_read_as_a_whole() {
    for (kept, coverage) in [("no", Coverage::Complete), ("persistent", Coverage::Changes)] {
        let base = serve(move |path, _| {
            let body = match path.contains("verb=Identify") {
                true => format!("<Identify><deletedRecord>{kept}</deletedRecord></Identify>"),
                false => "<error code='noRecordsMatch'/>".to_owned(),
            };
            Answer::of(
                "text/xml",
                format!("<OAI-PMH><responseDate>2020-01-01T00:00:00Z</responseDate>{body}</OAI-PMH>"),
            )
        })
        .await;
        let settings = source("oai-pmh", base, json!({ "incremental": true }));
        let first = harvest(settings.clone()).await;
        assert!(first.is_complete(), "{:?}", first.outcome);
        assert_eq!(harvest_from(settings, first.outcome.cursor).await.outcome.coverage, coverage, "{kept}");
    }
}

#[tokio::test]
async fn a_repository_whose_clock_is_wrong_is_asked_for_all_its_changes() {
    for (date, from) in [("2999-01-01T00:00:00Z", None), ("2020-02-03T00:00:00Z", Some("2020-02-03")), ("now", None)] {
        let base = serve(move |path, _| {
            let body = match path.contains("from=") {
                true => "<error code='badArgument'>from</error>".to_owned(),
                false => "<ListRecords><record><header><identifier>oai:x:1</identifier></header><metadata><dc><title>One</title></dc></metadata></record></ListRecords>".to_owned(),
            };
            Answer::of("text/xml", format!("<OAI-PMH><responseDate>{date}</responseDate>{body}</OAI-PMH>"))
        })
        .await;
        let settings = source("oai-pmh", base, json!({ "incremental": true }));
        let said = harvest(settings.clone()).await;
        let known = said.outcome.cursor.state["from"].as_str().map(str::to_owned);
        match from {
            Some(from) => assert_eq!(known.as_deref(), Some(from)),
            None => assert!(known.is_none_or(|known| known.as_str() < "2999"), "{date}"),
        }
        // What it does not understand is not asked for again and again.
        let again = harvest_from(settings, said.outcome.cursor).await;
        assert_eq!((again.outcome.coverage, again.records.len()), (Coverage::Complete, 1), "{date}");
    }
}
