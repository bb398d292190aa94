//! The life of a version as a table: which step leads from where to where, who takes it, and what it needs.

use crate::names::State;

/// When a developer of the namespace may take a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ByDeveloper {
    /// Always.
    Always,
    /// Where no review is required.
    WithoutReview,
    /// Never.
    Never,
}

/// One step in the life of a version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// From where.
    pub from: State,
    /// To where.
    pub to: State,
    /// What it is called.
    pub name: &'static str,
    /// When a developer may take it.
    pub developer: ByDeveloper,
    /// Whether a moderator may take it.
    pub moderator: bool,
    /// Whether it needs a reason.
    pub reason: bool,
}

const fn step(
    from: State,
    to: State,
    name: &'static str,
    developer: ByDeveloper,
    moderator: bool,
    reason: bool,
) -> Step {
    Step { from, to, name, developer, moderator, reason }
}

/// Every step that there is; what is not here cannot be done by anybody.
pub const STEPS: [Step; 11] = {
    use ByDeveloper::{Always, Never, WithoutReview};
    use State::{Deprecated, Draft, Published, Submitted, Withdrawn};
    [
        step(Draft, Submitted, "submit", Always, false, false),
        step(Draft, Published, "publish", WithoutReview, true, false),
        step(Draft, Withdrawn, "withdraw", Always, true, true),
        step(Submitted, Draft, "return", Never, true, true),
        step(Submitted, Published, "approve", WithoutReview, true, false),
        step(Submitted, Withdrawn, "withdraw", Always, true, true),
        step(Published, Deprecated, "deprecate", Always, true, false),
        step(Published, Withdrawn, "withdraw", Always, true, true),
        step(Deprecated, Published, "restore", Always, true, false),
        step(Deprecated, Withdrawn, "withdraw", Always, true, true),
        // A submission that is taken back by its developer; a moderator's step with the same ends is the return above.
        step(Submitted, Draft, "take back", Always, false, false),
    ]
};

/// Returns the step between two states that this kind of person may take; none when there is none.
pub fn step_for(from: State, to: State, developer: bool, moderator: bool, review: bool) -> Option<Step> {
    STEPS.into_iter().filter(|step| step.from == from && step.to == to).find(|step| {
        moderator && step.moderator
            || developer
                && match step.developer {
                    ByDeveloper::Always => true,
                    ByDeveloper::WithoutReview => !review,
                    ByDeveloper::Never => false,
                }
    })
}

/// Returns every step that leads on from a state for this kind of person.
pub fn steps_from(from: State, developer: bool, moderator: bool, review: bool) -> Vec<Step> {
    let ends = [State::Draft, State::Submitted, State::Published, State::Deprecated, State::Withdrawn];
    ends.into_iter().filter_map(|to| step_for(from, to, developer, moderator, review)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_who_may_do_what() {
        use State::{Deprecated, Draft, Published, Submitted, Withdrawn};
        let all = [Draft, Submitted, Published, Deprecated, Withdrawn];
        let shown = |developer, moderator, review| {
            let steps = all.iter().flat_map(|from| steps_from(*from, developer, moderator, review));
            steps.map(|step| format!("{}>{}", step.from.as_str(), step.to.as_str())).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            shown(true, false, true),
            "draft>submitted draft>withdrawn submitted>draft submitted>withdrawn published>deprecated \
             published>withdrawn deprecated>published deprecated>withdrawn"
        );
        assert_eq!(
            shown(true, false, false),
            "draft>submitted draft>published draft>withdrawn submitted>draft submitted>published submitted>withdrawn \
             published>deprecated published>withdrawn deprecated>published deprecated>withdrawn"
        );
        assert_eq!(
            shown(false, true, true),
            "draft>published draft>withdrawn submitted>draft submitted>published submitted>withdrawn \
             published>deprecated published>withdrawn deprecated>published deprecated>withdrawn"
        );
        assert_eq!(shown(false, false, false), "");
    }

    #[test]
    fn a_return_needs_a_reason_and_taking_back_does_not() {
        assert!(step_for(State::Submitted, State::Draft, false, true, true).is_some_and(|step| step.reason));
        assert!(step_for(State::Submitted, State::Draft, true, false, true).is_some_and(|step| !step.reason));
        assert!(STEPS.iter().filter(|step| step.to == State::Withdrawn).all(|step| step.reason));
        assert!(STEPS.iter().all(|step| step.from != State::Withdrawn));
    }

    #[test]
    fn a_state_may_become_what_the_table_says() {
        for from in [State::Draft, State::Submitted, State::Published, State::Deprecated, State::Withdrawn] {
            for to in [State::Draft, State::Submitted, State::Published, State::Deprecated, State::Withdrawn] {
                let somebody = step_for(from, to, true, true, false).is_some();
                assert_eq!(from.may_become(to), somebody, "{from:?} {to:?}");
            }
        }
    }
}
