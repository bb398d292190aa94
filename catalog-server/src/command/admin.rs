//! Commands for the operator, on this machine's data folder.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use catalog_harvester::lines::Lines;
use catalog_index::Generations;
use catalog_records::Ledger;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::package::print_report;
use super::serve::lock;
use super::{Local, block_on, say};
use crate::catalog::Catalog;
use crate::view::Projection;
use crate::{config, projector};

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
        let mut source = Lines::new(std::io::BufReader::with_capacity(1 << 20, file));
        block_on(async {
            let ledger = Ledger::open(&config.data_dir).await?;
            let catalog = Catalog::new(ledger.clone(), config.zone.id.clone());
            let (mut stored, mut same, mut kept, mut refused) = (0, 0, 0, 0);
            // Reading and validating one batch goes on while the one before it is stored.
            let (sender, mut batches) = tokio::sync::mpsc::channel(1);
            let reader = tokio::task::spawn_blocking(move || {
                while let Some(batch) = source.next_batch()? {
                    if sender.blocking_send(batch).is_err() {
                        break;
                    }
                }
                Ok::<_, catalog_harvester::Error>(())
            });
            while let Some(batch) = batches.recv().await {
                for one in &batch.quarantined {
                    say(format_args!("line {} is refused:", one.line));
                    print_report(&self.file, &one.report);
                }
                refused += batch.quarantined.len();
                let imported = catalog.import(&batch.records).await;
                let imported = imported.map_err(|failure| anyhow::anyhow!("{}", failure.words()))?;
                stored += imported.created;
                same += imported.same;
                kept += imported.kept;
                bar.inc(batch.bytes);
                bar.set_message(format!("{stored} stored"));
            }
            reader.await??;
            bar.finish_and_clear();
            say(format_args!("{stored} stored, {same} unchanged, {kept} kept as they were, {refused} refused"));
            ledger.close().await;
            Ok(if refused == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        })
    }
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

/// Reads the mappings that harvest sources can name and says which there are.
fn mappings_are_well() -> bool {
    match catalog_harvester::Mappings::installed() {
        Ok(mappings) => {
            let names: Vec<&str> = mappings.all().map(|mapping| mapping.name.as_str()).collect();
            say(format_args!("mappings of harvest sources: {}", names.join(", ")));
            true
        }
        Err(error) => {
            say(format_args!("fault: {error}"));
            false
        }
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
    is_well &= mappings_are_well();
    let identity = super::identity(&config)?;
    say(format_args!("this server signs with the key {} (for `peer` of other servers)", identity.public_key()));
    for zone in &config.datazone {
        match catalog_launch::open(zone, Some(&identity)) {
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
