//! What a key of a manifest means: a term, a keyword of JSON-LD, somebody else's property, or nothing known.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::terms::{Kind, PREFIXES, Table, Term};

use super::tree::{Json, Node};

/// What a key means at its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Meaning {
    /// A term of the table.
    Term(&'static Term),
    /// `@type`, also by its alias `type`.
    Type,
    /// `@id`, also by its alias `id`.
    Id,
    /// `@context`.
    Context,
    /// Any other keyword, or what looks like one.
    Keyword,
    /// A property of a namespace that is not ours to know; its IRI.
    Foreign(String),
    /// A property that a known namespace does not have here; its compact IRI.
    UnknownIn(String),
    /// A plain word that is no key here.
    Unknown,
}

type Children = HashMap<(Kind, String), Vec<&'static Term>>;

static CHILDREN: LazyLock<Children> = LazyLock::new(|| {
    let mut children = Children::new();
    for term in Table::get().terms() {
        children.entry((term.kind, term.prefix().to_owned())).or_default().push(term);
    }
    children
});

/// Returns the terms directly below a canonical dotted key, without searching the whole table.
pub(crate) fn children(kind: Kind, prefix: &str) -> &'static [&'static Term] {
    // The map wants an owned key; nodes are few, so one short string a node is cheaper than a second level of maps.
    CHILDREN.get(&(kind, prefix.to_owned())).map_or(&[], Vec::as_slice)
}

/// Returns the meaning of a key in an object that stands at the canonical dotted key `prefix`, below the node of `parent`.
pub(crate) fn meaning(kind: Kind, parent: Option<&'static Term>, prefix: &str, key: &str) -> Meaning {
    match key {
        "@type" => return Meaning::Type,
        "@id" => return Meaning::Id,
        "@context" => return Meaning::Context,
        _ if key.starts_with('@') => return Meaning::Keyword,
        _ => {}
    }
    if !key.contains(['.', ':', '/', '#']) {
        if let Some(term) = term_by_name(kind, prefix, key) {
            return Meaning::Term(term);
        }
        return match key {
            "type" => Meaning::Type,
            "id" => Meaning::Id,
            _ => Meaning::Unknown,
        };
    }
    let Some(iri) = expand(key) else { return Meaning::Unknown };
    if iri == "http://www.w3.org/1999/02/22-rdf-syntax-ns#type" {
        return Meaning::Type;
    }
    if let Some(term) = Table::get().by_iri(kind, parent, &iri).first() {
        return Meaning::Term(term);
    }
    if PREFIXES.iter().any(|(_, namespace)| iri.starts_with(namespace)) {
        return Meaning::UnknownIn(crate::terms::compact(&iri));
    }
    Meaning::Foreign(iri)
}

/// Returns the term whose last part, or alias of it, is `name` below the canonical dotted key `prefix`.
pub(crate) fn term_by_name(kind: Kind, prefix: &str, name: &str) -> Option<&'static Term> {
    if prefix.is_empty() {
        return Table::get().by_key(kind, name);
    }
    let mut dotted = String::with_capacity(prefix.len() + name.len() + 1);
    dotted.push_str(prefix);
    dotted.push('.');
    dotted.push_str(name);
    Table::get().by_key(kind, &dotted)
}

/// Returns the IRI of a compact or full IRI, schema.org always with https; none for what is neither.
pub(crate) fn expand(key: &str) -> Option<String> {
    let (prefix, rest) = key.split_once(':')?;
    if let Some(rest) = key.strip_prefix("http://schema.org/") {
        return Some(format!("https://schema.org/{rest}"));
    }
    if rest.starts_with("//") {
        return Some(key.to_owned());
    }
    let known = match prefix {
        "schema" => Some("https://schema.org/"),
        "dct" => Some("http://purl.org/dc/terms/"),
        _ => PREFIXES.iter().find(|(name, _)| *name == prefix).map(|(_, namespace)| *namespace),
    };
    match known {
        Some(namespace) => Some(format!("{namespace}{rest}")),
        None => oxrdf::NamedNode::new(key).is_ok().then(|| key.to_owned()),
    }
}

/// Words that people write for a key that has another name here.
const SYNONYMS: [(&str, &str); 30] = [
    ("title", "name"),
    ("name", "title"),
    ("label", "name"),
    ("displayTitle", "name"),
    ("summary", "abstract"),
    ("shortDescription", "abstract"),
    ("shortName", "alternateName"),
    ("version", "softwareVersion"),
    ("softwareVersion", "version"),
    ("authors", "author"),
    ("creator", "author"),
    ("author", "creator"),
    ("tags", "keyword"),
    ("keywords", "keyword"),
    ("licence", "license"),
    ("icon", "image"),
    ("homepage", "landingPage"),
    ("url", "landingPage"),
    ("repository", "codeRepository"),
    ("contact", "contactPoint"),
    ("resources", "needs"),
    ("volumes", "volume"),
    ("givenName", "name"),
    ("familyName", "name"),
    ("fullName", "name"),
    ("orcid", "@id"),
    ("ror", "@id"),
    ("min", "count"),
    ("max", "maxCount"),
    ("image", "reference"),
];

