//! Strangers who mean harm: whatever they ask, the server lives, others are served, and memory comes back.

#![allow(clippy::print_stdout, reason = "how each query ended is the report of this suite")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use catalog_tests::sandbox::read;
use catalog_tests::{Sandbox, Settings};

/// A server whose queries have some seconds each, and which believes `X-Forwarded-For`.
async fn server(seconds: u32, more: &str) -> Sandbox {
    let configuration = format!(
        "trustedProxies = [\"127.0.0.1\"]\n[zone]\nid = \"go-esa\"\nname = \"GO.ESA\"\n[sparql]\nseconds = {seconds}\n{more}"
    );
    Sandbox::start(Settings { sample: true, configuration: Some(configuration), ..Settings::default() }).await
}

/// Asks as a client at an address.
async fn ask(sandbox: &Sandbox, address: &str, query: &str) -> (u16, String) {
    let request = sandbox.request("POST", "/sparql").header("x-forwarded-for", address);
    read(request.header("content-type", "application/sparql-query").body(query.to_owned())).await
}

/// Asks until a worker is free; right after an attack both may be busy for a moment.
async fn ask_patiently(sandbox: &Sandbox, query: &str) -> (u16, String) {
    let started = Instant::now();
    loop {
        let answer = ask(sandbox, "203.0.113.200", query).await;
        if answer.0 != 503 || started.elapsed() > Duration::from_secs(60) {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Reads a figure of a process, in bytes.
fn memory(process: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default() * 1024
}

/// Finds the workers of a server.
fn workers(server: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let is_child = |id: &u32| {
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        status.lines().any(|line| line == format!("PPid:\t{server}"))
    };
    ids.filter(is_child).collect()
}

/// Queries that would run for days, fill the memory, or break a parser; each with a word for the report.
fn killers() -> Vec<(&'static str, String)> {
    let cross = "?a ?b ?c . ?d ?e ?f . ?g ?h ?i";
    let doubling = |levels: usize| {
        let steps: String = (1..levels)
            .map(|level| format!("BIND(CONCAT(?x{0}, ?x{0}, ?x{0}, ?x{0}) AS ?x{1}) ", level - 1, level))
            .collect();
        format!("SELECT (STRLEN(?x{}) AS ?n) {{ BIND(\"0123456789abcdef\" AS ?x0) {steps} }}", levels - 1)
    };
    let values: String = (0..20_000).map(|n| format!("{n} ")).collect();
    let nested = |open: &str, close: &str, inner: &str, levels| {
        format!("{}{inner}{}", open.repeat(levels), close.repeat(levels))
    };
    vec![
        ("count of a product", format!("SELECT (COUNT(*) AS ?n) {{ {cross} . ?j ?k ?l }}")),
        ("order of a product", format!("SELECT * {{ {cross} }} ORDER BY ?i ?f ?c LIMIT 10")),
        ("order by an expression", format!("SELECT * {{ {cross} }} ORDER BY SHA512(CONCAT(STR(?c), STR(?f))) LIMIT 1")),
        ("distinct of a product", format!("SELECT DISTINCT ?a ?d ?g ?i {{ {cross} }}")),
        ("groups of a product", format!("SELECT ?a ?f ?i (COUNT(*) AS ?n) {{ {cross} }} GROUP BY ?a ?f ?i")),
        ("concatenation of a product", "SELECT (GROUP_CONCAT(CONCAT(STR(?a), STR(?f)); SEPARATOR=\"x\") AS ?x) { ?a ?b ?c . ?d ?e ?f }".to_owned()),
        ("doubling", doubling(16)),
        ("doubling of rows", format!("SELECT (MAX(STRLEN(CONCAT(STR(?c), STR(?f), STR(?i)))) AS ?n) {{ {cross} }}")),
        ("replacement that grows", "SELECT (STRLEN(REPLACE(REPLACE(REPLACE(REPLACE(?x, \".\", ?x), \".\", ?x), \".\", ?x), \".\", ?x)) AS ?n) { BIND(\"0123456789012345678901234567890123456789\" AS ?x) }".to_owned()),
        ("path over everything", "SELECT (COUNT(*) AS ?n) { ?a (!<urn:x>|^!<urn:x>)* ?b . ?c (!<urn:x>|^!<urn:x>)* ?d }".to_owned()),
        ("path of paths", "SELECT (COUNT(*) AS ?n) { ?a ((!<urn:x>/!<urn:y>)*/(!<urn:z>)*)* ?b . ?b (!<urn:x>|^!<urn:y>)+ ?c }".to_owned()),
        ("values of values", format!("SELECT (COUNT(*) AS ?n) {{ VALUES ?a {{ {values} }} VALUES ?b {{ {values} }} VALUES ?c {{ 1 2 3 4 5 }} }}")),
        ("optional of a product", format!("SELECT (COUNT(*) AS ?n) {{ {cross} OPTIONAL {{ ?a ?x ?i . ?d ?y ?c }} }}")),
        ("not exists of a product", format!("SELECT (COUNT(*) AS ?n) {{ {cross} FILTER NOT EXISTS {{ ?q ?r ?s . ?t ?u ?v FILTER(?s = ?a && ?v = ?i) }} }}")),
        ("minus of a product", format!("SELECT (COUNT(*) AS ?n) {{ {{ {cross} }} MINUS {{ ?a ?k ?l . ?m ?n ?i }} }}")),
        ("union of products", format!("SELECT (COUNT(*) AS ?n) {{ {{ {cross} }} UNION {{ {cross} }} UNION {{ {cross} }} }}")),
        ("regular expressions", format!("SELECT (COUNT(*) AS ?n) {{ {cross} FILTER(REGEX(CONCAT(STR(?c), STR(?f)), \"(a|b|c|d)*(.*)*x{{1,50}}$\", \"i\")) }}")),
        ("a graph of a product", format!("CONSTRUCT {{ ?a ?e ?i . ?d ?b ?f }} {{ {cross} }}")),
        ("a description of everything", format!("DESCRIBE ?a ?d ?g {{ {cross} }}")),
        ("truth of a product", format!("ASK {{ {cross} . ?j ?k ?l FILTER(STRLEN(CONCAT(STR(?a), STR(?f), STR(?l))) = 1) }}")),
        ("a query in queries", nested("SELECT (COUNT(*) AS ?n) { { ?a ?b ?c } { ", " } }", "SELECT * { ?x ?y ?z }", 20)),
        ("nested groups", nested("SELECT * WHERE {", "}", "?s ?p ?o", 1) + &"{".repeat(20_000)),
        ("nested brackets", format!("SELECT * {{ ?s ?p ?o FILTER({}) }}", nested("(", ")", "1", 20_000))),
        ("nested negations", format!("SELECT * {{ ?s ?p ?o FILTER({}?s) }}", "!".repeat(200_000))),
        ("brackets that hide", format!("SELECT * {{ FILTER(?a<?b#>\"\"\"\n&&{}1", "(\")\"||".repeat(30_000))),
        ("a long path", format!("SELECT * {{ ?s {} ?o }}", vec!["<urn:p>"; 20_000].join("/"))),
        ("many unions", format!("SELECT * {{ {} }}", vec!["{ ?s ?p ?o }"; 15_000].join(" UNION "))),
        ("a long text", format!("SELECT * {{ ?s ?p \"{}\" }}", "x".repeat(900_000))),
        ("a long answer", "SELECT * { ?a ?b ?c . ?d ?e ?f }".to_owned()),
    ]
}

/// Asks fifty killers at once, each from another address; every one must end in an error within a time.
async fn attack(sandbox: &Arc<Sandbox>, within: Duration) -> BTreeMap<u16, usize> {
    let killers = killers();
    let attack = (0..50).map(|n| {
        let (sandbox, (name, query)) = (Arc::clone(sandbox), killers[n % killers.len()].clone());
        tokio::spawn(async move {
            let started = Instant::now();
            let request = sandbox.request("POST", "/sparql").header("x-forwarded-for", format!("203.0.113.{n}"));
            let request = request.header("content-type", "application/sparql-query").body(query);
            let response = request.send().await.unwrap();
            let status = response.status().as_u16();
            // A body that is cut off is an error that the client sees.
            let is_whole = response.bytes().await.is_ok();
            (name, status, is_whole, started.elapsed())
        })
    });
    let (mut statuses, mut longest) = (BTreeMap::<u16, usize>::new(), Duration::ZERO);
    for attacker in futures::future::join_all(attack).await {
        let (name, status, is_whole, elapsed) = attacker.unwrap();
        assert!(status >= 400 || !is_whole, "{name}: {status}");
        assert!(status != 500, "{name}: {status}");
        assert!(elapsed < within, "{name}: {elapsed:?}");
        longest = longest.max(elapsed);
        *statuses.entry(status).or_default() += 1;
    }
    println!("fifty at once: {statuses:?}, the longest took {longest:?}");
    statuses
}

/// The limits as they are when nobody configures any: ten seconds for a query, its wait included.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_killers_at_once_end_within_twelve_seconds() {
    let sandbox = Arc::new(server(10, "").await);
    let process = sandbox.process_id();
    assert_eq!(ask_patiently(&sandbox, "ASK { ?s ?p ?o }").await.0, 200);
    attack(&sandbox, Duration::from_secs(12)).await;
    assert_eq!(sandbox.process_id(), process);
    assert_eq!(ask_patiently(&sandbox, "ASK { ?s ?p ?o }").await.0, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn killers_harm_nobody() {
    let sandbox = Arc::new(server(2, "").await);
    let process = sandbox.process_id();
    assert_eq!(ask_patiently(&sandbox, "ASK { ?s ?p ?o }").await.0, 200);
    let before = memory(process, "VmRSS");

    // Others read on while fifty attack at once.
    let (over, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let reader = {
        let (sandbox, over, served) = (Arc::clone(&sandbox), Arc::clone(&over), Arc::clone(&served));
        tokio::spawn(async move {
            let mut largest = 0;
            while !over.load(Ordering::Relaxed) {
                assert_eq!(sandbox.get("/api/v1/search?q=gaia").await.0, 200);
                assert_eq!(sandbox.get("/").await.0, 200);
                served.fetch_add(1, Ordering::Relaxed);
                largest = largest.max(memory(process, "VmRSS"));
            }
            largest
        })
    };
    let killers = killers();
    assert!(killers.len() >= 20);
    // Two seconds to wait, two to run; the machine may be loaded.
    let statuses = attack(&sandbox, Duration::from_secs(60)).await;

    // Each of them alone, so that each really reaches a worker.
    for pair in killers.chunks(2) {
        let answers = pair.iter().map(async |(name, query)| {
            let request =
                sandbox.request("POST", "/sparql").header("x-forwarded-for", format!("198.51.100.{}", name.len()));
            let response =
                request.header("content-type", "application/sparql-query").body(query.clone()).send().await.unwrap();
            let status = response.status().as_u16();
            let is_whole = response.bytes().await.is_ok();
            assert!((400..600).contains(&status) && status != 500 || !is_whole, "{name}: {status}");
            (*name, status, is_whole)
        });
        for (name, status, is_whole) in futures::future::join_all(answers).await {
            println!("{status} {} {name}", if is_whole { "whole" } else { "cut" });
        }
    }
    over.store(true, Ordering::Relaxed);
    let largest = reader.await.unwrap();
    println!(
        "{statuses:?}, memory {before} then {largest} at the most; {} rounds by others",
        served.load(Ordering::Relaxed)
    );
    assert!(served.load(Ordering::Relaxed) > 0, "others were served");
    // What the server keeps for answers on their way is bounded; the evaluations themselves are elsewhere.
    assert!(largest < before + (256 << 20), "{before} then {largest}");
    assert_eq!(sandbox.process_id(), process);
    let (status, text) = ask_patiently(&sandbox, "SELECT (COUNT(*) AS ?n) { ?s a ?c }").await;
    assert_eq!(status, 200, "{text}");
    let kept: Vec<u64> = workers(process).into_iter().map(|worker| memory(worker, "VmRSS")).collect();
    assert!(kept.iter().all(|bytes| *bytes < 256 << 20), "the workers give their memory back: {kept:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_takes_its_query_along() {
    let sandbox = server(2, "").await;
    let endless = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }";
    let request = sandbox.request("POST", "/sparql").form(&[("query", endless)]);
    assert!(request.timeout(Duration::from_millis(500)).send().await.is_err());
    // Both workers are free again; the metrics say so.
    let started = Instant::now();
    while !sandbox.get("/metrics").await.1.lines().any(|line| line.contains("query_slots_free") && line.ends_with(" 2"))
    {
        assert!(started.elapsed() < Duration::from_secs(60), "the query goes on");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }

    // One who does not read is cut off at the deadline, and sees that the answer is not whole.
    let address = sandbox.base().trim_start_matches("http://");
    let mut slow = TcpStream::connect(address).unwrap();
    let query = "SELECT%20*%20%7B%3Fa%20%3Fb%20%3Fc%20.%20%3Fd%20%3Fe%20%3Ff%7D%20LIMIT%2099000";
    write!(slow, "GET /sparql?query={query} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").unwrap();
    tokio::time::sleep(Duration::from_secs(4)).await;
    let mut answer = Vec::new();
    slow.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let _ = slow.read_to_end(&mut answer);
    assert!(!answer.ends_with(b"\r\n0\r\n\r\n"), "{} bytes are said to be the whole answer", answer.len());
    assert_eq!(ask_patiently(&sandbox, "ASK { ?s ?p ?o }").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_told_and_never_cut_an_answer_short() {
    let sandbox = server(60, "rows = 5000\n").await;
    let get = |query: &str| sandbox.request("GET", "/sparql").query(&[("query", query)]);
    let small = get("SELECT * { ?s ?p ?o } LIMIT 5").send().await.unwrap();
    assert_eq!(small.headers()["alidade-limits"], "seconds=60, rows=5000, bytes=33554432, memory=536870912");
    // Few and short rows are counted before anything is sent: a problem.
    let (status, text) = read(get("SELECT ?p { ?s ?p ?o }")).await;
    assert_eq!(status, 422, "{text}");
    assert!(text.contains("query.answer_too_large") && text.contains("5000"), "{text}");
    // Many bytes are on their way when the limit is met: the connection breaks.
    let long = get("SELECT * { ?a ?b ?c . ?d ?e ?f } LIMIT 5001");
    let response = long.header("accept", "application/sparql-results+xml").send().await.unwrap();
    let status = response.status();
    assert!(status == 422 || response.bytes().await.is_err(), "{status} and a part that looks whole");
    // Exactly as many as allowed are an answer.
    let most = get("SELECT ?a ?b ?d ?e { ?a ?b ?c . ?d ?e ?f } LIMIT 5000").header("accept", "text/csv");
    assert_eq!(read(most).await.1.lines().count(), 5001);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_client_has_its_own_seconds() {
    let sandbox = server(5, "budgetSeconds = 3\n").await;
    let endless = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }";
    let mut last = (0, String::new());
    for _ in 0..4 {
        let request = sandbox.request("POST", "/sparql").header("x-forwarded-for", "2001:db8:1:2::7");
        let response = request.form(&[("query", endless)]).send().await.unwrap();
        let wait = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
        assert!(wait.is_some_and(|seconds| seconds > 0));
        last = (response.status().as_u16(), response.text().await.unwrap());
        if last.0 == 429 {
            break;
        }
        assert_eq!(last.0, 503, "{}", last.1);
    }
    assert_eq!(last.0, 429, "{}", last.1);
    assert!(last.1.contains("sparql.budget"), "{}", last.1);
    // A neighbour in the same network has none either; another network has its own, and so has whoever signs in.
    assert_eq!(ask(&sandbox, "2001:db8:1:2:ffff::1", "ASK {}").await.0, 429);
    assert_eq!(ask(&sandbox, "2001:db8:1:3::7", "ASK {}").await.0, 200);
    let request = sandbox.request("GET", "/sparql?query=ASK%7B%7D").header("x-forwarded-for", "2001:db8:1:2::7");
    let signed_in = request.bearer_auth(catalog_tests::ADMIN_TOKEN).send().await.unwrap();
    assert_eq!(signed_in.status(), 200);
    assert!(signed_in.headers()["alidade-limits"].to_str().unwrap().starts_with("seconds=60"));
}

#[tokio::test(flavor = "multi_thread")]
async fn no_query_reaches_another_host() {
    let sandbox = server(60, "").await;
    let canary = TcpListener::bind("127.0.0.1:0").unwrap();
    canary.set_nonblocking(true).unwrap();
    let url = format!("http://{}/", canary.local_addr().unwrap());
    for (query, expected) in [
        (format!("SELECT * {{ SERVICE <{url}> {{ ?s ?p ?o }} }}"), 400),
        (format!("SELECT * {{ SERVICE SILENT <{url}> {{ ?s ?p ?o }} }}"), 200),
        (format!("SELECT * {{ VALUES ?g {{ <{url}> }} SERVICE ?g {{ ?s ?p ?o }} }}"), 400),
        (format!("SELECT * {{ SERVICE <https://w3id.org/esado#capacity> {{ SERVICE <{url}> {{ ?s ?p ?o }} }} }}"), 400),
        (format!("SELECT * FROM <{url}> {{ ?s ?p ?o }}"), 200),
        (format!("SELECT * FROM NAMED <{url}> {{ GRAPH ?g {{ ?s ?p ?o }} }}"), 200),
        (format!("DESCRIBE <{url}>"), 200),
        (format!("LOAD <{url}>"), 400),
    ] {
        let (status, text) = ask(&sandbox, "203.0.113.1", &query).await;
        assert_eq!(status, expected, "{query}: {text}");
    }
    for path in ["/sparql?query=ASK%7B%3Fs%20%3Fp%20%3Fo%7D&default-graph-uri=", "/rdf-graph-store?graph="] {
        let status = sandbox.get(&format!("{path}{url}")).await.0;
        assert!(status == 200 || status == 404, "{path}: {status}");
    }
    assert!(canary.accept().is_err(), "somebody came to the canary");
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_end_with_their_server() {
    let mut sandbox = server(2, "").await;
    let workers = workers(sandbox.process_id());
    assert_eq!(workers.len(), 2, "{workers:?}");
    let endless = "SELECT (COUNT(*) AS ?n) { ?a ?b ?c . ?d ?e ?f . ?g ?h ?i . ?j ?k ?l }";
    let request = sandbox.request("POST", "/sparql").form(&[("query", endless)]).send();
    let asking = tokio::spawn(request);
    tokio::time::sleep(Duration::from_millis(300)).await;
    sandbox.kill9();
    assert!(asking.await.unwrap().is_err());
    let started = Instant::now();
    let is_there = |worker: &u32| {
        // A process that waits to be buried by whoever inherited it has ended.
        let status = std::fs::read_to_string(format!("/proc/{worker}/status")).unwrap_or_default();
        status.contains("sparql") && !status.contains("State:\tZ")
    };
    while workers.iter().any(is_there) {
        assert!(started.elapsed() < Duration::from_secs(30), "a worker lives on");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
