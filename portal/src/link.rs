//! Addresses of our own pages.

use catalog_schemas::search::SearchQuery;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// Characters that stand for themselves in a path segment (RFC 3986, section 2.3).
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Returns a text as one segment of a path.
pub(crate) fn segment(text: &str) -> String {
    utf8_percent_encode(text, SEGMENT).to_string()
}

/// Returns a path with a query string.
pub(crate) fn with_query<K: AsRef<str>, V: AsRef<str>>(path: &str, pairs: impl IntoIterator<Item = (K, V)>) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// Returns the address of a search; it is the search's whole state.
pub fn search_path(query: &SearchQuery) -> String {
    with_query("/search", query.to_pairs())
}

/// Returns the address of a search for one facet value, given as `mission=astronomy/gaia`.
pub(crate) fn facet_path(facet: &str) -> Option<String> {
    let (name, value) = facet.split_once('=')?;
    catalog_schemas::search::FACETS.contains(&name).then(|| with_query("/search", [(name, value)]))
}

/// Returns the address of a record's page, or of one of its versions.
pub fn record_path(zone: &str, identifier: &str, version: Option<&str>) -> String {
    let base = format!("/record/{}/{}", segment(zone), segment(identifier));
    version.map_or(base.clone(), |version| format!("{base}/{}", segment(version)))
}

/// Returns the address of the page of a source's run.
pub(crate) fn run_path(source: &str, run: impl std::fmt::Display) -> String {
    format!("/sources/{}/runs/{run}", segment(source))
}

/// Returns the path of a record's page from its address, so that a link stays on this server whatever its base is.
pub(crate) fn page_of(iri: &str) -> Option<String> {
    let (before, tail) = iri.split_once("/id/")?;
    // An address of another kind that happens to hold `/id/` stays what it is.
    let is_base = before.split_once("://").is_some_and(|(_, host)| !host.is_empty() && !host.contains('#'));
    let (zone, identifier) = tail.split_once('/')?;
    (is_base && !zone.is_empty() && !identifier.contains(['/', '#', '?'])).then(|| record_path(zone, identifier, None))
}

/// Returns the path to go back to when it is one of this server's, else the fallback.
///
/// A browser reads `//host` and `/\host` as another server, and drops tabs and line ends before it reads at all.
pub fn local_path<'a>(path: &'a str, fallback: &'a str) -> &'a str {
    let mut bytes = path.bytes();
    let local = bytes.next() == Some(b'/')
        && !matches!(bytes.next(), Some(b'/' | b'\\'))
        && path.len() <= 2000
        && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if local { path } else { fallback }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_server_are_gone_back_to() {
        for good in ["/", "/search?q=gaia&mission=astronomy%2Fgaia", "/record/go-esa/esa.esdc.aladin#data"] {
            assert_eq!(local_path(good, "/x"), good);
        }
        for bad in [
            "",
            "search",
            "//evil.example",
            "/\\evil.example",
            "/\t/evil.example",
            "/%0d%0a\r\nSet-Cookie: a",
            "https://evil.example",
            "javascript:alert(1)",
            "\\\\evil",
            "/a\\..\\b",
            " /a",
        ] {
            assert_eq!(local_path(bad, "/x"), "/x", "{bad}");
        }
    }

    #[test]
    fn a_records_page_is_found_from_its_address() {
        assert_eq!(page_of("https://a.example/id/go-esa/esa.psa").as_deref(), Some("/record/go-esa/esa.psa"));
        assert_eq!(page_of("https://a.example/id/go-esa/esa.psa#author-1"), None);
        assert_eq!(page_of("javascript:alert(1)"), None);
    }

    #[test]
    fn a_segment_cannot_leave_its_place() {
        assert_eq!(record_path("a/b", "../c?d#e", Some("1.0+x")), "/record/a%2Fb/..%2Fc%3Fd%23e/1.0%2Bx");
        assert_eq!(facet_path("mission=astronomy/gaia").as_deref(), Some("/search?mission=astronomy%2Fgaia"));
        assert_eq!(facet_path("colour=red"), None);
    }
}
