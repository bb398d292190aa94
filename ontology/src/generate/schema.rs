//! The JSON Schema of a manifest, for editors and for programs that make manifests.
//!
//! It says what the developer of a record may write. What only the application writes is refused, as on upload.

use serde_json::{Map, Value as Json, json};

use super::rule;
use crate::scheme::Scheme;
use crate::terms::{Datatype, Kind, Table, Term};

/// A language tag of BCP 47, without its rarer forms.
const LANGUAGE: &str = "^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$";

/// Generates the schema document.
pub fn generate(table: &Table) -> String {
    let kinds: Vec<Kind> = Kind::ALL.into_iter().filter(|kind| kind.is_uploaded()).collect();
    let words: Vec<&str> = kinds.iter().map(|kind| kind.as_str()).collect();
    let mut definitions = Map::new();
    let mut choices = Vec::new();
    for kind in &kinds {
        choices.push(json!({
            "if": { "properties": { "@type": { "const": kind.as_str() } } },
            "then": { "$ref": format!("#/$defs/{kind}") },
        }));
        definitions.insert(kind.as_str().into(), object(table, *kind, ""));
    }
    for name in ["domain", "mission", "instrument", "thematic-area", "property"] {
        definitions.insert(format!("concept-{name}"), concept(name));
    }
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://w3id.org/esado/schemas/manifest.schema.json",
        "title": "Manifest",
        "description": "What a package says about itself: manifest.jsonld.",
        "type": "object",
        "required": ["@context", "@type"],
        "properties": {
            "@context": { "const": catalog_schemas::CONTEXT },
            "@type": { "enum": words },
        },
        "allOf": choices,
        "$defs": definitions,
    });
    let mut text = serde_json::to_string_pretty(&schema).expect("maps of text are JSON");
    text.push('\n');
    text
}

/// Describes the object at a dotted path.
fn object(table: &Table, kind: Kind, prefix: &str) -> Json {
    let mut properties = Map::new();
    let mut required = Vec::new();
    let mut either = Vec::new();
    for term in table.children(kind, prefix) {
        let writable = !term.is_refused() && !term.minted && term.is_writable_by(kind.writer());
        let definition = if writable {
            property(table, term)
        } else {
            json!({ "description": format!("{} Written by the application only.", term.definition), "not": {} })
        };
        for alias in &term.aliases {
            properties.insert(alias.clone(), definition.clone());
        }
        properties.insert(term.name().into(), definition);
        if term.is_required_from(kind.writer()) {
            if term.aliases.is_empty() {
                required.push(json!(term.name()));
            } else {
                let names = std::iter::once(term.name()).chain(term.aliases.iter().map(String::as_str));
                either.push(json!({ "anyOf": names.map(|name| json!({ "required": [name] })).collect::<Vec<_>>() }));
            }
        }
    }
    let mut object = Map::new();
    object.insert("type".into(), json!("object"));
    if !required.is_empty() {
        object.insert("required".into(), Json::Array(required));
    }
    if !either.is_empty() {
        object.insert("allOf".into(), Json::Array(either));
    }
    object.insert("properties".into(), Json::Object(properties));
    // Keywords of JSON-LD and terms of other vocabularies, which are kept but not shown.
    object.insert("patternProperties".into(), json!({ "^@|:": true }));
    object.insert("additionalProperties".into(), json!(false));
    Json::Object(object)
}

fn property(table: &Table, term: &Term) -> Json {
    let mut schema = match term.datatype {
        Datatype::LanguageText => language_text(term),
        Datatype::TextList => json!({ "type": "array", "items": text(term) }),
        _ => {
            let one = value(table, term);
            if term.is_many() {
                let mut many = Map::new();
                many.insert("type".into(), json!("array"));
                many.insert("items".into(), one.clone());
                if term.is_required_from(term.kind.writer()) {
                    many.insert("minItems".into(), json!(term.min));
                }
                json!({ "anyOf": [one, many] })
            } else {
                one
            }
        }
    };
    if let Some(fields) = schema.as_object_mut() {
        fields.insert("title".into(), json!(term.label));
        fields.insert("description".into(), json!(format!("{} ({})", term.definition, rule(term))));
        if let Some(default) = term.default.as_deref().and_then(|text| serde_json::from_str::<Json>(text).ok()) {
            fields.insert("default".into(), default);
        }
    }
    schema
}

