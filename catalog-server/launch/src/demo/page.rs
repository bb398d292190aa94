//! The page that stands for a lab: it says DEMO, shows what was granted, and has a notepad that works.
//!
//! Links are relative and both `/lab/{launch}/…` and `/…` answer, so it works behind any proxy.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::response::Response;
use http::{Method, StatusCode, header};
use jiff::Timestamp;

use super::Lab;
use crate::words::mebibytes;

/// The most that a notepad takes.
const LONGEST_NOTE: usize = 16 * 1024;

const STYLE: &str = "
:root{color-scheme:light dark;--paper:#fbfaf7;--sheet:#fff;--ink:#161b22;--ink-2:#4d5663;--line:#dcd8cf;--edge:#8b8578;--accent:#0a5a78;--on:#fff;--brass:#85590a;--wash:#f6edd9}
@media(prefers-color-scheme:dark){:root{--paper:#0d1219;--sheet:#141b25;--ink:#e8ebef;--ink-2:#a4afbd;--line:#263140;--edge:#6d7c8f;--accent:#7cc4e4;--on:#06222e;--brass:#e2b65c;--wash:#2c2412}}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:.9375rem/1.5 system-ui,sans-serif;font-variant-numeric:tabular-nums}
.demo{background:var(--wash);color:var(--brass);padding:.6rem 1.5rem;border-bottom:1px solid var(--line)}.demo b{letter-spacing:.08em;margin-inline-end:.6rem}
main{max-width:64rem;margin:0 auto;padding:1.5rem;display:grid;gap:1.5rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,22rem),1fr))}
header{grid-column:1/-1}h1{font-size:1.75rem;line-height:1.25;margin:0;overflow-wrap:anywhere}h2{font-size:1.1875rem;margin:0 0 .75rem}p{margin:.25rem 0}.quiet{color:var(--ink-2)}
section{background:var(--sheet);border:1px solid var(--line);border-radius:6px;padding:1rem;min-width:0}.wide{grid-column:1/-1}
dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:.25rem 1rem;margin:0}dt{color:var(--ink-2)}dd{margin:0;overflow-wrap:anywhere}
code,pre,textarea{font-family:ui-monospace,monospace;font-size:.92em}pre{overflow:auto;max-height:18rem;margin:0;white-space:pre-wrap;overflow-wrap:anywhere}
textarea{inline-size:100%;min-block-size:9rem;color:inherit;background:var(--paper);border:1px solid var(--edge);border-radius:6px;padding:.6rem}
button{font:inherit;font-weight:550;color:var(--on);background:var(--accent);border:0;border-radius:6px;padding:.45rem 1rem;margin-top:.5rem;cursor:pointer}
a{color:var(--accent)}:focus-visible{outline:3px solid var(--brass);outline-offset:2px}
";

/// Makes the handler of one lab.
pub(super) fn router(lab: Arc<Lab>) -> Router {
    Router::new().fallback(answer).with_state(lab)
}

async fn answer(State(lab): State<Arc<Lab>>, request: Request) -> Response {
    if !lab.answers() {
        return plain(StatusCode::SERVICE_UNAVAILABLE, "the lab is starting\n".to_owned());
    }
    let base = lab.spec.base_path();
    let path = request.uri().path();
    let path = path.strip_prefix(base.trim_end_matches('/')).unwrap_or(path).trim_matches('/').to_owned();
    let entry = lab.spec.entry_path.trim_matches('/');
    match (request.method().clone(), path.as_str()) {
        (Method::GET | Method::HEAD, "log") => {
            plain(StatusCode::OK, lab.lines().iter().fold(String::new(), |all, line| all + &line.text + "\n"))
        }
        (Method::GET | Method::HEAD, "health") => plain(StatusCode::OK, "ok\n".to_owned()),
        // Whatever path the manifest opens or probes shows the page, as the demonstration stands for any lab.
        (Method::GET | Method::HEAD, path) if path.is_empty() || path == entry || is_probe(&lab, path) => {
            html(page(&lab, depth(path)))
        }
        (Method::POST, "note") => take_note(&lab, request).await,
        _ => plain(StatusCode::NOT_FOUND, "the demonstration has no such page\n".to_owned()),
    }
}

fn is_probe(lab: &Lab, path: &str) -> bool {
    lab.spec.readiness.path.as_ref().is_some_and(|probe| probe.trim_matches('/') == path)
}

/// Says how many directories a path lies below the lab's base.
fn depth(path: &str) -> usize {
    path.matches('/').count()
}

