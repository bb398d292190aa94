//! The files of a package, and references from one to another that never lead out of it.

use std::collections::BTreeMap;

use crate::Fault;
use crate::tree::{Node, Place, Value, parse};

/// How many files one workflow may be made of.
const MAX_FILES: usize = 200;

/// How deep imports may lead.
const MAX_IMPORTS: usize = 16;

/// The most bytes of one file.
const MAX_BYTES: usize = 1 << 20;

/// Gives the files of a package by their path in it.
pub trait Files {
    /// Returns a file's bytes.
    fn file(&self, path: &str) -> Option<&[u8]>;
}

impl Files for BTreeMap<String, Vec<u8>> {
    fn file(&self, path: &str) -> Option<&[u8]> {
        self.get(path).map(Vec::as_slice)
    }
}

/// A document of the package, with its imports put in.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    pub(crate) file: String,
    pub(crate) root: Node,
}

/// Reads files and gathers what is wrong.
pub(crate) struct Reader<'a> {
    package: &'a dyn Files,
    loaded: BTreeMap<String, Option<Loaded>>,
    pub(crate) faults: Vec<Fault>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(package: &'a dyn Files) -> Self {
        Self { package, loaded: BTreeMap::new(), faults: Vec::new() }
    }

    pub(crate) fn fault(&mut self, code: &'static str, file: &str, at: Place, field: &str, message: impl Into<String>) {
        self.faults.push(Fault {
            code,
            is_warning: false,
            file: file.to_owned(),
            line: at.line,
            column: at.column,
            field: field.to_owned(),
            message: message.into(),
        });
    }

    pub(crate) fn warning(
        &mut self,
        code: &'static str,
        file: &str,
        at: Place,
        field: &str,
        message: impl Into<String>,
    ) {
        self.fault(code, file, at, field, message);
        if let Some(last) = self.faults.last_mut() {
            last.is_warning = true;
        }
    }

    /// Says whether the package holds a file.
    pub(crate) fn holds(&self, path: &str) -> bool {
        self.package.file(path).is_some()
    }

    /// Reads a file once, and puts what it imports in its place.
    pub(crate) fn load(&mut self, path: &str) -> Option<Loaded> {
        if let Some(known) = self.loaded.get(path) {
            return known.clone();
        }
        // Marked first: a file that imports itself finds nothing here.
        self.loaded.insert(path.to_owned(), None);
        let root = self.parsed(path, path, Place { line: 1, column: 1 })?;
        let root = self.import(path, root, "", 0);
        let loaded = Loaded { file: path.to_owned(), root };
        self.loaded.insert(path.to_owned(), Some(loaded.clone()));
        Some(loaded)
    }

    fn parsed(&mut self, path: &str, from: &str, at: Place) -> Option<Node> {
        let Some(bytes) = self.package.file(path) else {
            self.fault("cwl.reference_missing", from, at, "", format!("the package holds no `{path}`"));
            return None;
        };
        if bytes.len() > MAX_BYTES || self.loaded.len() > MAX_FILES {
            self.fault("cwl.too_large", from, at, "", format!("`{path}` is too large, or one file too many"));
            return None;
        }
        let Ok(text) = std::str::from_utf8(bytes) else {
            self.fault("cwl.not_utf8", path, Place { line: 1, column: 1 }, "", "the file is not UTF-8");
            return None;
        };
        match parse(text) {
            Ok(node) => Some(node),
            Err(broken) => {
                self.fault("cwl.syntax", path, broken.at, "", broken.message);
                None
            }
        }
    }

    /// Puts `$import` and `$include` in their place, wherever they stand.
    fn import(&mut self, file: &str, node: Node, field: &str, depth: usize) -> Node {
        if depth > MAX_IMPORTS {
            self.fault("cwl.reference_cycle", file, node.at, field, "imports lead in a circle, or too deep");
            return Node { at: node.at, value: Value::Null };
        }
        if let Some(target) = node.get("$import").and_then(Node::text).map(str::to_owned) {
            let Some(path) = self.resolve(file, &target, node.at, field) else {
                return Node { at: node.at, value: Value::Null };
            };
            let Some(imported) = self.parsed(&path, file, node.at) else {
                return Node { at: node.at, value: Value::Null };
            };
            // What is imported stands at its reference, so that a place always is one of the file that was asked for.
            return self.import(&path, moved(imported, node.at), field, depth + 1);
        }
        if let Some(target) = node.get("$include").and_then(Node::text).map(str::to_owned) {
            let text = self.resolve(file, &target, node.at, field).and_then(|path| {
                let text = self.package.file(&path).and_then(|bytes| String::from_utf8(bytes.to_vec()).ok());
                if text.is_none() {
                    self.fault(
                        "cwl.reference_missing",
                        file,
                        node.at,
                        field,
                        format!("the package holds no text `{path}`"),
                    );
                }
                text
            });
            return Node { at: node.at, value: text.map_or(Value::Null, Value::Text) };
        }
        let value = match node.value {
            Value::List(items) => {
                let items = items.into_iter().enumerate();
                Value::List(
                    items.map(|(number, item)| self.import(file, item, &format!("{field}/{number}"), depth)).collect(),
                )
            }
            Value::Map(entries) => {
                let put = |(key, value): (crate::tree::Key, Node)| {
                    let field = format!("{field}/{}", escaped(&key.name));
                    let value = self.import(file, value, &field, depth);
                    (key, value)
                };
                Value::Map(entries.into_iter().map(put).collect())
            }
            other => other,
        };
        Node { at: node.at, value }
    }

    /// Returns the path that a reference leads to, when it is one inside the package.
    pub(crate) fn resolve(&mut self, from: &str, target: &str, at: Place, field: &str) -> Option<String> {
        match path_within(from, target) {
            Ok(path) => Some(path),
            Err(why) => {
                self.fault(
                    "cwl.reference_outside",
                    from,
                    at,
                    field,
                    format!("`{target}` {why}; references lead to files of this package"),
                );
                None
            }
        }
    }
}

fn moved(node: Node, at: Place) -> Node {
    let value = match node.value {
        Value::List(items) => Value::List(items.into_iter().map(|item| moved(item, at)).collect()),
        Value::Map(entries) => Value::Map(
            entries.into_iter().map(|(key, value)| (crate::tree::Key { at, ..key }, moved(value, at))).collect(),
        ),
        other => other,
    };
    Node { at, value }
}

/// Writes a field's name as a part of a JSON pointer.
pub(crate) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn path_within(from: &str, target: &str) -> Result<String, &'static str> {
    if target.contains("://") || target.starts_with("data:") || target.starts_with("file:") {
        return Err("is an address");
    }
    if target.starts_with('/') || target.contains('\\') || target.contains('\0') {
        return Err("is not relative");
    }
    if target.is_empty() {
        return Err("names no file");
    }
    let folder = from.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                if parts.pop().is_none() {
                    return Err("leads out of the package");
                }
            }
            part => parts.push(part),
        }
    }
    if parts.is_empty() { Err("names no file") } else { Ok(parts.join("/")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_stay_in_the_package() {
        assert_eq!(path_within("pipeline/a.cwl", "tools/b.cwl"), Ok("pipeline/tools/b.cwl".to_owned()));
        assert_eq!(path_within("pipeline/a.cwl", "../b.cwl"), Ok("b.cwl".to_owned()));
        for outside in ["../../b.cwl", "/etc/passwd", "https://x.example/b.cwl", "file:b.cwl", "..\\b", "", "../.."] {
            assert!(path_within("pipeline/a.cwl", outside).is_err(), "{outside}");
        }
    }
}
