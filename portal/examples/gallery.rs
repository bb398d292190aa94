//! Writes every page with example data into a folder, to be looked at: `cargo run --example gallery -- FOLDER`.

#![allow(clippy::unwrap_used, reason = "an example that fails should say where")]
#![allow(clippy::print_stdout, reason = "it says where the pages are")]

#[path = "../tests/fixture/mod.rs"]
mod fixture;

use std::path::Path;

use catalog_portal::{Theme, Viewer};

fn main() {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "target/gallery".to_owned());
    let folder = Path::new(&folder);
    for theme in [Theme::Light, Theme::Dark] {
        for (name, viewer, document) in fixture::pages("") {
            let viewer = Viewer { theme, ..viewer };
            let html = document.render(&viewer).replace("/assets/style-", "../assets/style-");
            let path = folder.join(theme.as_str()).join(format!("{name}.html"));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, html).unwrap();
        }
    }
    let style = folder.join(catalog_portal::style_path().trim_start_matches('/'));
    std::fs::create_dir_all(style.parent().unwrap()).unwrap();
    std::fs::write(style, catalog_portal::STYLE).unwrap();
    println!("{}", folder.display());
}
