//! Names of people, as far as a machine may take them apart.

use crate::described::Agent;

/// Returns family and given names of a person; nothing for anybody else, or when the name is one word.
pub(crate) fn split(agent: &Agent) -> Option<(&str, &str)> {
    if !agent.is_person {
        return None;
    }
    let name = agent.name.trim();
    if let Some((family, given)) = name.split_once(',') {
        return Some((family.trim(), given.trim())).filter(|(family, given)| !family.is_empty() && !given.is_empty());
    }
    let (given, family) = name.rsplit_once(' ')?;
    Some((family, given.trim()))
}
