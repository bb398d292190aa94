//! What survives a restart, an interruption and damage.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use catalog_index::{Batch, Document, Error, Facet, Generations, Index};
use catalog_schemas::search::{Hit, SearchQuery};
use tempfile::tempdir;

fn document(number: usize) -> Document {
    let identifier = format!("record-{number}");
    let name = format!("Record {number} of the comet survey");
    Document {
        key: format!("zone/{identifier}"),
        seq: number as u64,
        hit: Hit { identifier: identifier.clone(), name: name.clone(), kind: "Dataset".to_owned(), ..Hit::default() },
        short_name: Some(identifier),
        names: vec![("en".to_owned(), name)],
        facets: vec![(Facet::named("type").unwrap(), "Dataset".to_owned())],
        modified_ms: number as i64,
        ..Document::default()
    }
}

fn batch(numbers: std::ops::Range<usize>, seq: u64) -> Batch {
    Batch { upserts: numbers.map(document).collect(), deletes: vec![], seq }
}

fn comets(index: &Index) -> usize {
    index.search(&SearchQuery { q: "comet".to_owned(), ..SearchQuery::default() }, &()).unwrap().total
}

#[test]
fn a_reopened_index_knows_where_it_was() {
    let folder = tempdir().unwrap();
    let place = folder.path().join("index");
    assert!(matches!(Index::open(&place), Err(Error::Missing(_))));
    {
        let index = Index::create(&place).unwrap();
        assert_eq!((index.applied_seq(), index.count()), (0, 0));
        index.apply(batch(0..30, 7)).unwrap();
        index.apply(Batch { upserts: vec![], deletes: vec!["zone/record-3".to_owned()], seq: 8 }).unwrap();
        // A batch without records still moves the checkpoint.
        index.apply(Batch { seq: 12, ..Batch::default() }).unwrap();
    }
    let index = Index::open(&place).unwrap();
    assert_eq!((index.applied_seq(), index.count(), comets(&index)), (12, 29, 29));
    index.check().unwrap();
    index.settle().unwrap();
    index.refresh().unwrap();
    assert_eq!((index.applied_seq(), comets(&index)), (12, 29));
    index.apply(batch(0..30, 13)).unwrap();
    assert_eq!((index.applied_seq(), comets(&index)), (13, 30));
}

#[test]
fn settling_waits_for_what_is_being_merged_already() {
    let folder = tempdir().unwrap();
    let index = Index::create(folder.path()).unwrap();
    for round in 0..24 {
        index.apply(batch(round * 200..(round + 1) * 200, round as u64 + 1)).unwrap();
    }
    index.settle().unwrap();
    let meta: serde_json::Value = serde_json::from_slice(&fs::read(folder.path().join("meta.json")).unwrap()).unwrap();
    assert_eq!(meta["segments"].as_array().unwrap().len(), 1);
    assert_eq!((index.applied_seq(), comets(&index)), (24, 4800));
}

#[test]
fn a_second_writer_is_refused_by_name() {
    let folder = tempdir().unwrap();
    let one = Index::create(folder.path()).unwrap();
    one.apply(batch(0..2, 1)).unwrap();
    let other = Index::open(folder.path()).unwrap();
    assert_eq!(comets(&other), 2);
    assert!(matches!(other.apply(batch(2..3, 2)), Err(Error::Locked(_))));
}

#[test]
fn writing_to_a_folder_that_was_removed_asks_for_a_new_index() {
    let folder = tempdir().unwrap();
    let place = folder.path().join("index");
    Index::create(&place).unwrap().apply(batch(0..2, 1)).unwrap();
    // With a writer from before, and without one.
    for writes_before in [true, false] {
        let index = Index::create(&place).or_else(|_| Index::open(&place)).unwrap();
        if writes_before {
            index.apply(batch(2..3, 2)).unwrap();
        }
        std::fs::remove_dir_all(&place).unwrap();
        let error = index.apply(batch(3..4, 3)).unwrap_err();
        assert!(error.needs_rebuild(), "{error:?}");
        drop(index);
    }
}

