//! A search and its answer.

use serde::{Deserialize, Serialize};

/// The facets in the order in which the portal shows them; any other name is answered with 400.
pub const FACETS: [&str; 13] = [
    "type",
    "property",
    "domain",
    "mission",
    "instrument",
    "thematicArea",
    "datazone",
    "gpu",
    "interface",
    "fileType",
    "licence",
    "source",
    "year",
];

/// The most hits that one answer holds.
pub const MAX_SIZE: usize = 100;

/// The last hit that paging reaches; further on a client narrows the search or reads `/catalog`.
pub const MAX_DEPTH: usize = 10_000;

/// What is searched; the query string of `/search` and of `/api/v1/search` is its whole state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SearchQuery {
    /// The words; empty matches everything.
    pub q: String,
    /// Chosen facet values: within a facet any of them, across facets all.
    pub facets: Vec<(String, String)>,
    /// The order of the hits.
    pub sort: Sort,
    /// The page, from 1.
    pub page: usize,
    /// Hits a page, 0 to [`MAX_SIZE`].
    pub size: usize,
    /// Only what some datazone could start at this moment.
    #[serde(default)]
    pub can_start_now: bool,
}

impl Default for SearchQuery {
    fn default() -> Self {
        Self { q: String::new(), facets: Vec::new(), sort: Sort::Relevance, page: 1, size: 20, can_start_now: false }
    }
}

/// Says why a query string is not a search.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSearch {
    /// A parameter that is neither a facet nor one of `q`, `sort`, `page`, `size`.
    #[error("unknown parameter or facet `{0}`{meant}; known are {known} and the facets {facets}", meant = did_you_mean(.0), known = PARAMETERS.join(", "), facets = FACETS.join(", "))]
    UnknownFacet(String),
    /// A choice that is neither made nor left.
    #[error("`{name}` must be true or false, not `{given}`")]
    Flag {
        /// The parameter.
        name: &'static str,
        /// What was given.
        given: String,
    },
    /// A sort that does not exist.
    #[error("unknown sort `{0}`; known are relevance, newest, name")]
    UnknownSort(String),
    /// A number that is none, or out of its range.
    #[error("`{name}` must be a whole number from {min} to {max}, not `{given}`")]
    Number {
        /// The parameter.
        name: &'static str,
        /// The least allowed.
        min: usize,
        /// The most allowed.
        max: usize,
        /// What was given.
        given: String,
    },
    /// A page beyond [`MAX_DEPTH`].
    #[error("paging ends at hit 10000; narrow the search, or read /catalog for everything")]
    TooDeep,
    /// A query or value too long to be meant.
    #[error("`{0}` is longer than 500 characters")]
    TooLong(String),
    /// More choices than anybody makes.
    #[error("more than 100 facet values are chosen")]
    TooMany,
    /// A parameter that stands twice with something else each time: nobody can tell which is meant.
    #[error("`{0}` stands twice; give it once")]
    Twice(&'static str),
}

/// The parameters of a search that are no facets.
const PARAMETERS: [&str; 5] = ["q", "sort", "page", "size", "canStartNow"];

/// Says which parameter an unknown one was probably meant to be.
fn did_you_mean(given: &str) -> String {
    let lower = given.to_lowercase();
    FACETS
        .iter()
        .chain(&PARAMETERS)
        .map(|known| (strsim::normalized_damerau_levenshtein(&lower, &known.to_lowercase()), known))
        .filter(|(alike, _)| *alike >= 0.6)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, known)| format!(", did you mean `{known}`?"))
        .unwrap_or_default()
}

