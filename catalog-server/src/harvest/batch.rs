//! A piece of a run: looked up, validated, compared, staged.

#![allow(clippy::vec_box, clippy::borrowed_box, reason = "records come boxed from their source's channel")]

use std::collections::{BTreeMap, HashMap};

use catalog_harvester::{Fault, Harvested};
use catalog_records::{Hidden, Joining, Known, Lease, Ledger, Piece, Staged, What};
use catalog_schemas::harvest::{DiffRecord, FieldChange, Review, RunFinding, RunView, Unmatched};
use catalog_schemas::id::{Identifier, ZoneId};
use catalog_schemas::problem::{Finding, Severity};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::judge::{Judged, judge_all};
use super::keepsake::{Keepsake, SoFar};
use crate::http::problem::Failure;

/// Findings kept of each sort; more are counted only.
const FINDINGS: usize = 1_000;
/// Differences kept of each sort.
const DIFFERENCES: usize = 200;
/// Words kept that no scheme has.
const WORDS: usize = 5_000;
/// Faults without a key that are remembered; a source with more is not read completely.
const UNREADABLE: usize = 5_000;
/// Identities of one run that somebody is asked to decide.
const REVIEWS: usize = 500;
/// The longest value shown in a difference.
const VALUE: usize = 2_000;

/// A run as far as it was read.
pub(super) struct Reading {
    ledger: Ledger,
    lease: Lease,
    /// The zone in which records of this source are at home.
    home: ZoneId,
    /// Whether the source is a zone, whose records bring their own names and states.
    is_zone: bool,
    /// The report so far.
    pub(super) report: RunView,
    /// What else it came to so far.
    so_far: SoFar,
    /// Where it was interrupted, when it goes on: rows, pages and bytes by then. What was staged may come again.
    interrupted: Option<(u64, u64, u64)>,
}

/// What the ledger knows of the items of a piece.
struct Before {
    known: HashMap<(String, String), Known>,
    bearers: HashMap<String, Vec<Joining>>,
    there: HashMap<String, (i64, String)>,
}

impl Reading {
    pub(super) fn new(ledger: Ledger, lease: Lease, home: ZoneId, is_zone: bool, report: RunView) -> Self {
        Self { ledger, lease, home, is_zone, report, so_far: SoFar::default(), interrupted: None }
    }

    /// Goes on with what was kept of a run.
    pub(super) fn go_on(&mut self, kept: Keepsake) {
        let RunView { state, stage, resumed, .. } = std::mem::take(&mut self.report);
        self.report = RunView { state, stage, resumed, ..kept.report };
        self.so_far = kept.so_far;
        self.interrupted = Some((self.so_far.rows, self.report.done, self.report.bytes));
    }

    /// Says whether it went on where it was interrupted and nothing came of that.
    pub(super) fn went_on_in_vain(&self) -> bool {
        self.interrupted.is_some_and(|(rows, ..)| rows == self.so_far.rows)
    }

    /// Notes how many pages and bytes were read since it was taken up.
    pub(super) fn has_read(&mut self, pages: u64, bytes: u64) {
        let (_, before, bytes_before) = self.interrupted.unwrap_or_default();
        self.report.done = self.report.done.max(before + pages);
        self.report.bytes = self.report.bytes.max(bytes_before + bytes);
    }

    /// Says whether nothing at all was read.
    pub(super) fn is_empty(&self) -> bool {
        self.so_far.rows == 0
    }

    /// Says whether something was set aside and nothing was a record.
    pub(super) fn has_only_faults(&self) -> bool {
        let report = &self.report;
        report.quarantined > 0 && report.added + report.changed + report.unchanged + report.removed == 0
    }

