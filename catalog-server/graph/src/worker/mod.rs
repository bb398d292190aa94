//! The worker: a process that answers the queries of strangers, so that no query can harm the server (FACTS F11, F15, F16).
//!
//! The server starts it with pipes and asks in frames. It maps the RDF store read-only, writes nothing, opens no socket,
//! bounds its own memory and processor time, and ends when the server does. Whatever goes wrong in it, the server sees a
//! pipe that closes, and starts another.

mod frame;
mod message;
mod process;

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, sync_channel};

pub use frame::{FrameKind, HEADER, MAX_DATA, MAX_REQUEST, header, read_header};
pub use message::{Allowance, Cause, End, Formats, Head, Question, Refusal, Refused, Request};

use crate::query::{Cancellation, Limits, Query, QueryError, STACK};
use crate::{Evaluator, NamedNode, Reader, Triple, Version, View};

/// A worker that holds more than this beyond what it held at first ends after its answer, so that memory comes back.
const MOST_KEPT: u64 = 96 << 20;

/// Answers requests until the input ends.
///
/// Returns when a request cannot be read or an answer cannot be written. When the input ends, so does the process,
/// whatever it computes: nobody is left to hear the answer.
pub fn serve(input: impl Read + Send + 'static, output: impl Write + Send) -> io::Result<()> {
    process::settle();
    let requests = listen(input)?;
    answer_all(&requests, output)
}

/// Reads requests on a thread of its own, so that the end of the input is noticed during an evaluation, too.
fn listen(mut input: impl Read + Send + 'static) -> io::Result<Receiver<Vec<u8>>> {
    let (sender, requests) = sync_channel(1);
    let reading = move || {
        while let Ok(Some((FrameKind::Request, content))) = frame::read(&mut input, MAX_REQUEST) {
            if sender.send(content).is_err() {
                break;
            }
        }
        std::process::exit(0);
    };
    std::thread::Builder::new().name("requests".to_owned()).spawn(reading)?;
    Ok(requests)
}

fn answer_all(requests: &Receiver<Vec<u8>>, mut output: impl Write + Send) -> io::Result<()> {
    let mut opened = None;
    let idle = process::resident();
    while let Ok(content) = requests.recv() {
        process::release_memory();
        let mut pieces = Pieces { output: &mut output, buffer: Vec::with_capacity(MAX_DATA) };
        let answered = match serde_json::from_slice::<Request>(&content) {
            Ok(request) => answer(&request, &mut opened, &mut pieces),
            Err(error) => Err(Refusal::new(Cause::Internal, format!("the request cannot be read: {error}"))),
        };
        let leaves = process::resident().saturating_sub(idle) > MOST_KEPT + mapped(&opened);
        match answered {
            Ok((rows, bytes)) => {
                pieces.flush()?;
                pieces.tell(FrameKind::End, &End { rows, bytes, leaves })?;
            }
            Err(refusal) => pieces.tell(FrameKind::Refusal, &Refused { refusal, leaves })?,
        }
        output.flush()?;
        if leaves {
            return Ok(());
        }
    }
    Ok(())
}

/// A store that was opened, and where.
type Opened = Option<(PathBuf, Reader)>;

/// Returns how many bytes of files are mapped at the most: they may be resident without being the worker's own.
fn mapped(opened: &Opened) -> u64 {
    let Some((folder, _)) = opened else { return 0 };
    let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|metadata| metadata.len()).sum()
}

fn answer(
    request: &Request,
    opened: &mut Opened,
    pieces: &mut Pieces<impl Write + Send>,
) -> Result<(usize, usize), Refusal> {
    let view = view(request, opened)?;
    let query = query(request, &view)?;
    let form = query.form();
    let format = request.formats.of(form);
    let format =
        format.ok_or_else(|| Refusal::new(Cause::NotAcceptable(form), "no syntax fits this form of answer"))?;
    let head = Head { format, seq: view.applied_seq() };
    pieces.tell(FrameKind::Head, &head).map_err(internal)?;
    if request.head_only {
        return Ok((0, 0));
    }
    let Allowance { time, rows, bytes, memory } = request.allowance;
    // The stack of the evaluation is mapped whole and hardly used.
    process::bound_memory(memory + STACK as u64);
    process::bound_time(time);
    let limits = Limits { time, rows, bytes, memory: usize::try_from(memory).unwrap_or(usize::MAX) };
    let answered = query.evaluate(&view, format, limits, &Cancellation::new(), pieces)?;
    Ok((answered.rows, answered.bytes))
}

