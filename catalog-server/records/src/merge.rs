//! What a record is when several say something of it: a pure function of what each says.
//!
//! Terms are taken whole. Who speaks for the record's home zone is believed first, then whom the operator configured to
//! be believed more, then whoever was heard last by this ledger's own sequence, never by a remote clock. The order in
//! which sayings come, and how often one comes, change nothing. A moderator's words are laid over the result.

use catalog_schemas::patch::merge_patch;
use serde_json::{Map, Value};

/// The source under which a moderator's overlay is kept.
pub const OVERLAY: &str = "overlay";

/// Keys that say what the record is; they are those of the saying that the record's identity belongs to.
const IDENTITY: [&str; 6] = ["@context", "@id", "@type", "identifier", "version", "softwareVersion"];

/// Keys whose values are gathered from everybody: an identifier met anywhere is worth keeping.
const UNION: [&str; 1] = ["otherIdentifier"];

/// What one source says of a record.
#[derive(Debug, Clone, PartialEq)]
pub struct Saying {
    /// The source.
    pub source: String,
    /// Whether the record's identity is what this source calls it: its current version is this source's.
    pub main: bool,
    /// Whether it speaks for the record's home zone.
    pub home: bool,
    /// How much it is believed.
    pub precedence: i32,
    /// The sequence of this ledger at which it last said something else.
    pub seq: u64,
    /// What it says.
    pub document: Value,
}

/// Why a term has the value that it has.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The key of the term.
    pub key: String,
    /// `only`, `identity`, `home`, `precedence`, `newest`, `union` or `overlay`.
    pub rule: &'static str,
    /// Who is believed.
    pub winner: String,
    /// What is believed; null when a moderator took it away.
    pub value: Value,
    /// What others say, the most believed first.
    pub losers: Vec<(String, Value)>,
}

/// A merged record.
#[derive(Debug, Clone, PartialEq)]
pub struct Merged {
    /// Its document.
    pub document: Value,
    /// Why, term by term, in the order of the document.
    pub decisions: Vec<Decision>,
}

/// Puts sayings in the order in which they are believed, each once.
pub fn ranked(mut sayings: Vec<Saying>) -> Vec<Saying> {
    sayings.sort_by(|one, other| {
        let rank = |saying: &Saying| (saying.home, saying.precedence, saying.seq);
        // Two that are equal in everything that counts are told apart by name, so that the order of coming never shows.
        rank(other)
            .cmp(&rank(one))
            .then_with(|| one.source.cmp(&other.source))
            .then_with(|| one.document.to_string().cmp(&other.document.to_string()).then(other.main.cmp(&one.main)))
    });
    let mut seen = std::collections::HashSet::new();
    sayings.retain(|saying| seen.insert(saying.source.clone()));
    sayings
}

/// Merges what sources say and lays a moderator's patches over it, oldest first.
pub fn merge(sayings: Vec<Saying>, patches: &[Value]) -> Merged {
    let sayings = ranked(sayings);
    let mut document = Map::new();
    let mut decisions = Vec::new();
    let main = sayings.iter().find(|saying| saying.main).or(sayings.first());
    for key in keys(&sayings) {
        let said: Vec<(&Saying, &Value)> =
            sayings.iter().filter_map(|saying| Some((saying, saying.document.get(&key)?))).collect();
        let Some(decision) = decide(&key, &said, main) else { continue };
        document.insert(key, decision.value.clone());
        decisions.push(decision);
    }
    let mut document = Value::Object(document);
    for patch in patches {
        merge_patch(&mut document, patch);
    }
    overlay(&document, patches, &mut decisions);
    Merged { document, decisions }
}

/// Returns every key that anybody uses, in the order of whoever is believed most.
fn keys(sayings: &[Saying]) -> Vec<String> {
    let mut seen = std::collections::HashSet::new();
    let all = sayings.iter().filter_map(|saying| saying.document.as_object()).flat_map(Map::keys);
    all.filter(|key| seen.insert(key.as_str())).cloned().collect()
}

fn decide(key: &str, said: &[(&Saying, &Value)], main: Option<&Saying>) -> Option<Decision> {
    let is_identity = IDENTITY.contains(&key);
    if UNION.contains(&key) && said.len() > 1 {
        return Some(union(key, said));
    }
    let at = if is_identity {
        // What the identity's own source does not say, such as a version, nobody says in its name.
        said.iter().position(|(saying, _)| main.is_some_and(|main| main.source == saying.source))?
    } else {
        0
    };
    let (winner, value) = *said.get(at)?;
    let others: Vec<_> = said.iter().enumerate().filter(|(index, _)| *index != at).map(|(_, one)| *one).collect();
    let rule = match others.first() {
        None => "only",
        Some(_) if is_identity => "identity",
        Some((next, _)) if winner.home != next.home => "home",
        Some((next, _)) if winner.precedence != next.precedence => "precedence",
        Some(_) => "newest",
    };
    Some(Decision {
        key: key.to_owned(),
        rule,
        winner: winner.source.clone(),
        value: value.clone(),
        losers: others.into_iter().map(|(saying, value)| (saying.source.clone(), value.clone())).collect(),
    })
}

fn union(key: &str, said: &[(&Saying, &Value)]) -> Decision {
    let mut all: Vec<Value> = Vec::new();
    for (_, value) in said {
        let items = value.as_array().map_or(std::slice::from_ref(*value), Vec::as_slice);
        for item in items {
            if !all.contains(item) {
                all.push(item.clone());
            }
        }
    }
    Decision {
        key: key.to_owned(),
        rule: "union",
        winner: said[0].0.source.clone(),
        value: Value::Array(all),
        losers: said[1..].iter().map(|(saying, value)| (saying.source.clone(), (*value).clone())).collect(),
    }
}

