//! Where the volumes of a launch lie on the engine's machine.
//!
//! A path is looked up once, component by component beneath the operator's folder and through no link, and what was found
//! is held open until the engine has mounted it: the engine takes paths, so afterwards it is asked whether it mounted that
//! same directory. Whoever swaps a directory for a link in between gets a lab that is stopped, not somebody else's files.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use catalog_schemas::volume::{Space, check_mount_path};
use rustix::fs::{Gid, Mode, OFlags, ResolveFlags, Uid};

use crate::backend::{BackendError, FailureCode, Stage};
use crate::config::{ContainerUser, SpaceConfig, VolumeMode, ZoneConfig, check_source};
use crate::spec::LaunchSpec;

/// A volume that may be mounted.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// The real path on the engine's machine, free of links.
    pub(super) path: PathBuf,
    /// The path in the container.
    pub(super) target: String,
    /// Whether it is read-only.
    pub(super) read_only: bool,
    /// What was found there; held, so that its number is nobody else's. Absent for an engine on another machine.
    pub(super) held: Option<Arc<OwnedFd>>,
}

type Refusal = (FailureCode, &'static str);

impl Source {
    /// Says whether a container mounted what was found, as far as this server may look into it.
    pub(super) fn is_what_was_mounted(&self, container: i64) -> bool {
        let inside = format!("/proc/{container}/root{}", self.target);
        let (Some(held), Ok(mounted)) = (&self.held, rustix::fs::stat(&inside)) else { return true };
        rustix::fs::fstat(held).is_ok_and(|held| (held.st_dev, held.st_ino) == (mounted.st_dev, mounted.st_ino))
    }
}

/// Finds every volume of a launch, and makes the folder of a space that nobody used before.
pub(super) async fn resolve(spec: &LaunchSpec, config: &ZoneConfig, stage: Stage) -> Result<Vec<Source>, BackendError> {
    let mut sources = Vec::with_capacity(spec.mounts.len());
    for mount in &spec.mounts {
        let refuse = |code, cause: String| Err(BackendError::new(stage, code, cause));
        if let Err(invalid) = check_mount_path(&mount.mount_path) {
            return refuse(FailureCode::MountForbidden, invalid.to_string());
        }
        let writes = mount.mode == "rw";
        let found = if let Some(space) = Space::of_key(&mount.volume) {
            let Some((kind, name)) = config.space.folder(space, spec.on_behalf_of.as_deref()) else {
                return refuse(FailureCode::MountMissing, format!("the datazone has no place for `{}`", mount.volume));
            };
            space_folder(kind, name, config).await
        } else {
            let Some(volume) = config.volume.iter().find(|volume| volume.volume == mount.volume) else {
                return refuse(FailureCode::MountMissing, format!("the datazone does not hold `{}`", mount.volume));
            };
            if writes && volume.mode != VolumeMode::Rw {
                return refuse(FailureCode::MountForbidden, format!("`{}` is read-only", mount.volume));
            }
            locate(&volume.path, config).await
        };
        // Its private path is not repeated in the answer, which its user reads.
        let (path, held) = found.map_err(|(code, problem)| {
            BackendError::new(stage, code, format!("the volume `{}` {problem}", mount.volume))
        })?;
        sources.push(Source { path, target: mount.mount_path.clone(), read_only: !writes, held });
    }
    Ok(sources)
}

/// Says of each volume whether it is where the configuration says.
pub(super) async fn verify(config: &ZoneConfig) -> Vec<(String, Result<(), String>)> {
    let mut verified = Vec::new();
    if !is_here(config) {
        return verified;
    }
    for volume in &config.volume {
        let found = locate(&volume.path, config).await;
        verified.push((volume.volume.clone(), found.map(|_| ()).map_err(|(_, problem)| problem.to_owned())));
    }
    verified
}

fn is_here(config: &ZoneConfig) -> bool {
    config.endpoint.as_ref().is_none_or(|endpoint| endpoint.starts_with("unix://"))
}

/// Runs what looks at files where it may block.
async fn blocking<T: Send + 'static>(look: impl FnOnce() -> Result<T, Refusal> + Send + 'static) -> Result<T, Refusal> {
    let stopped = (FailureCode::EngineUnreachable, "could not be looked at");
    tokio::task::spawn_blocking(look).await.map_err(|_| stopped)?
}

/// Returns the real path of a volume and what lies there.
async fn locate(path: &Path, config: &ZoneConfig) -> Result<(PathBuf, Option<Arc<OwnedFd>>), Refusal> {
    check_source(path).map_err(|problem| (FailureCode::MountForbidden, problem))?;
    if !is_here(config) {
        // Only the engine sees its machine's files; a bind mount of what does not exist is refused by it.
        return Ok((path.to_owned(), None));
    }
    let (path, roots) = (path.to_owned(), config.volume_roots.clone());
    blocking(move || {
        let real =
            std::fs::canonicalize(&path).map_err(|_| (FailureCode::MountMissing, "is not where it should be"))?;
        check_source(&real).map_err(|problem| (FailureCode::MountForbidden, problem))?;
        let root = if roots.is_empty() {
            if real != path {
                let problem = "lies behind a symbolic link, and no `volumeRoots` allow that";
                return Err((FailureCode::MountForbidden, problem));
            }
            PathBuf::from("/")
        } else {
            // A root is the operator's own word, so a link that is a root is followed.
            let roots = roots.iter().filter_map(|root| std::fs::canonicalize(root).ok());
            let outside = (FailureCode::MountForbidden, "lies outside the `volumeRoots`");
            roots.into_iter().find(|root| real.starts_with(root)).ok_or(outside)?
        };
        let below = real.strip_prefix(&root).unwrap_or(&real).to_owned();
        let held = open_beneath(&root, &below)?;
        Ok((real, Some(Arc::new(held))))
    })
    .await
}

