//! How two versions of a record differ, term by term.

use catalog_ontology::record::Record;
use catalog_ontology::terms::Visibility;
use catalog_schemas::governance::{Difference, TermChange};
use catalog_schemas::record::{TermValue, TermValues};

/// Compares what a viewer may read of two versions; without an older one everything is new.
pub fn difference(older: Option<&Record>, newer: &Record, visibility: Visibility) -> Difference {
    let before = older.map(|record| record.terms_view(visibility)).unwrap_or_default();
    let after = newer.terms_view(visibility);
    let mut difference = Difference {
        version: newer.version().unwrap_or_default().to_owned(),
        against: older.map(|record| record.version().unwrap_or_default().to_owned()),
        ..Difference::default()
    };
    for term in &after {
        let old = before.iter().find(|other| other.key == term.key);
        match change(term, old.map_or(&[], |old| &old.values), &term.values) {
            Some(change) => difference.changes.push(change),
            None => difference.same += 1,
        }
    }
    for term in before.iter().filter(|term| after.iter().all(|other| other.key != term.key)) {
        difference.changes.extend(change(term, &term.values, &[]));
    }
    difference
}

fn change(term: &TermValues, before: &[TermValue], after: &[TermValue]) -> Option<TermChange> {
    let not_in = |values: &[TermValue], others: &[TermValue]| {
        values.iter().filter(|value| !others.contains(value)).cloned().collect::<Vec<_>>()
    };
    let (gone, new) = (not_in(before, after), not_in(after, before));
    if gone.is_empty() && new.is_empty() {
        return None;
    }
    Some(TermChange {
        key: term.key.clone(),
        label: term.label.clone(),
        private: term.private,
        kept: after.len() - new.len(),
        before: gone,
        after: new,
    })
}

#[cfg(test)]
mod tests {
    use catalog_ontology::terms::Kind;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_came_what_went_and_what_stayed() {
        let record = |keywords: &[&str], port: Option<i64>| {
            let mut record = Record::empty(Kind::Datalab);
            record.set("softwareVersion", &json!("1")).unwrap();
            record.set("keyword", &json!({ "en": keywords })).unwrap();
            if let Some(port) = port {
                record.set("runtime.port", &json!([port])).unwrap();
            }
            record
        };
        let (old, new) = (record(&["a", "b"], None), record(&["b", "c"], Some(80)));
        let difference = super::difference(Some(&old), &new, Visibility::Private);
        let shown: Vec<_> = difference
            .changes
            .iter()
            .map(|change| {
                let texts =
                    |values: &[TermValue]| values.iter().map(|value| value.text.clone()).collect::<Vec<_>>().join(",");
                format!("{} -{} +{} ={}", change.key, texts(&change.before), texts(&change.after), change.kept)
            })
            .collect();
        assert_eq!(shown, ["keyword -a +c =1", "runtime.port - +80 =0"]);
        assert_eq!(difference.same, 1);
        let public = super::difference(Some(&old), &new, Visibility::Public);
        assert!(public.changes.iter().all(|change| !change.private) && public.changes.len() == 1);
        assert_eq!(super::difference(None, &new, Visibility::Public).changes.len(), 2);
    }
}
