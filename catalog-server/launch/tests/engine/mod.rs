//! A real Docker engine of a test's own: its own data, its own socket, no registry, gone afterwards.
#![allow(dead_code, reason = "every test that includes this uses its own part of it")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A running engine; it ends and takes its files with it when it is dropped.
pub(crate) struct Engine {
    containerd: Child,
    dockerd: Child,
    folder: tempfile::TempDir,
    /// Held while the engine lives: engines that choose a bridge's addresses at the same time choose the same.
    _only_one: fs::File,
}

impl Engine {
    /// Starts an engine, or says loudly why there is none.
    pub(crate) fn start() -> Option<Self> {
        match Self::try_start() {
            Ok(engine) => Some(engine),
            Err(cause) => {
                eprintln!("SKIPPED: no Docker engine could be started: {cause}");
                None
            }
        }
    }

    fn try_start() -> Result<Self, String> {
        let owner = Command::new("id").arg("-u").output().map_err(|error| format!("id: {error}"))?;
        if owner.stdout.trim_ascii() != b"0" {
            return Err("this test is not run as root".to_owned());
        }
        let lock = std::env::temp_dir().join("alidade-test-engine.lock");
        let only_one = fs::File::create(&lock).map_err(|error| format!("{}: {error}", lock.display()))?;
        only_one.lock().map_err(|error| format!("{}: {error}", lock.display()))?;
        let folder = tempfile::Builder::new().prefix("alidade-engine").tempdir().map_err(|error| error.to_string())?;
        let at = |name: &str| folder.path().join(name);
        let mut containerd = spawn(
            Command::new("containerd")
                .arg("--root")
                .arg(at("containerd"))
                .arg("--state")
                .arg(at("containerd-state"))
                .arg("--address")
                .arg(at("containerd.sock")),
            &at("containerd.log"),
        )?;
        if !wait_for(&at("containerd.sock"), &mut containerd) {
            return Err(format!("containerd has no socket: {}", last_words(&at("containerd.log"))));
        }
        let dockerd = spawn_dockerd(folder.path())?;
        let mut engine = Self { containerd, dockerd, folder, _only_one: only_one };
        if engine.answers() {
            Ok(engine)
        } else {
            Err(format!("dockerd does not answer: {}", last_words(&engine.folder.path().join("dockerd.log"))))
        }
    }

    /// The address to configure a zone with.
    pub(crate) fn endpoint(&self) -> String {
        format!("unix://{}", self.socket().display())
    }