/// Opens what lies beneath a folder, through no link whatsoever.
fn open_beneath(root: &Path, below: &Path) -> Result<OwnedFd, Refusal> {
    let directory = rustix::fs::open(root, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|_| (FailureCode::MountMissing, "is not where it should be"))?;
    let below = if below.as_os_str().is_empty() { Path::new(".") } else { below };
    let how = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    rustix::fs::openat2(&directory, below, OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), how).map_err(|error| {
        match error {
            rustix::io::Errno::NOENT => (FailureCode::MountMissing, "is not where it should be"),
            rustix::io::Errno::NOSYS => (FailureCode::MountForbidden, "cannot be looked up safely by this old kernel"),
            // What was no link a moment ago is one now.
            _ => (FailureCode::MountForbidden, "lies behind a symbolic link"),
        }
    })
}

/// Returns the folder of a space, and makes it for the labs' user when it is not there yet.
async fn space_folder(
    space: &SpaceConfig,
    name: &str,
    config: &ZoneConfig,
) -> Result<(PathBuf, Option<Arc<OwnedFd>>), Refusal> {
    let path = space.path.join(name);
    check_source(&path).map_err(|problem| (FailureCode::MountForbidden, problem))?;
    if !is_here(config) {
        return Ok((path, None));
    }
    let (root, name, user) = (space.path.clone(), name.to_owned(), config.container.user);
    blocking(move || {
        let root = std::fs::canonicalize(&root)
            .map_err(|_| (FailureCode::MountMissing, "has no folder for spaces where it should be"))?;
        let held = match open_beneath(&root, Path::new(&name)) {
            Err((FailureCode::MountMissing, _)) => {
                make_folder(&root, &name, user)?;
                open_beneath(&root, Path::new(&name))?
            }
            other => other?,
        };
        Ok((root.join(name), Some(Arc::new(held))))
    })
    .await
}