#[test]
fn an_upsert_replaces_and_answers_nothing_of_the_old() {
    let index = Index::in_memory().unwrap();
    index.apply(batch(0..3, 1)).unwrap();
    let mut changed = document(1);
    changed.names = vec![("en".to_owned(), "An asteroid".to_owned())];
    changed.facets = vec![(Facet::named("type").unwrap(), "Datalab".to_owned())];
    // The same key twice in a batch: the last counts.
    index.apply(Batch { upserts: vec![document(1), changed], deletes: vec![], seq: 2 }).unwrap();
    assert_eq!((index.count(), comets(&index)), (3, 2));
    let answer = index.search(&SearchQuery { q: "asteroid".to_owned(), ..SearchQuery::default() }, &()).unwrap();
    assert_eq!((answer.total, answer.applied_seq), (1, 2));
    let mut states = index.states().unwrap();
    states.sort();
    let expected: Vec<(String, u64)> = (0..3).map(|number| (format!("zone/record-{number}"), number)).collect();
    assert_eq!(states, expected);
    let types: Vec<_> = answer.facets.get("type").unwrap().values.iter().map(|v| (v.value.as_str(), v.count)).collect();
    assert_eq!(types, [("Datalab", 1)]);
}

/// Returns every file of a folder that holds data.
fn files(place: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(place).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension != "lock"));
    files.sort();
    files
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

/// Opens, checks and searches, and returns the first error.
fn first_error(place: &Path) -> Option<Error> {
    let index = match Index::open(place) {
        Ok(index) => index,
        Err(error) => return Some(error),
    };
    index.check().err().or_else(|| index.search(&SearchQuery::default(), &()).err())
}

#[test]
fn any_damaged_file_is_found_and_called_corrupt() {
    let folder = tempdir().unwrap();
    let whole = folder.path().join("whole");
    {
        let index = Index::create(&whole).unwrap();
        index.apply(batch(0..50, 1)).unwrap();
        index.apply(Batch { upserts: vec![], deletes: vec!["zone/record-3".to_owned()], seq: 2 }).unwrap();
    }
    assert!(first_error(&whole).is_none());
    let names: Vec<_> = files(&whole).iter().map(|file| file.file_name().unwrap().to_owned()).collect();
    assert!(names.len() > 6, "{names:?}");
    for (at, name) in names.iter().enumerate() {
        // The list of managed files is only for cleaning up; without it an index is whole.
        if name == ".managed.json" {
            continue;
        }
        for (how, damage) in [
            ("cut", (|bytes| bytes.truncate(bytes.len() / 2)) as fn(&mut Vec<u8>)),
            ("emptied", Vec::clear),
            ("altered", |bytes| {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 0x55;
            }),
        ] {
            let place = folder.path().join(format!("{at}-{how}"));
            copy(&whole, &place);
            let file = place.join(name);
            let mut bytes = fs::read(&file).unwrap();
            damage(&mut bytes);
            fs::write(&file, bytes).unwrap();
            let error = first_error(&place).unwrap_or_else(|| panic!("{name:?} {how} was not found"));
            assert!(error.needs_rebuild(), "{name:?} {how}: {error}");
        }
        let place = folder.path().join(format!("{at}-removed"));
        copy(&whole, &place);
        fs::remove_file(place.join(name)).unwrap();
        let error = first_error(&place).unwrap_or_else(|| panic!("{name:?} removed was not found"));
        assert!(error.needs_rebuild(), "{name:?} removed: {error}");
    }
}

#[test]
fn another_schema_is_told_from_damage() {
    let folder = tempdir().unwrap();
    Index::create(folder.path()).unwrap();
    let meta = folder.path().join("meta.json");
    let text = fs::read_to_string(&meta).unwrap();
    fs::write(&meta, text.replace("\\\"schema\\\":\\\"", "\\\"schema\\\":\\\"older")).unwrap();
    assert!(matches!(Index::open(folder.path()), Err(Error::OtherSchema { .. })));
}

#[test]
fn generations_begin_empty_and_come_back() {
    let folder = tempdir().unwrap();
    let root = folder.path().join("index");
    {
        let generations = Generations::open(&root).unwrap();
        assert!(generations.current().is_none());
        assert!(matches!(*generations.failure().unwrap(), Error::Missing(_)));
        assert!(matches!(generations.publish_next(), Err(Error::NotStarted(_))));
        let next = generations.start_next().unwrap();
        next.apply(batch(0..10, 4)).unwrap();
        assert!(generations.current().is_none());
        generations.publish_next().unwrap();
        assert_eq!(comets(&generations.current().unwrap()), 10);
        assert!(generations.failure().is_none());
        // Started and dropped, as when the process ends in the middle.
        generations.start_next().unwrap().apply(batch(0..5, 5)).unwrap();
    }
    let generations = Generations::open(&root).unwrap();
    assert_eq!(generations.current().unwrap().applied_seq(), 4);
    let mut left: Vec<_> = fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["CURRENT", "gen-1"]);
    // Starting twice drops the first.
    generations.start_next().unwrap().apply(batch(0..5, 5)).unwrap();
    generations.start_next().unwrap().apply(batch(0..6, 6)).unwrap();
    generations.publish_next().unwrap();
    assert_eq!(comets(&generations.current().unwrap()), 6);
}

