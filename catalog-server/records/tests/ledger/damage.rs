//! Damaged files, tampered rows, other releases, full copies.

use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

use catalog_records::{Error, Ledger, Settings};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use super::{created, packed, publication};

/// A closed ledger with a few hundred records, a small blob and a large one.
async fn filled() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path()).await.unwrap();
    ledger
        .import(
            (0..300).map(|n| publication(&format!("n{n}"), "1", &format!("{{\"n\":\"{}\"}}", "x".repeat(n)))).collect(),
        )
        .await
        .unwrap();
    created(ledger.publish(packed("small", "1", b"small")).await.unwrap());
    created(ledger.publish(packed("large", "1", &[7; 200_000])).await.unwrap());
    ledger.close().await;
    folder
}

async fn sql(folder: &Path, text: &'static str) {
    let mut connection = SqliteConnectOptions::new().filename(folder.join("ledger.db")).connect().await.unwrap();
    sqlx::raw_sql(text).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

async fn refusal(folder: &Path) -> String {
    let error = Ledger::open(folder).await.unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
    error.to_string()
}

#[tokio::test]
async fn a_damaged_file_is_refused_with_the_way_out() {
    let folder = filled().await;
    let path = folder.path().join("ledger.db");
    let good = std::fs::read(&path).unwrap();
    let mut overwritten = good.clone();
    let page = good.len() / 4096 / 2 * 4096;
    overwritten[page..page + 4096].fill(0x5a);
    let mut cases =
        vec![("overwritten page", overwritten), ("cut", good[..good.len() / 2].to_vec()), ("empty", Vec::new())];
    cases.push(("not a database", vec![b'x'; 10_000]));
    cases.push(("zeros", vec![0; good.len()]));
    for (what, bytes) in cases {
        std::fs::write(&path, &bytes).unwrap();
        let words = refusal(folder.path()).await;
        assert!(words.contains("ledger.db` is damaged") && words.contains("alidade restore"), "{what}: {words}");
        assert_eq!(std::fs::read(&path).unwrap(), bytes, "{what}: it was left as it is");
    }
    std::fs::write(&path, &good).unwrap();
    assert!(Ledger::open(folder.path()).await.unwrap().verify().await.unwrap().is_sound());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_writes_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { max_bytes: Some(1 << 20), ..Settings::default() };
    let ledger = Ledger::open_with(folder.path(), settings).await.unwrap();
    let publish = |ledger: &Ledger, n: u32| {
        let (ledger, bytes) = (ledger.clone(), [n.to_be_bytes().as_slice(), &[0; 20_000]].concat());
        tokio::spawn(async move { ledger.publish(packed(&format!("n{n}"), "1", &bytes)).await })
    };
    let (mut stored, mut refused) = (Vec::new(), 0);
    // A few at a time: what does not fit takes its group along.
    for wave in 0..40 {
        let asked: Vec<_> = (wave * 5..wave * 5 + 5).map(|n| (n, publish(&ledger, n))).collect();
        for (n, task) in asked {
            match task.await.unwrap() {
                Ok(outcome) => {
                    created(outcome);
                    stored.push(n);
                }
                Err(Error::Full) => refused += 1,
                Err(other) => panic!("{other:?}"),
            }
        }
    }
    assert!(!stored.is_empty() && refused > 100, "{} stored, {refused} refused", stored.len());
    // What is small may still find room; reading goes on; and nothing of what was refused is there.
    let report = ledger.verify().await.unwrap();
    assert!(report.is_sound(), "{:?}", report.faults);
    assert_eq!((report.records, report.audit), (stored.len() as u64, stored.len() as u64));
    ledger.close().await;
    let ledger = Ledger::open(folder.path()).await.unwrap();
    created(publish(&ledger, 1000).await.unwrap().unwrap());
    assert_eq!(ledger.count().await.unwrap(), stored.len() as u64 + 1);
}

#[tokio::test]
async fn a_missing_file_beside_blobs_is_not_made_anew() {
    let folder = filled().await;
    std::fs::remove_file(folder.path().join("ledger.db")).unwrap();
    let error = Ledger::open(folder.path()).await.unwrap_err();
    assert!(matches!(error, Error::Missing { .. }), "{error:?}");
    assert!(!folder.path().join("ledger.db").exists());
}

#[tokio::test]
async fn a_first_start_that_was_cut_off_is_begun_again() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ledger.new"), b"half").unwrap();
    std::fs::write(folder.path().join("ledger.new-wal"), b"half").unwrap();
    let ledger = Ledger::open(folder.path()).await.unwrap();
    assert_eq!(ledger.last_seq(), 0);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(ledger.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "nobody else reads it: {mode:o}");
    }
    assert!(!folder.path().join("ledger.new").exists());
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let folder = filled().await;
    sql(folder.path(), "INSERT INTO migration (number, at) VALUES (99, 0)").await;
    let error = Ledger::open(folder.path()).await.unwrap_err().to_string();
    assert!(error.contains("schema 99") && error.contains("newer release"), "{error}");
}

