//! What holds for every page, whatever strangers wrote into the records that it shows.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that fails should say where")]

mod fixture;
mod html;

use std::collections::HashSet;

use catalog_schemas::search::SearchQuery;
use html::Element;

/// Attacks on a page, one for each way out of a text, an attribute, an address, a script or Markdown.
const HOSTILE: [&str; 30] = [
    "<script>window.__xss=1</script>",
    "</script><script>window.__xss=1</script>",
    "</title><script>window.__xss=1</script>",
    "</textarea><script>window.__xss=1</script>",
    "\"><script>window.__xss=1</script>",
    "'><img src=x onerror=window.__xss=1>",
    "\" onmouseover=\"window.__xss=1",
    "' onfocus='window.__xss=1' autofocus='",
    "\" style=\"position:fixed;inset:0",
    "<img src=x onerror=window.__xss=1>",
    "<svg onload=window.__xss=1>",
    "<svg><script>window.__xss=1</script></svg>",
    "<math><mtext></mtext><mglyph><style><img src=x onerror=window.__xss=1>",
    "<iframe srcdoc='<script>window.__xss=1</script>'></iframe>",
    "<a href=javascript:window.__xss=1>x</a>",
    "[x](javascript:window.__xss=1)",
    "[x](JAVASCRIPT&colon;window.__xss=1)",
    "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "![x](https://tracker.example/x.png)",
    "<javascript:window.__xss=1>",
    "[x]: javascript:window.__xss=1\n\n[x]",
    "<!-- --><script>window.__xss=1</script>",
    "<![CDATA[<script>window.__xss=1</script>]]>",
    "<base href=//evil.example>",
    "<meta http-equiv=refresh content=0;url=//evil.example>",
    "<form action=//evil.example><input name=token>",
    "<mark onclick=window.__xss=1 style=color:red>x</mark>",
    "&lt;script&gt;window.__xss=1&lt;/script&gt;",
    "\u{202e}\u{2028}\u{2029}\u{0}<!>x",
    "javascript:window.__xss=1",
];

/// The elements that our pages are made of.
const ELEMENTS: &str = "a article aside b blockquote body br button caption circle code datalist dd del details div dl dt em fieldset footer form \
    h1 h2 h3 h4 h5 h6 head header hr html input ins label legend li link main mark meta meter nav ol option p path pre script section select span strong \
    summary svg table tbody td textarea th thead time title tr ul";

fn rendered(mark: &str) -> Vec<(&'static str, String, Vec<Element>)> {
    fixture::pages(mark)
        .into_iter()
        .map(|(name, viewer, document)| {
            let html = document.render(&viewer);
            let elements = html::read(&html).unwrap_or_else(|fault| panic!("{name} with {mark:?}: {fault}"));
            (name, html, elements)
        })
        .collect()
}

/// What holds for every element of every page.
fn check(name: &str, elements: &[Element]) {
    let allowed: HashSet<&str> = ELEMENTS.split_whitespace().collect();
    for element in elements {
        assert!(allowed.contains(element.name.as_str()), "{name}: <{}>", element.name);
        for (key, value) in &element.attributes {
            assert!(key != "style" && !key.starts_with("on") && key != "srcdoc", "{name}: {key} of <{}>", element.name);
            if ["href", "src", "action", "formaction"].contains(&key.as_str()) {
                let schemes = ["/", "#", "https://", "http://", "mailto:"];
                assert!(
                    schemes.iter().any(|scheme| value.starts_with(scheme)) && !value.starts_with("//"),
                    "{name}: {key}={value:?}"
                );
                if element.name == "link" || element.name == "form" {
                    assert!(value.starts_with('/'), "{name}: <{}> leads elsewhere: {value:?}", element.name);
                }
            }
        }
        match element.name.as_str() {
            "script" => {
                assert_eq!(element.attribute("type"), Some("application/ld+json"), "{name}");
                serde_json::from_str::<serde_json::Value>(&element.raw)
                    .unwrap_or_else(|fault| panic!("{name}: {fault}"));
            }
            "meta" if element.attribute("http-equiv").is_some() => {
                let content = element.attribute("content").unwrap();
                assert!(content.starts_with("2;url=/launches/l"), "{name}: {content}");
            }
            "a" if element.attribute("href").is_some_and(|href| href.starts_with("http")) => {
                assert!(element.attribute("rel").is_some_and(|rel| rel.contains("noopener")), "{name}: {element:?}");
            }
            _ => {}
        }
    }
}

#[test]
fn what_strangers_write_stays_text() {
    for mark in HOSTILE {
        for (name, html, elements) in rendered(mark) {
            check(name, &elements);
            assert!(!html.contains("<!>") && !html.contains("<!--"), "{name} holds a comment with {mark:?}");
        }
    }
}

#[test]
fn a_hostile_record_stays_valid_json_ld() {
    let hostile = HOSTILE.concat();
    let record = fixture::record(&hostile);
    let given = serde_json::json!({ "@context": "https://schema.org/", "name": record.name });
    let text = catalog_portal::jsonld::script_text(&given);
    assert!(!text.contains(['<', '>', '&']));
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["name"], record.name);
}

