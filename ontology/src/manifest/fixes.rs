//! What to write instead: every finding says it, as near to the text that was given as can be told from that text.

use catalog_schemas::account::Role;
use catalog_schemas::id::{Identifier, ShortName};

use crate::scheme::Scheme;
use crate::terms::{Datatype, Kind, Term};

use super::keys::children;
use super::lexical;
use super::tree::{Json, Node, cut};
use super::values::{closest, is_cores};

/// Lists with more values than this are named by where they stand, not written out.
const LISTED: usize = 12;

/// Returns the fix for a value of the wrong kind; `required` says that the record is incomplete without it.
pub(crate) fn of_type(term: &Term, node: &Node<'_>, expected: &str, required: bool) -> String {
    match (&node.value, term.datatype) {
        (Json::Null, _) if required => format!("write {expected}"),
        (Json::Null, _) => "remove it".to_owned(),
        (Json::String(text), Datatype::Integer | Datatype::Decimal) => number(term, text),
        (Json::String(text), Datatype::Boolean) => match text.trim().to_lowercase().as_str() {
            "true" | "yes" | "y" | "1" | "on" => "write true without quotes".to_owned(),
            "false" | "no" | "n" | "0" | "off" => "write false without quotes".to_owned(),
            _ => "write true or false without quotes".to_owned(),
        },
        (Json::Number(_), Datatype::Boolean) => "write true or false".to_owned(),
        (value, Datatype::Node | Datatype::Nest) => object(term, value),
        (Json::Number(number), Datatype::LanguageText) => format!("write {{\"en\": \"{number}\"}}"),
        (Json::Number(number), Datatype::Integer | Datatype::Decimal) => format!("write {number} alone"),
        (Json::Number(number), Datatype::Text | Datatype::Version | Datatype::TextList | Datatype::TextOrIri) => {
            format!("write \"{number}\" in quotes")
        }
        (Json::Object(_), Datatype::Iri | Datatype::Concept | Datatype::TextOrIri) => {
            let inner = ["@id", "id", "url", "name"].iter().find_map(|key| node.get(key).and_then(Node::as_str));
            inner.map_or_else(|| format!("write {expected}"), |text| format!("write \"{}\" alone", cut(text, 80)))
        }
        (Json::Object(_), Datatype::Text) => {
            let inner = ["name", "@value"].iter().find_map(|key| node.get(key).and_then(Node::as_str));
            inner.map_or_else(|| format!("write {expected}"), |text| format!("write \"{}\" alone", cut(text, 80)))
        }
        (Json::Array(_), _) if term.is_many() => "write the values in one array, none within another".to_owned(),
        _ => format!("write {expected}"),
    }
}

/// Returns the fix for a term that is there and has no value.
pub(crate) fn of_nothing(term: &Term, expected: &str) -> String {
    match term.datatype {
        Datatype::Node | Datatype::Nest => object(term, &Json::Null),
        _ => format!("write {expected}"),
    }
}

/// Returns the fix for a number that was written as text.
fn number(term: &Term, text: &str) -> String {
    let text = text.trim();
    if lexical::decimal(text).is_some() {
        return format!("write {} without quotes", cut(text, 40));
    }
    let iri = term.iri.as_str();
    if iri.ends_with("MiB")
        && let Some(size) = lexical::mebibytes(text)
    {
        return format!("write {size}, which is in MiB");
    }
    if iri.ends_with("GiB")
        && let Some(size) = lexical::mebibytes(text)
    {
        return format!("write {}, which is in GiB", size.div_ceil(1024));
    }
    if is_cores(term)
        && let Some(cores) = lexical::cores(text)
    {
        return format!("write {cores}");
    }
    "write a number without quotes and without a unit".to_owned()
}

/// Returns the fix for what should be an object: one that holds what was given.
fn object(term: &Term, value: &Json<'_>) -> String {
    if term.key == "runtime.env" {
        let (name, value) = match value {
            Json::String(text) => text.split_once('=').unwrap_or((text, "…")),
            _ => ("NAME", "…"),
        };
        return format!(
            "write an object, such as {{\"name\": \"{}\", \"value\": \"{}\"}}",
            cut(name, 40),
            cut(value, 40)
        );
    }
    let writable = |child: &&&'static Term| !child.is_keyword() && child.is_writable_by(Role::Developer);
    let below: Vec<_> = children(term.kind, &term.key).iter().filter(writable).collect();
    let named = |name: &str| below.iter().find(|child| child.name() == name);
    let main = named("name")
        .or_else(|| below.iter().find(|child| child.min > 0))
        .or_else(|| named("count"))
        .or_else(|| below.first());
    let Some(main) = main else { return "write an object".to_owned() };
    let inner = match (value, main.datatype) {
        (Json::Number(number), Datatype::Integer | Datatype::Decimal) => number.to_string(),
        (_, Datatype::Integer | Datatype::Decimal) => "1".to_owned(),
        (Json::String(text), _) => format!("\"{}\"", cut(text, 40)),
        _ => "\"…\"".to_owned(),
    };
    format!("write an object, such as {{\"{}\": {inner}}}", main.name())
}