/// Makes a folder that only the labs' user reads; another process may make it at the same time.
fn make_folder(root: &Path, name: &str, user: ContainerUser) -> Result<(), Refusal> {
    let refused = |_| (FailureCode::MountForbidden, "has a folder for spaces that this server cannot write to");
    let directory = rustix::fs::open(root, OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).map_err(refused)?;
    // It gets its name when it is ready: a lab must not find a folder that is not its user's.
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let unnamed = format!(".making-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    match rustix::fs::mkdirat(&directory, &unnamed, Mode::RWXU) {
        // A process of the same number may have been killed at it.
        Ok(()) | Err(rustix::io::Errno::EXIST) => {}
        Err(error) => return Err(refused(error)),
    }
    let made = open_beneath(root, Path::new(&unnamed))?;
    let status = rustix::fs::fstat(&made).map_err(refused)?;
    if (status.st_uid, status.st_gid) != (user.uid, user.gid) {
        let no_link = rustix::fs::AtFlags::SYMLINK_NOFOLLOW;
        let (uid, gid) = (Uid::from_raw(user.uid), Gid::from_raw(user.gid));
        rustix::fs::chownat(&directory, &unnamed, Some(uid), Some(gid), no_link)
            .map_err(|_| (FailureCode::MountForbidden, "cannot be given to the labs' user by this server"))?;
    }
    let named = rustix::fs::renameat_with(
        directory.as_fd(),
        &unnamed,
        directory.as_fd(),
        name,
        rustix::fs::RenameFlags::NOREPLACE,
    );
    match named {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::EXIST) => {
            _ = rustix::fs::unlinkat(&directory, &unnamed, rustix::fs::AtFlags::REMOVEDIR);
            Ok(())
        }
        Err(error) => Err(refused(error)),
    }
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

    type Found = (PathBuf, String, bool);

    async fn outcome(config: &ZoneConfig, target: &str, mode: &str) -> Result<Found, FailureCode> {
        let mut spec = spec();
        let mount = Mount { volume: "v".to_owned(), mount_path: target.to_owned(), mode: mode.to_owned() };
        spec.mounts.push(mount);
        let found = resolve(&spec, config, Stage::Start).await;
        let known = |source: Source| (source.path, source.target, source.read_only);
        found.map(|mut sources| known(sources.remove(0))).map_err(|error| error.code)
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
        let expected = (held.clone(), "/data/v".to_owned(), true);
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
                found.map(|(path, ..)| path),
                allowed.then(|| held.clone()).ok_or(FailureCode::MountForbidden),
                "{link}"
            );
        }
    }

    #[tokio::test]
    async fn a_space_is_made_once_for_its_user_and_never_behind_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let mut config = ZoneConfig::new("z".parse().unwrap(), "Z", BackendKind::Docker);
        let own = rustix::process::geteuid().as_raw();
        config.container.user = ContainerUser { uid: own, gid: rustix::process::getegid().as_raw() };
        config.space.personal = Some(SpaceConfig { path: root.clone(), claim: None });
        let mut spec = spec();
        let personal =
            Mount { volume: Space::PERSONAL.to_owned(), mount_path: "/data/me".to_owned(), mode: "rw".to_owned() };
        spec.mounts = vec![personal];
        let mut path_of = async |account: Option<&str>| {
            spec.on_behalf_of = account.map(str::to_owned);
            let found = resolve(&spec, &config, Stage::Start).await;
            found.map(|mut found| found.remove(0).path).map_err(|error| error.code)
        };
        assert_eq!(path_of(Some("ann@zone-b")).await, Ok(root.join("ann@zone-b")));
        std::fs::write(root.join("ann@zone-b/kept"), "").unwrap();
        assert_eq!(path_of(Some("ann@zone-b")).await, Ok(root.join("ann@zone-b")));
        assert!(root.join("ann@zone-b/kept").exists());
        for nobody in [None, Some(".."), Some("a/b"), Some("")] {
            assert_eq!(path_of(nobody).await, Err(FailureCode::MountMissing), "{nobody:?}");
        }
        std::os::unix::fs::symlink("/usr", root.join("bob")).unwrap();
        assert_eq!(path_of(Some("bob")).await, Err(FailureCode::MountForbidden));
        let left: Vec<_> = std::fs::read_dir(&root).unwrap().map(|it| it.unwrap().file_name()).collect();
        assert_eq!(left.len(), 2, "nothing half made is left: {left:?}");
    }

    #[tokio::test]
    async fn a_folder_that_becomes_a_link_is_never_followed() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let (held, secret) = (root.join("root/held"), root.join("secret"));
        std::fs::create_dir_all(&held).unwrap();
        std::fs::create_dir_all(&secret).unwrap();
        let inode = |path: &Path| std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(path).unwrap());
        let (good, bad) = (inode(&held), inode(&secret));
        let config = zone(held.clone(), vec![root.join("root")]);
        let (stop, told) = std::sync::mpsc::channel::<()>();
        let swapping = std::thread::spawn(move || {
            let aside = held.with_file_name("aside");
            while told.try_recv().is_err() {
                std::fs::rename(&held, &aside).unwrap();
                std::os::unix::fs::symlink(&secret, &held).unwrap();
                std::fs::remove_file(&held).unwrap();
                std::fs::rename(&aside, &held).unwrap();
            }
        });
        let mut found = 0;
        for _ in 0..2000 {
            let mut spec = spec();
            let mount = Mount { volume: "v".to_owned(), mount_path: "/data/v".to_owned(), mode: "ro".to_owned() };
            spec.mounts.push(mount);
            if let Ok(mut sources) = resolve(&spec, &config, Stage::Start).await {
                let number = rustix::fs::fstat(sources.remove(0).held.unwrap()).unwrap().st_ino;
                assert!(number == good && number != bad);
                found += 1;
            }
        }
        stop.send(()).unwrap();
        swapping.join().unwrap();
        assert!(found > 0);
    }

    proptest::proptest! {
        #[test]
        fn no_name_leads_out_of_the_operators_folders(
            key in "v|space/personal|space/team/(crew|\\.\\./v|.{0,12})|(\\.\\./){1,3}etc|.{0,20}",
            account in proptest::option::of("ann|\\.\\.|\\.|/etc|.{0,12}"),
            target in "/data/[a-z]{1,8}|/etc|.{0,20}",
        ) {
            let folder = tempfile::tempdir().unwrap();
            let root = folder.path().canonicalize().unwrap();
            for name in ["held", "homes", "teams"] {
                std::fs::create_dir(root.join(name)).unwrap();
            }
            let mut config = zone(root.join("held"), vec![root.clone()]);
            let own = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
            config.container.user = ContainerUser { uid: own.0, gid: own.1 };
            config.space.personal = Some(SpaceConfig { path: root.join("homes"), claim: None });
            config.space.team = Some(SpaceConfig { path: root.join("teams"), claim: None });
            let mut spec = spec();
            spec.on_behalf_of = account;
            spec.mounts.push(Mount { volume: key, mount_path: target, mode: "ro".to_owned() });
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            if let Ok(sources) = runtime.block_on(resolve(&spec, &config, Stage::Start)) {
                let path = sources[0].path.strip_prefix(&root).unwrap().to_owned();
                let parts: Vec<_> = path.components().map(|part| part.as_os_str().to_owned()).collect();
                let is_volume = parts == ["held"];
                let is_space = parts.len() == 2 && (parts[0] == "homes" || parts[0] == "teams");
                proptest::prop_assert!(is_volume || is_space, "{path:?}");
                proptest::prop_assert!(check_mount_path(&sources[0].target).is_ok());
            }
        }
    }
}
