//! FAIR Signposting: typed links between a record's page, its metadata and its content; levels 1 and 2.

use serde_json::{Map, Value, json};

use crate::described::Described;
use crate::form::{Form, Profile};
use crate::schema_org;

/// A typed link (RFC 8288).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// Where it leads.
    pub href: String,
    /// What it means.
    pub rel: &'static str,
    /// The media type of what is there.
    pub media_type: Option<&'static str>,
    /// The profile that it conforms to.
    pub profile: Option<&'static str>,
}

impl Link {
    fn new(rel: &'static str, href: impl Into<String>) -> Self {
        Self { href: href.into(), rel, media_type: None, profile: None }
    }

    fn of_type(mut self, media_type: &'static str) -> Self {
        self.media_type = Some(media_type);
        self
    }

    /// Returns the link as a value of the header `Link`.
    pub fn header(&self) -> String {
        let mut text = format!("<{}>; rel=\"{}\"", uri(&self.href), self.rel);
        if let Some(media_type) = self.media_type {
            let essence = media_type.split(';').next().unwrap_or(media_type);
            text.push_str(&format!("; type=\"{essence}\""));
        }
        if let Some(profile) = self.profile {
            text.push_str(&format!("; profile=\"{profile}\""));
        }
        text
    }
}

/// Writes an IRI as a header can hold it (RFC 3987, section 3.1); what no IRI holds is left out.
fn uri(iri: &str) -> String {
    let plain: String = iri.chars().filter(|c| !c.is_control() && !matches!(c, '<' | '>' | '"' | ' ')).collect();
    percent_encoding::utf8_percent_encode(&plain, percent_encoding::CONTROLS).to_string()
}

/// The forms of the link set: the suffix of each with its media type.
pub const LINKSETS: [(&str, &str); 2] =
    [(".linkset.json", "application/linkset+json"), (".linkset.txt", "application/linkset")];

fn linksets(described: &Described) -> impl Iterator<Item = Link> {
    let address = described.address();
    LINKSETS.into_iter().map(move |(suffix, kind)| Link::new("linkset", format!("{address}{suffix}")).of_type(kind))
}

/// Returns the links of the page about a record: level 1, with the way to level 2.
pub fn of_page(described: &Described) -> Vec<Link> {
    let iri = described.iri();
    let cited = described.doi().map_or_else(|| iri.clone(), |doi| format!("https://doi.org/{doi}"));
    let mut links = vec![Link::new("cite-as", cited)];
    links.push(Link::new("type", "https://schema.org/AboutPage"));
    links.push(Link::new("type", format!("https://schema.org/{}", schema_org::class(described.kind()))));
    let authors = described.creators();
    links.extend(authors.iter().filter_map(|agent| agent.iri.as_ref()).map(|iri| Link::new("author", iri)));
    if let Some(licence) = described.licence() {
        links.push(Link::new("license", licence));
    }
    links.extend(described.package_url().map(|url| {
        let media_type = described.ledger().package.as_ref().and_then(|package| package.media_type);
        Link::new("item", url).of_type(media_type.unwrap_or("application/octet-stream"))
    }));
    links.extend(metadata(described));
    links.extend(linksets(described));
    links
}

/// Returns the links to every form of the metadata.
fn metadata(described: &Described) -> impl Iterator<Item = Link> {
    let address = described.address();
    Form::all().iter().map(move |form| Link {
        href: format!("{address}.{}", form.suffix),
        rel: "describedby",
        media_type: Some(form.media_type),
        profile: Some(form.profile.iri()),
    })
}

/// Returns the links of a document: what it describes, its profile, and its other forms.
pub fn of_document(described: &Described, form: &Form) -> Vec<Link> {
    let own = format!("{}.{}", described.address(), form.suffix);
    let mut links = vec![
        Link::new("canonical", own.as_str()).of_type(form.media_type),
        Link::new("describes", described.page()).of_type("text/html"),
        Link::new("profile", form.profile.iri()),
    ];
    let others = metadata(described).filter(|link| link.href != own);
    links.extend(others.map(|link| Link { rel: "alternate", ..link }));
    links.extend(linksets(described));
    links
}

/// Returns the link set (RFC 9264): the links of the page, of every document and of the package, all in one.
pub fn linkset(described: &Described) -> Value {
    let mut page = Map::new();
    page.insert("anchor".to_owned(), json!(described.page()));
    for link in of_page(described).into_iter().filter(|link| link.rel != "linkset") {
        let links = page.entry(link.rel).or_insert_with(|| json!([]));
        if let Some(links) = links.as_array_mut() {
            links.push(target(&link));
        }
    }
    let back = |rel: &str, anchor: String| {
        let mut context = Map::new();
        context.insert("anchor".to_owned(), json!(anchor));
        context.insert(rel.to_owned(), json!([{ "href": described.page(), "type": "text/html" }]));
        Value::Object(context)
    };
    let mut contexts = vec![Value::Object(page)];
    contexts.extend(described.package_url().map(|url| back("collection", url)));
    contexts.extend(metadata(described).map(|link| back("describes", link.href)));
    json!({ "linkset": contexts })
}

/// Returns the same as the media type `application/linkset` (RFC 9264, section 4.1): links as a header has them, each with its anchor.
pub fn linkset_text(described: &Described) -> String {
    let set = linkset(described);
    let mut lines = Vec::new();
    for context in set["linkset"].as_array().into_iter().flatten() {
        let anchor = uri(context["anchor"].as_str().unwrap_or_default());
        for (rel, targets) in context.as_object().into_iter().flatten().filter(|(key, _)| *key != "anchor") {
            for target in targets.as_array().into_iter().flatten() {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                let mut line = format!("<{}>; rel=\"{rel}\"; anchor=\"{anchor}\"", text(&target["href"]));
                for (name, value) in [("type", &target["type"]), ("profile", &target["profile"][0])] {
                    if !value.is_null() {
                        line.push_str(&format!("; {name}=\"{}\"", text(value)));
                    }
                }
                lines.push(line);
            }
        }
    }
    lines.join(",\n") + "\n"
}

fn target(link: &Link) -> Value {
    let mut target = Map::new();
    target.insert("href".to_owned(), json!(uri(&link.href)));
    if let Some(media_type) = link.media_type {
        let essence = media_type.split(';').next().unwrap_or(media_type);
        target.insert("type".to_owned(), json!(essence));
    }
    if let Some(profile) = link.profile {
        target.insert("profile".to_owned(), json!([profile]));
    }
    Value::Object(target)
}

/// Returns the profiles that a document can be had in, for who asks for another.
pub fn profiles() -> String {
    Profile::ALL.map(|profile| format!("{} ({})", profile.token(), profile.iri())).join(", ")
}