/// Returns the fix for a text that has not the form of its term.
pub(crate) fn of_text(term: &Term, given: &str) -> String {
    let given = given.trim();
    let lower = given.to_lowercase().replace([' ', '_'], "-");
    let instead = match term.datatype {
        Datatype::Identifier => {
            given.to_lowercase().replace(' ', "-").parse::<Identifier>().ok().map(|id| id.to_string())
        }
        Datatype::ShortName => lower.parse::<ShortName>().ok().map(|name| name.to_string()),
        Datatype::Version => Some(given.trim_start_matches(['v', 'V', ' ']).replace(' ', "-"))
            .filter(|version| version.parse::<catalog_schemas::id::Version>().is_ok()),
        Datatype::Date => date(given).map(|(day, _)| day),
        Datatype::DateTime => date(given).map(|(day, time)| format!("{day}T{time}")),
        Datatype::Duration => duration(given),
        Datatype::ImageReference => {
            let bare = given.split_once("://").map_or(given, |(_, rest)| rest).trim_end_matches('/');
            [bare.to_owned(), bare.to_lowercase()].into_iter().find(|text| lexical::image_reference(text).is_some())
        }
        Datatype::Iri | Datatype::TextOrIri => iri(given),
        Datatype::AbsolutePath if !given.starts_with('/') => Some(format!("/{given}")),
        Datatype::Text
            if !given.starts_with('/') && term.pattern.as_deref().is_some_and(|form| form.starts_with("^/")) =>
        {
            Some(format!("/{given}"))
        }
        _ => None,
    };
    match instead {
        Some(instead) => format!("write `{}`", cut(&instead, 120)),
        None => form(term),
    }
}

/// Says what a term's form is where nothing nearer can be told.
fn form(term: &Term) -> String {
    match term.datatype {
        Datatype::Date => "write a day that exists, such as 2023-02-28".to_owned(),
        Datatype::DateTime => "write a moment with its zone, such as 2023-02-28T12:00:00Z".to_owned(),
        Datatype::Iri => "write the whole address, such as https://example.org/thing".to_owned(),
        Datatype::File => "put the file into the package and write its path there, such as media/icon.png".to_owned(),
        _ if term.name() == "email" => "write an address such as help@example.org".to_owned(),
        _ => match (&term.pattern, term.datatype.pattern()) {
            (Some(pattern), None) => format!("write text that matches {pattern}"),
            _ => format!("write {}", term.datatype.expected()),
        },
    }
}

/// Returns the fix for a value that is not in the list of its term.
pub(crate) fn of_list(term: &Term, given: &str) -> String {
    if let Some(near) = closest(given, term.values.iter().map(String::as_str)) {
        return format!("write `{near}`");
    }
    if term.values.len() <= LISTED {
        return format!("write one of {}", term.values.join(", "));
    }
    "write one of the values listed at /ns/esado".to_owned()
}

/// Returns the fix for a concept that its scheme does not have.
pub(crate) fn of_concept(scheme: &'static Scheme, given: &str) -> String {
    if given.contains([',', ';']) {
        let parts: Vec<_> = given.split([',', ';']).map(str::trim).filter(|part| !part.is_empty()).collect();
        let known: Vec<_> = parts.iter().filter_map(|part| scheme.find(part)).collect();
        if (2..=LISTED).contains(&parts.len()) && known.len() == parts.len() {
            let quoted: Vec<_> = known.iter().map(|concept| format!("\"{}\"", concept.notation)).collect();
            return format!("write [{}]", quoted.join(", "));
        }
    }
    if let Some(near) = scheme.nearest(given) {
        return format!("write `{}`", near.notation);
    }
    let concepts = scheme.concepts();
    if concepts.len() <= LISTED {
        let all: Vec<_> = concepts.iter().map(|concept| concept.notation.to_string()).collect();
        return format!("write one of {}", all.join(", "));
    }
    "write a notation of the scheme, listed at /ns/esado".to_owned()
}

/// Returns the fix for a number outside its range.
pub(crate) fn of_range(expected: &str) -> String {
    if expected.contains(" to ") { format!("write a number from {expected}") } else { format!("write {expected}") }
}

/// Returns the fix for a number with a fraction where none belongs.
pub(crate) fn whole(number: &str) -> String {
    let rounded = number.parse::<f64>().ok().map(f64::ceil).filter(|up| up.abs() < 1e15);
    rounded.map_or_else(|| "write a whole number".to_owned(), |up| format!("write {up}"))
}

