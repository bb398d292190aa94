//! Reads a source and says what came of it, without a server: for writing mappings.
//!
//! `ALIDADE_MAPPINGS` names a folder of mappings that are tried instead of the shipped ones of the same name.
//!
//! `cargo run -p catalog-harvester --example harvest -- '{"id":"x","kind":"files","folder":"…","mapping":"stac"}' [SHOW]`

#![allow(clippy::print_stdout, reason = "a program for people that write mappings")]

use std::collections::BTreeMap;

use catalog_harvester::{Cursor, Item, Mappings, Settings, Sink, open};
use catalog_ontology::manifest::{Options, validate};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let settings = arguments.next().ok_or("name the settings of a source as JSON")?;
    let show: usize = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(0);
    let mut mappings = Mappings::shipped()?;
    if let Some(folder) = std::env::var_os("ALIDADE_MAPPINGS") {
        mappings.add_folder(std::path::Path::new(&folder))?;
    }
    let source = open(Settings::from_json(serde_json::from_str(&settings)?)?, &mappings)?;
    let (sink, mut items) = Sink::channel();
    let begin = std::time::Instant::now();
    let reading = tokio::spawn(async move { source.harvest(Cursor::default(), &sink).await });
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let (mut records, mut valid, mut shown) = (0, 0, 0);
    while let Some(item) = items.recv().await {
        let mut count = |what: String| *counts.entry(what).or_default() += 1;
        match item {
            Item::Record(record) => {
                records += 1;
                count(format!("kind {}", record.kind));
                record.unmatched.iter().for_each(|word| count(format!("unmatched {}", word.scheme)));
                record.remarks.iter().for_each(|remark| count(format!("remark {}", remark.code)));
                let validation = validate(record.manifest.to_string().as_bytes(), &Options::harvested());
                for finding in &validation.report.findings {
                    count(format!("finding {} {}", finding.code, finding.term.clone().unwrap_or_default()));
                }
                valid += usize::from(validation.record.is_some());
                if shown < show {
                    shown += 1;
                    println!("{} {}\n{:#}", record.key, record.place, record.manifest);
                    for finding in validation.report.findings {
                        println!("  {:?} {} {} {}", finding.severity, finding.code, finding.pointer, finding.message);
                    }
                    record.remarks.iter().for_each(|remark| println!("  {} {}", remark.code, remark.message));
                }
            }
            Item::Gone(_) => count("gone".to_owned()),
            Item::Faulty(fault) => {
                count(format!("fault {}", fault.code));
                if counts.get(&format!("fault {}", fault.code)).is_some_and(|count| *count <= 5) {
                    println!("{} {} {}", fault.code, fault.place, fault.message);
                }
            }
            Item::Remark(fault) => println!("{}: {} [{}]", fault.place, fault.message, fault.code),
            Item::Progress(_) => {}
        }
    }
    let outcome = reading.await?;
    let seconds = begin.elapsed().as_secs_f64();
    counts.iter().for_each(|(what, count)| println!("{count:8} {what}"));
    println!("{:?}", outcome.coverage);
    println!("{records} records, {valid} valid, {seconds:.2} s, {:.0} a second", records as f64 / seconds);
    Ok(())
}
