//! A record as schema.org JSON-LD, for the crawlers of search engines.

use catalog_schemas::record::{RecordView, TermValues};
use serde_json::{Map, Value, json};

/// Returns a JSON text that cannot end the `<script>` element that holds it.
pub fn script_text(value: &Value) -> String {
    let mut text = String::new();
    for c in value.to_string().chars() {
        match c {
            '<' => text.push_str("\\u003c"),
            '>' => text.push_str("\\u003e"),
            '&' => text.push_str("\\u0026"),
            '\u{2028}' => text.push_str("\\u2028"),
            '\u{2029}' => text.push_str("\\u2029"),
            c => text.push(c),
        }
    }
    text
}

/// Returns what schema.org can say of a record; private terms are left out whoever looks.
pub fn schema_org(record: &RecordView) -> Value {
    let kind = match record.kind.as_str() {
        "Datalab" => "SoftwareApplication",
        "Pipeline" => "SoftwareSourceCode",
        "Datazone" => "Service",
        _ => "Dataset",
    };
    let mut node = Map::new();
    let mut put = |key: &str, value: Value| {
        if !matches!(&value, Value::Null) && value.as_array().is_none_or(|values| !values.is_empty()) {
            node.insert(key.to_owned(), value);
        }
    };
    put("@context", json!("https://schema.org"));
    put("@type", json!(kind));
    put("@id", json!(record.iri));
    put("url", json!(record.iri));
    put("identifier", json!(record.identifier));
    put("name", json!(record.name));
    put("alternateName", json!(record.alternate_name));
    if !record.summary.is_empty() {
        put("abstract", json!(record.summary));
        put("description", json!(record.description.as_ref().unwrap_or(&record.summary)));
    }
    let version = if kind == "SoftwareApplication" { "softwareVersion" } else { "version" };
    put(version, json!(record.version));
    put("dateModified", json!(record.modified));
    if kind == "SoftwareApplication" {
        put("applicationCategory", json!("ScienceApplication"));
    }
    put("keywords", texts(record, "keyword"));
    put("citation", texts(record, "citation"));
    put("license", texts(record, "license"));
    put("creator", agents(record, &["author", "creator"]));
    put("publisher", agents(record, &["publisher"]));
    Value::Object(node)
}

fn public<'a>(record: &'a RecordView, key: &str) -> Option<&'a TermValues> {
    record.terms.iter().find(|term| term.key == key && !term.private)
}

fn texts(record: &RecordView, key: &str) -> Value {
    let values = public(record, key).map(|term| &term.values[..]).unwrap_or_default();
    values.iter().map(|value| value.href.as_ref().unwrap_or(&value.text).as_str()).collect()
}

fn agents(record: &RecordView, keys: &[&str]) -> Value {
    let terms = keys.iter().filter_map(|key| public(record, key));
    terms.flat_map(|term| &term.values).map(|value| json!({ "@type": "Organization", "name": value.text })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_the_script() {
        let value = json!({ "name": "</script><script>alert(1)</script>\u{2028}&amp;<!--" });
        let text = script_text(&value);
        assert!(!text.contains(['<', '>', '&', '\u{2028}']), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