    /// Returns the findings, what was set aside first, and the words that no scheme has.
    pub(super) fn findings(&mut self) -> (Vec<RunFinding>, Vec<Unmatched>) {
        let mut findings = std::mem::take(&mut self.so_far.quarantined);
        findings.append(&mut self.so_far.remarks);
        let words = std::mem::take(&mut self.so_far.words).into_iter().flat_map(|(term, words)| {
            words.into_iter().map(move |(value, count)| Unmatched { term: term.clone(), value, count })
        });
        (findings, words.collect())
    }

    /// Returns what may hide records; nothing when there was too much to remember.
    pub(super) fn unreadable(&mut self) -> Option<Vec<Hidden>> {
        let all = std::mem::take(&mut self.so_far.unreadable);
        (all.len() < UNREADABLE).then(|| all.into_values().collect())
    }

    /// Notes something that is no record; what the source said of it before stays.
    pub(super) fn fault(&mut self, fault: Fault) -> Option<Staged> {
        let kept = fault.key.clone().map(|key| row(What::Kept, key, String::new()));
        if kept.is_none() && self.so_far.unreadable.len() < UNREADABLE {
            let part = (!fault.anywhere).then(|| fault.place.file.clone());
            let fingerprint = fault.fingerprint();
            self.so_far.unreadable.insert(fingerprint.clone(), Hidden { fingerprint, part });
        }
        self.set_aside(fault.key.clone(), finding_of(fault));
        kept
    }

    fn set_aside(&mut self, key: Option<String>, finding: Finding) {
        self.report.quarantined += 1;
        if self.so_far.quarantined.len() < FINDINGS {
            self.so_far.quarantined.push(RunFinding { quarantined: true, key, record: None, finding });
        }
    }

    /// Stages a piece, with where the run would go on after it; an empty one only says that the run lives.
    pub(super) async fn stage(
        &mut self,
        mut items: Vec<Box<Harvested>>,
        mut gone: Vec<(String, String)>,
        mut rows: Vec<Staged>,
        next: Option<(&str, Value)>,
    ) -> Result<(), Failure> {
        let mut outdated = Vec::new();
        if self.interrupted.is_some() {
            self.drop_repeated(&mut items, &mut gone).await?;
        } else {
            outdated = self.outdate(&items, &gone).await?;
        }
        let before = self.look_up(&items).await?;
        // What is known by its hash needs no second look: it was valid when it was stored.
        let (same, others): (Vec<_>, Vec<_>) = items.into_iter().partition(|item| self.is_same(item, &before));
        for item in same {
            self.report.unchanged += 1;
            self.remember_words(&item);
            let mut same = row(What::Same, item.key, item.kind.as_str().to_owned());
            let known = before.known.get(&(same.key.clone(), same.kind.clone()));
            (same.part, same.said) = (item.place.file, known.map(|known| known.said));
            rows.push(same);
        }
        let mut reviews = Vec::new();
        for (item, judged) in judge_all(others).await? {
            match judged {
                Ok(judged) => rows.push(self.place(judged, &before, &mut reviews).await?),
                Err(findings) => {
                    let finding = at(findings, &item);
                    self.set_aside(Some(item.key.clone()), finding);
                    rows.push(row(What::Kept, item.key, item.kind.as_str().to_owned()));
                }
            }
        }
        self.take_back(gone, &mut rows).await?;
        let first = self.so_far.rows + 1;
        self.so_far.rows += rows.len() as u64;
        let progress = (self.report.done, self.report.total, self.report.bytes);
        let kept = next.map(|(stamp, position)| Keepsake::of(stamp, position, &self.report, &self.so_far));
        let resumption = kept.transpose()?.flatten();
        let piece = Piece { first, rows, outdated, reviews, progress, resumption };
        self.ledger.run_stage(&self.lease, piece).await?;
        Ok(())
    }

