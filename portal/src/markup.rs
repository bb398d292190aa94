//! What strangers wrote, made safe to stand in a page: Markdown, highlights and addresses.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use ammonia::Builder;
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

/// Longest Markdown that is rendered; what is longer is cut before parsing.
const MAX_MARKDOWN: usize = 100_000;

static MARKDOWN: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = Builder::empty();
    builder
        .tags(HashSet::from([
            "a",
            "blockquote",
            "br",
            "code",
            "del",
            "h2",
            "em",
            "h3",
            "h4",
            "h5",
            "h6",
            "hr",
            "li",
            "ol",
            "p",
            "pre",
            "strong",
            "table",
            "tbody",
            "td",
            "th",
            "thead",
            "tr",
            "ul",
        ]))
        .clean_content_tags(HashSet::from(["script", "style"]))
        .tag_attributes(HashMap::from([("a", HashSet::from(["href"])), ("ol", HashSet::from(["start"]))]))
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .url_relative(ammonia::UrlRelative::Deny)
        .link_rel(Some("noopener nofollow ugc"));
    builder
});

static HIGHLIGHT: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = Builder::empty();
    builder.tags(HashSet::from(["mark"])).clean_content_tags(HashSet::from(["script", "style"])).link_rel(None);
    builder
});

/// Returns Markdown as HTML of an allow-list: raw HTML and pictures are dropped, headings follow the page's title
/// from the second level without a jump.
pub fn markdown(text: &str) -> String {
    let mut end = text.len().min(MAX_MARKDOWN);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let heading = |event: &Event<'_>| match event {
        Event::Start(Tag::Heading { level, .. }) => Some(*level as usize),
        _ => None,
    };
    let highest = Parser::new_ext(&text[..end], options).filter_map(|event| heading(&event)).min().unwrap_or(1);
    let mut level = HeadingLevel::H1;
    let events = Parser::new_ext(&text[..end], options).filter_map(|event| match event {
        Event::Html(_) | Event::InlineHtml(_) => None,
        // A picture would be a request to another server; its alternative text stays.
        Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => None,
        Event::Start(Tag::Heading { level: written, .. }) => {
            let wanted = written as usize - highest + 2;
            level = HeadingLevel::try_from(wanted.min(level as usize + 1)).unwrap_or(HeadingLevel::H6);
            Some(Event::Start(Tag::Heading { level, id: None, classes: Vec::new(), attrs: Vec::new() }))
        }
        Event::End(TagEnd::Heading(_)) => Some(Event::End(TagEnd::Heading(level))),
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => Some(Event::Start(Tag::Link {
            link_type,
            dest_url: safe_address(&dest_url).unwrap_or_default().into(),
            title,
            id,
        })),
        other => Some(other),
    });
    let mut unsafe_html = String::with_capacity(text.len() * 3 / 2);
    html::push_html(&mut unsafe_html, events);
    MARKDOWN.clean(&unsafe_html).to_string()
}

/// Returns a search's highlight with nothing but `<mark>` left as markup.
pub fn highlight(fragment: &str) -> String {
    HIGHLIGHT.clean(&plain(fragment)).to_string()
}

/// Returns a piece of Markdown as running text: a piece cannot be parsed, so only the marks that stand out are dropped.
pub(crate) fn plain(piece: &str) -> String {
    let is_mark = |word: &str| word.chars().all(|c| "#*|`=-:_>".contains(c));
    let words = piece.split_whitespace().filter(|word| !is_mark(word));
    words.map(|word| word.replace("**", "").replace('`', "")).collect::<Vec<_>>().join(" ")
}

/// Returns an address that may stand in a link: http, https, mailto; a DOI becomes its https form.
pub fn safe_address(address: &str) -> Option<String> {
    let address = address.trim();
    if address.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return None;
    }
    let (scheme, rest) = address.split_once(':')?;
    match scheme.to_ascii_lowercase().as_str() {
        "http" | "https" if rest.starts_with("//") && rest.len() > 2 => Some(address.to_owned()),
        "mailto" if rest.contains('@') => Some(address.to_owned()),
        "doi" if rest.starts_with("10.") => Some(format!("https://doi.org/{rest}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_keeps_what_a_description_needs() {
        let html =
            markdown("# Use\n\nSee [the *manual*](https://example.org/m).\n\n- `a`\n- ~~b~~\n\n|x|y|\n|-|-|\n|1|2|\n");
        assert!(html.contains("<h2>Use</h2>"), "{html}");
        assert!(
            html.contains(r#"<a href="https://example.org/m" rel="noopener nofollow ugc">the <em>manual</em></a>"#),
            "{html}"
        );
        assert!(
            html.contains("<code>a</code>") && html.contains("<del>b</del>") && html.contains("<td>2</td>"),
            "{html}"
        );
        assert!(markdown("[d](doi:10.1000/182)").contains(r#"href="https://doi.org/10.1000/182""#));
    }

    #[test]
    fn headings_follow_the_title_without_a_jump() {
        assert_eq!(markdown("### A\n\n##### B\n\n### C\n"), "<h2>A</h2>\n<h3>B</h3>\n<h2>C</h2>\n");
    }

    #[test]
    fn markdown_drops_what_acts() {
        for hostile in [
            "<script>alert(1)</script>",
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt:alert(1))",
            "[x](java\nscript:alert(1))",
            "[x](data:text/html,<script>alert(1)</script>)",
            "[x](vbscript:x)",
            "![x](https://tracker.example/x.png)",
            "<img src=x onerror=alert(1)>",
            "<svg onload=alert(1)>",
            "<a href=\"javascript:alert(1)\" onclick=alert(1)>x</a>",
            "<b style=\"position:fixed\">x</b>",
            "<iframe src=//evil.example></iframe>",
            "[x]: javascript:alert(1)\n\n[x]",
            "<javascript:alert(1)>",
            "[x](//evil.example/a)",
            "`</code><script>alert(1)</script>`",
        ] {
            let html = markdown(hostile).to_ascii_lowercase();
            for forbidden in [
                "<script",
                "<img",
                "<svg",
                "<iframe",
                "href=\"java",
                "href=\"data",
                "href=\"vb",
                "href=\"//",
                "<b ",
                "<a on",
            ] {
                assert!(!html.contains(forbidden), "{hostile} gave {html}");
            }
        }
    }

    #[test]
    fn highlights_keep_marks_only() {
        assert_eq!(
            highlight("<mark>Gaia</mark> &lt;b&gt; <mark class=x onclick=y>DR3</mark><img src=x>"),
            "<mark>Gaia</mark> &lt;b&gt; <mark>DR3</mark>"
        );
    }

    #[test]
    fn marks_of_markdown_do_not_stand_in_a_sentence() {
        assert_eq!(
            highlight("# What it does It reads **<mark>Gaia</mark>** - one | a | |---|---| ```pip install```"),
            "What it does It reads <mark>Gaia</mark> one a pip install"
        );
        assert_eq!(highlight("x-ray and well-known"), "x-ray and well-known");
    }

    #[test]
    fn addresses_are_of_few_schemes() {
        assert_eq!(safe_address("https://a.example/b").as_deref(), Some("https://a.example/b"));
        assert_eq!(safe_address("doi:10.1/2").as_deref(), Some("https://doi.org/10.1/2"));
        for bad in [
            "javascript:alert(1)",
            "java\tscript:x",
            "data:,x",
            "file:///etc/passwd",
            "//evil",
            "/a",
            "https:x",
            "",
            " ",
        ] {
            assert_eq!(safe_address(bad), None, "{bad}");
        }
    }
}
