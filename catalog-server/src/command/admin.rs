//! Commands for the operator, on this machine's data folder.

use std::io::BufRead;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use catalog_index::Generations;
use catalog_ontology::manifest::{Options, ValidRecord, Writer, validate};
use catalog_records::Ledger;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::package::print_report;
use super::serve::lock;
use super::{Local, block_on, say};
use crate::catalog::Catalog;
use crate::view::Projection;
use crate::{config, projector};

/// Records validated and stored at a time.
const BATCH: usize = 5000;

/// `alidade import`
#[derive(Debug, Args)]
pub(super) struct Import {
    /// A file with one manifest a line
    file: PathBuf,
    #[command(flatten)]
    local: Local,
}

impl Import {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let config = self.local.load()?;
        let _lock = lock(&config.data_dir)?;
        let file = std::fs::File::open(&self.file).with_context(|| format!("cannot read `{}`", self.file.display()))?;
        let bar = ProgressBar::new(file.metadata()?.len())
            .with_style(ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {msg}")?);
        block_on(async {
            let ledger = Ledger::open(&config.data_dir).await?;
            let catalog = Catalog::new(ledger.clone(), config.zone.id.clone());
            let (mut stored, mut same, mut kept, mut refused) = (0, 0, 0, 0_u64);
            let mut batch = Vec::with_capacity(BATCH);
            let mut lines = std::io::BufReader::with_capacity(1 << 20, file).split(b'\n').enumerate().peekable();
            while let Some((number, line)) = lines.next() {
                let line = line.with_context(|| format!("line {} of `{}`", number + 1, self.file.display()))?;
                bar.inc(line.len() as u64 + 1);
                if !line.iter().all(u8::is_ascii_whitespace) {
                    batch.push((number + 1, line));
                }
                if batch.len() < BATCH && lines.peek().is_some() {
                    continue;
                }
                let (records, faults) = validated(std::mem::take(&mut batch)).await?;
                for (number, report) in &faults {
                    say(format_args!("line {number} is refused:"));
                    print_report(&self.file, report);
                }
                refused += faults.len() as u64;
                let imported =
                    catalog.import(&records).await.map_err(|failure| anyhow::anyhow!("{:?}", failure.problem()))?;
                stored += imported.created;
                same += imported.same;
                kept += imported.kept;
                bar.set_message(format!("{stored} stored"));
            }
            bar.finish_and_clear();
            say(format_args!("{stored} stored, {same} unchanged, {kept} kept as they were, {refused} refused"));
            ledger.close().await;
            Ok(if refused == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        })
    }
}

type Line = (usize, Vec<u8>);

/// Validates lines on every core, in their order.
async fn validated(
    lines: Vec<Line>,
) -> anyhow::Result<(Vec<ValidRecord>, Vec<(usize, catalog_schemas::problem::Report)>)> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let chunk = lines.len().div_ceil(cores).max(1);
    let tasks: Vec<_> = lines
        .chunks(chunk)
        .map(<[Line]>::to_vec)
        .map(|lines| {
            tokio::task::spawn_blocking(move || {
                let options = Options::new(Writer::Developer);
                lines.into_iter().map(|(number, line)| (number, validate(&line, &options))).collect::<Vec<_>>()
            })
        })
        .collect();
    let (mut records, mut faults) = (Vec::new(), Vec::new());
    for task in tasks {
        for (number, validation) in task.await? {
            match validation.record {
                Some(record) => records.push(record),
                None => faults.push((number, validation.report)),
            }
        }
    }
    Ok((records, faults))
}

