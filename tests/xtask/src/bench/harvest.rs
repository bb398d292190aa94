//! Harvesting a catalogue of many records over loopback, end to end: fetch, map, validate, merge, ledger, both projections,
//! beside oxigraph's bulk loader alone.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use serde_json::{Value, json};

use super::bulk::dump;
use super::http::Client;
use super::process::{Server, Spent, TOKEN};
use super::python;
use super::table::{Table, against, grouped};

/// Records of one page of the source.
const PAGE: u32 = 1000;
/// How long a run may take.
const PATIENCE: Duration = Duration::from_secs(3600);
/// The aims: records a second, and the most memory, of its own and with the files that are mapped.
const RECORDS_A_SECOND: f64 = 1000.0;
const MEMORY: u64 = 600 << 20;

/// Harvests so many records twice, the second time without a change, and prints the table.
pub(super) fn run(alidade: &Path, folder: &Path, tools: &Path, records: u32) -> anyhow::Result<()> {
    let data = folder.join("data");
    std::fs::create_dir_all(&data)?;
    let source = serve(records)?;
    let mut server = Server::start(alidade, &data)?;
    server.wait_for("/readyz", Duration::from_secs(120))?;
    let mut client = server.client()?;
    let settings = json!({ "id": "bench", "kind": "stac", "url": source, "allowPrivateAddresses": true });
    call(&mut client, "POST", "/api/v1/sources", &settings)?;
    let mut table = Table::new(&["", "wall s", "CPU s", "records/s", "records/CPU s", "own MiB", "peak MiB"]);
    let mut spent = Vec::new();
    for name in ["first run", "second run, nothing changed"] {
        let (watch, since, before) = (server.watch(), Instant::now(), server.cpu()?);
        let run = harvest(&mut client)?;
        let done = (&run["added"], &run["unchanged"]);
        let all = u64::from(records);
        let is_good = done == (&json!(all), &json!(0)) || done == (&json!(0), &json!(all));
        ensure!(is_good && run["state"] == "completed", "the run came to something else: {run}");
        let read = since.elapsed().as_secs_f64();
        settle(&mut client)?;
        let took = Spent { wall: since.elapsed().as_secs_f64(), cpu: server.cpu()? - before };
        println!("{name}: applied after {read:.1} s, projected after {:.1} s, {:.1} s CPU", took.wall, took.cpu);
        let (rate, held) = (f64::from(records) / took.wall, watch.most()?);
        let mebibytes = |bytes: u64| against(bytes as f64 / f64::from(1 << 20), bytes <= MEMORY);
        table.row(vec![
            name.to_owned(),
            format!("{:.1}", took.wall),
            format!("{:.1}", took.cpu),
            against(rate, rate >= RECORDS_A_SECOND),
            grouped(f64::from(records) / took.cpu),
            mebibytes(held.own),
            mebibytes(held.all),
        ]);
        spent.push(took);
    }
    println!("\n### Harvest, {} records (aim ≥ 1,000 records/s, ≤ 600 MiB)\n\n{table}", grouped(f64::from(records)));
    let quads = folder.join("quads.nq");
    dump(&mut client, &quads)?;
    let (count, loader) = python::load(&python::with_oxigraph(tools)?, &quads, None)?;
    std::fs::remove_file(&quads)?;
    println!(
        "{} quads; oxigraph's bulk loader takes {:.1} s CPU for them, {:.2} of what the first run takes.",
        grouped(count),
        loader.cpu,
        loader.cpu / spent[0].cpu
    );
    server.stop()
}

fn call(client: &mut Client, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
    let token = format!("Bearer {TOKEN}");
    let headers = [("authorization", token.as_str()), ("content-type", "application/json")];
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    let answer = client.send(method, path, &headers, &body)?;
    ensure!((200..300).contains(&answer.status), "{path} was answered with {}: {}", answer.status, answer.text());
    serde_json::from_slice(&answer.body).with_context(|| format!("{path} was not answered with JSON"))
}

