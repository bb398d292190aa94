//! `alidade harvest`

use std::process::ExitCode;
use std::time::Duration;

use catalog_schemas::harvest::{DiffRecord, RunView};
use clap::Args;
use indicatif::{HumanBytes, ProgressBar, ProgressStyle};

use super::{Remote, block_on, say};

/// How often it is asked how far a run has come.
const ASK: Duration = Duration::from_millis(300);

/// `alidade harvest`
#[derive(Debug, Args)]
pub(super) struct Harvest {
    /// The source, as `[[source]]` or the API names it
    source: String,
    /// Show what would change, field by field, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Print the whole report as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: Remote,
}

impl Harvest {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let client = self.remote.client()?;
        block_on(async {
            let mut run = client.run_start(&self.source, self.dry_run).await?;
            let bar = ProgressBar::new_spinner();
            let style = ProgressStyle::with_template("{spinner} {msg} [{elapsed}]")?;
            let known = ProgressStyle::with_template("{msg} {bar:30} {pos}/{len} [{elapsed}]")?;
            bar.set_style(style);
            while matches!(run.state.as_str(), "queued" | "running") {
                if let Some(total) = run.total.filter(|total| *total > 0) {
                    bar.set_style(known.clone());
                    bar.set_length(total.max(run.done));
                }
                bar.set_position(run.done);
                let stage = run.stage.as_deref().unwrap_or(&run.state);
                bar.set_message(format!("{} run {}: {stage}, {}", self.source, run.number, HumanBytes(run.bytes)));
                bar.tick();
                tokio::time::sleep(ASK).await;
                run = client.run(&self.source, run.number).await?;
            }
            bar.finish_and_clear();
            if self.json {
                say(serde_json::to_string_pretty(&run)?);
            } else {
                print(&run);
            }
            // Waiting for somebody is neither done nor failed.
            Ok(match run.state.as_str() {
                "completed" => ExitCode::SUCCESS,
                "held" => ExitCode::from(3),
                _ => ExitCode::FAILURE,
            })
        })
    }
}

/// Prints what to do about the line before.
fn fix(fix: Option<&str>) {
    if let Some(fix) = fix {
        say(format_args!("    fix: {fix}"));
    }
}

/// Prints a report for a person.
fn print(run: &RunView) {
    let dry = if run.dry_run { " (dry run: nothing was changed)" } else { "" };
    let part = if run.state == "completed" && !run.complete { " in part" } else { "" };
    say(format_args!("{} run {}: {}{part}{dry}", run.source, run.number, run.state));
    if let Some(reason) = &run.reason {
        say(format_args!("  {} [{}]", reason.message, reason.code));
        fix(reason.fix.as_deref());
    }
    say(format_args!(
        "  {} added, {} changed, {} unchanged, {} removed, {} set aside, {} words without a concept",
        run.added, run.changed, run.unchanged, run.removed, run.quarantined, run.unmatched
    ));
    if let Some(diff) = &run.diff {
        records("+", &diff.added);
        records("~", &diff.changed);
        records("-", &diff.removed);
        if diff.cut {
            say("  … and more");
        }
    }
    for one in &run.findings {
        let finding = &one.finding;
        let line = finding.line.map(|line| format!(":{line}")).unwrap_or_default();
        let place = finding.file.as_ref().map(|file| format!("{file}{line}: ")).unwrap_or_default();
        let mark = if one.quarantined { "set aside" } else { "remark" };
        say(format_args!("  {mark}: {place}{} [{}]", finding.message, finding.code));
        fix(finding.fix.as_deref());
    }
    for word in &run.unmatched_terms {
        say(format_args!("  no {} is called `{}` ({} records)", word.term, word.value, word.count));
    }
    if run.state == "held" {
        say(format_args!("  approve it at /sources/{}/runs/{}", run.source, run.number));
    }
}

fn records(mark: &str, records: &[DiffRecord]) {
    for record in records {
        say(format_args!("  {mark} {} {}", record.identifier, record.name));
        for field in &record.fields {
            let shown =
                |value: &Option<serde_json::Value>| value.as_ref().map_or("nothing".to_owned(), ToString::to_string);
            say(format_args!("      {}: {} -> {}", field.key, shown(&field.before), shown(&field.after)));
        }
    }
}
