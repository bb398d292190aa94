//! The lexical rules of values that are more than text: dates, numbers, languages, IRIs, image references.

use std::sync::LazyLock;

use regex::Regex;

/// Says whether a text is a day that exists, as `2023-02-28`.
pub fn is_date(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() == 10
        && bytes
            .iter()
            .enumerate()
            .all(|(at, byte)| if at == 4 || at == 7 { *byte == b'-' } else { byte.is_ascii_digit() })
        && text[..4].parse::<i16>().is_ok_and(|year| year >= 1)
        && text.parse::<jiff::civil::Date>().is_ok()
}

/// Says whether a text is a moment that exists, as `2023-02-28T12:00:00Z`; the zone must be given.
pub fn is_date_time(text: &str) -> bool {
    static SHAPE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$")
            .expect("the pattern is constant")
    });
    SHAPE.is_match(text)
        && is_date(&text[..10])
        // A leap second is valid in RFC 3339 and not in XML Schema, which is what is written to RDF.
        && !text[17..].starts_with("60")
        && text.parse::<jiff::Timestamp>().is_ok()
}

/// Returns the datatype of a year or a month of a year, `1998` or `1998-05`; nothing for other texts.
pub fn short_date(text: &str) -> Option<oxrdf::NamedNodeRef<'static>> {
    use oxrdf::vocab::xsd;
    let digits = |part: &str, length| part.len() == length && part.bytes().all(|byte| byte.is_ascii_digit());
    match text.split_once('-') {
        None => (digits(text, 4) && text != "0000").then_some(xsd::G_YEAR),
        Some((year, month)) => {
            let exists = digits(month, 2) && ("01"..="12").contains(&month);
            (digits(year, 4) && year != "0000" && exists).then_some(xsd::G_YEAR_MONTH)
        }
    }
}

/// Says whether a text is a duration as `PT1H30M` or `P1D`; years and months are allowed, weeks are not (XML Schema).
pub(crate) fn is_duration(text: &str) -> bool {
    static SHAPE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^P(\d{1,9}Y)?(\d{1,9}M)?(\d{1,9}D)?(T(\d{1,9}H)?(\d{1,9}M)?(\d{1,9}(\.\d{1,9})?S)?)?$")
            .expect("the pattern is constant")
    });
    SHAPE.is_match(text) && !text.ends_with(['P', 'T'])
}

/// Returns the canonical text of a decimal number: `2.50` is `2.5`, `2.0` and `2e0` are `2`.
pub(crate) fn decimal(text: &str) -> Option<String> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok().filter(|e| (-30..=30).contains(e))?),
        None => (text, 0),
    };
    let (sign, digits) = match mantissa.strip_prefix('-') {
        Some(rest) => ("-", rest),
        None => ("", mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if whole.len() + fraction.len() > 60 || whole.is_empty() && fraction.is_empty() {
        return None;
    }
    if !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let mut all = format!("{whole}{fraction}");
    let mut point = whole.len() as i32 + exponent;
    while point < 0 {
        all.insert(0, '0');
        point += 1;
    }
    while (all.len() as i32) < point {
        all.push('0');
    }
    let (whole, fraction) = all.split_at(point as usize);
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    let sign = if whole == "0" && fraction.is_empty() { "" } else { sign };
    Some(if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") })
}

/// Returns a language tag in lower case, or why it is none.
pub(crate) fn language(tag: &str) -> Result<String, &'static str> {
    let primary = tag.split('-').next().unwrap_or_default();
    if tag.contains('_') {
        return Err("a language tag has `-`, not `_`");
    }
    // Longer primary subtags are reserved; what stands there is a name of a language, such as `english`.
    if !(2..=3).contains(&primary.len()) && primary != "x" && primary != "i" || tag.len() > 35 {
        return Err("a language tag begins with two or three letters");
    }
    oxrdf::Literal::new_language_tagged_literal("", tag)
        .map(|_| tag.to_ascii_lowercase())
        .map_err(|_| "it is not a tag of BCP 47")
}

/// The two-letter languages of ISO 639-1, all of which BCP 47 registers.
const LANGUAGES: &str = "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de \
    dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it \
    iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd \
    ne ng nl nn no nr nv ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg sh si sk sl sm sn so sq sr ss st \
    su sv sw ta te tg th ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu";

/// What people write for a language: its name, the code of a country, or three letters where two are registered.
const LANGUAGE_WORDS: [(&str, &str); 16] = [
    ("en", "english eng"),
    ("de", "german deutsch deu ger"),
    ("fr", "french français francais fra fre"),
    ("it", "italian italiano ita"),
    ("es", "spanish español espanol castellano spa"),
    ("nl", "dutch nederlands nld dut"),
    ("pt", "portuguese português portugues por"),
    ("ja", "japanese jp jpn"),
    ("zh", "chinese cn zho chi"),
    ("ru", "russian rus"),
    ("el", "greek gr ell gre"),
    ("cs", "czech cz ces cze"),
    ("da", "danish dk dan"),
    ("sv", "swedish svenska swe"),
    ("ko", "korean kor"),
    ("en-gb", "en-uk"),
];

/// Says whether a well-formed language tag in lower case begins with a language that is registered, as far as known here.
pub(crate) fn is_registered(tag: &str) -> bool {
    let primary = tag.split('-').next().unwrap_or_default();
    let misused = |word: &str| LANGUAGE_WORDS.iter().any(|(_, words)| words.split(' ').any(|other| other == word));
    (primary.len() != 2 || LANGUAGES.split_ascii_whitespace().any(|language| language == primary))
        && !(primary.len() == 3 && misused(primary))
        && !misused(tag)
}

/// Returns the language tag that was probably meant.
pub(crate) fn nearest_language(tag: &str) -> Option<String> {
    let plain = tag.trim().replace('_', "-");
    let lower = plain.to_lowercase();
    let (primary, rest) = lower.split_once('-').map_or((lower.as_str(), ""), |(primary, rest)| (primary, rest));
    let found = |word: &str| LANGUAGE_WORDS.iter().find(|(_, words)| words.split(' ').any(|other| other == word));
    if let Some((right, _)) = found(&lower) {
        return Some((*right).to_owned());
    }
    if let Some((right, _)) = found(primary) {
        return Some(if rest.is_empty() { (*right).to_owned() } else { format!("{right}-{rest}") });
    }
    (plain != tag && language(&plain).is_ok()).then_some(plain)
}

/// The schemes of IRIs that a reader may follow or that only name.
const SCHEMES: [&str; 14] =
    ["https", "http", "urn", "ivo", "doi", "mailto", "tel", "ftp", "info", "ark", "did", "geo", "sftp", "s3"];

/// Why a text is not an IRI that a manifest may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IriFault {
    /// It is not an absolute IRI.
    Invalid,
    /// Its scheme could run something or reads this machine.
    Scheme,
}