impl SearchQuery {
    /// Reads a search from decoded query parameters, in their order.
    pub fn from_pairs<K: AsRef<str>, V: AsRef<str>>(
        pairs: impl IntoIterator<Item = (K, V)>,
    ) -> Result<Self, InvalidSearch> {
        let mut query = Self::default();
        let mut given: Vec<(&'static str, String)> = Vec::new();
        for (name, value) in pairs {
            let (name, value) = (name.as_ref(), value.as_ref());
            if value.chars().count() > 500 {
                return Err(InvalidSearch::TooLong(name.chars().take(40).collect()));
            }
            if let Some(once) = PARAMETERS.into_iter().find(|known| *known == name).filter(|_| !value.is_empty()) {
                match given.iter().find(|(before, _)| *before == once) {
                    Some((_, before)) if before != value => return Err(InvalidSearch::Twice(once)),
                    Some(_) => {}
                    None => given.push((once, value.to_owned())),
                }
            }
            match name {
                "q" => query.q = value.trim().to_owned(),
                "sort" => query.sort = value.parse()?,
                "page" => query.page = number("page", value, 1, MAX_DEPTH)?,
                "size" => query.size = number("size", value, 0, MAX_SIZE)?,
                "canStartNow" => match value {
                    "" | "false" => {}
                    "true" => query.can_start_now = true,
                    _ => {
                        return Err(InvalidSearch::Flag {
                            name: "canStartNow",
                            given: value.chars().take(40).collect(),
                        });
                    }
                },
                // An empty value comes from a form field that was left alone.
                facet if FACETS.contains(&facet) => {
                    if !value.is_empty() && !query.has(facet, value) {
                        query.facets.push((facet.to_owned(), value.to_owned()));
                    }
                }
                other => return Err(InvalidSearch::UnknownFacet(other.chars().take(40).collect())),
            }
        }
        if query.facets.len() > 100 {
            return Err(InvalidSearch::TooMany);
        }
        if query.page.saturating_sub(1).saturating_mul(query.size.max(1)) >= MAX_DEPTH {
            return Err(InvalidSearch::TooDeep);
        }
        Ok(query)
    }

    /// Returns the query parameters that [`SearchQuery::from_pairs`] reads back; defaults are left out.
    pub fn to_pairs(&self) -> Vec<(String, String)> {
        let mut pairs = Vec::new();
        if !self.q.is_empty() {
            pairs.push(("q".to_owned(), self.q.clone()));
        }
        pairs.extend(self.facets.iter().cloned());
        if self.sort != Sort::Relevance {
            pairs.push(("sort".to_owned(), self.sort.as_str().to_owned()));
        }
        if self.page != 1 {
            pairs.push(("page".to_owned(), self.page.to_string()));
        }
        if self.size != 20 {
            pairs.push(("size".to_owned(), self.size.to_string()));
        }
        if self.can_start_now {
            pairs.push(("canStartNow".to_owned(), "true".to_owned()));
        }
        pairs
    }

    /// Says whether a facet value is chosen.
    pub fn has(&self, facet: &str, value: &str) -> bool {
        self.facets.iter().any(|(name, chosen)| name == facet && chosen == value)
    }

    /// Returns the chosen values of one facet.
    pub fn chosen<'a>(&'a self, facet: &'a str) -> impl Iterator<Item = &'a str> {
        self.facets.iter().filter(move |(name, _)| name == facet).map(|(_, value)| value.as_str())
    }

    /// Returns this search with one facet value chosen, or no longer chosen, on the first page.
    pub fn toggled(&self, facet: &str, value: &str) -> Self {
        let mut query = Self { page: 1, ..self.clone() };
        if self.has(facet, value) {
            query.facets.retain(|(name, chosen)| !(name == facet && chosen == value));
        } else {
            query.facets.push((facet.to_owned(), value.to_owned()));
        }
        query
    }
}

fn number(name: &'static str, given: &str, min: usize, max: usize) -> Result<usize, InvalidSearch> {
    match given.parse() {
        Ok(value) if (min..=max).contains(&value) => Ok(value),
        _ => Err(InvalidSearch::Number { name, min, max, given: given.chars().take(40).collect() }),
    }
}

/// The order of hits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Sort {
    /// Best match first; without words, the newest first.
    Relevance,
    /// Last modified first.
    Newest,
    /// By name, without regard to case and accents.
    Name,
}

impl Sort {
    /// Returns the word used in the query string.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Relevance => "relevance",
            Self::Newest => "newest",
            Self::Name => "name",
        }
    }
}

impl std::str::FromStr for Sort {
    type Err = InvalidSearch;

    fn from_str(text: &str) -> Result<Self, InvalidSearch> {
        match text {
            "relevance" | "" => Ok(Self::Relevance),
            "newest" => Ok(Self::Newest),
            "name" => Ok(Self::Name),
            other => Err(InvalidSearch::UnknownSort(other.chars().take(40).collect())),
        }
    }
}

/// The answer to a search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct SearchAnswer {
    /// How many records match; exact.
    pub total: usize,
    /// The hits of this page.
    pub hits: Vec<Hit>,
    /// Every facet, each counted without its own choice.
    #[cfg_attr(feature = "openapi", schema(value_type = std::collections::BTreeMap<String, Facet>))]
    pub facets: Facets,
    /// The page, from 1.
    pub page: usize,
    /// Hits a page.
    pub size: usize,
    /// Time taken by the index, in milliseconds.
    pub took_ms: u64,
    /// The ledger sequence up to which the index had followed.
    pub applied_seq: u64,
    /// A better spelling, when the words found nothing or little.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub did_you_mean: Option<String>,
}

