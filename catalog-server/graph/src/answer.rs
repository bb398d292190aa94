//! Writes answers in their formats, within the limits of rows and bytes.

use std::io::{self, BufWriter, Write};

use oxigraph::io::RdfSerializer;
use oxigraph::model::{Triple, Variable};
use oxigraph::sparql::results::QueryResultsSerializer;
use spareval::QuerySolution;

use crate::format::AnswerFormat;
use crate::query::{Answered, Cancellation, Limits, QueryError};

/// Where one query's answer goes.
pub(crate) struct Answer<'a> {
    sink: Bounded<'a>,
    limits: Limits,
    format: AnswerFormat,
    cancellation: &'a Cancellation,
}

impl<'a> Answer<'a> {
    /// Begins an answer; nothing is written yet.
    pub(crate) fn new(
        sink: &'a mut (dyn Write + Send),
        limits: Limits,
        format: AnswerFormat,
        cancellation: &'a Cancellation,
    ) -> Self {
        let sink = Bounded { sink: BufWriter::with_capacity(1 << 15, sink), bytes: 0, most: limits.bytes };
        Self { sink, limits, format, cancellation }
    }

    /// Writes the answer of ASK.
    pub(crate) fn truth(self, truth: bool) -> Result<Answered, QueryError> {
        let (serializer, most) = (self.serializer()?, self.limits.bytes);
        let sink = serializer.serialize_boolean_to_writer(self.sink, truth).map_err(written(most))?;
        finish(sink, 1)
    }

    /// Writes the answer of SELECT.
    pub(crate) fn solutions(
        self,
        variables: Vec<Variable>,
        solutions: impl Iterator<Item = Result<QuerySolution, QueryError>>,
    ) -> Result<Answered, QueryError> {
        let (serializer, written) = (self.serializer()?, written(self.limits.bytes));
        let mut rows = Rows { count: 0, limits: self.limits, cancellation: self.cancellation };
        let mut writer = serializer.serialize_solutions_to_writer(self.sink, variables).map_err(&written)?;
        for solution in solutions {
            rows.next()?;
            writer.serialize(&solution?).map_err(&written)?;
        }
        // An evaluator that was cancelled may have ended as if there were no more rows.
        rows.check()?;
        finish(writer.finish().map_err(&written)?, rows.count)
    }

    /// Writes the answer of CONSTRUCT and DESCRIBE.
    pub(crate) fn graph(
        self,
        triples: impl Iterator<Item = Result<Triple, QueryError>>,
    ) -> Result<Answered, QueryError> {
        let AnswerFormat::Graph(syntax) = self.format else { return Err(mismatch()) };
        let written = written(self.limits.bytes);
        let mut rows = Rows { count: 0, limits: self.limits, cancellation: self.cancellation };
        let mut writer = RdfSerializer::from_format(syntax.rdf_format()).for_writer(self.sink);
        for triple in triples {
            rows.next()?;
            writer.serialize_triple(&triple?).map_err(&written)?;
        }
        rows.check()?;
        finish(writer.finish().map_err(&written)?, rows.count)
    }

    fn serializer(&self) -> Result<QueryResultsSerializer, QueryError> {
        self.format.results_format().map(QueryResultsSerializer::from_format).ok_or_else(mismatch)
    }
}

fn finish(mut sink: Bounded<'_>, rows: usize) -> Result<Answered, QueryError> {
    sink.flush().map_err(written(sink.most))?;
    Ok(Answered { rows, bytes: sink.bytes, recognised: false })
}

fn mismatch() -> QueryError {
    QueryError::Internal("the format does not fit the form of the query".to_owned())
}

fn written(most: usize) -> impl Fn(io::Error) -> QueryError {
    move |error| match error.kind() {
        io::ErrorKind::FileTooLarge => QueryError::TooManyBytes(most),
        _ => QueryError::Sink(error.to_string()),
    }
}

/// Counts rows against their limit and looks at the clock now and then.
struct Rows<'a> {
    count: usize,
    limits: Limits,
    cancellation: &'a Cancellation,
}

impl Rows<'_> {
    fn next(&mut self) -> Result<(), QueryError> {
        self.count += 1;
        if self.count > self.limits.rows {
            return Err(QueryError::TooManyRows(self.limits.rows));
        }
        if self.count.is_multiple_of(64) { self.check() } else { Ok(()) }
    }

    fn check(&self) -> Result<(), QueryError> {
        if self.cancellation.is_cancelled() { Err(QueryError::Cancelled) } else { Ok(()) }
    }
}

/// A sink that refuses to grow beyond a size.
struct Bounded<'a> {
    sink: BufWriter<&'a mut (dyn Write + Send)>,
    bytes: usize,
    most: usize,
}

impl Write for Bounded<'_> {
    fn write(&mut self, chunk: &[u8]) -> io::Result<usize> {
        if self.bytes + chunk.len() > self.most {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.sink.write_all(chunk)?;
        self.bytes += chunk.len();
        Ok(chunk.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}
