//! Reading a page as its reader does: only what the HTML says.

/// Returns the number that a facet's link shows, when the page has a link to `path`.
pub fn facet_count(html: &str, path: &str) -> Option<usize> {
    let link = format!("href=\"{}\"", path.replace('&', "&amp;"));
    // The same address may be that of a chosen filter above the results, which shows no number.
    let links = html.split(&link).skip(1).filter_map(|rest| rest.split("</a>").next());
    let shown = links.filter_map(|link| link.split_once("class=\"n\">")).next()?.1;
    shown[..shown.find('<')?].replace(',', "").trim().parse().ok()
}

/// Returns the addresses of a page's links to this server, each once, in their order.
pub fn local_links(html: &str) -> Vec<String> {
    let mut links = Vec::new();
    for rest in html.split("href=\"").skip(1) {
        let link = rest.split('"').next().unwrap_or_default().replace("&amp;", "&");
        let path = link.split('#').next().unwrap_or_default().to_owned();
        if path.starts_with('/') && !path.starts_with("//") && !links.contains(&path) {
            links.push(path);
        }
    }
    links
}

/// Returns the value of a form's field, when the page has it.
pub fn field(html: &str, name: &str) -> Option<String> {
    let tag = html.split("<input").skip(1).map(|rest| rest.split('>').next().unwrap_or_default());
    let mut tags = tag.filter(|tag| tag.contains(&format!("name=\"{name}\"")));
    let (_, rest) = tags.next()?.split_once("value=\"")?;
    Some(rest.split('"').next().unwrap_or_default().replace("&amp;", "&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_read() {
        let html = r#"<a href="/search?type=Datalab&amp;mission=a%2Fb">Gaia</a><a href="/search?type=Datalab&amp;mission=a%2Fb"><span class="n">9,745<span> records</span></span></a><input type="hidden" name="key" value="k1">"#;
        assert_eq!(facet_count(html, "/search?type=Datalab&mission=a%2Fb"), Some(9_745));
        assert_eq!(facet_count(html, "/search?type=Dataset"), None);
        assert_eq!(local_links(html), ["/search?type=Datalab&mission=a%2Fb"]);
        assert_eq!(field(html, "key").as_deref(), Some("k1"));
    }
}