/// Returns the fix for a text that is no absolute IRI, or has a scheme that is not taken.
pub(crate) fn of_iri(given: &str, whole: Option<&Term>) -> String {
    match iri(given) {
        Some(instead) => format!("write `{}`", cut(&instead, 120)),
        None if whole.is_some_and(|term| term.key.contains("volume")) => {
            "write the address of the record, such as urn:esado:volume:pla-legacy".to_owned()
        }
        None => "write the whole address, such as https://example.org/thing".to_owned(),
    }
}

/// Returns the address that a text without its scheme, or as Git writes it, most likely means.
fn iri(given: &str) -> Option<String> {
    let given = given.trim();
    let candidate = if let Some((host, path)) = given.strip_prefix("git@").and_then(|rest| rest.split_once(':')) {
        format!("https://{host}/{}", path.trim_end_matches(".git"))
    } else if let Some(rest) = given.strip_prefix("git+").or_else(|| given.strip_prefix("url:")) {
        rest.trim().to_owned()
    } else if given.contains("://") {
        given.replace(' ', "%20")
    } else if let Some((host, _)) =
        Some(given.split_once('/').unwrap_or((given, ""))).filter(|_| !given.contains([' ', '@', ':']))
    {
        let labels: Vec<_> = host.split('.').collect();
        let top = labels.last().is_some_and(|top| top.len() >= 2 && top.bytes().all(|byte| byte.is_ascii_lowercase()));
        if labels.len() < 2 || !top || labels.iter().any(|label| label.is_empty()) {
            return None;
        }
        format!("https://{given}")
    } else {
        return None;
    };
    lexical::iri(&candidate).ok().filter(|iri| iri != given)
}

/// Returns day and time of a date that is written in another way.
fn date(given: &str) -> Option<(String, String)> {
    let (day, time) = given.split_once(['T', ' ']).unwrap_or((given, "00:00:00Z"));
    let parts: Vec<_> = day.split(['-', '/', '.']).collect();
    let day = match parts.as_slice() {
        [all] if all.len() == 8 && all.is_ascii() => format!("{}-{}-{}", &all[..4], &all[4..6], &all[6..]),
        [year, month, day] if year.len() == 4 => format!("{year}-{month:0>2}-{day:0>2}"),
        // A day above twelve tells which of the two orders was meant.
        [day, month, year] if year.len() == 4 && day.parse::<u8>().is_ok_and(|day| day > 12) => {
            format!("{year}-{month:0>2}-{day:0>2}")
        }
        [month, day, year] if year.len() == 4 && day.parse::<u8>().is_ok_and(|day| day > 12) => {
            format!("{year}-{month:0>2}-{day:0>2}")
        }
        _ => return None,
    };
    let mut time = time.to_owned();
    if time.len() == 5 {
        time.push_str(":00");
    }
    if !time.ends_with('Z') && !time.contains(['+', '-']) {
        time.push('Z');
    }
    (lexical::is_date(&day) && lexical::is_date_time(&format!("{day}T{time}"))).then_some((day, time))
}

/// Returns a duration that is written in words or as a clock shows it.
fn duration(given: &str) -> Option<String> {
    let text = given.to_lowercase();
    if let Some((hours, minutes)) = text.split_once(':') {
        let minutes = minutes.split(':').next().unwrap_or_default();
        let (hours, minutes) = (hours.parse::<u32>().ok()?, minutes.parse::<u32>().ok()?);
        return Some(format!("PT{hours}H{minutes}M")).filter(|text| lexical::is_duration(text));
    }
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u32 = number.parse().ok()?;
    Some(match unit.trim() {
        "s" | "sec" | "secs" | "second" | "seconds" => format!("PT{number}S"),
        "m" | "min" | "mins" | "minute" | "minutes" => format!("PT{number}M"),
        "h" | "hr" | "hrs" | "hour" | "hours" => format!("PT{number}H"),
        "d" | "day" | "days" => format!("P{number}D"),
        "w" | "week" | "weeks" => format!("P{}D", number.checked_mul(7)?),
        _ => return None,
    })
}

/// Returns the JSON that a dotted key stands for, such as `{"needs": {"cpu": …}}`.
pub(crate) fn nested(dotted: &str) -> String {
    let parts: Vec<_> = dotted.split('.').collect();
    let opened: String = parts.iter().map(|part| format!("{{\"{part}\": ")).collect();
    format!("{opened}…{}", "}".repeat(parts.len()))
}

/// Says whether a JSON key names a term by the dotted path of the term table.
pub(crate) fn is_dotted(kind: Kind, key: &str) -> bool {
    key.contains('.') && crate::terms::Table::get().by_key(kind, key).is_some()
}