/// `alidade verify`
pub(super) fn verify(local: &Local) -> anyhow::Result<ExitCode> {
    let config = local.load()?;
    let _lock = lock(&config.data_dir)?;
    block_on(async {
        let ledger = Ledger::open(&config.data_dir).await?;
        let report = ledger.verify().await?;
        say(format_args!("{} records, {} versions, {} blobs", report.records, report.versions, report.blobs));
        for fault in &report.faults {
            say(format_args!("fault: {fault}"));
        }
        let index = Generations::open(config.data_dir.join("index"))?;
        match index.current() {
            Some(index) => match index.check() {
                Ok(()) => say(format_args!(
                    "the search index holds {} records and is at {} of {}",
                    index.count(),
                    index.applied_seq(),
                    ledger.last_seq()
                )),
                Err(error) => say(format_args!("the search index is damaged and will be built anew: {error}")),
            },
            None => say("there is no search index; it will be built at the next start"),
        }
        let is_sound = report.is_sound();
        say(if is_sound { "sound" } else { "not sound" });
        ledger.close().await;
        Ok(if is_sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    })
}

/// `alidade reindex`
pub(super) fn reindex(local: &Local) -> anyhow::Result<ExitCode> {
    let config = local.load()?;
    let _lock = lock(&config.data_dir)?;
    block_on(async {
        let ledger = Ledger::open(&config.data_dir).await?;
        let generations = Generations::open(config.data_dir.join("index"))?;
        let next = generations.start_next()?;
        let bar = ProgressBar::new(ledger.count().await?);
        let projection = Arc::new(Projection::new(&config));
        let count = projector::fill_index(&ledger, &next, &projection, |count| bar.set_position(count)).await?;
        tokio::task::spawn_blocking(move || generations.publish_next()).await??;
        std::fs::write(config.data_dir.join("index").join("MADE_FOR"), projection.fingerprint())?;
        bar.finish_and_clear();
        say(format_args!("{count} records are indexed"));
        ledger.close().await;
        Ok(ExitCode::SUCCESS)
    })
}

/// `alidade backup`
#[derive(Debug, Args)]
pub(super) struct Backup {
    /// Where to: a folder; what it holds of an earlier backup is not copied again
    to: PathBuf,
    #[command(flatten)]
    local: Local,
}

impl Backup {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let config = self.local.load()?;
        block_on(async {
            let ledger = Ledger::open(&config.data_dir).await?;
            ledger.backup(&self.to).await?;
            say(format_args!("the ledger up to {} is in `{}`", ledger.last_seq(), self.to.display()));
            Ok(ExitCode::SUCCESS)
        })
    }
}

/// `alidade restore`
#[derive(Debug, Args)]
pub(super) struct Restore {
    /// A folder that `alidade backup` made
    from: PathBuf,
    #[command(flatten)]
    local: Local,
}

impl Restore {
    pub(super) fn run(&self) -> anyhow::Result<ExitCode> {
        let config = self.local.load()?;
        let _lock = lock(&config.data_dir)?;
        block_on(async {
            let report = Ledger::restore(&self.from, &config.data_dir).await?;
            for fault in &report.faults {
                say(format_args!("fault: {fault}"));
            }
            say(format_args!(
                "{} records and {} packages are restored; projections are built at the next start",
                report.records, report.blobs
            ));
            Ok(if report.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        })
    }
}

/// `alidade doctor`
pub(super) fn doctor(local: &Local) -> anyhow::Result<ExitCode> {
    for (key, meaning) in config::EXPLAINED {
        say(format_args!("{key:<28} {meaning}"));
    }
    say("");
    let config = local.load()?;
    say(format_args!(
        "the configuration is valid: zone {}, {} datazones, base {}",
        config.zone.id,
        config.datazone.len(),
        config.base()
    ));
    let mut is_well = true;
    let folder = &config.data_dir;
    if let Err(error) = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(folder.join(".writable"), b"")) {
        say(format_args!("fault: the data folder `{}` cannot be written: {error}", folder.display()));
        is_well = false;
    } else {
        let _ = std::fs::remove_file(folder.join(".writable"));
        say(format_args!("the data folder `{}` can be written", folder.display()));
    }
    for zone in &config.datazone {
        match catalog_launch::open(zone) {
            Ok(backend) => {
                let seen = block_on(async {
                    Ok(tokio::time::timeout(std::time::Duration::from_secs(3), backend.capability()).await)
                })?;
                match seen {
                    Ok(Ok(capability)) => say(format_args!(
                        "datazone {}: up, {} CPU, {} MiB",
                        zone.id, capability.cpu, capability.memory_mib
                    )),
                    Ok(Err(error)) => say(format_args!("datazone {}: down: {}", zone.id, error.cause)),
                    Err(_) => say(format_args!("datazone {}: no answer within 3 s", zone.id)),
                }
            }
            Err(error) => {
                say(format_args!("fault: datazone {}: {error}", zone.id));
                is_well = false;
            }
        }
    }
    Ok(if is_well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
