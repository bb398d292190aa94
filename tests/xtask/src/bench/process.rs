//! Processes that are measured: how much processor time and memory they took, and how a server is started and stopped.

use std::fs::{File, read_to_string};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail, ensure};

use super::http::Client;

/// The administrator's token of every server that is measured; it listens on loopback only and ends with the measurement.
pub(super) const TOKEN: &str = "administrator-of-a-measurement";

/// The base of every identifier, so that two runs store the same statements whatever their port.
const BASE: &str = "http://catalogue.example";

/// Clock ticks a second in proc(5); Linux shows a hundred to every program.
const TICKS: f64 = 100.0;

/// Where a figure comes from that is taken over a whole process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spent {
    /// Wall clock, in seconds.
    pub(super) wall: f64,
    /// Processor time, user and system, in seconds.
    pub(super) cpu: f64,
}

/// A server that is measured; it is ended with this.
pub(super) struct Server {
    child: Child,
    /// Where it listens.
    pub(super) port: u16,
    /// When it was started.
    pub(super) started: Instant,
}

impl Server {
    /// Starts a server on a data folder; its log goes into a file beside that folder.
    pub(super) fn start(alidade: &Path, data: &Path) -> anyhow::Result<Self> {
        // The port is free a moment longer than this listener lives, unless another program is very quick.
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let log = File::options().create(true).append(true).open(data.with_extension("log"))?;
        let mut command = command(alidade, data);
        command.arg("serve").env("ALIDADE_LISTEN", format!("127.0.0.1:{port}")).env("ALIDADE_ADMIN_TOKEN", TOKEN);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let started = Instant::now();
        let child = command.spawn().with_context(|| format!("{} cannot be started", alidade.display()))?;
        Ok(Self { child, port, started })
    }

    /// Connects as soon as the server listens.
    pub(super) fn client(&mut self) -> anyhow::Result<Client> {
        loop {
            if let Ok(client) = Client::connect(self.port) {
                return Ok(client);
            }
            self.must_run(Duration::from_secs(60))?;
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until a path is answered with 200 and returns the seconds since the start.
    pub(super) fn wait_for(&mut self, path: &str, patience: Duration) -> anyhow::Result<f64> {
        let mut client = self.client()?;
        loop {
            if client.get(path).is_ok_and(|answer| answer.status == 200) {
                return Ok(self.started.elapsed().as_secs_f64());
            }
            self.must_run(patience)?;
            std::thread::sleep(Duration::from_millis(if self.started.elapsed().as_secs() < 2 { 2 } else { 100 }));
        }
    }

    /// Waits until the server has nothing to do on its own: its checks of files come seconds after the start.
    pub(super) fn wait_until_quiet(&self) -> anyhow::Result<()> {
        std::thread::sleep(Duration::from_secs(3));
        for _ in 0..120 {
            let before = self.cpu()?;
            std::thread::sleep(Duration::from_secs(1));
            if self.cpu()? - before < 0.015 {
                return Ok(());
            }
        }
        bail!("the server did not come to rest within two minutes")
    }

    fn must_run(&mut self, patience: Duration) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            bail!("the server ended with {status}; its log is beside its data folder");
        }
        ensure!(self.started.elapsed() < patience, "the server did not answer within {} s", patience.as_secs());
        ensure!(available()? > 1 << 30, "the server takes more memory than this machine has");
        Ok(())
    }

    /// Returns the processor time that the server took since its start, in seconds.
    pub(super) fn cpu(&self) -> anyhow::Result<f64> {
        cpu_of(self.child.id())
    }

    /// Returns the processor time of the workers that the server runs now, in seconds.
    pub(super) fn cpu_of_workers(&self) -> anyhow::Result<f64> {
        // A child belongs to the thread that made it; one may end in between.
        let mut sum = 0.0;
        for thread in std::fs::read_dir(format!("/proc/{}/task", self.child.id()))?.flatten() {
            let workers = read_to_string(thread.path().join("children")).unwrap_or_default();
            sum += workers.split_whitespace().filter_map(|id| cpu_of(id.parse().ok()?).ok()).sum::<f64>();
        }
        Ok(sum)
    }

    /// Returns the memory that the server holds now, in bytes.
    pub(super) fn memory(&self) -> anyhow::Result<u64> {
        kilobytes(&read_to_string(format!("/proc/{}/status", self.child.id()))?, "VmRSS:")
    }

    /// Returns the most memory that the server held, in bytes.
    pub(super) fn peak_memory(&self) -> anyhow::Result<u64> {
        kilobytes(&read_to_string(format!("/proc/{}/status", self.child.id()))?, "VmHWM:")
    }

