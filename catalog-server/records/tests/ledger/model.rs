//! The ledger against a model of a few lines: any sequence of operations gives the same versions, states and current.

use std::collections::BTreeMap;

use catalog_records::{Actor, Ledger, PublishOutcome, State, compare_versions};
use proptest::prelude::*;

use super::{created, publication};

#[derive(Debug, Clone)]
enum Step {
    Publish(u8, usize, u8),
    Import(Vec<(u8, usize, u8)>),
    Withdraw(u8, usize),
    Deprecate(u8, usize),
    Restore(u8, usize),
}

const VERSIONS: [&str; 5] = ["0.9", "1.0.0-rc.1", "1.0.0", "1.10.0", "1.9.1"];

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let one = || (0..3u8, 0..VERSIONS.len(), 0..2u8);
    let named = || (0..3u8, 0..VERSIONS.len());
    let step = prop_oneof![
        4 => one().prop_map(|(r, v, d)| Step::Publish(r, v, d)),
        1 => prop::collection::vec(one(), 1..5).prop_map(Step::Import),
        2 => named().prop_map(|(r, v)| Step::Withdraw(r, v)),
        2 => named().prop_map(|(r, v)| Step::Deprecate(r, v)),
        1 => named().prop_map(|(r, v)| Step::Restore(r, v)),
    ];
    prop::collection::vec(step, 1..30)
}

/// State and content of every version by record.
#[derive(Default)]
struct Model(BTreeMap<u8, BTreeMap<usize, (State, u8)>>);

impl Model {
    fn publish(&mut self, record: u8, version: usize, content: u8) -> &'static str {
        match self.0.entry(record).or_default().get(&version) {
            None => {
                self.0.entry(record).or_default().insert(version, (State::Published, content));
                "created"
            }
            Some((State::Withdrawn, _)) => "withdrawn",
            Some((_, there)) if *there == content => "same",
            Some(_) => "conflict",
        }
    }

    /// Returns whether the ledger should say yes.
    fn state(&mut self, record: u8, version: usize, next: State) -> bool {
        let Some((state, _)) = self.0.get_mut(&record).and_then(|versions| versions.get_mut(&version)) else {
            return false;
        };
        let may = match *state {
            State::Withdrawn => next == State::Withdrawn,
            _ => true,
        };
        if may {
            *state = next;
        }
        may
    }

    fn current(&self, record: u8) -> Option<(usize, State, u8)> {
        let versions = self.0.get(&record)?;
        [State::Published, State::Deprecated, State::Withdrawn].into_iter().find_map(|wanted| {
            let of_state = versions.iter().filter(|(_, (state, _))| *state == wanted);
            let best = of_state.max_by(|a, b| compare_versions(VERSIONS[*a.0], VERSIONS[*b.0]).unwrap());
            best.map(|(version, (state, content))| (*version, *state, *content))
        })
    }
}

async fn run(steps: Vec<Step>) {
    let ledger = Ledger::temporary().await.unwrap();
    let actor = Actor::application();
    let mut model = Model::default();
    let given = |r: u8, v: usize, d: u8| publication(&format!("r{r}"), VERSIONS[v], &format!("{{\"d\":{d}}}"));
    for step in steps {
        let before = ledger.last_seq();
        match step {
            Step::Publish(r, v, d) => {
                let outcome = match ledger.publish(given(r, v, d)).await.unwrap() {
                    outcome @ PublishOutcome::Created { .. } => {
                        assert_eq!(created(outcome), before + 1);
                        "created"
                    }
                    PublishOutcome::Same { .. } => "same",
                    PublishOutcome::Conflict { .. } => "conflict",
                    PublishOutcome::Withdrawn { .. } => "withdrawn",
                };
                assert_eq!(outcome, model.publish(r, v, d));
            }
            Step::Import(rows) => {
                let imported = ledger.import(rows.iter().map(|(r, v, d)| given(*r, *v, *d)).collect()).await.unwrap();
                // New records go in before other rows, so which of two contents of one version wins is its own order.
                let (first, rest): (Vec<_>, Vec<_>) = {
                    let mut seen: Vec<u8> = model.0.keys().copied().collect();
                    rows.into_iter().partition(|(r, ..)| {
                        let new = !seen.contains(r);
                        seen.push(*r);
                        new
                    })
                };
                let outcomes: Vec<_> = first.into_iter().chain(rest).map(|(r, v, d)| model.publish(r, v, d)).collect();
                let count = |word| outcomes.iter().filter(|outcome| **outcome == word).count() as u64;
                assert_eq!(imported.created, count("created"));
                assert_eq!(imported.same, count("same"));
                assert_eq!(ledger.last_seq(), before + imported.created);
            }
            Step::Withdraw(r, v) => {
                let p = given(r, v, 0);
                let done = ledger.withdraw(&p.zone, &p.identifier, &p.version, "because", &actor, "r").await.is_ok();
                assert_eq!(done, model.state(r, v, State::Withdrawn));
            }
            Step::Deprecate(r, v) | Step::Restore(r, v) => {
                let next = if matches!(step, Step::Deprecate(..)) { State::Deprecated } else { State::Published };
                let p = given(r, v, 0);
                let done = ledger.set_state(&p.zone, &p.identifier, &p.version, next, &actor, "r").await.is_ok();
                assert_eq!(done, model.state(r, v, next));
            }
        }
    }
    for r in 0..3 {
        let p = given(r, 0, 0);
        let record = ledger.record(&p.zone, &p.identifier).await.unwrap();
        let found = record.map(|record| (record.version.to_string(), record.state, record.document));
        let expected = model.current(r).map(|(v, state, d)| (VERSIONS[v].to_owned(), state, format!("{{\"d\":{d}}}")));
        assert_eq!(found, expected);
        let versions: BTreeMap<_, _> = ledger
            .versions(&p.zone, &p.identifier)
            .await
            .unwrap()
            .into_iter()
            .map(|v| (v.version.to_string(), v.state))
            .collect();
        let expected: BTreeMap<_, _> =
            model.0.get(&r).into_iter().flatten().map(|(v, (state, _))| (VERSIONS[*v].to_owned(), *state)).collect();
        assert_eq!(versions, expected);
    }
    let report = ledger.verify().await.unwrap();
    assert!(report.is_sound(), "{:?}", report.faults);
    assert_eq!(ledger.log_after(0, 1000).await.unwrap().len() as u64, ledger.last_seq());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn the_ledger_does_what_the_model_does(steps in steps()) {
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap().block_on(run(steps));
    }
}