async fn take_note(lab: &Lab, request: Request) -> Response {
    let Ok(body) = to_bytes(request.into_body(), LONGEST_NOTE * 3).await else {
        return plain(StatusCode::PAYLOAD_TOO_LARGE, "the note is longer than 16 KiB\n".to_owned());
    };
    let note = form_urlencoded::parse(&body).find(|(name, _)| name == "note").map(|(_, note)| note.into_owned());
    let Some(note) = note.filter(|note| note.len() <= LONGEST_NOTE) else {
        return plain(StatusCode::PAYLOAD_TOO_LARGE, "the note is missing or longer than 16 KiB\n".to_owned());
    };
    lab.say(&format!("note of {} characters kept", note.chars().count()));
    lab.set_note(note);
    respond(StatusCode::SEE_OTHER, "text/plain; charset=utf-8", String::new(), Some("./"))
}

fn page(lab: &Lab, depth: usize) -> String {
    let visits = lab.visit();
    lab.say(&format!("page served, visit {visits}"));
    let spec = &lab.spec;
    let up = "../".repeat(depth);
    let mut facts = String::new();
    let mut fact = |name: &str, value: &str| {
        _ = write!(facts, "<dt>{}</dt><dd>{}</dd>", escape(name), escape(value));
    };
    fact("CPUs", &spec.cpu.to_string());
    fact("Memory", &mebibytes(spec.memory_mib));
    match &spec.gpus {
        Some(gpus) => fact("GPUs", &format!("{} {} (not real)", gpus.count, gpus.model)),
        None => fact("GPUs", "none"),
    }
    fact("Interface", &spec.interface_type);
    if let Some(image) = &spec.image {
        fact("Image", &image.name());
    }
    let mut volumes = String::new();
    for mount in &spec.mounts {
        let mode = if mount.mode == "rw" { "read and write" } else { "read only" };
        _ = write!(
            volumes,
            "<dt>{}</dt><dd><code>{}</code>, {mode}</dd>",
            escape(&mount.volume),
            escape(&mount.mount_path)
        );
    }
    let volumes = if volumes.is_empty() {
        "<p class=quiet>No volume was asked for.</p>".to_owned()
    } else {
        format!("<dl>{volumes}</dl>")
    };
    let lines = lab.lines();
    let mut log = String::new();
    for line in lines.iter().skip(lines.len().saturating_sub(20)) {
        _ = writeln!(log, "{}", escape(&line.text));
    }
    let now = Timestamp::now().strftime("%Y-%m-%d %H:%M:%S UTC");
    let started = lab.started.strftime("%Y-%m-%d %H:%M:%S UTC");
    format!(
        "<!doctype html><html lang=en><head><meta charset=utf-8><meta name=viewport content=\"width=device-width,initial-scale=1\">\
<title>DEMO: {name}</title><style>{STYLE}</style></head><body>\
<div class=demo role=note><b>DEMO</b>This page stands for the lab. Nothing is really run, no data is really mounted.</div>\
<main><header><h1>{name}</h1><p class=quiet>{datalab} in {zone}, since {started}</p></header>\
<section><h2>Granted</h2><dl>{facts}</dl></section>\
<section><h2>Volumes</h2>{volumes}</section>\
<section><h2>Notepad</h2><form method=post action=\"{up}note\"><label for=note class=quiet>Kept until the lab is removed</label>\
<textarea id=note name=note maxlength=4000>{note}</textarea><button>Keep</button></form></section>\
<section><h2>Now</h2><dl><dt>Time</dt><dd><time>{now}</time></dd><dt>Visits</dt><dd>{visits}</dd></dl>\
<p><a href=\"{home}\">Look again</a></p></section>\
<section class=wide><h2>Log</h2><pre>{log}</pre><p><a href=\"{up}log\">The whole log</a></p></section>\
</main></body></html>\n",
        name = escape(&spec.name),
        datalab = escape(&spec.datalab_name),
        zone = escape(&lab.zone_name),
        note = escape(&lab.note()),
        home = if up.is_empty() { "./" } else { &up },
    )
}

fn html(body: String) -> Response {
    respond(StatusCode::OK, "text/html; charset=utf-8", body, None)
}

fn plain(status: StatusCode, body: String) -> Response {
    respond(status, "text/plain; charset=utf-8", body, None)
}

fn respond(status: StatusCode, kind: &'static str, body: String, location: Option<&'static str>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    // The page has no script, so that nothing a user typed can become one.
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        header::HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; form-action 'self'"),
    );
    if let Some(location) = location {
        headers.insert(header::LOCATION, header::HeaderValue::from_static(location));
    }
    response
}

fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}