#[tokio::test]
async fn a_tampered_trail_is_found_where_it_breaks() {
    let cases: [(&'static str, u64); 4] = [
        ("UPDATE audit SET account = 'mallory' WHERE number = 2", 2),
        ("UPDATE audit SET subject = subject || account, account = '' WHERE number = 1", 1),
        ("DELETE FROM audit WHERE number = 1", 1),
        ("DELETE FROM audit WHERE number = 3", 3),
    ];
    for (tampering, expected) in cases {
        let folder = filled().await;
        sql(folder.path(), tampering).await;
        let ledger = Ledger::open(folder.path()).await.unwrap();
        assert_eq!(ledger.audit_verify().await.unwrap().unwrap_err().number, expected, "{tampering}");
        assert!(!ledger.verify().await.unwrap().is_sound());
        // What is written afterwards does not cover it.
        created(ledger.publish(publication("later", "1", "{}")).await.unwrap());
        assert_eq!(ledger.audit_verify().await.unwrap().unwrap_err().number, expected, "{tampering}");
    }
}

#[tokio::test]
async fn verify_names_what_does_not_fit() {
    let folder = filled().await;
    sql(folder.path(), "UPDATE revision SET document = '{}' WHERE id = 5; UPDATE record SET state = 'withdrawn' WHERE id = 6; UPDATE blob SET content = x'00' WHERE content IS NOT NULL; DELETE FROM change_log WHERE seq = 9").await;
    let report = Ledger::open(folder.path()).await.unwrap().verify().await.unwrap();
    let faults = report.faults.join("\n");
    for words in ["revision 5", "n5 does not fit", "blob", "change log"] {
        assert!(faults.contains(words), "{words}: {faults}");
    }
    assert_eq!(report.faults.len(), 4, "{faults}");
}

#[tokio::test]
async fn a_large_blob_is_on_disk_before_its_row_and_checked_when_read() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path()).await.unwrap();
    // A publication that is refused leaves a file that no row names, never a row without its file.
    let mut refused = packed("lab", "1", &[1; 200_000]);
    refused.actor.scopes.clear();
    assert!(matches!(ledger.publish(refused).await, Err(Error::NotAllowed { .. })));
    created(ledger.publish(packed("lab", "1", &[2; 200_000])).await.unwrap());
    let files = || {
        let folders = std::fs::read_dir(folder.path().join("blobs")).unwrap().map(|folder| folder.unwrap().path());
        folders
            .flat_map(|folder| std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()))
            .collect::<Vec<_>>()
    };
    assert_eq!(files().len(), 2);
    let versions = ledger.versions(&"go-esa".parse().unwrap(), &"esa.sky.lab".parse().unwrap()).await.unwrap();
    let digest = versions[0].digest.clone().unwrap();
    assert_eq!(ledger.blob(&digest).await.unwrap().unwrap().len(), 200_000);
    ledger.close().await;

    // Young files stay, old ones that no row names go.
    Ledger::open(folder.path()).await.unwrap().close().await;
    assert_eq!(files().len(), 2);
    std::fs::write(folder.path().join("blobs/tmp/half"), b"half").unwrap();
    for file in files() {
        let file = std::fs::File::options().append(true).open(file).unwrap();
        file.set_modified(SystemTime::now() - Duration::from_secs(7200)).unwrap();
    }
    let ledger = Ledger::open(folder.path()).await.unwrap();
    let left = files();
    assert!(left.len() == 1 && left[0].ends_with(&digest), "{left:?}");

    let mut file = std::fs::File::options().write(true).open(&left[0]).unwrap();
    file.seek(SeekFrom::Start(1000)).unwrap();
    file.write_all(b"x").unwrap();
    assert!(matches!(ledger.blob(&digest).await, Err(Error::BlobCorrupt { .. })));
    std::fs::remove_file(&left[0]).unwrap();
    assert!(matches!(ledger.blob(&digest).await, Err(Error::BlobMissing(_))));
    assert_eq!(ledger.blob(&"0".repeat(64)).await.unwrap(), None);
    assert_eq!(ledger.verify().await.unwrap().faults, [format!("the blob {digest} is missing")]);
    // Publishing the same package again mends the file.
    ledger.publish(packed("mended", "1", &[2; 200_000])).await.unwrap();
    assert!(ledger.verify().await.unwrap().is_sound());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_under_load_opens_as_a_ledger() {
    let folder = filled().await;
    let copy = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(folder.path()).await.unwrap();
    let busy = ledger.clone();
    let load = tokio::spawn(async move {
        for n in 0..100 {
            created(busy.publish(packed("busy", &n.to_string(), &vec![n; 140_000])).await.unwrap());
        }
    });
    for _ in 0..3 {
        ledger.backup(copy.path()).await.unwrap();
        let restored = Ledger::open(copy.path()).await.unwrap();
        let report = restored.verify().await.unwrap();
        assert!(report.is_sound() && report.records >= 302, "{report:?}");
        restored.close().await;
    }
    load.await.unwrap();
    ledger.backup(copy.path()).await.unwrap();
    let there = Ledger::restore(copy.path(), folder.path()).await.unwrap_err().to_string();
    assert!(there.contains("move it aside"), "{there}");
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(Ledger::restore(copy.path(), empty.path()).await.unwrap(), ledger.verify().await.unwrap());
    let restored = Ledger::open(empty.path()).await.unwrap();
    restored.check().await.unwrap();
    assert_eq!(restored.verify().await.unwrap(), ledger.verify().await.unwrap());
    let mut header = [0; 16];
    std::fs::File::open(restored.path()).unwrap().read_exact(&mut header).unwrap();
    assert_eq!(&header, b"SQLite format 3\0");
}