    /// Finds what was staged of records of which the source says something else by now, and takes it out of the report.
    async fn outdate(
        &mut self,
        items: &[Box<Harvested>],
        gone: &[(String, String)],
    ) -> Result<Vec<(String, String)>, Failure> {
        let keys: Vec<&str> =
            items.iter().map(|item| item.key.as_str()).chain(gone.iter().map(|(key, _)| key.as_str())).collect();
        let staged = self.ledger.staged(&self.lease, &keys).await?;
        let is_said_anew = |key: &str, kind: &str| {
            gone.iter().any(|(gone, _)| gone == key)
                || items.iter().any(|item| item.key == key && item.kind.as_str() == kind)
        };
        let outdated = staged.into_iter().filter(|((key, kind), _)| is_said_anew(key, kind));
        Ok(outdated.map(|(row, what)| self.take_out(row, what)).collect())
    }

    fn take_out(&mut self, (key, kind): (String, String), what: What) -> (String, String) {
        let report = &mut self.report;
        let count = match what {
            What::New | What::Joined => &mut report.added,
            What::Changed => &mut report.changed,
            What::Same => &mut report.unchanged,
            What::Gone => &mut report.removed,
            // What was set aside was; its finding stays.
            What::Kept => return (key, kind),
        };
        *count = count.saturating_sub(1);
        if let Some(diff) = &mut report.diff {
            diff.added.retain(|one| one.key != key || one.kind != kind);
            diff.changed.retain(|one| one.key != key || one.kind != kind);
        }
        (key, kind)
    }

    /// Drops what was staged before the interruption: whoever reads the source does not know of it any more.
    async fn drop_repeated(
        &self,
        items: &mut Vec<Box<Harvested>>,
        gone: &mut Vec<(String, String)>,
    ) -> Result<(), Failure> {
        let keys: Vec<&str> =
            items.iter().map(|item| item.key.as_str()).chain(gone.iter().map(|(key, _)| key.as_str())).collect();
        let staged = self.ledger.staged(&self.lease, &keys).await?;
        items.retain(|item| !staged.contains_key(&(item.key.clone(), item.kind.as_str().to_owned())));
        gone.retain(|(key, _)| staged.keys().all(|(staged, _)| staged != key));
        Ok(())
    }

    async fn look_up(&self, items: &[Box<Harvested>]) -> Result<Before, Failure> {
        let source = self.lease.source.as_str();
        let keys: Vec<&str> = items.iter().map(|item| item.key.as_str()).collect();
        let known = self.ledger.known(source, &keys).await?;
        let is_new = |item: &&Box<Harvested>| !known.contains_key(&(item.key.clone(), item.kind.as_str().to_owned()));
        let global: Vec<&str> = items.iter().filter(is_new).flat_map(|item| global(item)).collect();
        let bearers = self.ledger.bearers(source, &global).await?;
        let named: Vec<(ZoneId, Identifier)> = items
            .iter()
            .filter(is_new)
            .filter_map(|item| Some((self.home.clone(), item.manifest.get("identifier")?.as_str()?.parse().ok()?)))
            .collect();
        let there = self.ledger.records(&named).await?;
        let there = there.into_iter().map(|record| (record.identifier.to_string(), (record.id, record.kind))).collect();
        Ok(Before { known, bearers, there })
    }

    fn is_same(&self, item: &Harvested, before: &Before) -> bool {
        let known = before.known.get(&(item.key.clone(), item.kind.as_str().to_owned()));
        known.is_some_and(|known| !known.gone && known.given_hash == given_hash(item))
    }

    fn remember_words(&mut self, item: &Harvested) {
        for word in &item.unmatched {
            let known: usize = self.so_far.words.values().map(BTreeMap::len).sum();
            let words = self.so_far.words.entry(word.scheme.clone()).or_default();
            let text: String = word.text.chars().take(200).collect();
            if known < WORDS || words.contains_key(&text) {
                *words.entry(text).or_default() += 1;
            }
        }
    }