#[test]
fn every_page_is_well_made() {
    for (name, html, elements) in rendered("") {
        check(name, &elements);
        let of = |wanted: &str| elements.iter().filter(|element| element.name == wanted).count();
        assert_eq!((of("h1"), of("main"), of("title"), of("header"), of("footer")), (1, 1, 1, 1, 1), "{name}");
        assert!(
            html.contains("<html lang=\"en\"") && html.contains("href=\"#main\"") && html.contains("id=\"main\""),
            "{name}"
        );
        assert!(html.contains(catalog_portal::style_path()), "{name}");
        let mut ids = HashSet::new();
        for element in &elements {
            if let Some(id) = element.attribute("id") {
                assert!(ids.insert(id.to_owned()), "{name}: id {id} twice");
            }
        }
        for element in &elements {
            for (key, value) in &element.attributes {
                let refers = ["aria-labelledby", "aria-describedby", "form", "list", "for"].contains(&key.as_str());
                assert!(!refers || ids.contains(value), "{name}: {key} names {value}, which is not there");
            }
            let named =
                elements.iter().filter(|other| other.name == "label").filter_map(|label| label.attribute("for"));
            let labelled = element.attribute("id").is_some_and(|id| named.clone().any(|named| named == id))
                || element.around.iter().any(|name| name == "label")
                || element.attribute("aria-label").is_some()
                || element.attribute("type") == Some("hidden");
            let control = ["input", "select", "textarea", "meter"].contains(&element.name.as_str());
            assert!(!control || labelled, "{name}: {element:?} has no label");
            if element.name == "nav" || element.name == "section" && element.attribute("role").is_some() {
                assert!(element.attribute("aria-label").is_some(), "{name}: <{}> has no name", element.name);
            }
            if element.name == "form" {
                assert!(element.attribute("action").is_some(), "{name}: a form without its address");
                assert!(!element.around.contains(&"form".to_owned()), "{name}: a form in a form");
            }
        }
        let tables = of("table");
        assert!(tables == 0 || of("th") >= tables, "{name}: a table without headers");
        assert!(name == "audit" || heading_levels(&elements), "{name}: a heading level is jumped over");
    }
}

/// Says whether no heading is more than one level below the one before it.
fn heading_levels(elements: &[Element]) -> bool {
    let levels = elements.iter().filter_map(|element| element.name.strip_prefix('h')?.parse::<u8>().ok());
    let levels: Vec<u8> = levels.collect();
    levels.windows(2).all(|pair| pair[1] <= pair[0] + 1)
}

#[test]
fn every_facet_link_is_a_search_that_toggles_one_value() {
    let query = fixture::query("");
    let pages = rendered("");
    let (_, _, elements) = pages.iter().find(|(name, ..)| *name == "search").unwrap();
    let mut toggled = 0;
    for element in
        elements.iter().filter(|element| element.attribute("class").is_some_and(|class| class.starts_with("value ")))
    {
        let href = element.attribute("href").unwrap();
        let pairs: Vec<(String, String)> = form(href);
        let search = SearchQuery::from_pairs(pairs.clone()).unwrap();
        assert_eq!(search.to_pairs(), pairs, "the link is in the one form that a search has");
        assert_eq!((search.q.as_str(), search.page, search.size), ("gaia", 1, 5));
        let chosen = element.attribute("aria-current").is_some();
        let difference = if chosen { query.facets.len() - 1 } else { query.facets.len() + 1 };
        assert_eq!(search.facets.len(), difference, "{href}");
        toggled += 1;
    }
    assert!(toggled > 30, "{toggled}");
}

fn form(href: &str) -> Vec<(String, String)> {
    let (path, query) = href.split_once('?').unwrap_or((href, ""));
    assert_eq!(path, "/search");
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

#[test]
fn counts_are_written_as_they_are() {
    let pages = rendered("");
    let (_, html, _) = pages.iter().find(|(name, ..)| *name == "search").unwrap();
    for text in ["23,605 results", "21,818", "15,365", "9,745", "1,088"] {
        assert!(html.contains(text), "{text}");
    }
}

#[test]
fn a_record_page_says_what_decides() {
    let pages = rendered("");
    let page = |wanted: &str| pages.iter().find(|(name, ..)| *name == wanted).map(|(_, html, _)| html.clone()).unwrap();
    let record = page("record");
    for text in [
        "PanGaia JupyterLab",
        "ESA official",
        "2 CPU, 2 GiB memory, no GPU",
        "/search?mission=astronomy%2Fgaia",
        "The 1.1 TB volume is here",
        "It does not hold Gaia DR3.",
        "/launch?datalab=go-esa%2Fesa.gaia.jl-pangaia",
        "/id/go-esa/esa.gaia.jl-pangaia.ttl",
        "/api/v1/packages/esa.gaia.jl-pangaia/0.8.0",
        "Quality 86 of 100",
    ] {
        assert!(record.contains(text), "{text}");
    }
    assert!(page("details").contains("/ns/esado#Datalab.mission"));
    assert!(page("old-version").contains("This is an older version"));
    assert!(page("old-version").contains("it names no image") && !page("old-version").contains("Launch datalab"));
    assert!(page("withdrawn").contains("eld a private key.") && !page("withdrawn").contains("ld+json"));
    assert!(page("report").contains("2 errors") && page("report").contains("manifest.jsonld:14:3"));
    assert!(
        page("failed").contains("image.not_found")
            && page("failed").contains("Ask the publisher")
            && page("failed").contains("Launch the same again")
    );
    assert!(page("running").contains("content=\"2;url=/launches/l") && !page("ready").contains("http-equiv"));
    assert!(page("datazones").contains("free capacity unknown"));
    assert!(page("nothing").contains("Without the filter Mission"));
}

#[test]
fn the_example_manifest_is_accepted() {
    use catalog_ontology::manifest::{Options, Writer, validate};
    let validation = validate(catalog_portal::EXAMPLE_MANIFEST.as_bytes(), &Options::new(Writer::Developer));
    assert!(validation.report.valid, "{:#?}", validation.report);
}