fn value(table: &Table, term: &Term) -> Json {
    match term.datatype {
        Datatype::Integer => number(term, "integer"),
        Datatype::Decimal => number(term, "number"),
        Datatype::Boolean => json!({ "type": "boolean" }),
        Datatype::Date => json!({ "type": "string", "format": "date", "pattern": Datatype::Date.pattern() }),
        Datatype::DateTime => {
            json!({ "type": "string", "format": "date-time", "pattern": Datatype::DateTime.pattern() })
        }
        Datatype::Node | Datatype::Nest => object(table, term.kind, &term.key),
        Datatype::Concept => match &term.scheme {
            Some(scheme) => json!({ "$ref": format!("#/$defs/concept-{scheme}") }),
            None => json!({ "type": "string", "anyOf": [
                { "enum": term.values },
                { "enum": term.values.iter().map(|name| format!("{}{name}", term.base.as_deref().unwrap_or_default())).collect::<Vec<_>>() },
            ] }),
        },
        Datatype::Iri => match &term.base {
            // A bare name below the base, or a whole IRI.
            Some(_) => json!({ "type": "string", "minLength": 1, "pattern": "^[^\\s<>\"{}|\\\\^`]+$" }),
            None => {
                let mut schema = json!({ "type": "string", "pattern": Datatype::Iri.pattern() });
                if let (Some(own), Some(fields)) = (&term.pattern, schema.as_object_mut()) {
                    fields.insert("allOf".into(), json!([{ "pattern": own }]));
                }
                schema
            }
        },
        _ => text(term),
    }
}

fn text(term: &Term) -> Json {
    let mut schema = Map::new();
    schema.insert("type".into(), json!("string"));
    schema.insert("minLength".into(), json!(1));
    if let Some(length) = term.max_length {
        schema.insert("maxLength".into(), json!(length));
    }
    if !term.values.is_empty() {
        schema.insert("enum".into(), json!(term.values));
    }
    // ECMA-262 has no inline flags, so a pattern with them is left to the validator.
    let pattern = term.pattern.as_deref().filter(|pattern| !pattern.contains("(?i"));
    if let Some(pattern) = pattern.or(term.datatype.pattern()) {
        schema.insert("pattern".into(), json!(pattern));
    }
    if let (Some(_), Some(general)) = (pattern, term.datatype.pattern()) {
        schema.insert("allOf".into(), json!([{ "pattern": general }]));
    }
    if let Some(scheme) = term.scheme.as_deref().and_then(Scheme::get) {
        let names: Vec<&str> = scheme.concepts().iter().map(|concept| concept.notation.as_str()).collect();
        schema.insert("examples".into(), json!(names));
    }
    Json::Object(schema)
}

fn number(term: &Term, kind: &str) -> Json {
    let mut schema = Map::new();
    schema.insert("type".into(), json!(kind));
    if let Some((low, high)) = term.range {
        if low != i64::MIN {
            schema.insert("minimum".into(), json!(low));
        }
        if high != i64::MAX {
            schema.insert("maximum".into(), json!(high));
        }
    }
    Json::Object(schema)
}

/// Text by language; text without one is taken as English.
fn language_text(term: &Term) -> Json {
    let one = json!({ "type": "string", "minLength": 1, "maxLength": term.max_length });
    let several = json!({ "anyOf": [one, { "type": "array", "items": one }] });
    let by_language = |value: &Json| {
        let mut map = Map::new();
        map.insert("type".into(), json!("object"));
        map.insert("propertyNames".into(), json!({ "pattern": LANGUAGE }));
        map.insert("additionalProperties".into(), value.clone());
        if term.min > 0 {
            map.insert("minProperties".into(), json!(1));
        }
        Json::Object(map)
    };
    if term.per_language {
        json!({ "anyOf": [by_language(&one), one] })
    } else {
        json!({ "anyOf": [by_language(&several), several] })
    }
}

/// A concept by notation, path or IRI; labels are understood too, so other text is left to the validator.
fn concept(name: &str) -> Json {
    let concepts = Scheme::get(name).map(Scheme::concepts).unwrap_or_default();
    json!({
        "title": format!("Concept of the scheme {name}"),
        "type": "string",
        "minLength": 1,
        "maxLength": 300,
        "examples": concepts.iter().map(|concept| concept.notation.as_str()).collect::<Vec<_>>(),
    })
}
