//! What is checked of a query's text before any parser sees it.

/// Nested brackets allowed; the parser below recurses once a level (FACTS F15).
pub(crate) const MAX_DEPTH: usize = 100;

/// The longest query text, in bytes.
pub(crate) const MAX_BYTES: usize = 256 * 1024;

/// Returns how deep brackets nest.
///
/// It is a first line of defence that gives a friendly error. A text can be written so that this reading and the
/// parser's differ (`?a<?b#>"`), so brackets in strings and comments count too when there are very many of them, and
/// the parser also runs on a stack that holds the deepest text of [`MAX_BYTES`].
pub(crate) fn depth(text: &str) -> usize {
    let raw = raw_depth(text);
    if raw > 10 * MAX_DEPTH { raw } else { depth_in_code(text) }
}

/// Returns how deep brackets nest wherever they stand.
fn raw_depth(text: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in text.bytes() {
        match byte {
            b'(' | b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b')' | b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Returns how deep brackets and signs nest outside of strings and comments.
fn depth_in_code(text: &str) -> usize {
    let bytes = text.as_bytes();
    let (mut depth, mut deepest, mut at) = (0_usize, 0, 0);
    // Signs before signs (`!!!?a`), each of which the parser and the evaluator go a level deeper for.
    let mut signs = 0_usize;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'!' | b'-' | b'+' => {
                signs += 1;
                deepest = deepest.max(depth + signs);
            }
            b' ' | b'\t' | b'\r' | b'\n' => {}
            _ => signs = 0,
        }
        match byte {
            b'(' | b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b')' | b'}' | b']' => depth = depth.saturating_sub(1),
            b'#' => at += bytes[at..].iter().position(|&b| b == b'\n' || b == b'\r').unwrap_or(bytes.len() - at),
            b'<' => at += iri_length(&bytes[at..]),
            b'"' | b'\'' => at += string_length(byte, &bytes[at..]),
            _ => {}
        }
    }
    deepest
}

/// Returns the length of an IRI's rest with its `>`, or 0 when `<` is an operator here (SPARQL 1.1, rule 139).
fn iri_length(rest: &[u8]) -> usize {
    for (length, &byte) in rest.iter().enumerate() {
        match byte {
            b'>' => return length + 1,
            0..=0x20 | b'<' | b'"' | b'{' | b'}' | b'|' | b'^' | b'`' | b'\\' | b'(' => return 0,
            _ => {}
        }
    }
    0
}

/// Returns the length of a string's rest with its closing quotes.
fn string_length(quote: u8, rest: &[u8]) -> usize {
    let long = rest.starts_with(&[quote, quote]);
    let mut at = if long { 2 } else { 0 };
    while let Some(&byte) = rest.get(at) {
        at += 1;
        match byte {
            b'\\' => at += 1,
            b'\n' | b'\r' if !long => return at,
            _ if byte == quote && !long => return at,
            _ if byte == quote && rest[at..].starts_with(&[quote, quote]) => return at + 2,
            _ => {}
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::depth;

    #[test]
    fn brackets_are_counted_outside_of_strings_and_comments() {
        assert_eq!(depth("SELECT * { ?s ?p ?o }"), 1);
        assert_eq!(depth("SELECT * { { { ?s ?p \"((((\" } } } # ((((("), 3);
        assert_eq!(depth("{ FILTER(?a < 3 && (?b > 4)) <http://e/#(> ?p '''((''' }"), 3);
        assert_eq!(depth(&"{".repeat(20_000)), 20_000);
        assert_eq!(depth("{ FILTER(! ! !?a && 1 - -1 > -2) ?s !<p> ?o } # !!!!!!!!"), 5);
        assert_eq!(depth(&"!".repeat(20_000)), 20_000);
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_read_to_its_end(text in "\\PC{0,200}") {
            depth(&text);
        }
    }
}
