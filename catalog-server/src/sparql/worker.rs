//! One worker process, as the server sees it.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use catalog_graph::worker::{self, Cause, End, FrameKind, HEADER, Head, MAX_DATA, Refusal, Refused, Request};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// The command of this binary that a worker runs; it is not for people.
pub(crate) const COMMAND: &str = "sparql-worker";

/// What a worker says.
#[derive(Debug)]
pub(super) enum Said {
    /// What the answer will be.
    Head(Head),
    /// A piece of it.
    Data(Bytes),
    /// It is whole.
    End(End),
    /// There is none, or no more of it.
    Refusal(Refused),
}

/// A worker process; it is killed when this is dropped.
pub(super) struct Worker {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    /// What was read and is not a whole frame yet, so that waiting for a frame can be given up and taken up again.
    read: BytesMut,
}

impl Worker {
    /// Starts a worker: the same binary, with nothing of this process but the pipes.
    pub(super) fn start() -> io::Result<Self> {
        // The file may have been replaced by an update since this process started; the kernel still has the old one.
        let running = std::path::Path::new("/proc/self/exe");
        let program = if running.exists() { running.to_owned() } else { std::env::current_exe()? };
        let mut command = Command::new(program);
        command.arg(COMMAND).env_clear().current_dir("/").process_group(0).kill_on_drop(true);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let (Some(input), Some(output)) = (input, output) else { return Err(io::ErrorKind::BrokenPipe.into()) };
        Ok(Self { child, input, output, read: BytesMut::new() })
    }

    /// Says whether the process still runs.
    pub(super) fn is_alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends a request.
    pub(super) async fn ask(&mut self, request: &Request) -> io::Result<()> {
        let content = serde_json::to_vec(request)?;
        let mut frame = worker::header(FrameKind::Request, content.len())?.to_vec();
        frame.extend_from_slice(&content);
        self.input.write_all(&frame).await
    }

    /// Waits for what the worker says next; when the wait is given up, nothing is lost.
    pub(super) async fn next(&mut self) -> io::Result<Said> {
        loop {
            if let Some(said) = self.parse()? {
                return Ok(said);
            }
            self.read.reserve(MAX_DATA + HEADER);
            if self.output.read_buf(&mut self.read).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }

    fn parse(&mut self) -> io::Result<Option<Said>> {
        let Some(header) = self.read.first_chunk::<HEADER>() else { return Ok(None) };
        let (kind, length) = worker::read_header(*header, MAX_DATA)?;
        if self.read.len() < HEADER + length {
            return Ok(None);
        }
        self.read.advance(HEADER);
        let content = self.read.split_to(length).freeze();
        Ok(Some(match kind {
            FrameKind::Head => Said::Head(serde_json::from_slice(&content)?),
            FrameKind::Data => Said::Data(content),
            FrameKind::End => Said::End(serde_json::from_slice(&content)?),
            FrameKind::Refusal => Said::Refusal(serde_json::from_slice(&content)?),
            FrameKind::Request => return Err(io::Error::new(io::ErrorKind::InvalidData, "a worker asks")),
        }))
    }

    /// Finds out why the process ended by itself.
    pub(super) async fn post_mortem(mut self) -> Refusal {
        /// SIGXCPU: the kernel ended it at its limit of processor time.
        const OUT_OF_TIME: i32 = 24;
        let _ = self.child.start_kill();
        let mut words = Vec::new();
        if let Some(errors) = self.child.stderr.take() {
            let reading = errors.take(4096);
            let _ = tokio::time::timeout(Duration::from_secs(1), { reading }.read_to_end(&mut words)).await;
        }
        let status = self.child.wait().await.ok();
        let words = String::from_utf8_lossy(&words);
        if words.contains("memory allocation of") {
            let detail = "the query needs more memory than a query may use; narrow it, or sort and group less";
            return Refusal::new(Cause::Memory, detail);
        }
        if words.contains("overflowed its stack") {
            return Refusal::new(Cause::TooDeep, "the query nests too deeply");
        }
        if status.and_then(|status| status.signal()) == Some(OUT_OF_TIME) {
            return Refusal::new(Cause::Time, "the query took too much processor time");
        }
        let words = words.trim();
        Refusal::new(Cause::Internal, format!("a worker ended with {status:?}: {words}"))
    }
}