/// The facets of an answer by name, in the order of [`FACETS`].
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facets(pub Vec<(String, Facet)>);

impl Facets {
    /// Returns the facet of a name.
    pub fn get(&self, name: &str) -> Option<&Facet> {
        self.0.iter().find(|(facet, _)| facet == name).map(|(_, facet)| facet)
    }
}

impl Serialize for Facets {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, facet)| (name, facet)))
    }
}

impl<'de> Deserialize<'de> for Facets {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Facets;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("facets by name")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Facets, A::Error> {
                let mut facets = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    facets.push(entry);
                }
                Ok(Facets(facets))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

/// One facet: its values with their counts.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Facet {
    /// Records that have any value of this facet.
    pub total: usize,
    /// The values, most frequent first, then by label; top level only, children inside.
    pub values: Vec<FacetValue>,
}

/// A facet value: a concept path such as `astronomy/gaia`, or a plain value.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct FacetValue {
    /// What to put into the query string.
    pub value: String,
    /// What to show.
    pub label: String,
    /// Distinct records with this value or one below it.
    pub count: usize,
    /// Whether it is chosen.
    pub selected: bool,
    /// Narrower values.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(no_recursion))]
    pub children: Vec<FacetValue>,
}

/// One record in an answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Hit {
    /// The record's IRI.
    pub iri: String,
    /// Its home zone.
    pub zone: String,
    /// Its identifier within the zone.
    pub identifier: String,
    /// Its type: `Datalab`, `Dataset`, `DataVolume`, `Pipeline` or `Datazone`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its name in the best language.
    pub name: String,
    /// Its short name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alternate_name: Option<String>,
    /// Its short description.
    #[serde(rename = "abstract", default)]
    pub summary: String,
    /// Its current version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The datazones where it runs or whose catalogue holds it.
    #[serde(default)]
    pub zones: Vec<String>,
    /// The words found, in HTML with `<mark>`; everything else is escaped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub highlight: Option<String>,
    /// The facts that decide, ready to show: `2 CPU · 2 GiB`, `JupyterLab`.
    #[serde(default)]
    pub facts: Vec<String>,
    /// Whether it can be launched at all.
    #[serde(default)]
    pub launchable: bool,
    /// Whether a moderator confirmed that it is official.
    #[serde(default)]
    pub official: bool,
    /// When it was last modified, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<String>,
}

/// The answer of completion.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Suggestions {
    /// At most ten, best first.
    pub suggestions: Vec<Suggestion>,
}

/// One completion.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Suggestion {
    /// What would be searched.
    pub text: String,
    /// What it is: a record type, a facet name, or `word`.
    pub kind: String,
    /// The record or concept, when it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iri: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_string_is_read_back() {
        let pairs = [
            ("q", " gaia "),
            ("mission", "astronomy/gaia"),
            ("mission", ""),
            ("type", "Datalab"),
            ("sort", "name"),
            ("page", "2"),
        ];
        let query = SearchQuery::from_pairs(pairs).unwrap();
        assert_eq!(query.q, "gaia");
        assert_eq!(query.facets.len(), 2);
        assert_eq!(SearchQuery::from_pairs(query.to_pairs()).unwrap(), query);
    }

    #[test]
    fn what_is_not_a_search_is_named() {
        let error = |pairs: &[(&str, &str)]| SearchQuery::from_pairs(pairs.iter().copied()).unwrap_err().to_string();
        assert!(error(&[("colour", "red")]).contains("`colour`"));
        assert!(error(&[("size", "101")]).contains("0 to 100"));
        assert!(error(&[("page", "0")]).contains("`page`"));
        assert!(error(&[("page", "2000")]).contains("10000"));
        assert!(error(&[("sort", "random")]).contains("random"));
        assert!(error(&[("misson", "gaia")]).contains("did you mean `mission`?"));
        assert!(error(&[("Mission", "gaia")]).contains("did you mean `mission`?"));
        assert!(!error(&[("colour", "red")]).contains("did you mean"));
        assert!(error(&[("q", "a"), ("q", "b")]).contains("`q` stands twice"));
        assert!(SearchQuery::from_pairs([("q", "a"), ("q", ""), ("q", "a")]).is_ok());
        assert!(error(&[("q", &"a".repeat(501))]).ends_with("longer than 500 characters"));
    }
}
