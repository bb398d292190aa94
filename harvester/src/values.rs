//! Values of other catalogues in the forms of ours: dates, identifiers, concepts, licences, texts, geometries.

use std::borrow::Cow;

use catalog_ontology::manifest::{doi, is_date, is_date_time, known_licence, orcid, short_date};
use catalog_ontology::scheme::Scheme;
use catalog_ontology::terms::{Datatype, Term as Key};
use oxrdf::Term;
use serde_json::{Map, Value};

use crate::compact::Notes;
use crate::geometry;
use crate::item::Unmatched;

/// The language that a text gets which names none, as everywhere in the catalogue.
const ASSUMED: &str = "en";

/// Brings one value to the form of its term; nothing when it has none, which is noted.
pub(crate) fn value(key: &'static Key, term: &Term, notes: &mut Notes<'_>) -> Option<Value> {
    let (text, language) = match term {
        Term::NamedNode(node) => (node.as_str(), None),
        Term::Literal(literal) => (literal.value(), literal.language()),
        #[allow(unreachable_patterns)]
        _ => return None,
    };
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    match key.datatype {
        Datatype::LanguageText => Some(serde_json::json!([text, language.map(str::to_ascii_lowercase)])),
        Datatype::Concept => concept(key, text, notes),
        Datatype::Iri if is_licence(key) => licence(text, language, notes),
        Datatype::Iri => iri(key, text, notes).map(Value::String),
        Datatype::Date => date(text, false).map(Value::String).or_else(|| unfit(key, text, notes)),
        Datatype::DateTime => date(text, true).map(Value::String).or_else(|| unfit(key, text, notes)),
        Datatype::Integer => integer(text).map(Value::from).or_else(|| unfit(key, text, notes)),
        Datatype::Decimal => decimal(text).or_else(|| unfit(key, text, notes)),
        Datatype::Boolean => match text.to_ascii_lowercase().as_str() {
            "true" | "1" => Some(Value::Bool(true)),
            "false" | "0" => Some(Value::Bool(false)),
            _ => unfit(key, text, notes),
        },
        Datatype::Geometry => geometry::text(text).map(Value::String).or_else(|| unfit(key, text, notes)),
        Datatype::ShortName | Datatype::Version if !fits(key, text) => {
            // A word that people search for, whatever its letters.
            if key.datatype == Datatype::ShortName {
                notes.words.push(text.to_owned());
                return None;
            }
            unfit(key, text, notes)
        }
        Datatype::TextOrIri => Some(Value::String(doi(text).map_or_else(|| text.to_owned(), |doi| lower_doi(&doi)))),
        _ => listed(key, text, notes),
    }
}

fn fits(key: &Key, text: &str) -> bool {
    match key.datatype {
        Datatype::ShortName => text.parse::<catalog_schemas::id::ShortName>().is_ok(),
        _ => text.parse::<catalog_schemas::id::Version>().is_ok(),
    }
}

fn listed(key: &Key, text: &str, notes: &mut Notes<'_>) -> Option<Value> {
    if !key.values.is_empty() {
        let found = key.values.iter().find(|value| value.eq_ignore_ascii_case(text));
        return found.map(|value| Value::String(value.clone())).or_else(|| unfit(key, text, notes));
    }
    if let Some(most) = key.max_length.filter(|most| text.chars().count() > *most) {
        notes.remark("value.too_long", format!("`{}` has more than {most} characters", key.name()));
        return None;
    }
    Some(Value::String(text.to_owned()))
}

fn unfit(key: &Key, text: &str, notes: &mut Notes<'_>) -> Option<Value> {
    let shown: String = text.chars().take(80).collect();
    notes.remark("value.format", format!("`{}` cannot be `{shown}`", key.name()));
    None
}

/// Finds the concept that a text names; what names none is kept as a keyword and reported.
fn concept(key: &Key, text: &str, notes: &mut Notes<'_>) -> Option<Value> {
    if let Some(name) = &key.scheme {
        let scheme = Scheme::get(name)?;
        if let Some(concept) = scheme.find(text) {
            return Some(Value::String(concept.path.clone()));
        }
        // Keyword schemes write paths such as `EARTH SCIENCE > OCEANS > SEA ICE`: the last part that is known counts.
        let parts = text.split(['>', '|']).map(str::trim).filter(|part| !part.is_empty());
        if let Some(concept) = parts.rev().find_map(|part| scheme.find(part)) {
            return Some(Value::String(concept.path.clone()));
        }
        if text.chars().count() <= 300 {
            notes.unmatched.push(Unmatched { scheme: name.clone(), text: text.to_owned() });
            if !text.contains("://") {
                notes.words.push(text.to_owned());
            }
        }
        return None;
    }
    let word = text.rsplit(['/', '#', ':']).next().unwrap_or(text).replace([' ', '-'], "_");
    let found = key.values.iter().find(|value| value.eq_ignore_ascii_case(&word));
    found.map(|value| Value::String(value.clone())).or_else(|| unfit(key, text, notes))
}

