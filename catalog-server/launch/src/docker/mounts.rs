//! Where the volumes of a launch lie on the engine's machine.

use std::path::{Path, PathBuf};

use catalog_schemas::volume::check_mount_path;

use crate::backend::{BackendError, FailureCode, Stage};
use crate::config::{VolumeMode, ZoneConfig, check_source};
use crate::spec::LaunchSpec;

/// A volume that may be mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Source {
    /// The real path on the engine's machine, free of links.
    pub(super) path: PathBuf,
    /// The path in the container.
    pub(super) target: String,
    /// Whether it is read-only.
    pub(super) read_only: bool,
}

/// Finds every volume of a launch.
pub(super) async fn resolve(spec: &LaunchSpec, config: &ZoneConfig, stage: Stage) -> Result<Vec<Source>, BackendError> {
    let mut sources = Vec::with_capacity(spec.mounts.len());
    for mount in &spec.mounts {
        let refuse = |code, cause: String| Err(BackendError::new(stage, code, cause));
        if let Err(invalid) = check_mount_path(&mount.mount_path) {
            return refuse(FailureCode::MountForbidden, invalid.to_string());
        }
        let Some(volume) = config.volume.iter().find(|volume| volume.volume == mount.volume) else {
            return refuse(FailureCode::MountMissing, format!("the datazone does not hold `{}`", mount.volume));
        };
        let writes = mount.mode == "rw";
        if writes && volume.mode != VolumeMode::Rw {
            return refuse(FailureCode::MountForbidden, format!("`{}` is read-only", mount.volume));
        }
        let path = locate(&volume.path, config).await.map_err(|(code, problem)| {
            BackendError::new(stage, code, format!("the volume `{}` {problem}", mount.volume))
        })?;
        sources.push(Source { path, target: mount.mount_path.clone(), read_only: !writes });
    }
    Ok(sources)
}

/// Returns the real path of a volume. Its private path is not repeated in the answer, which its user reads.
async fn locate(path: &Path, config: &ZoneConfig) -> Result<PathBuf, (FailureCode, &'static str)> {
    check_source(path).map_err(|problem| (FailureCode::MountForbidden, problem))?;
    let is_here = config.endpoint.as_ref().is_none_or(|endpoint| endpoint.starts_with("unix://"));
    if !is_here {
        // Only the engine sees its machine's files; a bind mount of what does not exist is refused by it.
        return Ok(path.to_owned());
    }
    let real =
        tokio::fs::canonicalize(path).await.map_err(|_| (FailureCode::MountMissing, "is not where it should be"))?;
    check_source(&real).map_err(|problem| (FailureCode::MountForbidden, problem))?;
    if config.volume_roots.is_empty() {
        return if real == path {
            Ok(real)
        } else {
            Err((FailureCode::MountForbidden, "lies behind a symbolic link, and no `volumeRoots` allow that"))
        };
    }
    for root in &config.volume_roots {
        // A root is the operator's own word, so a link that is a root is followed.
        if tokio::fs::canonicalize(root).await.is_ok_and(|root| real.starts_with(root)) {
            return Ok(real);
        }
    }
    Err((FailureCode::MountForbidden, "lies outside the `volumeRoots`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{BackendKind, VolumeConfig};
    use crate::spec::tests::spec;
    use catalog_schemas::plan::Mount;

    fn zone(path: PathBuf, roots: Vec<PathBuf>) -> ZoneConfig {
        let mut config = ZoneConfig::new("z".parse().unwrap(), "Z", BackendKind::Docker);
        config.volume.push(VolumeConfig { volume: "v".to_owned(), path, ..VolumeConfig::default() });
        config.volume_roots = roots;
        config
    }

    async fn outcome(config: &ZoneConfig, target: &str, mode: &str) -> Result<Source, FailureCode> {
        let mut spec = spec();
        let mount = Mount { volume: "v".to_owned(), mount_path: target.to_owned(), mode: mode.to_owned() };
        spec.mounts.push(mount);
        let found = resolve(&spec, config, Stage::Start).await;
        found.map(|mut sources| sources.remove(0)).map_err(|error| error.code)
    }

    #[tokio::test]
    async fn volumes_lie_beneath_their_roots_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().canonicalize().unwrap();
        let (held, root) = (base.join("root/held"), base.join("root"));
        std::fs::create_dir_all(&held).unwrap();
        std::os::unix::fs::symlink("/usr", root.join("outside")).unwrap();
        std::os::unix::fs::symlink("/etc", root.join("steering")).unwrap();
        std::os::unix::fs::symlink(&held, root.join("inside")).unwrap();

        let plain = zone(held.clone(), vec![]);
        let expected = Source { path: held.clone(), target: "/data/v".to_owned(), read_only: true };
        assert_eq!(outcome(&plain, "/data/v", "ro").await, Ok(expected));
        assert_eq!(outcome(&plain, "/data/v", "rw").await, Err(FailureCode::MountForbidden));
        for target in ["/etc", "/data/../etc", "/proc/1", "data", "/data/a:b"] {
            assert_eq!(outcome(&plain, target, "ro").await, Err(FailureCode::MountForbidden), "{target}");
        }
        let missing = zone(root.join("gone"), vec![]);
        assert_eq!(outcome(&missing, "/data/v", "ro").await, Err(FailureCode::MountMissing));
        for (link, roots, allowed) in [
            ("inside", vec![], false),
            ("inside", vec![root.clone()], true),
            ("outside", vec![root.clone()], false),
            ("steering", vec![PathBuf::from("/")], false),
        ] {
            let found = outcome(&zone(root.join(link), roots), "/data/v", "ro").await;
            assert_eq!(
                found.map(|source| source.path),
                allowed.then(|| held.clone()).ok_or(FailureCode::MountForbidden),
                "{link}"
            );
        }
    }
}
