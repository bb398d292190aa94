//! A whole HTML document: what a page gives, in the frame that every page shares.

use leptos::prelude::*;

use crate::viewer::{Theme, Viewer};
use crate::{asset, part};

/// Which entry of the main navigation a page belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Home, search and records.
    Find,
    /// Running datalabs.
    Launches,
    /// Data volumes.
    Volumes,
    /// Datazones.
    Datazones,
    /// Publishing.
    Publish,
    /// The SPARQL door.
    Sparql,
    /// None of them.
    Elsewhere,
}

/// How a page's main area is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// The question in the middle.
    Home,
    /// Filters beside results.
    Search,
    /// An article with an aside.
    Aside,
    /// One column as wide as the page.
    Wide,
    /// One column as wide as a text is read.
    Narrow,
    /// A long text to look things up in.
    Reference,
}

impl Layout {
    fn class(self) -> &'static str {
        match self {
            Self::Home => "home",
            Self::Search => "search",
            Self::Aside => "record",
            Self::Wide => "wide",
            Self::Narrow => "narrow",
            Self::Reference => "reference",
        }
    }
}

/// What a page gives: its title, what machines read in its head, and its main area.
pub struct Document {
    /// The title, without our name.
    pub title: String,
    /// Where it is in the navigation.
    pub place: Place,
    /// How its main area is divided.
    pub layout: Layout,
    /// One sentence for a search engine's list.
    pub description: Option<String>,
    /// The one address of what can be reached by several.
    pub canonical: Option<String>,
    /// JSON-LD, escaped by [`crate::jsonld::script_text`].
    pub json_ld: Option<String>,
    /// Seconds until it is fetched again, and from where.
    pub refresh: Option<(u32, String)>,
    /// Whether search engines should keep out.
    pub unlisted: bool,
    /// The main area.
    pub main: AnyView,
}

impl Document {
    /// Makes a document with nothing in its head but the title.
    pub fn new(title: impl Into<String>, place: Place, layout: Layout, main: impl IntoAny) -> Self {
        Self {
            title: title.into(),
            place,
            layout,
            description: None,
            canonical: None,
            json_ld: None,
            refresh: None,
            unlisted: false,
            main: main.into_any(),
        }
    }

    /// Returns the HTML of the whole document for its viewer.
    pub fn render(self, viewer: &Viewer) -> String {
        let theme = match viewer.theme {
            Theme::System => String::new(),
            chosen => format!(" data-theme=\"{}\"", chosen.as_str()),
        };
        let mut head = format!(
            "<!doctype html><html lang=\"en\"{theme}><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{} · Alidade</title>\
             <meta name=\"color-scheme\" content=\"light dark\">\
             <link rel=\"stylesheet\" href=\"{}\"><link rel=\"icon\" type=\"image/svg+xml\" href=\"{}\">",
            escape(&self.title),
            asset::style_path(),
            asset::icon_path()
        );
        head.push_str(
            "<link rel=\"search\" type=\"application/opensearchdescription+xml\" title=\"Alidade\" href=\"/opensearch.xml\">\
             <link rel=\"alternate\" type=\"application/atom+xml\" title=\"What changed\" href=\"/feed.atom\">",
        );
        if let Some(description) = &self.description {
            head.push_str(&format!("<meta name=\"description\" content=\"{}\">", escape(description)));
        }
        if let Some(address) = &self.canonical {
            head.push_str(&format!("<link rel=\"canonical\" href=\"{}\">", escape(address)));
        }
        if self.unlisted {
            head.push_str("<meta name=\"robots\" content=\"noindex\">");
        }
        if let Some((seconds, path)) = &self.refresh {
            head.push_str(&format!("<meta http-equiv=\"refresh\" content=\"{seconds};url={}\">", escape(path)));
        }
        if let Some(text) = &self.json_ld {
            head.push_str("<script type=\"application/ld+json\">");
            head.push_str(text);
            head.push_str("</script>");
        }
        head.push_str("</head>");
        let class = self.layout.class();
        let (place, layout, main) = (self.place, self.layout, self.main);
        // Views that read signals need an owner; ours are plain today, and islands will not change the call.
        let body = Owner::new().with(|| {
            view! {
                <body>
                    <a class="skip" href="#main">"Skip to content"</a>
                    {part::shell::header(viewer, place, layout)}
                    <main id="main" class=class tabindex="-1">
                        {main}
                    </main>
                    {part::shell::footer(viewer)}
                </body>
            }
            .to_html()
        });
        // Text separators serve hydration, which no part uses yet, and a validator counts each as a fault. User text
        // cannot hold one: its `<` is escaped, and the sanitiser drops comments.
        head.push_str(&body.replace("<!>", ""));
        head.push_str("</html>");
        head
    }
}

/// Escapes a text for an element or a double-quoted attribute.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}