fn is_licence(key: &Key) -> bool {
    key.name() == "license"
}

/// A licence by name or address; what is said in words stays as words.
fn licence(text: &str, language: Option<&str>, notes: &mut Notes<'_>) -> Option<Value> {
    if let Some(iri) = known_licence(text).or_else(|| synonym(text).and_then(known_licence)) {
        return Some(Value::String(iri));
    }
    let is_address =
        (text.starts_with("http://") || text.starts_with("https://")) && !text.contains(char::is_whitespace);
    if is_address {
        return usable(text).map(Value::String);
    }
    let text: String = text.chars().take(5000).collect();
    notes.rights.push((text, language.map(str::to_ascii_lowercase)));
    None
}

/// Names of licences that other catalogues use and that mean one licence of SPDX.
fn synonym(text: &str) -> Option<&'static str> {
    let plain: String =
        text.chars().filter(char::is_ascii_alphanumeric).map(|character| character.to_ascii_lowercase()).collect();
    Some(match plain.as_str() {
        "gpl3" | "gplv3" | "gpl30" | "gnugeneralpubliclicensev30" | "gnugplv3" => "GPL-3.0-only",
        "gpl2" | "gplv2" | "gpl20" | "gnugplv2" => "GPL-2.0-only",
        "lgpl3" | "lgplv3" | "lgpl30" => "LGPL-3.0-only",
        "lgpl21" | "lgplv21" => "LGPL-2.1-only",
        "agpl3" | "agplv3" | "agpl30" => "AGPL-3.0-only",
        "apache2" | "apache20" | "apachelicense20" | "apachelicenseversion20" => "Apache-2.0",
        "mitlicense" | "themitlicense" => "MIT",
        "ccby4" | "ccby40" | "creativecommonsattribution40international" => "CC-BY-4.0",
        "cc0" | "cc010" | "cczero" | "creativecommonszero" => "CC0-1.0",
        "bsd3clause" | "bsd3" => "BSD-3-Clause",
        "bsd2clause" | "bsd2" => "BSD-2-Clause",
        _ => return None,
    })
}

/// An address in a form that can be kept.
fn iri(key: &Key, text: &str, notes: &mut Notes<'_>) -> Option<String> {
    if let Some(name) = doi(text) {
        return Some(lower_doi(&name));
    }
    if let Some(found) = orcid(text) {
        return found.ok();
    }
    // A bare name below the base of its term, such as a media type.
    if let Some(base) = key.base.as_deref().filter(|_| !text.contains("://")) {
        if base == "mailto:" {
            return Some(format!("mailto:{}", text.trim_start_matches("mailto:").trim()));
        }
        let name = text.split(';').next().unwrap_or(text).trim();
        return (!name.contains(char::is_whitespace)).then(|| format!("{base}{name}"));
    }
    let found = usable(text);
    if found.is_none() {
        let shown: String = text.chars().take(80).collect();
        notes.remark("iri.invalid", format!("`{}` cannot be `{shown}`", key.name()));
    }
    found
}

/// Mends what is often wrong with an address: spaces and other characters that must be escaped, a missing scheme.
fn usable(text: &str) -> Option<String> {
    let text = text.trim();
    let text: Cow<'_, str> = if text.starts_with("www.") { format!("https://{text}").into() } else { text.into() };
    if text.len() > 2000 || !text.contains(':') || text.contains(['\n', '\t']) {
        return None;
    }
    let text: String = text
        .chars()
        .map(|character| match character {
            ' ' | '<' | '>' | '"' | '{' | '}' | '|' | '\\' | '^' | '`' => format!("%{:02X}", character as u32),
            other => other.to_string(),
        })
        .collect();
    let text = match text.strip_prefix("http://schema.org/") {
        Some(rest) => format!("https://schema.org/{rest}"),
        None => text,
    };
    oxrdf::NamedNode::new(&text).ok().map(|_| text).filter(|text| is_web_or_urn(text))
}

