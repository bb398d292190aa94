//! Records that may only have another key than before: proposed to somebody who decides, never done by itself.

use std::collections::HashMap;

use catalog_schemas::harvest::Review;
use serde_json::Value;

use super::apply::Base;
use super::review::ask;
use crate::error::Error;
use crate::row::{column, counted, sha256};
use crate::writer::Writing;

/// Records that a run takes away, and that it brings, which are looked at; of more, only the first.
const LOOKED_AT: i64 = 10_000;
/// Records that may share a mark and still be told apart by it; what more share says nothing.
const ALIKE: usize = 5;
/// Proposals of a run.
const PROPOSALS: usize = 500;

/// Something by which a record is known again under another key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Mark {
    /// What it is, in words.
    what: &'static str,
    /// Its value; the type of the record goes with it.
    value: String,
}

/// Lists a record's marks, the surest first.
fn marks(kind: &str, document: &Value) -> Vec<Mark> {
    let Some(fields) = document.as_object() else { return Vec::new() };
    let mark = |what, value: &str| Mark { what, value: format!("{kind} {value}") };
    let mut words = fields.clone();
    for own in ["identifier", "otherIdentifier"] {
        words.remove(own);
    }
    let mut all = vec![mark("the same words", &sha256(Value::Object(words).to_string().as_bytes()))];
    let listed = |value: &Value| match value {
        Value::Array(values) => values.clone(),
        other => vec![other.clone()],
    };
    let others = fields.get("otherIdentifier").map(listed).unwrap_or_default();
    all.extend(others.iter().map(|other| mark("the same identifier", &other.to_string())));
    if let Some(page) = fields.get("landingPage") {
        all.push(mark("the same landing page", &page.to_string()));
    }
    let name = fields.get("title").or_else(|| fields.get("name"));
    if let (Some(name), Some(publisher)) = (name, fields.get("publisher")) {
        all.push(mark("the same name and publisher", &format!("{name} {publisher}")));
    }
    all
}

/// A record that came or went.
struct Seen {
    key: String,
    record: String,
    marks: Vec<Mark>,
}

/// Lists what a run brings, or takes away, with its marks.
async fn seen(writing: &mut Writing, base: &Base, statement: &'static str) -> Result<Vec<Seen>, Error> {
    let rows = sqlx::query(statement)
        .bind(base.source.as_str())
        .bind(base.run)
        .bind(LOOKED_AT)
        .fetch_all(writing.connection().await?)
        .await?;
    let read = |row| {
        let document = serde_json::from_str(column(row, "document")?)
            .map_err(|error| Error::Invalid { column: "document", detail: error.to_string() })?;
        let record = format!("{}/{}", column::<&str>(row, "zone")?, column::<&str>(row, "identifier")?);
        Ok(Seen { key: column(row, "key")?, record, marks: marks(column(row, "kind")?, &document) })
    };
    rows.iter().map(read).collect()
}

/// Proposes that what a run brings is what it takes away, where they are alike and few others are.
pub(super) async fn propose(writing: &mut Writing, base: &Base) -> Result<(), Error> {
    // A zone gives its records their names, and says itself what replaces what.
    let gone = seen(
        writing,
        base,
        "SELECT t.key, t.kind, r.zone, r.identifier, v.document FROM staged t JOIN said s ON s.id = t.said \
         JOIN revision v ON v.id = s.revision JOIN record r ON r.id = t.record JOIN source o ON o.id = t.source \
         WHERE t.source = $1 AND t.run = $2 AND t.what = 'gone' AND r.state = 'withdrawn' AND o.zone IS NULL \
         ORDER BY t.number LIMIT $3",
    )
    .await?;
    if gone.is_empty() {
        return Ok(());
    }
    let came = seen(
        writing,
        base,
        "SELECT key, kind, zone, identifier, document FROM staged WHERE source = $1 AND run = $2 AND what = 'new' \
         ORDER BY number LIMIT $3",
    )
    .await?;
    for (one, mark, records) in alike(&gone, &came).into_iter().take(PROPOSALS) {
        let review = Review {
            source: base.source.clone(),
            run: counted(base.run),
            code: "identity.renamed".to_owned(),
            key: one.key.clone(),
            identifier: mark.what.to_owned(),
            message: format!("`{}` came and {} went in one run with {}", one.key, named(&records), mark.what),
            records,
            ..Review::default()
        };
        ask(writing, &review).await?;
    }
    Ok(())
}

fn named(records: &[String]) -> String {
    match records {
        [record] => format!("`{record}`"),
        several => format!("one of {} records", several.len()),
    }
}

/// Finds for what came what went and is like it, by the surest mark that few share.
fn alike<'a>(gone: &'a [Seen], came: &'a [Seen]) -> Vec<(&'a Seen, &'a Mark, Vec<String>)> {
    let mut by_mark: HashMap<&Mark, (Vec<&Seen>, usize)> = HashMap::new();
    for one in gone {
        for mark in &one.marks {
            by_mark.entry(mark).or_default().0.push(one);
        }
    }
    for mark in came.iter().flat_map(|one| &one.marks) {
        if let Some((_, count)) = by_mark.get_mut(mark) {
            *count += 1;
        }
    }
    let proposal = |one: &'a Seen| {
        one.marks.iter().find_map(|mark| {
            let (went, count) = by_mark.get(mark)?;
            let is_telling = went.len() <= ALIKE && *count <= ALIKE;
            is_telling.then(|| (one, mark, went.iter().map(|one| one.record.clone()).collect()))
        })
    };
    came.iter().filter_map(proposal).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn one(key: &str, document: &Value) -> Seen {
        Seen { key: key.to_owned(), record: format!("z/s.{key}"), marks: marks("Dataset", document) }
    }

    #[test]
    fn the_surest_mark_that_few_share_tells() {
        let publisher = json!({"name": "ESA"});
        let page = |title: &str, page: &str| json!({"title": title, "landingPage": page, "publisher": publisher});
        let gone = [
            one("same", &page("A", "https://x.example/front")),
            one("page", &page("B", "https://x.example/b")),
            one("name", &page("C", "https://x.example/front")),
            one("doi", &json!({"title": "D", "otherIdentifier": ["https://doi.org/10.1/d"]})),
        ];
        let came = [
            one("same-2", &page("A", "https://x.example/front")),
            one("page-2", &page("B, revised", "https://x.example/b")),
            one("name-2", &page("C", "https://x.example/c")),
            one("doi-2", &json!({"title": "D2", "otherIdentifier": ["https://doi.org/10.1/d"]})),
            one("other", &json!({"title": "E"})),
        ];
        let found: Vec<_> = alike(&gone, &came)
            .into_iter()
            .map(|(one, mark, records)| format!("{}: {} as {}", one.key, mark.what, records.join(" ")))
            .collect();
        assert_eq!(
            found,
            [
                "same-2: the same words as z/s.same",
                "page-2: the same landing page as z/s.page",
                "name-2: the same name and publisher as z/s.name",
                "doi-2: the same identifier as z/s.doi",
            ]
        );
    }

    #[test]
    fn what_many_share_says_nothing() {
        let many = |of: &str| (0..6).map(|n| one(&format!("{of}{n}"), &json!({"title": "x"}))).collect::<Vec<_>>();
        assert!(alike(&many("a"), &many("b")).is_empty());
    }
}