#[test]
fn a_damaged_generation_is_rebuilt_beside_it() {
    let folder = tempdir().unwrap();
    {
        let generations = Generations::open(folder.path()).unwrap();
        generations.start_next().unwrap().apply(batch(0..10, 4)).unwrap();
        generations.publish_next().unwrap();
    }
    for damage in [
        (|root: &Path| fs::write(root.join("gen-1/meta.json"), "{").unwrap()) as fn(&Path),
        |root| fs::write(root.join("CURRENT"), "../../etc\n").unwrap(),
        |root| fs::remove_file(root.join("CURRENT")).unwrap(),
        |root| fs::write(root.join("CURRENT"), "gen-99\n").unwrap(),
    ] {
        let copied = tempdir().unwrap();
        fs::write(copied.path().join("CURRENT"), "gen-1\n").unwrap();
        copy(&folder.path().join("gen-1"), &copied.path().join("gen-1"));
        damage(copied.path());
        let generations = Generations::open(copied.path()).unwrap();
        assert!(generations.current().is_none());
        assert!(generations.failure().unwrap().needs_rebuild());
        generations.start_next().unwrap().apply(batch(0..3, 9)).unwrap();
        generations.publish_next().unwrap();
        assert_eq!(Generations::open(copied.path()).unwrap().current().unwrap().applied_seq(), 9);
    }
}

#[test]
fn no_search_fails_while_generations_are_swapped() {
    let folder = tempdir().unwrap();
    let generations = Generations::open(folder.path()).unwrap();
    generations.start_next().unwrap().apply(batch(0..20, 1)).unwrap();
    generations.publish_next().unwrap();
    let (stop, searches) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let found = comets(&generations.current().unwrap());
                    assert!((20..=60).contains(&found), "{found}");
                    searches.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for round in 1..=4_usize {
            let next = generations.start_next().unwrap();
            next.apply(batch(0..20 + round * 10, round as u64 + 1)).unwrap();
            generations.publish_next().unwrap();
            // Writing goes on in the new generation, with searches on it.
            generations.current().unwrap().apply(batch(0..20 + round * 10, round as u64 + 100)).unwrap();
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert!(searches.load(Ordering::Relaxed) > 0);
    assert_eq!(comets(&generations.current().unwrap()), 60);
}

/// Opens a copy of the files as they are at some moment of writing, as a machine that stopped then would find them.
#[test]
fn whenever_writing_stops_a_commit_is_whole_or_absent() {
    let folder = tempdir().unwrap();
    let place = folder.path().join("index");
    let index = Index::create(&place).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for seq in 1..=15_u64 {
                index.apply(batch(0..seq as usize, seq)).unwrap();
            }
            stop.store(true, Ordering::Relaxed);
        });
        let mut seen = 0;
        let mut copies = 0;
        while !stop.load(Ordering::Relaxed) {
            let copied = folder.path().join(format!("copy-{copies}"));
            fs::create_dir_all(&copied).unwrap();
            // The list of segments is read first: what it names must be there and stay until a later list is.
            let Ok(meta) = fs::read(place.join("meta.json")) else { continue };
            for file in fs::read_dir(&place).unwrap().flatten() {
                let _ = fs::copy(file.path(), copied.join(file.file_name()));
            }
            if fs::read(place.join("meta.json")).unwrap() != meta {
                continue;
            }
            fs::write(copied.join("meta.json"), meta).unwrap();
            let opened = Index::open(&copied).unwrap();
            assert_eq!(opened.count() as u64, opened.applied_seq());
            assert!(opened.applied_seq() >= seen);
            seen = opened.applied_seq();
            copies += 1;
        }
        assert!(copies > 0);
    });
}
