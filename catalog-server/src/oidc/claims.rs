//! What an identity provider says of somebody's groups, and what they become here.

use percent_encoding::percent_decode_str;
use serde_json::Value;

/// The most groups that are read, and the longest name of one: more is a mistake, or an attack.
const MOST: usize = 200;
const LONGEST: usize = 200;

/// A group as a provider names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedGroup {
    /// As it was written.
    raw: String,
    /// Its path, such as `gaia:staff`.
    path: String,
    /// The role in it, when it names one.
    role: Option<String>,
}

impl ClaimedGroup {
    /// Reads a plain group name, or an entitlement after AARC-G069,
    /// `<namespace>:group:<group>[:<subgroup>…][:role=<role>][#<authority>]`; of another authority than the one that
    /// is asked for, it says nothing.
    pub fn read(text: &str, authority: Option<&str>) -> Option<Self> {
        if text.is_empty() || text.len() > LONGEST || text.chars().any(char::is_control) {
            return None;
        }
        let Some(name) = text.strip_prefix("urn:") else {
            // A plain name comes without an authority, so it counts only where none is asked for.
            let plain = Self { raw: text.to_owned(), path: text.trim_matches('/').replace('/', ":"), role: None };
            return authority.is_none().then_some(plain);
        };
        let (name, by) = name.split_once('#').map_or((name, None), |(name, by)| (name, Some(by)));
        if authority.is_some() && authority != by {
            return None;
        }
        let (_, group) = name.split_once(":group:")?;
        let mut parts: Vec<String> =
            group.split(':').map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned()).collect();
        let role = parts.last().and_then(|last| last.strip_prefix("role=")).map(str::to_owned);
        if role.is_some() {
            parts.pop();
        }
        let path = parts.join(":");
        (!path.is_empty()).then(|| Self { raw: text.to_owned(), path, role })
    }

    /// Says whether an operator means this group: written in full, as its path, or as its path with the role.
    pub fn is(&self, wanted: &str) -> bool {
        let with_role = self.role.as_ref().map(|role| format!("{}:role={role}", self.path));
        wanted == self.raw || wanted == self.path || with_role.is_some_and(|name| name == wanted)
    }

    /// Returns the name of the team here: the provider's name keeps it apart from teams that people make.
    pub fn team(&self, provider: &str) -> String {
        let word = |c: char| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '.' };
        let name: String = self.path.to_lowercase().chars().map(word).take(40).collect();
        let name = name.trim_matches(['.', '-', '_']);
        format!("{}@{provider}", if name.is_empty() { "group" } else { name })
    }
}

/// Reads the groups of a claim: a list of names, or one.
pub fn groups(claim: Option<&Value>, authority: Option<&str>) -> Vec<ClaimedGroup> {
    let names: Vec<&str> = match claim {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    names.into_iter().take(MOST).filter_map(|name| ClaimedGroup::read(name, authority)).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn entitlements_are_read() {
        let read = |text: &str| ClaimedGroup::read(text, Some("aai.egi.eu"));
        let group = read("urn:mace:egi.eu:group:gaia:Staff:role=manager#aai.egi.eu").unwrap();
        assert_eq!((group.path.as_str(), group.role.as_deref()), ("gaia:Staff", Some("manager")));
        assert_eq!(group.team("egi"), "gaia.staff@egi");
        assert!(group.is("gaia:Staff") && group.is("gaia:Staff:role=manager") && !group.is("gaia"));
        assert!(group.is("urn:mace:egi.eu:group:gaia:Staff:role=manager#aai.egi.eu"));
        let encoded = read("urn:geant:eosc.eu:group:a%20b#aai.egi.eu").unwrap();
        assert_eq!((encoded.path.as_str(), encoded.team("x")), ("a b", "a.b@x".to_owned()));
        for other in [
            "urn:mace:egi.eu:group:gaia#evil.example",
            "urn:mace:egi.eu:group:gaia",
            "urn:mace:egi.eu:res:gaia#aai.egi.eu",
            "urn:mace:egi.eu:group:#aai.egi.eu",
            "gaia",
            "",
        ] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn plain_names_and_odd_claims_are_read() {
        let read = |claim: Value| groups(Some(&claim), None);
        assert_eq!(read(json!(["/gaia/staff", 7, "x\ny"]))[0].path, "gaia:staff");
        assert_eq!(read(json!(["/gaia/staff", 7, "x\ny"])).len(), 1);
        assert_eq!(read(json!("one")).len(), 1);
        assert_eq!(read(json!({ "a": 1 })).len(), 0);
        assert_eq!(read(Value::Array(vec![json!("g"); 1000])).len(), MOST);
        assert_eq!(ClaimedGroup::read("***", None).unwrap().team("esa"), "group@esa");
    }
}