    /// Decides what a valid item is: new, changed, the same, or more of a record that others brought.
    async fn place(&mut self, judged: Judged, before: &Before, reviews: &mut Vec<Review>) -> Result<Staged, Failure> {
        let Judged { item, mut document, mut content_hash, version, findings, name } = judged;
        self.remember_words(&item);
        let kind = item.kind.as_str();
        let minted = item.manifest.get("identifier").and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut staged = row(What::New, item.key.clone(), kind.to_owned());
        let known = before.known.get(&(item.key.clone(), kind.to_owned()));
        let mut identifier = minted.clone();
        let mut diff = None;
        match known {
            Some(known) => {
                (staged.said, staged.record, staged.main) = (Some(known.said), Some(known.record), known.main);
                identifier = known.identifier.to_string();
                document = renamed(document, &minted, &identifier, &mut content_hash)?;
                let is_same = !known.gone && !self.is_zone && known.content_hash == content_hash;
                staged.what = if is_same { What::Same } else { What::Changed };
                if staged.what == What::Changed {
                    let earlier = match self.diff().changed.len() < DIFFERENCES {
                        true => self.ledger.revision_document(known.revision).await?,
                        false => None,
                    };
                    diff = Some(earlier.map(|earlier| fields(&earlier, &document)).unwrap_or_default());
                }
            }
            None => match self.join(&item, &minted, before, reviews)? {
                Join::Alone => staged.main = true,
                Join::With(record, theirs) => {
                    (staged.what, staged.record) = (What::Joined, Some(record));
                    document = renamed(document, &minted, &theirs, &mut content_hash)?;
                    identifier = theirs;
                }
                Join::Refused(finding) => {
                    self.set_aside(Some(item.key.clone()), finding);
                    return Ok(row(What::Kept, item.key, kind.to_owned()));
                }
            },
        }
        let shown = || DiffRecord {
            key: item.key.clone(),
            zone: self.home.to_string(),
            identifier: identifier.clone(),
            kind: kind.to_owned(),
            name: name.clone(),
            fields: Vec::new(),
        };
        match staged.what {
            What::Same => self.report.unchanged += 1,
            What::Changed => {
                self.report.changed += 1;
                let shown = DiffRecord { fields: diff.unwrap_or_default(), ..shown() };
                push(self.report.diff.get_or_insert_default(), |diff| &mut diff.changed, shown);
            }
            _ => {
                self.report.added += 1;
                let shown = shown();
                push(self.report.diff.get_or_insert_default(), |diff| &mut diff.added, shown);
            }
        }
        self.remark(&item, &identifier, findings);
        staged.part = item.place.file.clone();
        if staged.what == What::Same {
            return Ok(staged);
        }
        self.so_far.changes += 1;
        staged.change = Some(self.so_far.changes);
        if staged.what == What::New {
            self.so_far.fresh += 1;
            staged.fresh = Some(self.so_far.fresh);
        }
        staged.state =
            (item.manifest.get("state").and_then(Value::as_str) == Some("deprecated")).then_some("deprecated");
        staged.given_hash = Some(given_hash(&item));
        staged.global = global(&item).map(str::to_owned).collect();
        staged.zone = Some(self.home.clone());
        staged.identifier = Some(identifier.parse()?);
        (staged.document, staged.content_hash, staged.version) = (Some(document), Some(content_hash), Some(version));
        Ok(staged)
    }

    fn diff(&mut self) -> &mut catalog_schemas::harvest::Diff {
        self.report.diff.get_or_insert_default()
    }