/// Returns an absolute IRI with `http://schema.org/` rewritten to https.
pub(crate) fn iri(text: &str) -> Result<String, IriFault> {
    let Some((scheme, rest)) = text.split_once(':') else { return Err(IriFault::Invalid) };
    let shaped = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+.-".contains(&b));
    if !shaped {
        return Err(IriFault::Invalid);
    }
    let scheme = scheme.to_ascii_lowercase();
    if !SCHEMES.contains(&scheme.as_str()) {
        return Err(IriFault::Scheme);
    }
    if text.len() > 2048 || rest.is_empty() || oxrdf::NamedNode::new(text).is_err() {
        return Err(IriFault::Invalid);
    }
    if matches!(scheme.as_str(), "http" | "https" | "ftp" | "sftp") {
        let host = rest.strip_prefix("//").and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or_default();
        if host.is_empty() {
            return Err(IriFault::Invalid);
        }
    }
    Ok(match text.strip_prefix("http://schema.org/") {
        Some(rest) => format!("https://schema.org/{rest}"),
        None => text.to_owned(),
    })
}

/// Returns the IRI of a DOI, however it is written: `doi:10.…`, `10.…/…`, `http://dx.doi.org/…`.
pub fn doi(text: &str) -> Option<String> {
    static SHAPE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(?i:doi:\s*|https?://(?:dx\.|www\.)?doi\.org/|info:doi/)?(10\.\d{4,9}/\S{1,500})$")
            .expect("the pattern is constant")
    });
    if !text.contains("10.") {
        return None;
    }
    let name = SHAPE.captures(text.trim())?.get(1)?.as_str();
    let mut iri = String::from("https://doi.org/");
    for character in name.chars() {
        match character {
            '<' | '>' | '"' | '{' | '}' | '|' | '\\' | '^' | '`' => iri.push_str(&format!("%{:02X}", character as u32)),
            other => iri.push(other),
        }
    }
    oxrdf::NamedNode::new(&iri).is_ok().then_some(iri)
}

