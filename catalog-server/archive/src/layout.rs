//! What lies where in a package, and which of it stays in memory.

/// A place of the package layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// The path, with one `*` for anything.
    pub path: &'static str,
    /// What lies there.
    pub meaning: &'static str,
    /// Whether [`crate::open()`] keeps its contents, for [`crate::Package::file`].
    pub kept: bool,
}

const fn place(path: &'static str, kept: bool, meaning: &'static str) -> Place {
    Place { path, meaning, kept }
}

/// The path of the manifest, which every package has.
pub(crate) const MANIFEST: &str = "manifest.jsonld";
/// The path of the digests of all files.
pub(crate) const SUMS: &str = "SHA256SUMS";
/// The path of the signature over the digests.
pub(crate) const SIGNATURE: &str = "SHA256SUMS.sig";

/// The package layout, in the order of the documentation.
pub const LAYOUT: &[Place] = &[
    place(MANIFEST, true, "The metadata: the only file that must be there. Its `@context` is a bundled one."),
    place("README.md", true, "What a reader should know, in Markdown; shown on the record's page."),
    place("CHANGELOG.md", true, "What changed between versions, in Markdown."),
    place("LICENSE", true, "The licence's text."),
    place("LICENSE.*", true, "The licence's text, with an ending."),
    place("ro-crate-metadata.json", true, "RO-Crate metadata; fills gaps of the manifest and never overrides it."),
    place("codemeta.json", true, "CodeMeta metadata; fills gaps of the manifest and never overrides it."),
    place("CITATION.cff", true, "Citation File Format; fills gaps of the manifest and never overrides it."),
    place("media/*", true, "Icon (`media/icon.*`) and screenshots (`media/screenshots/*`)."),
    place("image/image.ref", true, "The reference of the container image, one line."),
    place("image/*", false, "The Dockerfile and what it needs, development and runtime parts apart."),
    place("pipeline/*.cwl", true, "A pipeline in the Common Workflow Language."),
    place("pipeline/*", false, "Inputs (`pipeline/inputs.*.yml`) and what the pipeline needs."),
    place("tests/*", false, "Tests that the publisher runs (`tests/smoke.*`)."),
    place(
        SUMS,
        true,
        "SHA-256 of every other file, as `sha256sum` writes it; checked when present, written by `alidade pack`.",
    ),
    place(SIGNATURE, true, "A signature over `SHA256SUMS`."),
];

/// Returns the place that a path has in the layout.
pub(crate) fn place_of(path: &str) -> Option<&'static Place> {
    LAYOUT.iter().find(|place| match place.path.split_once('*') {
        None => place.path == path,
        Some((before, after)) => {
            path.len() > before.len() + after.len() && path.starts_with(before) && path.ends_with(after)
        }
    })
}

/// Tells whether a path may turn out to be one whose contents are kept, once the only top folder is stripped.
pub(crate) fn may_be_kept(path: &str) -> bool {
    let path = path.strip_prefix("./").unwrap_or(path);
    let inside = path.split_once('/').map(|(_, inside)| inside);
    [Some(path), inside].into_iter().flatten().any(|path| place_of(path).is_some_and(|place| place.kept))
}