    /// Finds the record of another source that is this very thing: by an identifier that means the same everywhere,
    /// never by a name. What is not certain is left for somebody to decide.
    fn join(
        &mut self,
        item: &Harvested,
        minted: &str,
        before: &Before,
        reviews: &mut Vec<Review>,
    ) -> Result<Join, Failure> {
        let kind = item.kind.as_str();
        if let Some((record, theirs)) = before.there.get(minted) {
            if theirs == kind {
                return Ok(Join::With(*record, minted.to_owned()));
            }
            let message = format!("`{minted}` is a {theirs} here and a {kind} there");
            let finding = Finding::error("identity.kind", message).got(kind).expected(theirs);
            return Ok(Join::Refused(finding));
        }
        let mut found: Vec<&Joining> = Vec::new();
        let mut by = "";
        for identifier in global(item) {
            for bearer in before.bearers.get(identifier).into_iter().flatten().filter(|bearer| bearer.kind == kind) {
                if found.iter().all(|one| one.record != bearer.record) {
                    found.push(bearer);
                    by = identifier;
                }
            }
        }
        let (code, message) = match found.as_slice() {
            [] => return Ok(Join::Alone),
            [_] if self.is_zone => (
                "identity.elsewhere",
                format!("`{by}` names a record here and one that is at home in the zone `{}`", self.home),
            ),
            [one] if !one.taken && self.so_far.joined.insert(one.record) => {
                return Ok(Join::With(one.record, one.identifier.clone()));
            }
            [_] => ("identity.twice", format!("two records of the source bear `{by}`, which names one record here")),
            _ => ("identity.ambiguous", format!("`{by}` and what goes with it name {} records here", found.len())),
        };
        if self.so_far.reviews < REVIEWS {
            self.so_far.reviews += 1;
            reviews.push(Review {
                source: self.lease.source.clone(),
                run: self.lease.run,
                code: code.to_owned(),
                key: item.key.clone(),
                identifier: by.to_owned(),
                records: found.iter().take(20).map(|one| format!("{}/{}", one.zone, one.identifier)).collect(),
                message: format!("{message}; `{}` stays a record of its own until somebody decides", item.key),
                ..Review::default()
            });
        }
        Ok(Join::Alone)
    }

    /// Notes what is about the source itself, before what is about its records.
    pub(super) fn notice(&mut self, fault: Fault) {
        let finding = Finding { severity: Severity::Warning, ..finding_of(fault) };
        self.so_far.remarks.insert(0, RunFinding { quarantined: false, key: None, record: None, finding });
    }

    fn remark(&mut self, item: &Harvested, identifier: &str, findings: Vec<Finding>) {
        let all =
            item.remarks.iter().cloned().map(|remark| Finding { severity: Severity::Warning, ..finding_of(remark) });
        for finding in all.chain(findings) {
            if self.so_far.remarks.len() >= FINDINGS {
                return;
            }
            let finding = placed(finding, item);
            self.so_far.remarks.push(RunFinding {
                quarantined: false,
                key: Some(item.key.clone()),
                record: Some(format!("{}/{identifier}", self.home)),
                finding,
            });
        }
    }

    /// Stages what the source says is gone.
    async fn take_back(&mut self, gone: Vec<(String, String)>, rows: &mut Vec<Staged>) -> Result<(), Failure> {
        let keys: Vec<&str> = gone.iter().map(|(key, _)| key.as_str()).collect();
        let known = self.ledger.known(&self.lease.source, &keys).await?;
        for ((key, kind), known) in known.into_iter().filter(|(_, known)| !known.gone) {
            self.so_far.changes += 1;
            self.report.removed += 1;
            let mut staged = row(What::Gone, key, kind);
            (staged.change, staged.said, staged.record) =
                (Some(self.so_far.changes), Some(known.said), Some(known.record));
            staged.main = known.main;
            staged.reason = Some("the source says that it is gone".to_owned());
            rows.push(staged);
        }
        Ok(())
    }
}

/// Whose record an item is.
enum Join {
    /// Its own.
    Alone,
    /// One that others brought, by this identifier.
    With(i64, String),
    /// None, and it cannot be one.
    Refused(Finding),
}

fn push(
    diff: &mut catalog_schemas::harvest::Diff,
    list: fn(&mut catalog_schemas::harvest::Diff) -> &mut Vec<DiffRecord>,
    record: DiffRecord,
) {
    if list(diff).len() < DIFFERENCES { list(diff).push(record) } else { diff.cut = true }
}

