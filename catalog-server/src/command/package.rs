//! Commands that work on packages, here, without a server.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use catalog_archive::{Format, Progress};
use catalog_ontology::manifest::Writer;
use catalog_schemas::problem::{Report, Severity};
use clap::Args;
use indicatif::ProgressBar;

use super::govern::{sign_checked, signature_path};
use super::say;

/// `alidade pack`
#[derive(Debug, Args)]
pub(super) struct Pack {
    /// The folder with manifest.jsonld
    folder: PathBuf,
    /// Where to write the package; NAME-VERSION.datalab.tar.gz beside the folder when absent
    #[arg(short, long)]
    output: Option<PathBuf>,
    /// Make a .zip rather than a .tar.gz
    #[arg(long)]
    zip: bool,
    /// Sign it with the private key in this file; the signature is written beside the package, with .sig
    #[arg(long, value_name = "KEY")]
    sign: Option<PathBuf>,
}

impl Pack {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let format = if self.zip { Format::Zip } else { Format::TarGz };
        let bytes = pack(&self.folder, format)?;
        let checked = crate::intake::check(&bytes, Writer::Developer);
        let report = &checked.report;
        print_report(&self.folder, report);
        if !report.valid {
            return Ok(ExitCode::FAILURE);
        }
        let output = self.output.clone().unwrap_or_else(|| {
            let name = report.identifier.as_deref().and_then(|id| id.rsplit('.').next()).unwrap_or("package");
            let suffix = if self.zip { "zip" } else { "tar.gz" };
            PathBuf::from(format!("{name}-{}.datalab.{suffix}", report.version.as_deref().unwrap_or("0")))
        });
        std::fs::write(&output, &bytes).with_context(|| format!("cannot write `{}`", output.display()))?;
        say(format_args!("{} ({} bytes)", output.display(), bytes.len()));
        if let Some(key) = &self.sign {
            let signature = serde_json::to_string_pretty(&sign_checked(&checked, key)?)?;
            let beside = signature_path(&output);
            std::fs::write(&beside, signature + "\n")
                .with_context(|| format!("cannot write `{}`", beside.display()))?;
            say(beside.display());
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// `alidade validate`
#[derive(Debug, Args)]
pub(super) struct Validate {
    /// A package, a folder to make one from, or a manifest
    path: PathBuf,
    /// Print the report as JSON, as the server gives it
    #[arg(long)]
    json: bool,
}

impl Validate {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let report = crate::intake::check(&archive_of(&self.path)?, Writer::Developer).report;
        if self.json {
            say(serde_json::to_string_pretty(&report)?);
        } else {
            print_report(&self.path, &report);
            say(if report.valid { "valid" } else { "not valid" });
        }
        Ok(if report.valid { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Reads a file, or packs a folder.
pub(super) fn archive_of(path: &Path) -> anyhow::Result<Vec<u8>> {
    if path.is_dir() {
        return pack(path, Format::TarGz);
    }
    std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))
}

fn pack(folder: &Path, format: Format) -> anyhow::Result<Vec<u8>> {
    let bar = if std::io::stderr().is_terminal() { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
    let bytes = catalog_archive::pack(folder, format, &mut |progress: Progress<'_>| {
        match progress {
            Progress::Skipped { path } => bar.println(format!("left out: {path}")),
            Progress::Read { path, .. } | Progress::Packing { path, .. } => bar.set_message(path.to_owned()),
            Progress::Checking { .. } => bar.set_message("checking"),
        }
        bar.tick();
    });
    bar.finish_and_clear();
    bytes.with_context(|| format!("cannot pack `{}`", folder.display()))
}

/// Prints findings as a compiler does: what, where, and how to mend it.
pub(super) fn print_report(path: &Path, report: &Report) {
    for finding in &report.findings {
        let grade = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Hint => "hint",
        };
        say(format_args!("{grade}[{}]: {}", finding.code, finding.message));
        let mut place = file_of(path, finding.file.as_deref());
        if let (Some(line), Some(column)) = (finding.line, finding.column) {
            place.push_str(&format!(":{line}:{column}"));
        }
        say(format_args!("  --> {}", format!("{place} {}", finding.pointer).trim_end()));
        if let Some(got) = &finding.got {
            say(format_args!("  got: {got}"));
        }
        if let Some(expected) = &finding.expected {
            say(format_args!("  expected: {expected}"));
        }
        if let Some(fix) = &finding.fix {
            say(format_args!("  fix: {fix}"));
        }
    }
    if !report.findings.is_empty() {
        say(format_args!("{}, {}", counted(report.errors, "error"), counted(report.warnings, "warning")));
    }
}

/// Names a file of a package as an editor opens it; one within an archive stands behind the archive's name.
fn file_of(path: &Path, file: Option<&str>) -> String {
    let name = file.unwrap_or("manifest.jsonld");
    if path.is_dir() {
        return path.join(name).display().to_string();
    }
    let bare = path.extension().is_some_and(|extension| extension == "jsonld" || extension == "json");
    if bare { path.display().to_string() } else { format!("{}: {name}", path.display()) }
}

fn counted(count: usize, what: &str) -> String {
    match count {
        1 => format!("1 {what}"),
        count => format!("{count} {what}s"),
    }
}
