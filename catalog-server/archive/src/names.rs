//! The names of entries: what none may have, and which cannot be together.

use std::collections::{HashMap, HashSet};

use unicode_normalization::UnicodeNormalization;

use crate::budget::Budget;
use crate::fault::{Fault, Faults, shown};

/// Tells whether a character does not show, or changes how its neighbours show: controls, zero widths, bidirectional
/// controls and the byte order mark. Some file systems drop them, so that two names become one.
pub(crate) fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}

/// Checks one name as the archive gives it, without a folder's final slash; one `./` at its start is allowed here.
pub(crate) fn check(name: &str, budget: &Budget, faults: &mut Faults) {
    let mut found = Vec::new();
    let path = if name == "." { "" } else { name.strip_prefix("./").unwrap_or(name) };
    if name.is_empty() {
        found.push((Fault::NameEmpty, "an entry has no name".to_owned()));
    }
    let name_shown = shown(name);
    if name.len() > budget.name {
        // Nothing more is said of it, as to look for it would cost what a long name is refused for.
        let message = format!("the name {name_shown} has {} bytes; {} are allowed", name.len(), budget.name);
        return faults.add(Fault::NameTooLong.of(name, message));
    }
    if name.chars().any(is_hidden) {
        found.push((Fault::NameControl, format!("the name {name_shown} has a character that does not show")));
    }
    let mut beginning = path.chars();
    let letter = beginning.next().is_some_and(|first| first.is_ascii_alphabetic());
    let drive = letter && beginning.next() == Some(':') && matches!(beginning.next(), None | Some('/' | '\\'));
    if drive || path.starts_with("\\\\") {
        found.push((Fault::DrivePath, format!("the path {name_shown} names a drive or a server")));
    } else if path.contains('\\') {
        found.push((Fault::Backslash, format!("the name {name_shown} has a backslash")));
    }
    if path.starts_with('/') {
        found.push((Fault::AbsolutePath, format!("the path {name_shown} is absolute")));
    }
    let relative = path.trim_start_matches('/');
    if relative.split(['/', '\\']).any(|part| part == "..") {
        found.push((Fault::ParentPart, format!("the path {name_shown} leaves its folder")));
    }
    if !relative.is_empty() && relative.split('/').any(|part| part.is_empty() || part == ".") {
        found.push((Fault::DotPart, format!("the path {name_shown} has a part that is empty or the folder itself")));
    }
    let depth = relative.split('/').count();
    if depth > budget.depth {
        let message = format!("the path {name_shown} has {depth} parts; {} are allowed", budget.depth);
        found.push((Fault::PathTooDeep, message));
    }
    if found.is_empty() && path.split('/').any(is_unportable) {
        found.push((Fault::UnportableName, format!("the name {name_shown} cannot exist on some systems")));
    }
    for (fault, message) in found {
        faults.add(fault.of(name, message));
    }
}

/// Tells whether Windows cannot have a file of this name.
fn is_unportable(part: &str) -> bool {
    let stem = part.split('.').next().unwrap_or(part).to_ascii_lowercase();
    let numbered =
        |prefix| stem.strip_prefix(prefix).is_some_and(|number: &str| matches!(number.as_bytes(), [b'0'..=b'9']));
    matches!(stem.as_str(), "con" | "prn" | "aux" | "nul")
        || numbered("com")
        || numbered("lpt")
        || part.contains(['<', '>', ':', '"', '|', '?', '*'])
        || part.ends_with(['.', ' '])
}

/// Returns the only folder at the top, when all paths lie in one and none of them is the manifest.
pub(crate) fn only_folder<'a>(paths: impl Iterator<Item = (&'a str, bool)> + Clone) -> Option<&'a str> {
    let (first, _) = paths.clone().next()?;
    let folder = first.split('/').next()?;
    let inside = |(path, directory): (&str, bool)| match path.strip_prefix(folder) {
        Some("") => directory,
        Some(rest) => rest.starts_with('/'),
        None => false,
    };
    paths.clone().all(inside).then_some(folder)
}

/// Finds paths that cannot be together: the same twice, the same but for case or Unicode form, file and folder.
pub(crate) fn check_together<'a>(paths: impl Iterator<Item = (&'a str, bool)>, faults: &mut Faults) {
    let mut seen: HashSet<&str> = HashSet::new();
    let mut spelled: HashMap<String, (&str, bool)> = HashMap::new();
    let mut told: HashSet<&str> = HashSet::new();
    for (path, directory) in paths {
        if !seen.insert(path) {
            faults.add(Fault::Duplicate.of(path, format!("{} is in the archive more than once", shown(path))));
            continue;
        }
        let folded = fold(path);
        // Folding keeps every slash, so that the parts of both spellings correspond.
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        let folded_ends = folded.match_indices('/').map(|(at, _)| at).chain([folded.len()]);
        for (end, folded_end) in ends.zip(folded_ends) {
            let (part, folded_part) = (&path[..end], &folded[..folded_end]);
            let file = end == path.len() && !directory;
            let Some((other, other_file)) = spelled.get(folded_part) else {
                spelled.insert(folded_part.to_owned(), (part, file));
                continue;
            };
            if *other != part && told.insert(part) {
                let (fault, differ) = if other.nfc().eq(part.nfc()) {
                    (Fault::UnicodeCollision, "in their Unicode form")
                } else {
                    (Fault::CaseCollision, "in case")
                };
                let message = format!("{} and {} differ only {differ}", shown(other), shown(part));
                faults.add(fault.of(part, message));
            }
            if *other_file != file {
                faults.add(Fault::FileAndDirectory.of(part, format!("{} is both a file and a folder", shown(part))));
            }
        }
    }
}

