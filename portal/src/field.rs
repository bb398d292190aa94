//! What a form sent, read leniently: pairs in their order.

/// Returns the decoded pairs of a query string or of a form's body.
pub(crate) fn pairs(encoded: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(encoded).into_owned().collect()
}

/// Returns the last value of a field, trimmed; absent when nothing was written into it.
pub(crate) fn text<'a>(pairs: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let value = pairs.iter().rev().find(|(field, _)| field == name).map(|(_, value)| value.trim());
    value.filter(|value| !value.is_empty())
}

/// Returns every value of a field that was filled in.
pub(crate) fn all(pairs: &[(String, String)], name: &str) -> Vec<String> {
    let values = pairs.iter().filter(|(field, _)| field == name).map(|(_, value)| value.trim());
    values.filter(|value| !value.is_empty()).map(str::to_owned).collect()
}
