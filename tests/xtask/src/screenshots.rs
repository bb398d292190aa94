//! Pictures of the pages, to be looked at: a headless Chromium visits a running server.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// Where the browser may be, under the names that distributions give it.
const BROWSERS: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];

/// The public pages of the sample catalogue, each with the name of its pictures.
const PAGES: [(&str, &str); 22] = [
    ("home", "/"),
    ("search", "/search"),
    ("search-words", "/search?q=gaia"),
    ("search-filters", "/search?type=Datalab&mission=astronomy%2Fgaia&datazone=go-esa"),
    ("search-nothing", "/search?q=gaia&type=Pipeline"),
    ("search-page-2", "/search?page=2"),
    ("record", "/record/go-esa/esa.esdc.aladin"),
    ("record-details", "/record/go-esa/esa.esdc.aladin?tab=details"),
    ("record-versions", "/record/go-esa/esa.esdc.aladin?tab=versions"),
    ("record-data", "/record/go-esa/esa.jwst.detector1-image2?tab=data"),
    ("record-provenance", "/record/go-esa/esa.esdc.aladin?tab=provenance"),
    ("record-dataset", "/record/go-esa/esa.gaia.dr3"),
    ("launch", "/launch?datalab=go-esa/esa.datalabs.jupyterlab-cuda"),
    ("launch-no", "/launch?datalab=go-esa/esa.esdc.aladin&cpu=500&memory=2048&gpu=0"),
    ("publish", "/publish"),
    ("volumes", "/volumes"),
    ("datazones", "/datazones"),
    (
        "sparql",
        "/sparql-editor?run=1&query=SELECT%20%3Ftype%20(COUNT(*)%20AS%20%3Fn)%20%7B%20%3Fr%20a%20%3Ftype%20%7D%20GROUP%20BY%20%3Ftype",
    ),
    ("sign-in", "/login"),
    ("not-found", "/nothing/here"),
    ("api", "/api/docs"),
    ("vocabulary", "/ns/esado"),
];

/// What Blink calls the schemes (`blink::mojom::PreferredColorScheme`).
const THEMES: [(&str, u8); 2] = [("light", 1), ("dark", 0)];

/// Width and height of the window: a telephone and a desk.
const WINDOWS: [(u32, u32); 2] = [(390, 2400), (1440, 1800)];

/// Where to look, and where to keep what was seen.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The running server.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
    /// The folder for the pictures.
    #[arg(long, default_value = "target/screenshots")]
    out: PathBuf,
}

/// Takes the pictures.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let browser = browser().context("no Chromium is on the path; install one to take pictures")?;
    std::fs::create_dir_all(&arguments.out).with_context(|| format!("cannot make `{}`", arguments.out.display()))?;
    let base = arguments.url.trim_end_matches('/');
    let profile = std::env::temp_dir().join(format!("alidade-screenshots-{}", std::process::id()));
    let mut taken = 0;
    for (theme, scheme) in THEMES {
        for window in WINDOWS {
            for (name, path) in PAGES {
                let picture = arguments.out.join(format!("{name}-{theme}-{}.png", window.0));
                take(&browser, &profile, &format!("{base}{path}"), &picture, scheme, window)?;
                taken += 1;
            }
        }
    }
    // A profile left behind in the temporary folder harms nobody.
    let _ = std::fs::remove_dir_all(&profile);
    println!("{taken} pictures in {}", arguments.out.display());
    Ok(())
}

fn browser() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    BROWSERS.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|file| file.is_file())
}

fn take(
    browser: &Path,
    profile: &Path,
    url: &str,
    picture: &Path,
    scheme: u8,
    (width, height): (u32, u32),
) -> Result<()> {
    // Last time's picture must not pass for this time's.
    if picture.exists() {
        std::fs::remove_file(picture).with_context(|| format!("cannot replace `{}`", picture.display()))?;
    }
    let status = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .arg(format!("--blink-settings=preferredColorScheme={scheme}"))
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("--window-size={width},{height}"))
        .arg(format!("--screenshot={}", picture.display()))
        .arg(url)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .with_context(|| format!("cannot run `{}`", browser.display()))?;
    if !status.success() || !picture.is_file() {
        bail!("the browser took no picture of {url}");
    }
    Ok(())
}
