//! Values of terms, as links where they lead somewhere.

use catalog_schemas::record::{TermValue, TermValues};
use leptos::prelude::*;

use crate::link::facet_path;
use crate::markup::safe_address;

/// Values of one term shown before one asks for all.
const SHOWN: usize = 12;

/// Returns the values of a term, one after another.
pub fn values(term: &TermValues) -> AnyView {
    if term.values.len() <= SHOWN {
        return list(&term.values);
    }
    let (first, rest) = term.values.split_at(SHOWN);
    let more = format!("and {} more", rest.len());
    view! { {list(first)}<details class="all"><summary>{more}</summary>{list(rest)}</details> }.into_any()
}

fn list(values: &[TermValue]) -> AnyView {
    if let [only] = values {
        return value(only);
    }
    let items: Vec<_> = values.iter().map(|one| view! { <li>{value(one)}</li> }).collect();
    view! { <ul class="values">{items}</ul> }.into_any()
}

/// Returns one value: a facet value finds its like, an address leads there, anything else is text.
pub fn value(value: &TermValue) -> AnyView {
    let text = value.text.clone();
    let lang = language(value);
    if let Some(path) = value.facet.as_deref().and_then(facet_path) {
        return view! { <a href=path lang=lang>{text}</a> }.into_any();
    }
    match value.href.as_deref().and_then(safe_address) {
        Some(address) => view! { <a href=address lang=lang rel="noopener nofollow ugc">{text}</a> }.into_any(),
        None => view! { <span lang=lang>{text}</span> }.into_any(),
    }
}

/// Returns the language of a value, where it is another than the page's.
pub(crate) fn language(value: &TermValue) -> Option<String> {
    value.lang.clone().filter(|lang| lang != "en" && is_language(lang))
}

fn is_language(tag: &str) -> bool {
    !tag.is_empty() && tag.len() <= 35 && tag.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}
