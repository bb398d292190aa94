//! Merging within the ledger: records of which several say something.

use catalog_schemas::patch::merge_patch;
use sqlx::{QueryBuilder, Row};

use super::read::{StoredSaying, last_seen};
use crate::curate::AMENDMENT;
use crate::error::Error;
use crate::merge::{OVERLAY, Saying, merge, ranked};
use crate::row::{Connection, Database, column, counted, time};
use crate::writer::Writing;

/// Whether a saying `s` of a record `r` with current revision `v` is the one that its current version says: its source's,
/// and not that of another key of this source.
pub(super) const MAIN: &str = "(v.source = s.source AND NOT EXISTS (SELECT 1 FROM said o WHERE o.record = s.record \
     AND o.source = s.source AND o.id <> s.id AND o.revision = r.revision))";

fn json(text: &str) -> Result<serde_json::Value, Error> {
    serde_json::from_str(text).map_err(|error| Error::Invalid { column: "document", detail: error.to_string() })
}

/// Gathers what sources say of a record now: what was harvested, and what was published here.
pub(super) async fn sayings(connection: &mut Connection, record: i64) -> Result<Vec<StoredSaying>, Error> {
    let mut all = Vec::new();
    let mut query = QueryBuilder::<Database>::new(
        "SELECT s.source, s.key, s.run, s.first_seen, s.modified, s.content_hash, s.part, w.document, w.seq, \
         f.precedence, f.zone = r.zone AS home, f.last_success, ",
    );
    query.push(MAIN);
    query.push(
        " AS main FROM said s JOIN record r ON r.id = s.record JOIN revision w ON w.id = s.revision \
         JOIN source f ON f.id = s.source JOIN revision v ON v.id = r.revision WHERE s.gone IS NULL AND s.record = ",
    );
    let rows = query.push_bind(record).push(" ORDER BY s.id").build().fetch_all(&mut *connection).await?;
    for row in &rows {
        let source: String = column(row, "source")?;
        let main = column(row, "main")?;
        // Two keys of one source may have become one record; the one whose version it is speaks, else the newer.
        if let Some(at) = all.iter().position(|one: &StoredSaying| one.saying.source == source) {
            if all[at].saying.main {
                continue;
            }
            all.remove(at);
        }
        all.push(StoredSaying {
            saying: Saying {
                source,
                main,
                home: row.try_get::<Option<bool>, _>("home")?.unwrap_or_default(),
                precedence: i32::try_from(column::<i64>(row, "precedence")?).unwrap_or_default(),
                seq: counted(column(row, "seq")?),
                document: json(column(row, "document")?)?,
            },
            key: Some(column(row, "key")?),
            run: Some(counted(column(row, "run")?)),
            first_seen: time(row, "first_seen")?,
            modified: time(row, "modified")?,
            last_seen: last_seen(row)?,
            content_hash: column(row, "content_hash")?,
            part: Some(column::<String>(row, "part")?).filter(|part| !part.is_empty()),
        });
    }
    // What people publish here is said by this zone itself.
    let row = sqlx::query(
        "SELECT v.source, v.document, v.seq, v.at, v.content_hash, r.created FROM record r JOIN revision v ON v.id = r.revision \
         WHERE r.id = $1 AND v.document IS NOT NULL AND NOT EXISTS (SELECT 1 FROM source o WHERE o.id = v.source)",
    )
    .bind(record)
    .fetch_optional(&mut *connection)
    .await?;
    if let Some(row) = row {
        all.push(StoredSaying {
            saying: Saying {
                source: column(&row, "source")?,
                main: true,
                home: true,
                precedence: 0,
                seq: counted(column(&row, "seq")?),
                document: json(column(&row, "document")?)?,
            },
            key: None,
            run: None,
            first_seen: time(&row, "created")?,
            modified: time(&row, "at")?,
            last_seen: None,
            content_hash: column(&row, "content_hash")?,
            part: None,
        });
    }
    Ok(all)
}

