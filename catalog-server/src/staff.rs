//! The moderators' RDF store: public and private statements of every record that is not withdrawn, in a folder of its own.
//!
//! The public endpoint never opens it: what it must not show is not in the store that it has (FACTS F19).

use std::sync::Arc;
use std::time::Duration;

use catalog_graph::Store;

use crate::app::App;
use crate::http::problem::with_sources;
use crate::projector::{Error, blocking, fill_store, is_worth_filling};

/// The folder beside the public store's.
const FOLDER: &str = "graph-staff";

/// Records copied in one batch.
const BATCH: u32 = 1000;

/// How long changes gather, unless a moderator asks: questions are few, and following each change costs as much as the
/// public store does.
const GATHER: Duration = Duration::from_secs(60);

/// Starts the projection; it ends with the process.
pub fn start(app: &Arc<App>) {
    tokio::spawn(follow(Arc::clone(app)));
}

async fn follow(app: Arc<App>) {
    let (folder, stamp) = (app.config.data_dir.join(FOLDER), format!("staff {}", app.projection.stamp()));
    let store = match blocking(move || Ok(Store::open(&folder, &stamp)?)).await {
        Ok(store) => Arc::new(store),
        Err(error) => {
            tracing::error!(
                error = with_sources(&error),
                "the moderators' RDF store cannot be opened; /sparql/staff is closed"
            );
            return;
        }
    };
    let mut committed = app.ledger.watch();
    loop {
        if store.applied_seq() > app.ledger.last_seq() {
            store.give_up("it knows more than the ledger, which was restored or replaced".to_owned());
        }
        match catch_up(&app, &store).await {
            Ok(()) => {
                let applied = store.applied_seq();
                app.open_staff(&store);
                app.staff_followed.reach(applied);
                if committed.wait_for(|last| *last > applied).await.is_err() {
                    return;
                }
                tokio::select! {
                    () = tokio::time::sleep(GATHER) => {}
                    () = app.staff_followed.awaited(applied) => {}
                }
            }
            // The server is stopping.
            Err(Error::Ledger(catalog_records::Error::Closed)) => return,
            Err(error) => {
                tracing::error!(
                    error = with_sources(&error),
                    "the moderators' RDF store could not follow; it will try again"
                );
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn catch_up(app: &Arc<App>, store: &Arc<Store>) -> Result<(), Error> {
    loop {
        if store.rebuild_cause().is_some() || is_worth_filling(&app.ledger, store).await? {
            fill_store(app, store, |projection, record, _| projection.staff_change(record)).await?;
        }
        let changes = app.ledger.changes_after(store.applied_seq(), BATCH).await?;
        let Some(seq) = changes.iter().map(|change| change.seq).max() else { return Ok(()) };
        let keys: Vec<_> = changes.into_iter().map(|change| (change.zone, change.identifier)).collect();
        let records = app.ledger.records(&keys).await?;
        let (store, projection) = (Arc::clone(store), Arc::clone(&app.projection));
        blocking(move || {
            let changes: Vec<_> = records.iter().filter_map(|record| projection.staff_change(record)).collect();
            Ok(store.apply(&changes, seq)?)
        })
        .await?;
    }
}