/// Notes which terms a moderator decided.
fn overlay(document: &Value, patches: &[Value], decisions: &mut Vec<Decision>) {
    let touched = patches.iter().filter_map(Value::as_object).flat_map(Map::keys);
    let mut seen = std::collections::HashSet::new();
    for key in touched.filter(|key| seen.insert(key.as_str())) {
        let value = document.get(key).cloned().unwrap_or(Value::Null);
        let at = decisions.iter().position(|decision| decision.key == *key);
        let losers = at.map(|at| &decisions[at]).map_or_else(Vec::new, |before| {
            let mut losers = vec![(before.winner.clone(), before.value.clone())];
            losers.extend(before.losers.iter().cloned());
            losers
        });
        let decision = Decision { key: key.clone(), rule: "overlay", winner: OVERLAY.to_owned(), value, losers };
        match at {
            Some(at) => decisions[at] = decision,
            None => decisions.push(decision),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn saying(source: &str, precedence: i32, seq: u64, document: Value) -> Saying {
        Saying { source: source.to_owned(), main: source == "main", home: source == "home", precedence, seq, document }
    }

    fn decision<'m>(merged: &'m Merged, key: &str) -> &'m Decision {
        merged.decisions.iter().find(|decision| decision.key == key).unwrap()
    }

    #[test]
    fn home_then_precedence_then_newest() {
        let merged = merge(
            vec![
                saying("old", 0, 1, json!({"title": "o", "license": "o", "issued": "o"})),
                saying("new", 0, 2, json!({"title": "n", "license": "n", "issued": "n"})),
                saying("chosen", 5, 0, json!({"title": "c", "license": "c"})),
                saying("home", 0, 0, json!({"title": "h"})),
            ],
            &[],
        );
        assert_eq!(merged.document, json!({"title": "h", "license": "c", "issued": "n"}));
        let rules: Vec<_> = ["title", "license", "issued"].iter().map(|key| decision(&merged, key).rule).collect();
        assert_eq!(rules, ["home", "precedence", "newest"]);
        assert_eq!(decision(&merged, "issued").losers, [("old".to_owned(), json!("o"))]);
    }

    #[test]
    fn what_a_record_is_nobody_else_decides_and_other_identifiers_are_gathered() {
        let merged = merge(
            vec![
                saying(
                    "chosen",
                    9,
                    9,
                    json!({"identifier": "b.x", "version": "9", "otherIdentifier": [{"value": "1"}]}),
                ),
                saying("main", 0, 0, json!({"identifier": "a.x", "otherIdentifier": [{"value": "2"}, {"value": "1"}]})),
            ],
            &[],
        );
        assert_eq!(merged.document, json!({"identifier": "a.x", "otherIdentifier": [{"value": "1"}, {"value": "2"}]}));
        assert_eq!(decision(&merged, "identifier").rule, "identity");
    }

    #[test]
    fn a_moderators_words_lie_over_everybodys() {
        let said = vec![saying("home", 0, 0, json!({"title": {"en": "h", "fr": "f"}, "license": "x"}))];
        let merged = merge(said, &[json!({"title": {"en": "m"}}), json!({"license": null, "label": "l"})]);
        assert_eq!(merged.document, json!({"title": {"en": "m", "fr": "f"}, "label": "l"}));
        let licence = decision(&merged, "license");
        assert_eq!((licence.rule, &licence.value, licence.losers.len()), ("overlay", &Value::Null, 1));
        assert!(decision(&merged, "label").losers.is_empty());
    }

    fn sayings() -> impl Strategy<Value = Vec<Saying>> {
        let one =
            ("[a-d]", any::<bool>(), 0..3i32, 0..4u64, prop::collection::btree_map("[p-s]|identifier", 0..4u8, 0..4));
        let one = one.prop_map(|(source, home, precedence, seq, fields)| Saying {
            main: source == "a",
            source,
            home,
            precedence,
            seq,
            document: json!(fields),
        });
        // Of one source only one saying counts at a time, which the ledger sees to.
        prop::collection::vec(one, 1..6).prop_map(|mut all| {
            let mut seen = std::collections::HashSet::new();
            all.retain(|saying| seen.insert(saying.source.clone()));
            all
        })
    }

    proptest! {
        #[test]
        fn the_order_of_coming_and_coming_twice_change_nothing(all in sayings(), rotate in 0..6usize, again in 0..6usize) {
            let expected = merge(all.clone(), &[]);
            let mut other = all.clone();
            other.rotate_left(rotate % all.len());
            other.push(all[again % all.len()].clone());
            other.reverse();
            prop_assert_eq!(&merge(other, &[]), &expected);
        }

        #[test]
        fn merging_what_was_merged_gives_the_same(all in sayings()) {
            let merged = merge(all, &[]).document;
            let alone = vec![saying("main", 0, 0, merged.clone())];
            prop_assert_eq!(merge(alone, &[]).document, merged);
        }

        #[test]
        fn nothing_is_invented_and_nothing_lost(all in sayings()) {
            let merged = merge(all.clone(), &[]);
            for decision in &merged.decisions {
                let said: Vec<_> = all.iter().filter_map(|saying| saying.document.get(&decision.key)).collect();
                prop_assert!(said.contains(&&decision.value));
                prop_assert_eq!(said.len(), 1 + decision.losers.len());
            }
        }
    }
}