/// Returns the IRI of an ORCID given as its sixteen characters or as its IRI, when its check digit is right.
pub fn orcid(text: &str) -> Option<Result<String, ()>> {
    let bare = text
        .strip_prefix("https://orcid.org/")
        .or_else(|| text.strip_prefix("http://orcid.org/"))
        .or_else(|| text.strip_prefix("orcid:"))
        .or_else(|| (text.len() == 19 && text.bytes().filter(|&byte| byte == b'-').count() == 3).then_some(text))?;
    let digits: Vec<char> = bare.chars().filter(|&character| character != '-').collect();
    let shaped = bare.len() == 19 && digits.len() == 16 && digits[..15].iter().all(char::is_ascii_digit);
    if !shaped {
        return Some(Err(()));
    }
    // ISO 7064 11,2, as ORCID's own documentation computes it.
    let total = digits[..15].iter().fold(0, |total, digit| (total + digit.to_digit(10).unwrap_or_default()) * 2);
    let check = (12 - total % 11) % 11;
    let expected = if check == 10 { 'X' } else { char::from_digit(check, 10).unwrap_or('0') };
    Some(if digits[15] == expected { Ok(format!("https://orcid.org/{bare}")) } else { Err(()) })
}

/// An OCI image reference in its parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageReference {
    /// Registry and repository, as `registry.example/aladin`.
    pub name: String,
    /// The tag, when one is given.
    pub tag: Option<String>,
    /// The digest, when one is given, as `sha256:…`.
    pub digest: Option<String>,
}

/// Reads an OCI image reference after the distribution specification's grammar.
pub fn image_reference(text: &str) -> Option<ImageReference> {
    static SHAPE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(concat!(
            r"^((?:(?:localhost|[a-zA-Z0-9][a-zA-Z0-9-]*(?:\.[a-zA-Z0-9-]+)+|[a-zA-Z0-9-]+:\d+)(?::\d{1,5})?/)?",
            r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*)",
            r"(?::(\w[\w.-]{0,127}))?(?:@(sha256:[0-9a-f]{64}))?$"
        ))
        .expect("the pattern is constant")
    });
    if text.len() > 512 {
        return None;
    }
    let parts = SHAPE.captures(text)?;
    let part = |number| parts.get(number).map(|part: regex::Match<'_>| part.as_str().to_owned());
    Some(ImageReference { name: part(1)?, tag: part(2), digest: part(3) })
}

/// Says whether a text is a lower-case SHA-256 with or without `sha256:`.
pub(crate) fn is_sha256(text: &str) -> bool {
    let hexadecimal = text.strip_prefix("sha256:").unwrap_or(text);
    hexadecimal.len() == 64 && hexadecimal.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Says whether a text is a path of a file inside the package: relative, normalised, without tricks.
pub(crate) fn is_package_path(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 255
        && !text.contains(['\\', ':'])
        && !text.chars().any(char::is_control)
        && text.split('/').all(|part| !part.is_empty() && part != "." && part != "..")
}

/// Returns a quantity in mebibytes (`4 GB`, `2048 MiB`, `2Gi`); text without a unit is not a quantity.
pub(crate) fn mebibytes(text: &str) -> Option<u64> {
    static SHAPE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(?i)\s*(?:>=?|at least|min(?:imum)?:?)?\s*(\d{1,9}(?:\.\d{1,6})?)\s*(k|m|g|t)(i?)(?:b|bytes?)?(?:\s+(?:of\s+)?(?:ram|memory|disk|storage))?\s*$")
            .expect("the pattern is constant")
    });
    let parts = SHAPE.captures(text)?;
    let number: f64 = parts.get(1)?.as_str().parse().ok()?;
    let power = match parts.get(2)?.as_str().to_ascii_lowercase().as_str() {
        "k" => 1,
        "m" => 2,
        "g" => 3,
        _ => 4,
    };
    let step: f64 = if parts.get(3)?.as_str().is_empty() { 1000.0 } else { 1024.0 };
    // Asking for a little more is safe where asking for less is not, so it rounds up; 4 GB counts as 4 GiB in practice.
    let step = if power >= 2 { 1024.0 } else { step };
    Some((number * step.powi(power) / (1024.0 * 1024.0)).ceil() as u64)
}