/// Returns the key that was probably meant: dotted when it stands elsewhere.
pub(crate) fn nearest(kind: Kind, prefix: &str, key: &str, may_write: impl Fn(&Term) -> bool) -> Option<&'static str> {
    let word = key.rsplit(['#', '/', ':']).next().unwrap_or(key);
    let here = || children(kind, prefix).iter().filter(|term| may_write(term) && !term.is_refused());
    if let Some((_, synonym)) =
        SYNONYMS.iter().find(|(from, to)| *from == word && here().any(|term| term.name() == *to))
    {
        return Some(synonym);
    }
    let lower = word.to_lowercase();
    let best = here()
        .filter(|term| !term.is_keyword())
        .flat_map(|term| {
            std::iter::once(term.name()).chain(term.aliases.iter().map(String::as_str)).map(|name| (name, *term))
        })
        .map(|(name, term)| (likeness(&lower, &name.to_lowercase()), term))
        .filter(|(likeness, _)| *likeness >= 0.78)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    if let Some((_, term)) = best {
        return Some(term.name());
    }
    if !prefix.is_empty() {
        // In a small object a part of a word is enough, such as `path` for `mountPath` and `minimum` for `min`.
        let within = |long: &str, short: &str| short.len() >= 3 && (long.ends_with(short) || long.starts_with(short));
        let mut alike = here().filter(|term| !term.is_keyword()).filter(|term| {
            let name = term.name().to_lowercase();
            within(&name, &lower) || within(&lower, &name)
        });
        return alike.next().filter(|_| alike.next().is_none()).map(|term| term.name());
    }
    // The same word at another place of the record: the writer knows the term and put it into the wrong object.
    Table::get()
        .of(kind)
        .filter(|term| may_write(term) && !term.is_refused())
        .find(|term| term.name() == word || term.aliases.iter().any(|alias| alias == word))
        .map(|term| term.key.as_str())
}

/// Returns how alike two words are, 0 to 1; a few edits count less in a long word.
pub(crate) fn likeness(one: &str, other: &str) -> f64 {
    // A key of a kilobyte cannot be a typo of a short word, and comparing it would cost time for nothing.
    if one.len() > 60 || one.is_empty() {
        return 0.0;
    }
    strsim::normalized_damerau_levenshtein(one, other).max(strsim::jaro_winkler(one, other) - 0.12)
}

/// The names that inline contexts define, which are refused but looked through.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Definitions {
    names: HashMap<String, String>,
    vocabulary: Option<String>,
}

/// Inline contexts are an error anyway; this many names are enough to name every disguise of a real manifest.
const MOST_DEFINITIONS: usize = 1000;

impl Definitions {
    /// Says whether there is no definition at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.names.is_empty() && self.vocabulary.is_none()
    }

    /// Collects the names that a context defines.
    pub(crate) fn collect(&mut self, context: &Node<'_>) {
        match &context.value {
            Json::Array(items) => items.iter().for_each(|item| self.collect(item)),
            Json::Object(members) => {
                for member in members {
                    let target = match &member.value.value {
                        Json::String(text) => Some(text.as_ref()),
                        Json::Object(_) => {
                            member.value.get("@id").or_else(|| member.value.get("@reverse")).and_then(Node::as_str)
                        }
                        _ => None,
                    };
                    match (member.key.as_ref(), target) {
                        ("@vocab", Some(vocabulary)) => self.vocabulary = Some(vocabulary.to_owned()),
                        (_, Some(target)) if self.names.len() < MOST_DEFINITIONS => {
                            self.names.insert(member.key.to_string(), target.to_owned());
                        }
                        _ => {}
                    }
                    if let Some(scoped) = member.value.get("@context") {
                        self.collect(scoped);
                    }
                }
            }
            _ => {}
        }
    }

    /// Returns the IRI or keyword that a key means under these definitions.
    pub(crate) fn resolve(&self, key: &str) -> Option<String> {
        let mut text = key.to_owned();
        // A definition may point at another; JSON-LD forbids cycles, and eight steps end them here.
        for _ in 0..8 {
            if let Some(target) = self.names.get(&text) {
                if *target == text {
                    break;
                }
                text.clone_from(target);
                continue;
            }
            match text
                .split_once(':')
                .and_then(|(prefix, rest)| self.names.get(prefix).map(|target| format!("{target}{rest}")))
            {
                Some(longer) if longer != text && longer.len() < 4096 => text = longer,
                _ => break,
            }
        }
        if text.starts_with('@') {
            return Some(text);
        }
        match expand(&text) {
            Some(iri) => (text != key || iri != key).then_some(iri),
            None => self.vocabulary.as_ref().and_then(|vocabulary| {
                let vocabulary = expand(vocabulary).unwrap_or_else(|| vocabulary.clone());
                expand(&format!("{vocabulary}{text}"))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compact_and_full_iris_are_one() {
        for key in ["sdo:name", "schema:name", "https://schema.org/name", "http://schema.org/name"] {
            assert_eq!(expand(key).as_deref(), Some("https://schema.org/name"), "{key}");
        }
        assert_eq!(expand("name"), None);
    }

    #[test]
    fn inline_contexts_are_seen_through() {
        let json = serde_json::json!([{"e": "https://w3id.org/esado#", "ok": {"@id": "e:officialConfirmed"}, "really": "ok", "a": "b", "b": "a"}]);
        let mut definitions = Definitions::default();
        definitions.collect(&Node::from_json(&json));
        for key in ["ok", "really", "e:officialConfirmed"] {
            assert_eq!(definitions.resolve(key).as_deref(), Some("https://w3id.org/esado#officialConfirmed"), "{key}");
        }
        assert_eq!(definitions.resolve("a"), None);
        assert_eq!(definitions.resolve("name"), None);
    }
}
