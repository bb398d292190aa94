//! Hears from the cluster whose pod has changed.

use std::collections::BTreeMap;
use std::time::Duration;

use catalog_schemas::id::LaunchId;
use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{ListParams, WatchEvent, WatchParams};

use crate::labels;

/// How long one watch lasts at the most; the cluster ends it by itself before.
const WATCH_SECONDS: u32 = 290;

/// How long a cluster that refused a watch is left alone.
const PAUSE: Duration = Duration::from_secs(2);

/// Where the watching is.
struct Watching {
    pods: Api<Pod>,
    own: String,
    /// The version of each pod that was told, so that a new list tells only what is new in it.
    told: BTreeMap<LaunchId, String>,
    /// The version from which to watch; a list comes first when there is none.
    from: Option<String>,
}

/// Tells the launches whose pods changed: lists, watches from there, and lists again when the cluster has forgotten
/// where that was (410 Gone) or the connection broke. A pod that went in between is told too.
pub(super) fn changes(pods: Api<Pod>, own: String) -> BoxStream<'static, LaunchId> {
    let start = Watching { pods, own, told: BTreeMap::new(), from: None };
    stream::unfold(start, |mut watching| async move {
        let heard = watching.hear().await;
        Some((heard, watching))
    })
    .flat_map(stream::iter)
    .boxed()
}

impl Watching {
    /// Lists, or follows a watch until something is heard or it ends.
    async fn hear(&mut self) -> Vec<LaunchId> {
        let Some(from) = self.from.clone() else { return self.list().await };
        let params = WatchParams::default().labels(&self.own).timeout(WATCH_SECONDS);
        let watch = match self.pods.watch(&params, &from).await {
            Ok(watch) => watch,
            Err(_) => {
                self.from = None;
                tokio::time::sleep(PAUSE).await;
                return Vec::new();
            }
        };
        let mut watch = watch.boxed();
        while let Some(event) = watch.next().await {
            let (pod, is_gone) = match event {
                Ok(WatchEvent::Added(pod) | WatchEvent::Modified(pod)) => (pod, false),
                Ok(WatchEvent::Deleted(pod)) => (pod, true),
                Ok(WatchEvent::Bookmark(bookmark)) => {
                    self.from = Some(bookmark.metadata.resource_version);
                    continue;
                }
                Ok(WatchEvent::Error(_)) | Err(_) => {
                    self.from = None;
                    return Vec::new();
                }
            };
            self.from.clone_from(&pod.metadata.resource_version);
            let Some((launch, version)) = known(&pod) else { continue };
            if is_gone {
                self.told.remove(&launch);
            } else {
                self.told.insert(launch.clone(), version);
            }
            return vec![launch];
        }
        Vec::new()
    }

    async fn list(&mut self) -> Vec<LaunchId> {
        let Ok(listed) = self.pods.list(&ListParams::default().labels(&self.own)).await else {
            tokio::time::sleep(PAUSE).await;
            return Vec::new();
        };
        let now: BTreeMap<LaunchId, String> = listed.items.iter().filter_map(known).collect();
        let mut heard: Vec<LaunchId> = now
            .iter()
            .filter(|(launch, version)| self.told.get(*launch) != Some(*version))
            .map(|(launch, _)| launch.clone())
            .collect();
        heard.extend(self.told.keys().filter(|launch| !now.contains_key(*launch)).cloned());
        self.told = now;
        self.from = listed.metadata.resource_version;
        heard
    }
}

fn known(pod: &Pod) -> Option<(LaunchId, String)> {
    let launch = pod.metadata.labels.as_ref()?.get(labels::LAUNCH)?.parse().ok()?;
    Some((launch, pod.metadata.resource_version.clone().unwrap_or_default()))
}