/// Says whether an IRI has a scheme that manifests may hold.
pub(crate) fn is_web_or_urn(text: &str) -> bool {
    let scheme = text.split(':').next().unwrap_or_default().to_ascii_lowercase();
    let known =
        ["https", "http", "urn", "ivo", "doi", "mailto", "tel", "ftp", "info", "ark", "did", "geo", "sftp", "s3"];
    known.contains(&scheme.as_str())
}

/// DOIs do not know case (DOI Handbook, 3.4): one DOI has one form.
pub(crate) fn lower_doi(iri: &str) -> String {
    iri.to_ascii_lowercase()
}

/// A date, or the date and time when that is complete and asked for.
pub(crate) fn date(text: &str, with_time: bool) -> Option<String> {
    let text = text.trim();
    // A period of dates is not a date; the first one is where it begins, which is for the mapping to say.
    let text = text.strip_suffix('Z').filter(|rest| rest.len() == 10).unwrap_or(text);
    if is_date(text) || short_date(text).is_some() {
        return Some(text.to_owned());
    }
    let iso = text.replacen(' ', "T", 1);
    if with_time {
        let whole = if iso.len() == 16 { format!("{iso}:00") } else { iso.clone() };
        if is_date_time(&whole) {
            return Some(whole);
        }
    }
    let day = iso.get(..10).filter(|day| is_date(day))?;
    matches!(iso.as_bytes().get(10), Some(b'T' | b'Z' | b'+' | b'-') | None).then(|| day.to_owned())
}

fn integer(text: &str) -> Option<i64> {
    text.parse().ok().or_else(|| {
        let number: f64 = text.parse().ok()?;
        (number.fract() == 0.0 && number.abs() < 9e15).then_some(number as i64)
    })
}

fn decimal(text: &str) -> Option<Value> {
    let number: f64 = text.parse().ok()?;
    if number.fract() == 0.0 && number.abs() < 9e15 {
        return Some(Value::from(number as i64));
    }
    serde_json::Number::from_f64((number * 1000.0).round() / 1000.0).map(Value::Number)
}

/// A text that may be too long for its term; nothing when it is empty.
pub(crate) fn cut(text: &str, most: usize) -> Option<Value> {
    let text: String = text.chars().take(most).collect();
    (!text.trim().is_empty()).then(|| Value::String(text.trim().to_owned()))
}

/// Puts texts together by language: one a language where the term allows one, the longest that fits.
pub(crate) fn texts(key: &'static Key, values: Vec<Value>, notes: &mut Notes<'_>) -> Option<Value> {
    let most = key.max_length.unwrap_or(usize::MAX);
    let mut by_language: Map<String, Value> = Map::new();
    let mut all: Vec<(String, String)> = values
        .into_iter()
        .filter_map(|value| {
            let text = value.get(0)?.as_str()?.to_owned();
            let language = value.get(1)?.as_str().map_or(ASSUMED.to_owned(), language);
            Some((language, text))
        })
        .collect();
    if key.name() == "keyword" {
        all = apart(all);
    }
    all.sort();
    all.dedup();
    for (language, text) in all {
        let text = if text.chars().count() > most {
            notes.remark("value.too_long", format!("`{}` has more than {most} characters", key.name()));
            // Words under which something is found are kept whole or not at all; what is read is cut, visibly.
            if !key.per_language {
                continue;
            }
            shortened(&text, most)
        } else {
            text
        };
        if key.per_language {
            // Of several texts in a language the longest says the most.
            let known = by_language.get(&language).and_then(Value::as_str).map_or(0, str::len);
            if known > 0 {
                notes.remark("value.several", format!("`{}` has several texts in `{language}`", key.name()));
            }
            if text.len() > known {
                by_language.insert(language, Value::String(text));
            }
        } else {
            let texts = by_language.entry(language).or_insert_with(|| Value::Array(Vec::new()));
            if let Value::Array(texts) = texts {
                texts.push(Value::String(text));
            }
        }
    }
    (!by_language.is_empty()).then_some(Value::Object(by_language))
}