/// Brings a record in step with everything that is said of it: its merged document, and who says it.
pub(crate) async fn remerge(writing: &mut Writing, record: i64) -> Result<(), Error> {
    let mut said: Vec<Saying> =
        sayings(writing.connection().await?, record).await?.into_iter().map(|one| one.saying).collect();
    if !said.is_empty() && said.iter().all(|saying| !saying.main) {
        promote(writing, record, &mut said).await?;
    }
    let patches = patches(writing, record).await?;
    if said.is_empty() {
        // Only a tombstone is left, which shows what was said last.
        let row = sqlx::query(
            "SELECT v.source, v.document FROM record r JOIN revision v ON v.id = r.revision WHERE r.id = $1",
        )
        .bind(record)
        .fetch_one(writing.connection().await?)
        .await?;
        let document = json(column::<Option<&str>>(&row, "document")?.unwrap_or("{}"))?;
        let source = column(&row, "source")?;
        said.push(Saying { source, main: true, home: false, precedence: 0, seq: 0, document });
    }
    let amendments = amendments(writing, record).await?;
    if let Some(main) = said.iter_mut().find(|saying| saying.main) {
        // What developers amend of their version is theirs as the version is: below a moderator's words.
        amendments.iter().for_each(|amendment| merge_patch(&mut main.document, amendment));
    }
    let mut also: Vec<&str> = said.iter().filter(|saying| !saying.main).map(|saying| saying.source.as_str()).collect();
    also.sort_unstable();
    let also = (!also.is_empty()).then(|| also.join("\n"));
    let laid_over = !patches.is_empty() || !amendments.is_empty();
    let merged = (also.is_some() || laid_over).then(|| merge(said, &patches).document.to_string());
    sqlx::query("UPDATE record SET merged = $2, also = $3 WHERE id = $1")
        .bind(record)
        .bind(merged)
        .bind(also)
        .execute(writing.connection().await?)
        .await?;
    Ok(())
}

/// Lets a tombstone live again with what is said of it now; says whether anything is.
pub(super) async fn revive(writing: &mut Writing, record: i64) -> Result<bool, Error> {
    let mut said: Vec<Saying> =
        sayings(writing.connection().await?, record).await?.into_iter().map(|one| one.saying).collect();
    if said.is_empty() {
        return Ok(false);
    }
    promote(writing, record, &mut said).await?;
    remerge(writing, record).await?;
    Ok(true)
}

/// Gives a record whose own source is gone to the most believed of those that are left.
async fn promote(writing: &mut Writing, record: i64, said: &mut [Saying]) -> Result<(), Error> {
    let Some(heir) = ranked(said.to_vec()).into_iter().next() else { return Ok(()) };
    said.iter_mut().for_each(|saying| saying.main = saying.source == heir.source);
    let now = writing.now;
    sqlx::query(
        "INSERT INTO version (record, version, state, revision, content_hash, source, publisher, seq, published, changed) \
         SELECT v.record, v.version, 'published', v.id, v.content_hash, v.source, v.account, r.seq, $3, $3 \
         FROM said s JOIN revision v ON v.id = s.revision JOIN record r ON r.id = s.record \
         WHERE s.record = $1 AND s.source = $2 AND s.gone IS NULL ORDER BY s.id DESC LIMIT 1 \
         ON CONFLICT (record, version) DO UPDATE SET state = 'published', revision = excluded.revision, \
         content_hash = excluded.content_hash, source = excluded.source, changed = excluded.changed, reason = NULL",
    )
    .bind(record)
    .bind(heir.source.as_str())
    .bind(now)
    .execute(writing.connection().await?)
    .await?;
    sqlx::query(
        "UPDATE record SET state = 'published', revision = (SELECT revision FROM said WHERE record = $1 AND source = $2 AND gone IS NULL \
         ORDER BY id DESC LIMIT 1), \
         version = (SELECT v.version FROM said s JOIN revision v ON v.id = s.revision WHERE s.record = $1 AND s.source = $2 \
         AND s.gone IS NULL ORDER BY s.id DESC LIMIT 1) WHERE id = $1",
    )
    .bind(record)
    .bind(heir.source.as_str())
    .execute(writing.connection().await?)
    .await?;
    Ok(())
}

/// Reads what the developers of a record amended of its current version, oldest first.
async fn amendments(writing: &mut Writing, record: i64) -> Result<Vec<serde_json::Value>, Error> {
    let rows = sqlx::query(
        "SELECT v.document FROM record r JOIN revision v ON v.record = r.id AND v.source = $2 AND v.version = r.version \
         WHERE r.id = $1 ORDER BY v.id",
    )
    .bind(record)
    .bind(AMENDMENT)
    .fetch_all(writing.connection().await?)
    .await?;
    rows.iter().map(|row| json(column(row, "document")?)).collect()
}

/// Reads a record's patches, oldest first.
async fn patches(writing: &mut Writing, record: i64) -> Result<Vec<serde_json::Value>, Error> {
    let rows =
        sqlx::query("SELECT document FROM revision WHERE record = $1 AND source = $2 AND version = '' ORDER BY id")
            .bind(record)
            .bind(OVERLAY)
            .fetch_all(writing.connection().await?)
            .await?;
    rows.iter().map(|row| json(column(row, "document")?)).collect()
}