/// Returns a number of processor cores (`2 cores`, `4 CPUs`, `2`), canonical.
pub(crate) fn cores(text: &str) -> Option<String> {
    static SHAPE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(?i)\s*(?:>=?|at least|min(?:imum)?:?)?\s*(\d{1,5}(?:\.\d{1,3})?)\s*(?:v?cpus?|cores?|processors?)?(?:\s+cores?)?\s*$")
            .expect("the pattern is constant")
    });
    decimal(SHAPE.captures(text)?.get(1)?.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_days_that_exist_are_dates() {
        for good in ["2023-02-28", "2024-02-29", "0001-01-01", "1957-10-04"] {
            assert!(is_date(good), "{good}");
        }
        for bad in
            ["2023-02-30", "2023-02-29", "2023-13-01", "2023-1-1", "20230101", "2023-01-01Z", "0000-01-01", "", "soon"]
        {
            assert!(!is_date(bad), "{bad}");
        }
        assert!(is_date_time("2023-02-28T23:59:59.5+01:00") && is_date_time("2023-02-28T00:00:00Z"));
        for bad in [
            "2023-02-30T00:00:00Z",
            "2023-02-28T00:00:00",
            "2023-02-28T24:00:00Z",
            "2023-02-28 00:00:00Z",
            "2016-12-31T23:59:60Z",
        ] {
            assert!(!is_date_time(bad), "{bad}");
        }
        assert!(
            is_duration("PT1H30M")
                && is_duration("P1D")
                && !is_duration("P")
                && !is_duration("P1DT")
                && !is_duration("1h")
        );
    }

    #[test]
    fn numbers_have_one_text() {
        for (given, canonical) in [
            ("2.50", "2.5"),
            ("2.0", "2"),
            ("2e0", "2"),
            ("-0", "0"),
            ("1e3", "1000"),
            ("5e-1", "0.5"),
            ("0.125", "0.125"),
            ("12.5e-3", "0.0125"),
        ] {
            assert_eq!(decimal(given).as_deref(), Some(canonical), "{given}");
        }
        for bad in ["1e400", "", ".", "abc", "1.2.3", "--1"] {
            assert_eq!(decimal(bad), None, "{bad}");
        }
    }

    #[test]
    fn languages_follow_bcp_47() {
        assert_eq!(language("en-GB").unwrap(), "en-gb");
        assert_eq!(language("zh-Hant").unwrap(), "zh-hant");
        for bad in ["en_GB", "english", "e", "", "en-", "12", "en-toolongsubtag"] {
            assert!(language(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn iris_that_run_something_are_refused() {
        assert_eq!(iri("http://schema.org/name").unwrap(), "https://schema.org/name");
        for bad in
            ["javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "file:///etc/passwd", "vbscript:x"]
        {
            assert_eq!(iri(bad), Err(IriFault::Scheme), "{bad}");
        }
        for bad in ["", "no", "https://", "https:///x", "https://a b", "urn:", "https://x/<y>", "1x:y"] {
            assert_eq!(iri(bad), Err(IriFault::Invalid), "{bad}");
        }
    }

    #[test]
    fn identifiers_of_others_have_one_form() {
        for given in [
            "10.1051/aas:2000331",
            "doi:10.1051/aas:2000331",
            "http://dx.doi.org/10.1051/aas:2000331",
            "https://doi.org/10.1051/aas:2000331",
        ] {
            assert_eq!(doi(given).as_deref(), Some("https://doi.org/10.1051/aas:2000331"), "{given}");
        }
        assert_eq!(doi("Bonnarel et al. 2000"), None);
        assert_eq!(doi("10.1000/<x>").as_deref(), Some("https://doi.org/10.1000/%3Cx%3E"));
        assert_eq!(orcid("0000-0002-1825-0097"), Some(Ok("https://orcid.org/0000-0002-1825-0097".to_owned())));
        assert_eq!(orcid("https://orcid.org/0000-0002-1825-0098"), Some(Err(())));
        assert_eq!(orcid("CDS"), None);
    }

    #[test]
    fn image_references_follow_the_specification() {
        let digest = format!("sha256:{}", "0".repeat(64));
        for good in
            ["aladin", "registry.example/aladin:11.0", "localhost:5000/a/b:latest", "quay.io/jupyter/base-notebook"]
        {
            assert!(image_reference(good).is_some(), "{good}");
            assert_eq!(image_reference(&format!("{good}@{digest}")).unwrap().digest.as_deref(), Some(digest.as_str()));
        }
        assert_eq!(image_reference("localhost:5000/a:1").unwrap().name, "localhost:5000/a");
        for bad in ["", "Aladin", "a b", "x:", "-a", "a//b", "a@sha256:12", "a;rm -rf /", "$(id)", "a:tag:tag", "../a"]
        {
            assert_eq!(image_reference(bad), None, "{bad}");
        }
    }

    #[test]
    fn quantities_with_a_unit_are_read() {
        for (text, expected) in [
            ("4 GB", Some(4096)),
            ("2048 MiB", Some(2048)),
            ("2Gi", Some(2048)),
            ("0.5 GiB RAM", Some(512)),
            (">= 8GB", Some(8192)),
            ("lots", None),
            ("4", None),
        ] {
            assert_eq!(mebibytes(text), expected, "{text}");
        }
        assert_eq!(cores("2 cores").as_deref(), Some("2"));
        assert_eq!(cores("fast"), None);
    }
}