/// Parts words that come as one text, as `keywords` of schema.org do: the only one of its language, with several separators.
/// One comma alone may be part of a name.
fn apart(all: Vec<(String, String)>) -> Vec<(String, String)> {
    let alone = |language: &str| all.iter().filter(|(other, _)| other == language).count() == 1;
    let parts = |text: &str| -> Vec<String> {
        let separator = if text.contains(';') { ';' } else { ',' };
        let parts: Vec<String> =
            text.split(separator).map(|part| part.trim().to_owned()).filter(|part| !part.is_empty()).collect();
        // A sentence has commas, too, but not between words as short as these.
        let is_list = parts.len() > if separator == ';' { 1 } else { 2 } && parts.iter().all(|part| part.len() <= 50);
        if is_list { parts } else { vec![text.to_owned()] }
    };
    let several = |(language, text): &(String, String)| -> Vec<(String, String)> {
        let parts = if alone(language) { parts(text) } else { vec![text.clone()] };
        parts.into_iter().map(|part| (language.clone(), part)).collect()
    };
    all.iter().flat_map(several).collect()
}

/// Cuts a text at a word, and shows that it was cut.
fn shortened(text: &str, most: usize) -> String {
    let head: String = text.chars().take(most - 1).collect();
    let head =
        head.rfind(char::is_whitespace).filter(|at| *at > head.len() / 2).map_or(head.as_str(), |at| &head[..at]);
    format!("{}…", head.trim_end())
}

/// Brings a language tag to BCP 47: `eng` and `en_GB` are met.
fn language(tag: &str) -> String {
    let tag = tag.trim().replace('_', "-").to_ascii_lowercase();
    let (primary, rest) = tag.split_once('-').map_or((tag.as_str(), None), |(primary, rest)| (primary, Some(rest)));
    let primary = match primary {
        "eng" | "english" => "en",
        "fre" | "fra" | "french" => "fr",
        "ger" | "deu" | "german" => "de",
        "spa" | "spanish" => "es",
        "ita" => "it",
        "por" => "pt",
        "dut" | "nld" => "nl",
        other => other,
    };
    let shaped = (2..=3).contains(&primary.len()) && primary.bytes().all(|byte| byte.is_ascii_lowercase());
    match rest {
        _ if !shaped => ASSUMED.to_owned(),
        Some(rest) if oxrdf::Literal::new_language_tagged_literal("", format!("{primary}-{rest}")).is_ok() => {
            format!("{primary}-{rest}")
        }
        _ => primary.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_keep_the_precision_that_they_have() {
        for (given, with_time, expected) in [
            ("2012-10-12T00:00:02Z", false, Some("2012-10-12")),
            ("2012-10-12T00:00:02Z", true, Some("2012-10-12T00:00:02Z")),
            ("2012-10-12T00:00:02", true, Some("2012-10-12")),
            ("2012-10-12 00:00:02Z", true, Some("2012-10-12T00:00:02Z")),
            ("2012", false, Some("2012")),
            ("2012-10", true, Some("2012-10")),
            ("2012-10-12Z", false, Some("2012-10-12")),
            ("2012-13-45", false, None),
            ("soon", true, None),
            ("2012-10-12/2013-01-01", false, None),
        ] {
            assert_eq!(date(given, with_time).as_deref(), expected, "{given}");
        }
    }

    #[test]
    fn keywords_in_one_text_are_parted() {
        let pair = |language: &str, text: &str| (language.to_owned(), text.to_owned());
        let shown = |all: &[(&str, &str)]| {
            let all = apart(all.iter().map(|(language, text)| pair(language, text)).collect());
            all.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join("|")
        };
        for (given, expected) in [
            (&[("en", "a, b c,d")][..], "a|b c|d"),
            (&[("en", "a, b; c"), ("fr", "d;")], "a, b|c|d;"),
            (&[("en", "a, b, c"), ("en", "d")], "a, b, c|d"),
            (&[("en", "Washington, D.C.")], "Washington, D.C."),
            (
                &[("en", "Data of a very long campaign that took us all by surprise, they say, and more")],
                "Data of a very long campaign that took us all by surprise, they say, and more",
            ),
        ] {
            assert_eq!(shown(given), expected);
        }
    }

    #[test]
    fn addresses_are_mended_where_that_is_safe() {
        assert_eq!(usable("http://x.example/a b").as_deref(), Some("http://x.example/a%20b"));
        assert_eq!(usable("www.x.example").as_deref(), Some("https://www.x.example"));
        assert_eq!(usable("http://schema.org/Person").as_deref(), Some("https://schema.org/Person"));
        for bad in ["javascript:alert(1)", "file:///etc/passwd", "no", ""] {
            assert_eq!(usable(bad), None, "{bad}");
        }
    }

    #[test]
    fn languages_are_brought_to_bcp_47() {
        assert_eq!(language("eng"), "en");
        assert_eq!(language("en_GB"), "en-gb");
        assert_eq!(language("klingon"), "en");
    }
}