fn harvest(client: &mut Client) -> anyhow::Result<Value> {
    let mut run = call(client, "POST", "/api/v1/sources/bench/runs", &json!({ "dryRun": false }))?;
    let since = Instant::now();
    while run["state"] == "queued" || run["state"] == "running" {
        ensure!(since.elapsed() < PATIENCE, "the run does not end: {run}");
        std::thread::sleep(Duration::from_millis(500));
        run = call(client, "GET", &format!("/api/v1/sources/bench/runs/{}", run["number"]), &Value::Null)?;
    }
    Ok(run)
}

/// Waits until both projections hold what the ledger says.
fn settle(client: &mut Client) -> anyhow::Result<()> {
    let since = Instant::now();
    loop {
        ensure!(since.elapsed() < PATIENCE, "the projections do not come to an end");
        let ready: Value = serde_json::from_slice(&client.get("/readyz")?.body)?;
        if ["index", "sparql"].iter().all(|part| ready[part]["appliedSeq"] == ready["ledgerSeq"]) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// Serves a STAC API of so many collections; returns its address. It ends with this process.
fn serve(records: u32) -> anyhow::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let base = format!("http://{}", listener.local_addr()?);
    let address = base.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let base = base.clone();
            std::thread::spawn(move || answer_all(stream, &base, records));
        }
    });
    Ok(format!("{address}/"))
}

fn answer_all(stream: TcpStream, base: &str, records: u32) -> std::io::Result<()> {
    let mut writer = stream.try_clone()?;
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let path = line.split(' ').nth(1).unwrap_or("/").to_owned();
        while reader.read_line(&mut line)? > 2 {}
        let body = page(&path, base, records).to_string();
        write!(
            writer,
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )?;
    }
}

fn page(path: &str, base: &str, records: u32) -> Value {
    let Some(number) = path.strip_prefix("/collections?page=").and_then(|number| number.parse::<u32>().ok()) else {
        let data = json!({ "rel": "data", "href": format!("{base}/collections?page=0") });
        return json!({ "type": "Catalog", "id": "bench", "conformsTo": [], "links": [data] });
    };
    let (from, to) = (number * PAGE, ((number + 1) * PAGE).min(records));
    let next =
        (to < records).then(|| json!({ "rel": "next", "href": format!("{base}/collections?page={}", number + 1) }));
    let all: Vec<Value> = (from..to).map(collection).collect();
    json!({ "collections": all, "numberMatched": records, "links": next.into_iter().collect::<Vec<_>>() })
}

/// Makes a collection as Earth observation catalogues have them; numbers make the words differ.
fn collection(number: u32) -> Value {
    let (west, south) = (f64::from(number % 340) - 170.0, f64::from(number % 160) - 80.0);
    let words = ["ocean", "ice", "forest", "aerosol", "wind", "soil", "snow", "river", "cloud", "lava"];
    let word = |shift: u32| words[(number / 10_u32.pow(shift) % 10) as usize];
    let mission = ["Sentinel-1", "Sentinel-2", "Sentinel-3", "CryoSat-2", "SMOS"][(number % 5) as usize];
    json!({
        "type": "Collection", "stac_version": "1.0.0", "id": format!("bench-{number:07}"), "license": "CC-BY-4.0",
        "title": format!("{} {} of area {number}", word(0), word(1)),
        "description": format!("Monthly maps of {} and {} derived from {mission}, version {}. {}", word(0), word(2), number % 7,
            "They are made by the same steps for every area and compared with what is measured on the ground. ".repeat(3)),
        "keywords": [word(0), word(1), word(2), word(3)],
        "providers": [{ "name": format!("Institute {}", number % 97), "roles": ["producer", "host"], "url": "https://institute.example/" }],
        "extent": { "spatial": { "bbox": [[west, south, west + 10.0, south + 10.0]] },
            "temporal": { "interval": [[format!("20{:02}-01-01T00:00:00Z", number % 25), null]] } },
        "summaries": { "platform": [mission] },
        "assets": { "data": { "href": format!("https://data.example/{number}.nc"), "type": "application/x-netcdf", "title": "The maps" } },
        "links": [{ "rel": "about", "href": format!("https://data.example/{number}.html"), "type": "text/html" }]
    })
}
