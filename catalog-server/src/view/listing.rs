//! Which records everybody may come across.

use catalog_records::StoredRecord;

use crate::policy::is_sandbox;

/// Says whether a record is listed: found by search, in SPARQL, feeds, dumps and sitemaps, and given to anybody who asks.
///
/// The one question to ask before a record reaches somebody unknown. Not listed are drafts and what was withdrawn, the
/// sandbox, and what a moderator made undiscoverable.
pub fn is_listed(stored: &StoredRecord) -> bool {
    stored.state.is_public() && !is_sandbox(stored.identifier.as_str()) && is_discoverable(&stored.document)
}

/// Says whether no moderator made a record undiscoverable.
pub fn is_discoverable(document: &str) -> bool {
    // Hardly any record says so; parsing every one to learn that would double the work of a rebuild.
    if !document.contains("\"discoverable\"") {
        return true;
    }
    let document: Option<serde_json::Value> = serde_json::from_str(document).ok();
    document.is_none_or(|document| document.get("discoverable") != Some(&serde_json::Value::Bool(false)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_in_a_text_hides_nothing() {
        assert!(is_discoverable(r#"{"name":"x"}"#));
        assert!(is_discoverable(r#"{"abstract":{"en":"about \"discoverable\":false"}}"#));
        assert!(is_discoverable(r#"{"discoverable":true}"#));
        assert!(!is_discoverable(r#"{"discoverable":false}"#));
        assert!(!is_discoverable(r#"{ "discoverable" : false }"#));
    }
}
