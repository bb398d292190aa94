//! `docs/package.md` is written from the crate's own tables; `UPDATE_GENERATED=1` rewrites it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use catalog_archive::{Budget, LAYOUT, codes};
use catalog_schemas::problem::Severity;

fn mebibytes(bytes: u64) -> String {
    format!("{} MiB", bytes >> 20)
}

fn document() -> String {
    let Budget { packed, unpacked, entry, entries, ratio, ratio_grace, name, depth, kept } = Budget::default();
    let mut text = String::from(
        "<!-- Generated from catalog-server/archive: UPDATE_GENERATED=1 cargo test -p catalog-archive --test document -->\n\
         # The package\n\n\
         A package is a folder in an archive: a `.tar.gz` (gzip-compressed tar) or a `.zip`, told apart by content, not by name.\n\
         `alidade pack DIR` makes one; so does any common tool. It is read as a stream, in bounded memory, and never unpacked\n\
         to disk. Its file is best named `<short name>-<version>.datalab.zip` or `….datalab.tar.gz`.\n\n\
         ## Layout\n\n\
         | Path | What | Shown by the catalogue |\n|---|---|---|\n",
    );
    for place in LAYOUT {
        let kept = if place.kept { "yes" } else { "no" };
        writeln!(text, "| `{}` | {} | {kept} |", place.path, place.meaning).unwrap();
    }
    text.push_str(
        "\nOther files are stored with the package, downloaded with it, and hinted at in the report. When everything lies in one\n\
         top folder, as `tar czf lab.tar.gz lab` makes it, that folder is stripped; so is a `./` before every name.\n\n\
         ## Budgets\n\n\
         | What | At most |\n|---|---|\n",
    );
    for (what, most) in [
        ("The archive", mebibytes(packed)),
        ("Everything unpacked (for a tar with its headers)", mebibytes(unpacked)),
        ("One file", mebibytes(entry)),
        ("Entries, folders included", entries.to_string()),
        (
            "Unpacked bytes for each packed byte, of the whole and of each zip entry",
            format!("{ratio}, asked beyond {}", mebibytes(ratio_grace)),
        ),
        ("A name with its folders", format!("{name} bytes")),
        ("Parts of a path", depth.to_string()),
        ("Contents kept in memory while a package is handled", mebibytes(kept)),
    ] {
        writeln!(text, "| {what} | {most} |").unwrap();
    }
    text.push_str(
        "\n## Packing\n\n\
         `alidade pack DIR` writes the files in the order of their paths, with fixed times (1980-01-01 in a zip, 1970-01-01 in\n\
         a tar), owners and permissions: the same folder gives the same bytes, so the same digest. It writes `SHA256SUMS`\n\
         anew, unless a `SHA256SUMS.sig` is there: then both are packed as they are. It leaves out, and names as it does so,\n\
         what begins with a dot or ends with `~`, `target`, `node_modules`, `__pycache__`, `__MACOSX`, `Thumbs.db`,\n\
         `desktop.ini`, and earlier packages (`*.datalab.zip`, `*.datalab.tar.gz`) at the top. It never follows a link. What it\n\
         made, it reads as a server would, and refuses to hand out what a server would refuse.\n\n\
         ## What is refused, and why\n\n\
         Where two readers could see two different packages in the same bytes, the package is refused. Every fault that can be\n\
         found is in the report at once, up to 100, each with its code, the entry in `file`, and what to do. An *error* keeps\n\
         the package out; a *warning* and a *hint* do not. The codes are stable.\n\n\
         | Code | | Meaning | What to do |\n|---|---|---|---|\n",
    );
    for code in codes() {
        let severity = match code.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Hint => "hint",
        };
        let fix = code.fix.replace('|', "\\|");
        writeln!(text, "| `{}` | {severity} | {} | {fix} |", code.code, code.meaning).unwrap();
    }
    text
}

#[test]
fn the_document_is_in_step() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/package.md");
    if std::env::var_os("UPDATE_GENERATED").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, document()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == document(), "docs/package.md is out of step: run with UPDATE_GENERATED=1");
}

#[test]
fn codes_are_one_family_each_with_a_meaning_and_a_fix() {
    let names: BTreeSet<_> = codes().iter().map(|code| code.code).collect();
    assert_eq!(names.len(), codes().len());
    for code in codes() {
        let name = code.code.strip_prefix("archive.").unwrap();
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_'), "{name}");
        assert!(code.meaning.ends_with('.') && code.fix.ends_with('.'), "{name}");
    }
}
