//! A program asks SPARQL.

mod clients;
mod hostile;

use catalog_schemas::search::FacetValue;
use catalog_tests::sandbox::read;
use catalog_tests::{Sandbox, sparql};

fn flat(values: &[FacetValue]) -> Vec<&FacetValue> {
    values.iter().flat_map(|value| std::iter::once(value).chain(flat(&value.children))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn sparql_counts_as_search_does() {
    let sandbox = Sandbox::with_sample().await;
    let all = sandbox.search(&[("size", "0")]).await;
    let mut compared = 0;
    for facet in ["type", "domain", "mission", "property"] {
        for value in flat(&all.facets.get(facet).unwrap().values) {
            let count = sparql::count(&sandbox, &[(facet, vec![&value.value])]).await;
            assert_eq!(count, value.count, "{facet} {}", value.value);
            compared += 1;
        }
    }
    assert!(compared > 20, "{compared}");

    // The same under another filter.
    let labs = sandbox.search(&[("type", "Datalab"), ("size", "0")]).await;
    for facet in ["domain", "mission"] {
        for value in flat(&labs.facets.get(facet).unwrap().values) {
            let count = sparql::count(&sandbox, &[("type", vec!["Datalab"]), (facet, vec![&value.value])]).await;
            assert_eq!(count, value.count, "datalabs of {facet} {}", value.value);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_protocol_is_spoken() {
    let sandbox = Sandbox::with_sample().await;
    let query = "SELECT ?r WHERE { ?r a <https://w3id.org/esado#DataVolume> } ORDER BY ?r";
    let get = |accept: &str| sandbox.request("GET", "/sparql").query(&[("query", query)]).header("accept", accept);
    let rows = |text: &str| text.matches("/id/go-esa/esa.volumes.").count();

    for (accept, content_type) in [
        ("application/sparql-results+json", "application/sparql-results+json"),
        ("application/sparql-results+xml", "application/sparql-results+xml"),
        ("text/csv", "text/csv"),
        ("text/tab-separated-values", "text/tab-separated-values"),
    ] {
        let response = get(accept).send().await.unwrap();
        assert_eq!(response.status(), 200, "{accept}");
        assert!(response.headers()["content-type"].to_str().unwrap().starts_with(content_type), "{accept}");
        assert_eq!(response.headers()["access-control-allow-origin"], "*", "{accept}");
        let text = response.text().await.unwrap();
        assert_eq!(rows(&text), 9, "{accept}: {text}");
    }
    let (_, csv) = read(get("text/csv")).await;
    assert!(csv.starts_with("r\r\n"), "{csv}");
    let (_, tsv) = read(get("text/tab-separated-values")).await;
    assert!(tsv.starts_with("?r\n"), "{tsv}");
    assert_eq!(get("image/png").send().await.unwrap().status(), 406);

    // By form, and as the body itself.
    let (status, text) = read(sandbox.request("POST", "/sparql").form(&[("query", query)])).await;
    assert_eq!((status, rows(&text)), (200, 9), "{text}");
    let direct =
        |kind: &str, body: &str| sandbox.request("POST", "/sparql").header("content-type", kind).body(body.to_owned());
    let (status, text) = read(direct("application/sparql-query", query)).await;
    assert_eq!((status, rows(&text)), (200, 9), "{text}");
    assert_eq!(read(direct("text/plain", query)).await.0, 415);

    // It only reads.
    assert_eq!(read(direct("application/sparql-update", "CLEAR ALL")).await.0, 403);
    let (status, _) = read(sandbox.request("POST", "/sparql").form(&[("update", "CLEAR ALL")])).await;
    assert_eq!(status, 403);
    assert_eq!(sandbox.get("/sparql?update=CLEAR%20ALL").await.0, 403);

    // What is wrong is said.
    let (status, text) = sandbox.get("/sparql?query=SELECT%20WHERE").await;
    let problem: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, &problem["type"]), (400, &"/problems/query.syntax".into()), "{text}");
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.starts_with("line 1, column 8: ")), "{text}");
    let ask = [("query", "SELECT *\nWHERE { ?s a dcat:Dataset }")];
    let (_, text) = read(sandbox.request("GET", "/sparql").query(&ask)).await;
    let problem: serde_json::Value = serde_json::from_str(&text).unwrap();
    let finding = &problem["findings"][0];
    assert_eq!((&finding["line"], &finding["column"]), (&2.into(), &14.into()), "{text}");
    let fix = "add `PREFIX dcat: <http://www.w3.org/ns/dcat#>` before the query";
    assert_eq!(finding["fix"], fix, "{text}");
    let (_, page) = read(sandbox.request("GET", "/sparql-editor").query(&[ask[0], ("run", "1")])).await;
    assert!(page.contains("Line 2, column 14") && page.contains("PREFIX dcat:"), "{page}");
    let twice = sandbox.request("GET", "/sparql").query(&[("query", query), ("query", query)]);
    assert_eq!(read(twice).await.0, 400);

    // The endpoint describes itself.
    let description = sandbox.request("GET", "/sparql").header("accept", "text/turtle").send().await.unwrap();
    assert_eq!(description.status(), 200);
    assert!(description.text().await.unwrap().contains("sparql-service-description#"));
    for (query, expected) in [("ASK { ?s ?p ?o }", "true"), ("ASK { <urn:no> ?p ?o }", "false")] {
        let (status, text) = read(sandbox.request("POST", "/sparql").form(&[("query", query)])).await;
        assert_eq!(status, 200);
        assert!(text.contains(expected), "{query}: {text}");
    }
    let graph = "CONSTRUCT { ?s a ?c } WHERE { ?s a ?c . FILTER(?c = <https://w3id.org/esado#DataVolume>) }";
    let request =
        sandbox.request("POST", "/sparql").header("accept", "application/n-triples").form(&[("query", graph)]);
    let (status, text) = read(request).await;
    assert_eq!((status, text.lines().count()), (200, 9), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_queries_leave_the_server_alive() {
    let sandbox = Sandbox::with_sample().await;
    let ask = async |query: String| read(sandbox.request("POST", "/sparql").form(&[("query", query)])).await;
    let nested = format!("SELECT * WHERE {}?s ?p ?o{}", "{".repeat(20_000), "}".repeat(20_000));
    let (status, text) = ask(nested).await;
    assert_eq!(status, 400, "{text}");
    let brackets = format!("SELECT * WHERE {{ ?s ?p ?o FILTER({}1{}) }}", "(".repeat(20_000), ")".repeat(20_000));
    assert_eq!(ask(brackets).await.0, 400);
    let negations = format!("SELECT * WHERE {{ ?s ?p ?o FILTER({}?s) }}", "!".repeat(20_000));
    assert_eq!(ask(negations).await.0, 400);
    let path = format!("SELECT * WHERE {{ ?s {}<urn:p>{} ?o }}", "(".repeat(20_000), ")*".repeat(20_000));
    assert_eq!(ask(path).await.0, 400);
    // Other hosts are never asked.
    let (status, _) = ask("SELECT * WHERE { SERVICE <http://127.0.0.1:9/> { ?s ?p ?o } }".to_owned()).await;
    assert!((400..500).contains(&status), "{status}");
    assert_eq!(ask("ASK { ?s ?p ?o }".to_owned()).await.0, 200);
    assert_eq!(sandbox.get("/livez").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_that_would_run_for_days_is_given_up() {
    let sandbox = Sandbox::with_sample().await;
    let endless = "SELECT (COUNT(*) AS ?n) WHERE { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }";
    let request = sandbox.request("POST", "/sparql").timeout(std::time::Duration::from_secs(100));
    let (status, text) = read(request.form(&[("query", endless)])).await;
    assert_eq!(status, 503, "{text}");
    assert!(text.contains("query.timeout"), "{text}");
    // A worker that ends because of the memory that a refused query took is given no other.
    let hungry = "SELECT * WHERE { ?a ?b ?c . ?d ?b ?e . ?f ?b ?g } ORDER BY ?g ?e ?c";
    for _ in 0..3 {
        let (status, text) = read(sandbox.request("POST", "/sparql").form(&[("query", hungry)])).await;
        assert!(status == 422 || status == 503, "{status}: {text}");
        let (status, text) = read(sandbox.request("GET", "/sparql").query(&[("query", "ASK { ?s ?p ?o }")])).await;
        assert_eq!(status, 200, "{text}");
    }
    // The page says so in words.
    let page = sandbox.request("GET", "/sparql-editor").query(&[("run", "1"), ("query", "SELECT WHERE")]);
    let (status, html) = read(page).await;
    assert!((200..500).contains(&status) && html.contains("was not answered"), "{status}: {html}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_kept_until_something_changes() {
    let sandbox = Sandbox::with_sample().await;
    let get = |query: &str| sandbox.request("GET", "/sparql").query(&[("query", query)]);
    let query = "SELECT ?r WHERE { ?r a <https://w3id.org/esado#Datalab> }";
    let first = get(query).send().await.unwrap();
    let tag = first.headers()["etag"].to_str().unwrap().to_owned();
    assert!(tag.starts_with("W/\""), "{tag}");
    assert_eq!(first.headers()["vary"], "Accept");
    assert!(first.headers().contains_key("alidade-seq") && first.headers().contains_key("ratelimit"));
    let again = get(query).header("if-none-match", format!("\"x\", {tag}")).send().await.unwrap();
    assert_eq!(again.status(), 304);
    assert_eq!(again.headers()["etag"].to_str().unwrap(), tag);
    // Another syntax, another query and another evaluation of what changes by itself are other answers.
    let other = get(query).header("if-none-match", &tag).header("accept", "text/csv").send().await.unwrap();
    assert_eq!(other.status(), 200);
    for changing in ["SELECT (NOW() AS ?n) {}", "SELECT (rand () AS ?n) {}", "SELECT (STRUUID() AS ?n) {}"] {
        assert!(!get(changing).send().await.unwrap().headers().contains_key("etag"), "{changing}");
    }
    assert!(get("SELECT ?knows { ?knows ?now ?o } LIMIT 1").send().await.unwrap().headers().contains_key("etag"));

    // HEAD says what GET would, and evaluates nothing.
    let head = sandbox.request("HEAD", "/sparql").query(&[("query", query)]).send().await.unwrap();
    assert_eq!((head.status().as_u16(), head.headers()["etag"].to_str().unwrap()), (200, tag.as_str()));
    assert_eq!(head.headers()["content-type"], "application/sparql-results+json");
    assert_eq!(sandbox.request("HEAD", "/sparql?query=SELECT").send().await.unwrap().status(), 400);

    // After a publication the answer has another name.
    let manifest = catalog_tests::package::datalab("esa.lab.kept", "1.0.0");
    let published = sandbox.admin().publish("esa.lab.kept", "1.0.0", catalog_tests::package::package(&manifest)).await;
    assert!(published.is_ok(), "{:?}", published.err());
    sandbox.wait_until_in_step().await;
    let later = get(query).header("if-none-match", &tag).send().await.unwrap();
    assert_eq!(later.status(), 200);
    assert_ne!(later.headers()["etag"].to_str().unwrap(), tag);
    assert!(later.text().await.unwrap().contains("esa.lab.kept"));
}

#[tokio::test(flavor = "multi_thread")]
async fn scripts_of_other_origins_may_ask() {
    let sandbox = Sandbox::with_sample().await;
    for path in ["/sparql", "/rdf-graph-store"] {
        let preflight = sandbox.request("OPTIONS", path).header("origin", "https://example.org");
        let preflight = preflight.header("access-control-request-method", "POST").send().await.unwrap();
        assert_eq!(preflight.status(), 204, "{path}");
        let allowed = preflight.headers()["access-control-allow-headers"].to_str().unwrap();
        assert!(allowed.contains("content-type") && allowed.contains("if-none-match"), "{allowed}");
        assert_eq!(preflight.headers()["access-control-allow-origin"], "*");
    }
    let asked = sandbox.request("POST", "/sparql").header("origin", "https://example.org");
    let answer = asked.form(&[("query", "ASK {}")]).send().await.unwrap();
    assert_eq!(answer.headers()["access-control-allow-origin"], "*");
    assert!(answer.headers()["access-control-expose-headers"].to_str().unwrap().contains("Retry-After"));
    // A refusal can be read by them, too.
    let refused = sandbox.request("GET", "/sparql?query=x").header("origin", "https://example.org");
    let refused = refused.send().await.unwrap();
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["access-control-allow-origin"]),
        (400, &"*".parse().unwrap())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn graphs_and_capacity_are_there_to_read() {
    let sandbox = Sandbox::with_sample().await;
    let lines = async |path: &str| {
        let request = sandbox.request("GET", path).header("accept", "application/n-triples");
        let (status, text) = read(request).await;
        (status, text.lines().count())
    };
    let graphs = sparql::select(&sandbox, "SELECT ?g (COUNT(*) AS ?n) { GRAPH ?g { ?s ?p ?o } } GROUP BY ?g").await;
    assert!(graphs.len() >= 2, "{graphs:?}");
    for row in &graphs {
        let path = format!("/rdf-graph-store?graph={}", row[0]);
        assert_eq!(lines(&path).await, (200, row[1].parse().unwrap()), "{path}");
    }
    let all = sparql::number(&sandbox, "SELECT (COUNT(*) AS ?n) { ?s ?p ?o }").await;
    assert_eq!(lines("/rdf-graph-store?default").await, (200, all));
    assert_eq!(lines("/rdf-graph-store?graph=urn:nothing").await.0, 404);
    assert_eq!(lines("/rdf-graph-store").await.0, 400);
    assert_eq!(sandbox.request("PUT", "/rdf-graph-store?default").send().await.unwrap().status(), 405);
    assert_eq!(sandbox.request("HEAD", "/rdf-graph-store?default").send().await.unwrap().status(), 200);

    // What is free now comes from the server, joined with what the catalogue says.
    let free = "SELECT ?zone ?free { SERVICE esado:capacity { ?zone esado:capacity ?c . ?c esado:resource \"cpu\" ; esado:free ?free } }";
    let rows = sparql::select(&sandbox, free).await;
    assert!(rows.len() >= 2 && rows.iter().all(|row| row[1].parse::<f64>().is_ok_and(|cores| cores > 0.0)), "{rows:?}");

    // A dataset that the protocol names replaces the one that the query names.
    let counted = async |parameters: &[(&str, &str)]| {
        let query = "SELECT (COUNT(*) AS ?n) FROM <urn:nothing> { ?s ?p ?o }";
        let request = sandbox.request("GET", "/sparql").query(&[("query", query)]).query(parameters);
        let (status, text) = read(request.header("accept", "text/csv")).await;
        (status, text.lines().nth(1).and_then(|line| line.parse::<usize>().ok()))
    };
    assert_eq!(counted(&[]).await, (200, Some(0)));
    assert_eq!(counted(&[("default-graph-uri", &graphs[0][0])]).await, (200, graphs[0][1].parse().ok()));
    assert_eq!(counted(&[("default-graph-uri", "no iri")]).await.0, 400);
}
