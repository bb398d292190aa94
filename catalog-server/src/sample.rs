//! The sample catalogue: package folders in the binary, packed in memory and published like anybody's.

use catalog_records::Actor;
use catalog_schemas::id::{Identifier, Version};
use include_dir::{Dir, include_dir};

use crate::catalog::{Catalog, Upload};
use crate::intake;

static SAMPLE: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/sample");

/// Why the sample could not be published.
#[derive(Debug, thiserror::Error)]
pub enum SampleError {
    /// A folder cannot be packed.
    #[error("the sample `{folder}` cannot be packed")]
    Pack {
        /// The folder.
        folder: String,
        /// Why not.
        source: catalog_archive::Error,
    },
    /// A package is refused.
    #[error("the sample `{folder}` is refused: {reason}")]
    Refused {
        /// The folder.
        folder: String,
        /// Why.
        reason: String,
    },
}

/// Returns the sample's packages by folder.
pub fn packages() -> impl Iterator<Item = Result<(String, Vec<u8>), SampleError>> {
    SAMPLE.dirs().map(|folder| {
        let name = folder.path().to_string_lossy().into_owned();
        let mut files = Vec::new();
        collect(folder, folder, &mut files);
        match catalog_archive::pack_entries(files, catalog_archive::Format::TarGz) {
            Ok(bytes) => Ok((name, bytes)),
            Err(source) => Err(SampleError::Pack { folder: name, source }),
        }
    })
}

fn collect(root: &Dir<'static>, folder: &Dir<'static>, files: &mut Vec<(String, Vec<u8>)>) {
    for file in folder.files() {
        let path = file.path().strip_prefix(root.path()).unwrap_or(file.path());
        files.push((path.to_string_lossy().into_owned(), file.contents().to_vec()));
    }
    for inner in folder.dirs() {
        collect(root, inner, files);
    }
}

/// Publishes the sample; what is there already stays, so doing it again changes nothing. Returns how many were new.
pub async fn publish(catalog: &Catalog) -> Result<usize, SampleError> {
    let mut uploads = Vec::new();
    for package in packages() {
        let (folder, bytes) = package?;
        let refused = |reason: String| SampleError::Refused { folder: folder.clone(), reason };
        let report = intake::check(&bytes, catalog_ontology::manifest::Writer::Developer).report;
        let identifier: Identifier =
            report.identifier.unwrap_or_default().parse().map_err(|error| refused(format!("{error}")))?;
        let version = report.version.as_deref().unwrap_or(crate::catalog::FIRST_VERSION);
        let version: Version = version.parse().map_err(|error| refused(format!("{error}")))?;
        uploads.push((
            folder,
            Upload {
                identifier,
                version,
                package: bytes.into(),
                declared: None,
                actor: Actor::application(),
                idempotency_key: None,
                acknowledged: Vec::new(),
                signature: None,
                request: "sample".to_owned(),
            },
        ));
    }
    // The newest come first on the home page: what exists only for tests is published before what people look for.
    let (tests, rest): (Vec<_>, Vec<_>) =
        uploads.into_iter().partition(|(_, upload)| upload.identifier.as_str().starts_with("esa.test."));
    Ok(publish_together(catalog, tests).await? + publish_together(catalog, rest).await?)
}

/// Publishes packages at once: they share commits, so a first start takes a moment rather than a second.
async fn publish_together(catalog: &Catalog, uploads: Vec<(String, Upload)>) -> Result<usize, SampleError> {
    let published = futures::future::join_all(uploads.into_iter().map(|(folder, upload)| async move {
        catalog.publish(upload).await.map_err(|failure| SampleError::Refused { reason: failure.words(), folder })
    }))
    .await;
    let mut new = 0;
    for outcome in published {
        new += usize::from(matches!(outcome?.0, catalog_records::PublishOutcome::Created { .. }));
    }
    Ok(new)
}
