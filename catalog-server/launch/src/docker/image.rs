//! Images at the engine: found, pulled with progress, and named by what they really are.

use std::collections::HashMap;

use bollard::Docker;
use bollard::query_parameters::CreateImageOptions;
use futures::StreamExt;

use super::errors::{failure, is_absent};
use crate::backend::{BackendError, FailureCode, Progress, Stage};
use crate::spec::{Image, LaunchSpec};

/// An image that is at the engine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// The engine's own id: what a container is made from, as no tag can change it.
    pub(super) id: String,
    /// The registry's digest.
    pub(super) digest: Option<String>,
    pub(super) byte_size: Option<u64>,
    /// Where the image wants to work.
    pub(super) working_dir: Option<String>,
    /// The image's own `HOME`.
    pub(super) home: Option<String>,
}

/// Returns the image of a launch.
pub(super) fn named(spec: &LaunchSpec, stage: Stage) -> Result<&Image, BackendError> {
    spec.image.as_ref().ok_or_else(|| BackendError::new(stage, FailureCode::ImageNone, "the record names no image"))
}

/// Looks for an image at the engine.
pub(super) async fn find(client: &Docker, image: &Image, stage: Stage) -> Result<Option<Found>, BackendError> {
    let inspected = match client.inspect_image(&image.name()).await {
        Ok(inspected) => inspected,
        Err(error) if is_absent(&error) => return Ok(None),
        Err(error) => return Err(failure(stage, &error)),
    };
    let repository = image.repository();
    let of_registry = inspected.repo_digests.unwrap_or_default().into_iter().find_map(|name| {
        // The engine leaves out the default registry, so the last words of both are compared.
        let (known, digest) = name.split_once('@')?;
        (repository == known || repository.ends_with(&format!("/{known}"))).then(|| digest.to_owned())
    });
    let config = inspected.config.unwrap_or_default();
    let home =
        config.env.unwrap_or_default().into_iter().find_map(|pair| pair.strip_prefix("HOME=").map(str::to_owned));
    Ok(Some(Found {
        id: inspected.id.unwrap_or_else(|| image.name()),
        digest: image.pinned().map(str::to_owned).or(of_registry),
        byte_size: inspected.size.and_then(|size| u64::try_from(size).ok()),
        working_dir: config.working_dir.filter(|path| !path.is_empty()),
        home,
    }))
}

/// Pulls an image and tells how far it is.
pub(super) async fn pull(
    client: &Docker,
    image: &Image,
    progress: &(dyn Fn(Progress) + Send + Sync),
) -> Result<(), BackendError> {
    let options = CreateImageOptions {
        from_image: Some(image.repository().to_owned()),
        tag: Some(image.pinned().unwrap_or(image.tag()).to_owned()),
        ..Default::default()
    };
    let mut layers = Layers::default();
    let mut told = None;
    let mut answers = client.create_image(Some(options), None, None);
    while let Some(answer) = answers.next().await {
        let answer = answer.map_err(|error| failure(Stage::Prepare, &error))?;
        let detail = answer.progress_detail.unwrap_or_default();
        layers.hear(answer.id.as_deref(), answer.status.as_deref().unwrap_or_default(), detail.current, detail.total);
        let percent = layers.percent();
        if told < Some(percent) {
            told = Some(percent);
            progress(Progress::Pull(percent));
        }
    }
    Ok(())
}

/// How much of every layer is there.
#[derive(Debug, Default)]
struct Layers(HashMap<String, (u64, u64)>);

impl Layers {
    fn hear(&mut self, layer: Option<&str>, status: &str, current: Option<i64>, total: Option<i64>) {
        let Some(layer) = layer else { return };
        let amount = |count: Option<i64>| count.and_then(|count| u64::try_from(count).ok());
        match status {
            "Downloading" => {
                if let (Some(current), Some(total)) = (amount(current), amount(total)) {
                    self.0.insert(layer.to_owned(), (current.min(total), total));
                }
            }
            "Download complete" | "Pull complete" | "Already exists" => {
                let (_, total) = self.0.get(layer).copied().unwrap_or((1, 1));
                self.0.insert(layer.to_owned(), (total, total));
            }
            "Pulling fs layer" | "Waiting" => _ = self.0.entry(layer.to_owned()).or_insert((0, 1)),
            _ => {}
        }
    }

    fn percent(&self) -> u8 {
        let sum = |of: fn(&(u64, u64)) -> u64| self.0.values().map(|layer| u128::from(of(layer))).sum::<u128>();
        let total = sum(|(_, total)| *total);
        let percent = (sum(|(current, _)| *current) * 100).checked_div(total).unwrap_or_default();
        u8::try_from(percent).unwrap_or(100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pull_is_told_in_per_cent_of_all_layers() {
        let mut layers = Layers::default();
        let mut told = Vec::new();
        for (layer, status, current, total) in [
            (None, "Pulling from library/lab", None, None),
            (Some("a"), "Downloading", Some(0), Some(300)),
            (Some("b"), "Downloading", Some(0), Some(100)),
            (Some("a"), "Downloading", Some(150), Some(300)),
            (Some("b"), "Download complete", None, None),
            (Some("a"), "Extracting", Some(10), Some(300)),
            (Some("a"), "Pull complete", None, None),
        ] {
            layers.hear(layer, status, current, total);
            told.push(layers.percent());
        }
        assert_eq!(told, [0, 0, 0, 37, 62, 62, 100]);
    }
}