/// Opens the store, or moves on to its newer version.
fn view(request: &Request, opened: &mut Opened) -> Result<View, Refusal> {
    let version: Version = request.version.parse().map_err(internal)?;
    if let Some((folder, reader)) = opened
        && *folder == request.folder
        && reader.refresh(version).is_ok()
    {
        return Ok(reader.view());
    }
    // The files were compacted since the server looked: the newest state holds all that was asked for.
    *opened = None;
    let reader = Reader::open(&request.folder).map_err(internal)?;
    let view = reader.view();
    if view.applied_seq() < version.applied_seq {
        return Err(internal("the store is behind its version"));
    }
    *opened = Some((request.folder.clone(), reader));
    Ok(view)
}

fn query(request: &Request, view: &View) -> Result<Query, Refusal> {
    let mut query = match &request.question {
        Question::Query { text, base, dataset, plain } => {
            let evaluator = if *plain { Evaluator::Plain } else { Evaluator::Best };
            Query::parse(text, base, dataset)?.with_evaluator(evaluator)
        }
        Question::Graph(None) => Query::whole_graph(None),
        Question::Graph(Some(name)) => {
            let graph = NamedNode::new(name).map_err(|_| QueryError::GraphName(name.clone()))?;
            if !view.contains_graph(graph.as_ref()) {
                return Err(Refusal::new(Cause::NoSuchGraph, format!("there is no graph `{name}`")));
            }
            Query::whole_graph(Some(graph))
        }
    };
    for (name, statements) in &request.services {
        let name = NamedNode::new(name).map_err(internal)?;
        query = query.with_service(name, known(statements)?);
    }
    Ok(query)
}

/// Reads what a service of the server knows.
fn known(statements: &str) -> Result<Vec<Triple>, Refusal> {
    use oxigraph::io::{RdfFormat, RdfParser};
    let parser = RdfParser::from_format(RdfFormat::NTriples).for_slice(statements);
    parser.map(|quad| quad.map(Triple::from).map_err(internal)).collect()
}

fn internal(error: impl std::fmt::Display) -> Refusal {
    Refusal::new(Cause::Internal, error.to_string())
}

impl From<QueryError> for Refusal {
    fn from(error: QueryError) -> Self {
        let cause = match &error {
            QueryError::TooLong(_) => Cause::TooLong,
            QueryError::TooDeep(_) => Cause::TooDeep,
            QueryError::Syntax(_) => Cause::Syntax,
            QueryError::GraphName(_) => Cause::GraphName,
            QueryError::Evaluation(_) => Cause::Evaluation,
            QueryError::Timeout(_) => Cause::Time,
            QueryError::TooManyRows(_) => Cause::Rows,
            QueryError::TooManyBytes(_) => Cause::Bytes,
            QueryError::TooMuchMemory(_) => Cause::Memory,
            QueryError::Cancelled | QueryError::Sink(_) | QueryError::Internal(_) => Cause::Internal,
        };
        let detail = error.to_string();
        let fault = if let QueryError::Syntax(fault) = error { Some(fault) } else { None };
        Self { cause, detail, fault }
    }
}

/// Cuts an answer into frames.
struct Pieces<'a, W> {
    output: &'a mut W,
    buffer: Vec<u8>,
}

impl<W: Write> Pieces<'_, W> {
    /// Writes a message in a frame of its own.
    fn tell(&mut self, kind: FrameKind, message: &impl serde::Serialize) -> io::Result<()> {
        frame::write(self.output, kind, &serde_json::to_vec(message)?)
    }
}

impl<W: Write> Write for Pieces<'_, W> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let taken = piece.len().min(MAX_DATA - self.buffer.len());
        self.buffer.extend_from_slice(&piece[..taken]);
        if self.buffer.len() == MAX_DATA {
            self.flush()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        if !self.buffer.is_empty() {
            frame::write(self.output, FrameKind::Data, &self.buffer)?;
            self.buffer.clear();
        }
        Ok(())
    }
}