    /// Looks at the server's memory from now on.
    pub(super) fn watch(&self) -> Watch {
        let status = format!("/proc/{}/status", self.child.id());
        let ended = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&ended);
        let thread = std::thread::spawn(move || {
            let mut most = Held::default();
            while !seen.load(Ordering::Relaxed) {
                let text = read_to_string(&status)?;
                most.own = most.own.max(kilobytes(&text, "RssAnon:")?);
                most.all = most.all.max(kilobytes(&text, "VmRSS:")?);
                std::thread::sleep(Duration::from_millis(50));
            }
            Ok(most)
        });
        Watch { ended, thread }
    }

    /// Asks the server to stop and waits until it has.
    pub(super) fn stop(mut self) -> anyhow::Result<()> {
        let asked = Command::new("kill").arg(self.child.id().to_string()).status();
        asked.context("kill cannot be started")?;
        let since = Instant::now();
        while self.child.try_wait()?.is_none() {
            // Past its own patience with requests that are under way, it hangs.
            ensure!(since.elapsed() < Duration::from_secs(40), "the server did not stop when it was asked to");
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }
}

/// The most memory that a server held while it was watched, in bytes.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Held {
    /// What it took for itself.
    pub(super) own: u64,
    /// With the pages of mapped files, which the kernel takes back when others need them.
    pub(super) all: u64,
}

/// Looks at a server's memory twenty times a second until it is asked what the most was.
pub(super) struct Watch {
    ended: Arc<AtomicBool>,
    thread: JoinHandle<anyhow::Result<Held>>,
}

impl Watch {
    /// Ends looking and returns the most that was seen.
    pub(super) fn most(self) -> anyhow::Result<Held> {
        self.ended.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the memory could not be watched"))?
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Returns a command of the server's binary that works on a data folder and on nothing of this checkout.
pub(super) fn command(alidade: &Path, data: &Path) -> Command {
    let mut command = Command::new(alidade);
    command
        .current_dir(data.parent().unwrap_or(Path::new("/")))
        .env_remove("ALIDADE_CONFIG")
        .env("ALIDADE_DATA_DIR", data)
        .env("ALIDADE_BASE_URL", BASE)
        .env("ALIDADE_SAMPLE", "0");
    command
}

/// Runs a command to its end and returns what it printed and what it took, its children included.
pub(super) fn measured(mut command: Command) -> anyhow::Result<(String, Spent)> {
    let name = command.get_program().to_string_lossy().into_owned();
    let (since, before) = (Instant::now(), children()?);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("{name} cannot be started"))?;
    let spent = Spent { wall: since.elapsed().as_secs_f64(), cpu: children()? - before };
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{name} ended with {}: {}", output.status, said.trim());
    Ok((String::from_utf8_lossy(&output.stdout).into_owned(), spent))
}

/// Returns the processor time of a process since its start, in seconds.
pub(super) fn cpu_of(id: u32) -> anyhow::Result<f64> {
    // The 14th and 15th field of proc(5): utime and stime.
    ticks(&read_to_string(format!("/proc/{id}/stat"))?, 14)
}

/// Returns the processor time of all children that have ended, in seconds: the 16th and 17th field of proc(5).
fn children() -> anyhow::Result<f64> {
    ticks(&read_to_string("/proc/self/stat")?, 16)
}

/// Returns the sum of two neighbouring fields of a `stat` file, in seconds; fields count from 1.
fn ticks(stat: &str, first: usize) -> anyhow::Result<f64> {
    // The second field is a name in brackets, which may hold anything; the third follows the last bracket.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3).and_then(|field| field.parse::<f64>().ok());
    let sum = field(first).zip(field(first + 1)).map(|(user, system)| (user + system) / TICKS);
    sum.context("a stat file of /proc lacks the processor times")
}

/// Returns the bytes of memory that a new program could take.
fn available() -> anyhow::Result<u64> {
    kilobytes(&read_to_string("/proc/meminfo")?, "MemAvailable:")
}

fn kilobytes(text: &str, name: &str) -> anyhow::Result<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    Ok(number.with_context(|| format!("/proc does not say {name}"))? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_times_are_read_behind_any_name() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 0 0 0 0 0 150 50 25 75 20 0 1";
        assert_eq!((ticks(stat, 14).unwrap(), ticks(stat, 16).unwrap()), (2.0, 1.0));
        assert_eq!(kilobytes("Name: x\nVmHWM:\t  12 kB\n", "VmHWM:").unwrap(), 12 * 1024);
    }
}
