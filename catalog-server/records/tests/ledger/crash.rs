//! A process that publishes is killed at random moments; what it acknowledged is there when the ledger is opened again.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use catalog_records::{Ledger, PublishOutcome};

use super::packed;

const FOLDER: &str = "ALIDADE_TEST_CRASH_FOLDER";
const ROUND: &str = "ALIDADE_TEST_CRASH_ROUND";
const KILLS: u32 = 12;

/// Bytes that differ by name; every third package is large enough to be a file.
fn bytes(name: &str, number: usize) -> Vec<u8> {
    let mut bytes = name.as_bytes().to_vec();
    bytes.resize(if number.is_multiple_of(3) { 140_000 } else { 500 }, b'.');
    bytes
}

/// The process that is killed: this test in a process of its own. It does nothing in the ordinary run.
#[tokio::test(flavor = "multi_thread")]
async fn child() {
    let (Ok(folder), Ok(round)) = (std::env::var(FOLDER), std::env::var(ROUND)) else { return };
    let ledger = Ledger::open(Path::new(&folder)).await.unwrap();
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let (ledger, round) = (ledger.clone(), round.clone());
            tokio::spawn(async move {
                for number in 0.. {
                    let name = format!("k{round}-{task}-{number}");
                    let outcome = ledger.publish(packed(&name, "1", &bytes(&name, number))).await.unwrap();
                    assert!(matches!(outcome, PublishOutcome::Created { .. }));
                    // One write a line: a line that arrives whole was acknowledged.
                    std::io::stdout().write_all(format!("\nacknowledged {name} {number}\n").as_bytes()).unwrap();
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_the_process_is_killed() {
    let folder = tempfile::tempdir().unwrap();
    let mut acknowledged = Vec::new();
    for round in 0..KILLS {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::child", "--nocapture"])
            .env(FOLDER, folder.path())
            .env(ROUND, round.to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        // From before the first answer to well within the load.
        std::thread::sleep(Duration::from_millis(u64::from(40 + round * 37 % 300)));
        child.kill().unwrap();
        child.wait().unwrap();
        let lines = output.lines().map_while(Result::ok);
        acknowledged.extend(lines.filter_map(|line| {
            let (name, number) = line.strip_prefix("acknowledged ")?.split_once(' ')?;
            Some((name.to_owned(), number.parse::<usize>().unwrap()))
        }));
        let ledger = Ledger::open(folder.path()).await.unwrap();
        let report = ledger.verify().await.unwrap();
        assert!(report.is_sound(), "round {round}: {:?}", report.faults);
        // One record, one version, one change, one audit entry each: nothing is half there.
        assert!(
            report.records == report.versions && report.records == report.audit && report.records == report.seq,
            "{report:?}"
        );
        ledger.close().await;
    }
    let ledger = Ledger::open(folder.path()).await.unwrap();
    assert!(acknowledged.len() > 50, "only {} were acknowledged before a kill", acknowledged.len());
    for (name, number) in &acknowledged {
        let versions =
            ledger.versions(&"go-esa".parse().unwrap(), &format!("esa.sky.{name}").parse().unwrap()).await.unwrap();
        let digest = versions[0].digest.as_ref().unwrap();
        assert_eq!(ledger.blob(digest).await.unwrap().unwrap(), bytes(name, *number), "{name}");
    }
}
