//! Writes answers in their formats, within the limits of rows and bytes.

use std::io::{self, BufWriter, Write};

use catalog_schemas::xml::LegibleXml;
use oxigraph::io::RdfSerializer;
use oxigraph::model::vocab::rdf;
use oxigraph::model::{Term, Triple, Variable};
use oxigraph::sparql::results::QueryResultsSerializer;
use spareval::QuerySolution;

use crate::format::{AnswerFormat, GraphSyntax};
use crate::query::{Answered, Cancellation, Limits, QueryError};

/// Where one query's answer goes.
pub(crate) struct Answer<'a> {
    sink: Sink<'a>,
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
        let is_xml = matches!(format, AnswerFormat::Xml | AnswerFormat::Graph(GraphSyntax::RdfXml));
        let sink = if is_xml { Sink::Xml(LegibleXml::new(sink)) } else { Sink::Plain(sink) };
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
            let triple = triple?;
            if syntax == GraphSyntax::RdfXml {
                nameable(&triple)?;
            }
            writer.serialize_triple(&triple).map_err(&written)?;
        }
        rows.check()?;
        finish(writer.finish().map_err(&written)?, rows.count)
    }

    fn serializer(&self) -> Result<QueryResultsSerializer, QueryError> {
        self.format.results_format().map(QueryResultsSerializer::from_format).ok_or_else(mismatch)
    }
}

/// Refuses what RDF/XML has no name for: an element is called by the last part of a property or class, which must be a name of XML
/// (RDF 1.1 XML Syntax, section 2.4 and note at the end of section 6.1.4).
fn nameable(triple: &Triple) -> Result<(), QueryError> {
    let class = match &triple.object {
        Term::NamedNode(class) if triple.predicate == rdf::TYPE => Some(class),
        _ => None,
    };
    for node in std::iter::once(&triple.predicate).chain(class) {
        let last =
            node.as_str().rsplit(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '-' | '.' | '\u{b7}')).next();
        if !last.unwrap_or_default().contains(|c: char| c.is_alphabetic() || c == '_') {
            return Err(QueryError::Evaluation(format!("RDF/XML has no name for {node}; ask for another syntax")));
        }
    }
    Ok(())
}

fn finish(sink: Sink<'_>, rows: usize) -> Result<Answered, QueryError> {
    let mut sink = match sink {
        Sink::Plain(sink) => sink,
        Sink::Xml(sink) => sink.into_inner(),
    };
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

/// Where an answer is written: as it is, or so that XML can hold it.
enum Sink<'a> {
    Plain(Bounded<'a>),
    Xml(LegibleXml<Bounded<'a>>),
}

impl Write for Sink<'_> {
    fn write(&mut self, chunk: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(sink) => sink.write(chunk),
            Self::Xml(sink) => sink.write(chunk),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(sink) => sink.flush(),
            Self::Xml(sink) => sink.flush(),
        }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn rdf_xml_is_refused_what_it_cannot_name() {
        use oxigraph::model::{NamedNode, TermRef};
        let triple = |predicate: &str, object: &str| {
            let node = |iri: &str| NamedNode::new(iri).unwrap();
            Triple::new(node("http://e/s"), node(predicate), TermRef::from(node(object).as_ref()))
        };
        for (predicate, object, fits) in [
            ("http://e/p", "http://e/1", true),
            ("http://e/1p", "http://e/1", true),
            ("http://e/é", "http://e/1", true),
            ("http://e/1", "http://e/o", false),
            ("http://e/p/", "http://e/o", false),
            ("http://www.w3.org/1999/02/22-rdf-syntax-ns#type", "http://e/C", true),
            ("http://www.w3.org/1999/02/22-rdf-syntax-ns#type", "http://e/2", false),
        ] {
            assert_eq!(nameable(&triple(predicate, object)).is_ok(), fits, "{predicate} {object}");
        }
    }
}