/// Returns the fix for text that is not JSON, by what stands at `at` and before it.
pub(crate) fn of_syntax(text: &str, at: usize, expected: &str) -> String {
    let rest = text.get(at..).unwrap_or_default();
    let before = text.get(..at).unwrap_or_default();
    let last = before.trim_end().chars().last();
    let word: String = rest.chars().take_while(|character| character.is_alphanumeric()).take(12).collect();
    let is_in_string = expected.starts_with("an escape") || expected.starts_with("one of");
    match rest.chars().next() {
        _ if text.trim().is_empty() => "write a manifest; README.md and docs/package.md show one".to_owned(),
        None => "close what is open; the end of the file may have been lost".to_owned(),
        Some('\0') => "save the file as UTF-8".to_owned(),
        Some('\n' | '\r') if is_in_string => "write `\\n` for the line break".to_owned(),
        Some('\t') if is_in_string => "write `\\t` for the tabulator".to_owned(),
        Some(character) if is_in_string && character.is_control() => {
            "remove the character, or write its escape".to_owned()
        }
        Some(_) if expected.starts_with("one of") => "write `\\\\` where a backslash is meant".to_owned(),
        Some('}' | ']') if last == Some(',') => "remove the comma before it".to_owned(),
        Some(',') if last == Some(',') => "remove one of the commas".to_owned(),
        Some('/' | '#') => "remove the comment; JSON has none".to_owned(),
        Some('\'' | '`' | '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201c}' | '\u{201d}' | '\u{201e}' | '«' | '»') => {
            "write straight double quotes, `\"`".to_owned()
        }
        Some(_) if expected == "the end of the file" => "remove what follows; a manifest is one JSON object".to_owned(),
        Some(_) if expected == "a key in double quotes" && !word.is_empty() => {
            format!("write \"{word}\" in double quotes")
        }
        Some('+') => "remove the `+`".to_owned(),
        Some('.') if expected == "a JSON value" => "write 0 before the point".to_owned(),
        Some(_) if last == Some('.') && expected == "a digit" => {
            "write a digit behind the point, or remove it".to_owned()
        }
        Some(_) if last == Some('0') && word.starts_with(|c: char| c.is_ascii_digit()) => {
            "write the number without zeros before it".to_owned()
        }
        Some('x' | 'X') if last == Some('0') => "write the number with decimal digits".to_owned(),
        Some(_) if matches!(word.to_lowercase().as_str(), "true" | "false" | "null") => {
            format!("write {} in small letters", word.to_lowercase())
        }
        Some(_) if matches!(word.to_lowercase().as_str(), "none" | "undefined" | "nil") => {
            "write a value, or remove the key".to_owned()
        }
        Some(_) if matches!(word.to_lowercase().as_str(), "nan" | "infinity" | "inf") => {
            "write a number, or remove the key; JSON has no such one".to_owned()
        }
        Some('"' | '{' | '[') if expected.starts_with("`,`") => "write a comma before it".to_owned(),
        Some(_) if expected == "a JSON value" && !word.is_empty() => format!("write \"{word}\" in double quotes"),
        Some(_) => format!("write {expected} here"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_completed() {
        for (given, whole) in [
            ("www.example.org", "https://www.example.org"),
            ("github.com/a/b", "https://github.com/a/b"),
            ("git@github.com:a/b.git", "https://github.com/a/b"),
            ("https://example.org/a b", "https://example.org/a%20b"),
        ] {
            assert_eq!(iri(given).as_deref(), Some(whole), "{given}");
        }
        for given in ["gaia-dr3", "pla legacy", "help@example.org", "v1.0", "main.cwl2", ""] {
            assert_eq!(iri(given), None, "{given}");
        }
    }

    #[test]
    fn dates_and_durations_are_put_in_their_form() {
        let day = |given| date(given).map(|(day, _)| day);
        for (given, right) in [
            ("2023-1-5", "2023-01-05"),
            ("20230105", "2023-01-05"),
            ("31/12/2023", "2023-12-31"),
            ("12/31/2023", "2023-12-31"),
        ] {
            assert_eq!(day(given).as_deref(), Some(right), "{given}");
        }
        // Nobody can tell which of the two is the month.
        for given in ["01/02/2023", "2023-02-30", "soon", "éééé"] {
            assert_eq!(day(given), None, "{given}");
        }
        assert_eq!(date("2023-01-05 12:30").unwrap().1, "12:30:00Z");
        for (given, right) in [("2h", "PT2H"), ("90 minutes", "PT90M"), ("1:30", "PT1H30M"), ("2 weeks", "P14D")] {
            assert_eq!(duration(given).as_deref(), Some(right), "{given}");
        }
        assert_eq!(duration("long"), None);
    }
}
