//! Content negotiation (RFC 9110, section 12.5.1).

use std::borrow::Cow;

use http::{HeaderMap, header};

/// Returns what a request accepts; a header that comes in several lines means the same as one line (RFC 9110, section 5.3).
pub fn accept_of(headers: &HeaderMap) -> Option<Cow<'_, str>> {
    let mut lines = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let first = lines.next()?;
    let rest: Vec<&str> = lines.collect();
    Some(if rest.is_empty() { first.into() } else { format!("{first}, {}", rest.join(", ")).into() })
}

/// Returns a media type as a header says it: a text names its encoding, which clients guess otherwise.
pub fn with_encoding(media_type: &str) -> Cow<'_, str> {
    let is_bare = media_type.starts_with("text/") && !media_type.contains(';');
    if is_bare { format!("{media_type}; charset=utf-8").into() } else { media_type.into() }
}

/// Returns which of the offered media types answers an `Accept` header best, or nothing when none is acceptable.
///
/// Quality comes first, then how exactly the header names a type, then the order of the offer.
pub fn negotiate(accept: Option<&str>, offered: &[&str]) -> Option<usize> {
    let Some(accept) = accept.filter(|text| !text.trim().is_empty()) else { return (!offered.is_empty()).then_some(0) };
    let ranges: Vec<Range<'_>> = split_unquoted(accept).take(64).filter_map(Range::parse).collect();
    let mut best: Option<(u16, usize)> = None;
    for (index, media_type) in offered.iter().enumerate() {
        let essence = media_type.split(';').next().unwrap_or(media_type).trim();
        // The most exact range decides a type's quality, even when a vaguer one would give it more.
        let matching = ranges.iter().filter(|range| range.matches(essence)).max_by_key(|range| range.exactness());
        let Some(range) = matching else { continue };
        if range.quality > 0 && best.is_none_or(|(quality, _)| range.quality > quality) {
            best = Some((range.quality, index));
        }
    }
    best.map(|(_, index)| index)
}

/// Splits at commas that stand outside of quoted strings: a JSON-LD profile may be quoted.
fn split_unquoted(text: &str) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(move |c: char| {
        let was_escaped = is_escaped;
        is_escaped = is_quoted && c == '\\' && !was_escaped;
        if c == '"' && !was_escaped {
            is_quoted = !is_quoted;
        }
        c == ',' && !is_quoted
    })
}

/// One media range with its quality in thousandths.
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    quality: u16,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let quality = parts
            .find_map(|parameter| parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q=")))
            .map_or(Some(1.0), |value| value.trim().parse::<f32>().ok())?;
        Some(Self { kind, subtype, quality: (quality.clamp(0.0, 1.0) * 1000.0) as u16 })
    }

    fn matches(&self, essence: &str) -> bool {
        let Some((kind, subtype)) = essence.split_once('/') else { return false };
        (self.kind == "*" || self.kind.eq_ignore_ascii_case(kind))
            && (self.subtype == "*" || self.subtype.eq_ignore_ascii_case(subtype))
    }

    fn exactness(&self) -> u8 {
        u8::from(self.kind != "*") + u8::from(self.subtype != "*")
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue, header};

    use super::{accept_of, negotiate, with_encoding};

    #[test]
    fn texts_name_their_encoding() {
        for (media_type, said) in [
            ("text/turtle", "text/turtle; charset=utf-8"),
            ("text/csv; charset=utf-8", "text/csv; charset=utf-8"),
            ("application/n-triples", "application/n-triples"),
        ] {
            assert_eq!(with_encoding(media_type), said);
        }
    }

    #[test]
    fn lines_are_one_list() {
        let mut headers = HeaderMap::new();
        assert_eq!(accept_of(&headers), None);
        for line in ["text/html;q=0.5", "text/turtle"] {
            headers.append(header::ACCEPT, HeaderValue::from_static(line));
        }
        assert_eq!(accept_of(&headers).as_deref(), Some("text/html;q=0.5, text/turtle"));
    }

    const OFFERED: [&str; 3] = ["text/html; charset=utf-8", "text/turtle", "application/ld+json"];

    #[test]
    fn the_best_type_wins() {
        let rows: [(&str, Option<usize>); 11] = [
            ("", Some(0)),
            ("*/*", Some(0)),
            ("text/turtle", Some(1)),
            ("application/ld+json;q=0.9, text/turtle;q=0.5", Some(2)),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", Some(0)),
            ("text/*;q=0.3, text/turtle", Some(1)),
            ("text/html;q=0, */*", Some(1)),
            ("image/png", None),
            ("nonsense", None),
            ("application/ld+json;profile=\"http://e/a,text/turtle\";q=0.5, text/turtle;q=0.4", Some(2)),
            ("application/ld+json;profile=\"a\\\",b\"", Some(2)),
        ];
        for (accept, expected) in rows {
            assert_eq!(negotiate(Some(accept), &OFFERED), expected, "{accept}");
        }
    }
}
