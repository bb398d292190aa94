//! The types of CWL: known or not, written in short, required or not.

use crate::tree::{Node, Value};

/// The types that need no definition.
const PLAIN: [&str; 14] = [
    "null",
    "boolean",
    "int",
    "long",
    "float",
    "double",
    "string",
    "File",
    "Directory",
    "Any",
    "stdin",
    "stdout",
    "stderr",
    "record",
];

/// Writes a type in short, or says what is wrong with it.
pub(crate) fn written(node: &Node) -> Result<String, String> {
    match &node.value {
        Value::Text(text) => word(text),
        Value::List(union) => {
            let parts: Vec<String> = union.iter().map(written).collect::<Result<_, _>>()?;
            let others: Vec<&String> = parts.iter().filter(|part| *part != "null").collect();
            match (others.as_slice(), others.len() < parts.len()) {
                ([], _) => Ok("null".to_owned()),
                ([one], true) => Ok(format!("{one}?")),
                (many, optional) => {
                    let many = many.iter().map(|it| it.as_str()).collect::<Vec<_>>().join(" | ");
                    Ok(if optional { format!("({many})?") } else { many })
                }
            }
        }
        Value::Map(_) => match node.get("type").and_then(Node::text) {
            Some("array") => {
                let items = node.get("items").ok_or_else(|| "an array says what its `items` are".to_owned())?;
                let items = written(items)?;
                Ok(if items.contains(' ') { format!("({items})[]") } else { format!("{items}[]") })
            }
            Some("enum") => match node.get("symbols").and_then(Node::list) {
                Some(symbols) if !symbols.is_empty() => Ok("enum".to_owned()),
                _ => Err("an enum names its `symbols`".to_owned()),
            },
            Some("record") => Ok("record".to_owned()),
            Some(other) => word(other),
            None => Err("a type that is a mapping has a `type`".to_owned()),
        },
        _ => Err(format!("a type is a word, a list or a mapping, not {}", node.kind())),
    }
}

fn word(text: &str) -> Result<String, String> {
    let bare = text.strip_suffix('?').unwrap_or(text);
    let mut item = bare;
    while let Some(rest) = item.strip_suffix("[]") {
        item = rest;
    }
    // A type of its own is defined elsewhere in the package and named by a reference.
    if PLAIN.contains(&item) || item.contains('#') {
        Ok(text.to_owned())
    } else {
        Err(format!("`{text}` is no type of CWL"))
    }
}

/// Says whether nothing is allowed for a type.
pub(crate) fn is_optional(kind: &str) -> bool {
    kind.ends_with('?') || kind == "null" || kind == "Any?"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::parse;

    #[test]
    fn types_are_written_in_short() {
        let short = |text: &str| written(&parse(text).unwrap());
        for (given, expected) in [
            ("File", "File"),
            ("string[]?", "string[]?"),
            ("['null', int]", "int?"),
            ("[int, string]", "int | string"),
            ("{type: array, items: File}", "File[]"),
            ("{type: array, items: {type: array, items: string}}", "string[][]"),
            ("{type: array, items: [int, string]}", "(int | string)[]"),
            ("{type: enum, symbols: [a, b]}", "enum"),
        ] {
            assert_eq!(short(given).as_deref(), Ok(expected), "{given}");
        }
        for bad in ["Flie", "{type: array}", "{type: enum}", "{items: File}", "3", "[File, Flie]"] {
            assert!(short(bad).is_err(), "{bad}");
        }
        assert!(is_optional("File?") && !is_optional("File[]"));
    }
}
