//! The files that a launch brings along, in a volume of the engine's own.
//!
//! The engine may be on another machine and the container's root is read-only, so they are not bound from here: a volume is
//! filled through a container that is never started, and then mounted read-only.

use std::collections::{BTreeSet, HashMap};

use bollard::Docker;
use bollard::models::{ContainerCreateBody, HostConfig, Mount, MountType, MountVolumeOptions, VolumeCreateRequest};
use bollard::query_parameters::{
    CreateContainerOptions, ListVolumesOptions, RemoveContainerOptions, RemoveVolumeOptions, UploadToContainerOptions,
};
use catalog_schemas::id::LaunchId;
use jiff::{SignedDuration, Timestamp};

use super::errors::{failure, is_absent, is_conflict};
use crate::backend::{BackendError, Stage};
use crate::labels;
use crate::spec::{FILES_PATH, LaunchSpec};

/// How old a volume without a container must be before it is taken for left over.
const LEFT_OVER_AFTER: SignedDuration = SignedDuration::from_mins(10);

/// Returns the name of the container through which the volume is filled.
fn filler(launch: &LaunchId) -> String {
    format!("{launch}-files")
}

/// Makes the volume of a launch and fills it; done again, it is the same.
pub(super) async fn ensure(
    client: &Docker,
    spec: &LaunchSpec,
    image: &str,
    instance: &str,
) -> Result<(), BackendError> {
    if spec.files.is_empty() {
        return Ok(());
    }
    let failed = |error: bollard::errors::Error| failure(Stage::Start, &error);
    let labels = HashMap::from([
        (labels::LAUNCH.to_owned(), spec.launch.to_string()),
        (labels::INSTANCE.to_owned(), instance.to_owned()),
    ]);
    let volume = VolumeCreateRequest {
        name: Some(spec.launch.to_string()),
        labels: Some(labels),
        ..VolumeCreateRequest::default()
    };
    client.create_volume(volume).await.map_err(failed)?;
    let name = filler(&spec.launch);
    let body = ContainerCreateBody {
        image: Some(image.to_owned()),
        // It is never started, but an image without a command cannot be made a container of.
        cmd: Some(vec!["nothing".to_owned()]),
        labels: Some(HashMap::from([(labels::FILES.to_owned(), spec.launch.to_string())])),
        host_config: Some(HostConfig {
            mounts: Some(vec![mount(&spec.launch, false)]),
            network_mode: Some("none".to_owned()),
            ..HostConfig::default()
        }),
        ..ContainerCreateBody::default()
    };
    let options = CreateContainerOptions { name: Some(name.clone()), ..Default::default() };
    match client.create_container(Some(options), body).await {
        Ok(_) => {}
        // An earlier attempt left it behind; what it is filled with is the same.
        Err(error) if is_conflict(&error) => {}
        Err(error) => return Err(failed(error)),
    }
    let options = UploadToContainerOptions { path: FILES_PATH.to_owned(), ..Default::default() };
    let files: Vec<(String, Vec<u8>)> =
        spec.files.iter().map(|file| (file.path.clone(), file.bytes().unwrap_or_default())).collect();
    let packed = bollard::body_full(catalog_archive::bundle(&files).into());
    let filled = client.upload_to_container(&name, Some(options), packed).await;
    let forced = RemoveContainerOptions { force: true, ..Default::default() };
    let removed = client.remove_container(&name, Some(forced)).await;
    filled.map_err(failed)?;
    match removed {
        Ok(()) => Ok(()),
        Err(error) if is_absent(&error) || is_conflict(&error) => Ok(()),
        Err(error) => Err(failed(error)),
    }
}

/// Removes the volume of a launch, when it had one.
pub(super) async fn remove(client: &Docker, launch: &LaunchId) -> Result<(), bollard::errors::Error> {
    let forced = RemoveContainerOptions { force: true, ..Default::default() };
    for gone in [
        client.remove_container(&filler(launch), Some(forced)).await,
        client.remove_volume(launch.as_str(), None::<RemoveVolumeOptions>).await,
    ] {
        match gone {
            Ok(()) => {}
            Err(error) if is_absent(&error) || is_conflict(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Removes volumes that a start was interrupted after making, and whose launch has no container.
pub(super) async fn sweep(client: &Docker, instance: &str, known: &BTreeSet<LaunchId>) {
    let own = vec![labels::LAUNCH.to_owned(), format!("{}={instance}", labels::INSTANCE)];
    let options = ListVolumesOptions { filters: Some(HashMap::from([("label".to_owned(), own)])) };
    let Ok(listed) = client.list_volumes(Some(options)).await else { return };
    let now = Timestamp::now();
    for volume in listed.volumes.unwrap_or_default() {
        let Ok(launch) = volume.name.parse::<LaunchId>() else { continue };
        let made = volume.created_at.map(|at| at.to_string()).and_then(|at| at.parse::<Timestamp>().ok());
        let is_old = made.is_none_or(|made| now.duration_since(made) > LEFT_OVER_AFTER);
        if is_old && !known.contains(&launch) {
            _ = remove(client, &launch).await;
        }
    }
}

/// Mounts the volume of a launch.
pub(super) fn mount(launch: &LaunchId, read_only: bool) -> Mount {
    Mount {
        typ: Some(MountType::VOLUME),
        source: Some(launch.to_string()),
        target: Some(FILES_PATH.to_owned()),
        read_only: Some(read_only),
        volume_options: Some(MountVolumeOptions { no_copy: Some(true), ..MountVolumeOptions::default() }),
        ..Mount::default()
    }
}
