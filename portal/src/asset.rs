//! The few files that pages need, in the binary and named by their content.

use std::sync::LazyLock;

use sha2::{Digest, Sha256};

/// The style sheet: tokens, parts, pages.
pub const STYLE: &str = include_str!("../assets/style.css");

/// The icon of the browser's tab.
pub(crate) const ICON: &str = include_str!("../assets/icon.svg");

/// A manifest that is accepted, to begin from.
pub const EXAMPLE_MANIFEST: &str = include_str!("../assets/manifest.jsonld");

static STYLE_PATH: LazyLock<String> = LazyLock::new(|| path_of("style", "css", STYLE));
static ICON_PATH: LazyLock<String> = LazyLock::new(|| path_of("icon", "svg", ICON));

/// Returns the style sheet's path, which changes with its content.
pub fn style_path() -> &'static str {
    &STYLE_PATH
}

/// Returns the icon's path, which changes with its content.
pub fn icon_path() -> &'static str {
    &ICON_PATH
}

fn path_of(name: &str, extension: &str, content: &str) -> String {
    let digest = hex::encode(Sha256::digest(content));
    format!("/assets/{name}-{}.{extension}", &digest[..12])
}