fn row(what: What, key: String, kind: String) -> Staged {
    Staged {
        what,
        key,
        kind,
        fresh: None,
        change: None,
        said: None,
        record: None,
        main: false,
        zone: None,
        identifier: None,
        version: None,
        state: None,
        document: None,
        given_hash: None,
        content_hash: None,
        part: String::new(),
        reason: None,
        global: Vec::new(),
    }
}

/// Returns the hash by which what a source gave is known again, its state included.
fn given_hash(item: &Harvested) -> String {
    let state = item.manifest.get("state").and_then(Value::as_str).map(|state| format!(":{state}"));
    format!("{}{}", hex::encode(item.hash), state.unwrap_or_default())
}

fn global(item: &Harvested) -> impl Iterator<Item = &str> {
    item.identifiers.iter().filter(|alias| alias.scheme.is_global()).map(|alias| alias.value.as_str())
}

/// Gives a document the identifier of the record that it is said of.
fn renamed(document: String, from: &str, to: &str, hash: &mut String) -> Result<String, Failure> {
    if from == to {
        return Ok(document);
    }
    let mut json: Value = serde_json::from_str(&document).map_err(Failure::internal)?;
    json["identifier"] = Value::String(to.to_owned());
    let text = json.to_string();
    *hash = hex::encode(Sha256::digest(text.as_bytes()));
    Ok(text)
}

fn finding_of(fault: Fault) -> Finding {
    let mut finding = Finding::error(&fault.code, fault.message);
    finding.fix = catalog_harvester::fix(&fault.code).map(str::to_owned);
    finding.file = Some(fault.place.file).filter(|file| !file.is_empty());
    finding.line = fault.place.line.and_then(|line| u32::try_from(line).ok());
    finding.column = fault.place.column.and_then(|column| u32::try_from(column).ok());
    if let Some(pointer) = fault.place.pointer {
        finding = finding.pointer(pointer);
    }
    finding
}

/// Makes one finding of all errors of a record, at its place in the source.
fn at(findings: Vec<Finding>, item: &Harvested) -> Finding {
    let others = findings.len().saturating_sub(1);
    let mut first =
        findings.into_iter().next().unwrap_or_else(|| Finding::error("record.invalid", "the record is not valid"));
    if others > 0 {
        first.message = format!("{} (and {others} more)", first.message);
    }
    placed(first, item)
}

fn placed(mut finding: Finding, item: &Harvested) -> Finding {
    if finding.file.is_none() {
        finding.file = Some(item.place.file.clone());
        // Lines of the manifest that was made are nobody's; those of the source are where a person looks.
        finding.line = item.place.line.and_then(|line| u32::try_from(line).ok());
        finding.column = item.place.column.and_then(|column| u32::try_from(column).ok());
    }
    finding
}

/// Compares two documents field by field.
fn fields(before: &str, after: &str) -> Vec<FieldChange> {
    let parse = |text: &str| serde_json::from_str::<serde_json::Map<String, Value>>(text).unwrap_or_default();
    let (before, after) = (parse(before), parse(after));
    let keys = before.keys().chain(after.keys().filter(|key| !before.contains_key(*key)));
    let cut = |value: &Value| {
        let text = value.to_string();
        if text.len() <= VALUE {
            value.clone()
        } else {
            Value::String(text.chars().take(VALUE).collect::<String>() + "…")
        }
    };
    keys.filter(|key| before.get(*key) != after.get(*key))
        .map(|key| FieldChange { key: key.clone(), before: before.get(key).map(cut), after: after.get(key).map(cut) })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_name_every_field_that_differs() {
        let changes = fields(r#"{"a":1,"b":2,"c":3}"#, r#"{"a":1,"b":4,"d":5}"#);
        let seen: Vec<_> = changes.iter().map(|change| (change.key.as_str(), &change.before, &change.after)).collect();
        let (two, three, four, five) = (Value::from(2), Value::from(3), Value::from(4), Value::from(5));
        assert_eq!(seen, [("b", &Some(two), &Some(four)), ("c", &Some(three), &None), ("d", &None, &Some(five))]);
    }
}