    /// A directory of the engine's machine that is gone with the engine.
    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().canonicalize().unwrap()
    }

    /// Makes an image of busybox and its commands, with these changes in Dockerfile words; no registry is asked.
    pub(crate) fn import_busybox(&self, name: &str, changes: &[&str]) {
        let root = self.folder.path().join("rootfs");
        if !root.exists() {
            for directory in ["bin", "etc", "tmp", "data", "home/lab"] {
                fs::create_dir_all(root.join(directory)).unwrap();
            }
            // Older runtimes give a tmpfs the mode of the directory that it covers, which is this in any real image.
            fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
            fs::copy("/bin/busybox", root.join("bin/busybox")).unwrap();
            for command in [
                "sh", "httpd", "sleep", "cat", "ls", "id", "echo", "dd", "touch", "mkdir", "tail", "env", "head",
                "mount", "awk", "grep",
            ] {
                std::os::unix::fs::symlink("busybox", root.join("bin").join(command)).unwrap();
            }
            fs::write(root.join("etc/passwd"), "lab:x:1000:100::/home/lab:/bin/sh\n").unwrap();
        }
        let archive = self.folder.path().join("rootfs.tar");
        let packed = Command::new("tar").arg("cf").arg(&archive).arg("-C").arg(&root).arg(".").status().unwrap();
        assert!(packed.success(), "the image was not packed");
        self.import(name, &archive, changes);
    }

    /// Makes an image of an archive of its files, with these changes in Dockerfile words.
    pub(crate) fn import(&self, name: &str, archive: &Path, changes: &[&str]) {
        let mut import = self.docker();
        import.arg("import");
        for change in changes {
            import.arg("-c").arg(change);
        }
        let imported = import.arg(archive).arg(name).stdout(Stdio::null()).status().unwrap();
        assert!(imported.success(), "the image was not imported");
    }

    /// The engine's own client, pointed at this engine.
    pub(crate) fn docker(&self) -> Command {
        let mut command = Command::new("docker");
        command.arg("-H").arg(self.endpoint());
        command
    }

    /// Runs the engine's own client and returns what it says.
    pub(crate) fn run_docker(&self, arguments: &[&str]) -> (bool, String) {
        let output = self.docker().args(arguments).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8_lossy(&text).trim().to_owned())
    }

    /// Kills the engine as a crash would; containers live on in containerd.
    pub(crate) fn kill(&mut self) {
        _ = self.dockerd.kill();
        _ = self.dockerd.wait();
        _ = fs::remove_file(self.socket());
        _ = fs::remove_file(self.folder.path().join("dockerd.pid"));
    }

    /// Starts the engine again.
    pub(crate) fn restart(&mut self) {
        self.dockerd = spawn_dockerd(self.folder.path()).unwrap();
        assert!(
            self.answers(),
            "the engine did not come back: {}",
            last_words(&self.folder.path().join("dockerd.log"))
        );
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("docker.sock")
    }

    fn answers(&mut self) -> bool {
        let socket = self.socket();
        wait_for(&socket, &mut self.dockerd)
            && (0..100).any(|_| {
                let (answers, _) = self.run_docker(&["version"]);
                if !answers {
                    std::thread::sleep(Duration::from_millis(100));
                }
                answers
            })
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let (_, containers) = self.run_docker(&["ps", "-aq"]);
        for container in containers.split_whitespace() {
            self.run_docker(&["rm", "-f", container]);
        }
        // The bridge is the machine's and would stay.
        self.run_docker(&["network", "prune", "-f"]);
        for child in [&mut self.dockerd, &mut self.containerd] {
            // Asked to end first, so that what is mounted beneath the folder is unmounted.
            _ = Command::new("kill").arg(child.id().to_string()).status();
            let deadline = Instant::now() + Duration::from_secs(10);
            while matches!(child.try_wait(), Ok(None)) && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(50));
            }
            _ = child.kill();
            _ = child.wait();
        }
        // What an engine was just starting when it was killed may be left with its helper, which nobody else would end.
        let needle = self.folder().display().to_string();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Ok(id) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
            let called = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let called = String::from_utf8_lossy(&called).into_owned();
            if called.contains("containerd-shim") && called.contains(&needle) {
                let of_helper = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
                for id in of_helper.split_whitespace().chain([id.to_string().as_str()]) {
                    _ = Command::new("kill").args(["-9", id]).status();
                }
            }
        }
        // What an engine mounted before it was killed stays mounted, and a folder with a mount in it cannot be removed.
        let mounts = fs::read_to_string("/proc/mounts").unwrap_or_default();
        let folder = self.folder();
        let beneath =
            mounts.lines().filter_map(|line| line.split(' ').nth(1)).filter(|at| Path::new(at).starts_with(&folder));
        for at in beneath.collect::<Vec<_>>().into_iter().rev() {
            _ = Command::new("umount").arg("-l").arg(at).status();
        }
    }
}

fn spawn_dockerd(folder: &Path) -> Result<Child, String> {
    let at = |name: &str| folder.join(name);
    spawn(
        Command::new("dockerd")
            .arg("--containerd")
            .arg(at("containerd.sock"))
            .arg("--data-root")
            .arg(at("data"))
            .arg("--exec-root")
            .arg(at("exec"))
            .arg("--pidfile")
            .arg(at("dockerd.pid"))
            .arg("--host")
            .arg(format!("unix://{}", at("docker.sock").display()))
            .arg("--live-restore")
            .args(["--bridge=none", "--iptables=false", "--ip6tables=false", "--storage-driver=vfs"]),
        &at("dockerd.log"),
    )
}

fn spawn(command: &mut Command, log: &Path) -> Result<Child, String> {
    let log = fs::OpenOptions::new().create(true).append(true).open(log).map_err(|error| error.to_string())?;
    let errors = log.try_clone().map_err(|error| error.to_string())?;
    let program = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn().map_err(|error| format!("{program}: {error}"))
}

fn wait_for(socket: &Path, child: &mut Child) -> bool {
    let deadline = Instant::now() + Duration::from_secs(20);
    while Instant::now() < deadline && matches!(child.try_wait(), Ok(None)) {
        if socket.exists() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    false
}

fn last_words(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    text.lines().rev().take(3).collect::<Vec<_>>().join(" / ")
}