/// Returns what a system that knows neither case nor Unicode forms makes of a path.
fn fold(path: &str) -> String {
    let upper = path.nfd().collect::<String>().to_uppercase();
    // Upper case first, as ß and ſ have no other way to meet ss and s; then lower, as K (the unit) has none to meet k.
    upper.to_lowercase().nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(check: impl FnOnce(&mut Faults)) -> Vec<String> {
        let mut faults = Faults::default();
        check(&mut faults);
        faults.into_findings().into_iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn names_that_no_entry_may_have() {
        let cases: &[(&str, &[&str])] = &[
            ("manifest.jsonld", &[]),
            ("./manifest.jsonld", &[]),
            ("media/icône.svg", &[]),
            (".", &[]),
            ("", &["archive.name_empty"]),
            ("/etc/passwd", &["archive.absolute_path"]),
            ("//server/share", &["archive.absolute_path"]),
            ("../x", &["archive.parent_part"]),
            ("/../x", &["archive.absolute_path", "archive.parent_part"]),
            ("a/../../x", &["archive.parent_part"]),
            ("a\\..\\x", &["archive.backslash", "archive.parent_part"]),
            ("a/./x", &["archive.dot_part"]),
            ("a//x", &["archive.dot_part"]),
            ("././x", &["archive.dot_part"]),
            ("C:/x", &["archive.drive_path"]),
            ("c:\\x", &["archive.drive_path"]),
            ("\\\\server\\share", &["archive.drive_path"]),
            ("a\\b", &["archive.backslash"]),
            ("a\0b", &["archive.name_control"]),
            ("a\nb", &["archive.name_control"]),
            ("gpj.\u{202E}exe", &["archive.name_control"]),
            (".g\u{200C}it", &["archive.name_control"]),
            ("media/aux.png", &["archive.unportable_name"]),
            ("media/COM1", &["archive.unportable_name"]),
            ("media/compass", &[]),
            ("a:b", &["archive.unportable_name"]),
            ("what?", &["archive.unportable_name"]),
            ("...", &["archive.unportable_name"]),
        ];
        for (name, expected) in cases {
            assert_eq!(codes(|faults| check(name, &Budget::default(), faults)), *expected, "{name:?}");
        }
        let budget = Budget::default();
        let long = "n".repeat(255);
        assert_eq!(codes(|faults| check(&long, &budget, faults)), [""; 0]);
        assert_eq!(codes(|faults| check(&format!("{long}n"), &budget, faults)), ["archive.name_too_long"]);
        let deep = vec!["d"; 32].join("/");
        assert_eq!(codes(|faults| check(&deep, &budget, faults)), [""; 0]);
        assert_eq!(codes(|faults| check(&format!("{deep}/d"), &budget, faults)), ["archive.path_too_deep"]);
    }

    #[test]
    fn names_that_cannot_be_together() {
        type Case = (&'static [(&'static str, bool)], &'static [&'static str]);
        let cases: &[Case] = &[
            (&[("a", false), ("b", false), ("c", true), ("c/d", false)], &[]),
            (&[("a", false), ("a", false)], &["archive.duplicate"]),
            (&[("c", true), ("c", true)], &["archive.duplicate"]),
            (&[("README.md", false), ("readme.MD", false)], &["archive.case_collision"]),
            (&[("straße", false), ("STRASSE", false)], &["archive.case_collision"]),
            (&[("\u{212A}elvin", false), ("kelvin", false)], &["archive.case_collision"]),
            (&[("Media/a", false), ("media/b", false), ("media/c", false)], &["archive.case_collision"]),
            (&[("caf\u{E9}", false), ("cafe\u{301}", false)], &["archive.unicode_collision"]),
            (&[("a", false), ("a/b", false)], &["archive.file_and_directory"]),
            (&[("a/b", false), ("a", false)], &["archive.file_and_directory"]),
            (&[("a", true), ("A", false)], &["archive.case_collision", "archive.file_and_directory"]),
        ];
        for (paths, expected) in cases {
            assert_eq!(codes(|faults| check_together(paths.iter().copied(), faults)), *expected, "{paths:?}");
        }
    }

    #[test]
    fn the_only_folder_holds_everything() {
        let folder = |paths: &[(&'static str, bool)]| only_folder(paths.iter().copied());
        assert_eq!(folder(&[("lab", true), ("lab/manifest.jsonld", false)]), Some("lab"));
        assert_eq!(folder(&[("lab/manifest.jsonld", false), ("lab/media/icon.svg", false)]), Some("lab"));
        assert_eq!(folder(&[("lab/manifest.jsonld", false), ("labour/x", false)]), None);
        assert_eq!(folder(&[("manifest.jsonld", false)]), None);
        assert_eq!(folder(&[]), None);
    }
}
