//! What the server asks a worker, and what it answers.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::explain::SyntaxFault;
use crate::format::{AnswerFormat, GraphSyntax};
use crate::query::{QueryDataset, QueryForm};

/// A request to a worker.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Request {
    /// The folder of the RDF store.
    pub folder: PathBuf,
    /// The version of the store that the answer is at least as new as.
    pub version: String,
    /// What is asked.
    pub question: Question,
    /// The syntaxes that the client takes, for each form of answer.
    pub formats: Formats,
    /// What the answer may use.
    pub allowance: Allowance,
    /// What services of this process know now: an IRI, and its statements as N-Triples.
    pub services: Vec<(String, String)>,
    /// Whether only what the answer would be is wanted, not the answer.
    pub head_only: bool,
}

/// What is asked of a worker.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Question {
    /// A SPARQL query.
    Query {
        /// Its text.
        text: String,
        /// What relative IRIs are resolved against.
        base: String,
        /// The dataset that the protocol names beside the query.
        dataset: QueryDataset,
        /// Whether the general evaluator answers alone, which tests compare with.
        plain: bool,
    },
    /// A whole graph: the default one, or the one that is named.
    Graph(Option<String>),
}

/// The syntax to answer in, for each form that a query may turn out to have; none when the client takes none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Formats {
    /// For SELECT.
    pub rows: Option<AnswerFormat>,
    /// For ASK.
    pub truth: Option<AnswerFormat>,
    /// For CONSTRUCT and DESCRIBE.
    pub graph: Option<GraphSyntax>,
}

impl Formats {
    /// Returns the syntax for a form of answer.
    pub fn of(&self, form: QueryForm) -> Option<AnswerFormat> {
        match form {
            QueryForm::Select => self.rows,
            QueryForm::Ask => self.truth,
            QueryForm::Graph => self.graph.map(AnswerFormat::Graph),
        }
    }
}

/// What one answer may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    /// Time from start to end.
    pub time: Duration,
    /// Rows or statements.
    pub rows: usize,
    /// Bytes.
    pub bytes: usize,
    /// Bytes of memory beside what is mapped.
    pub memory: u64,
}

/// What an answer will be; its pieces follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The syntax.
    pub format: AnswerFormat,
    /// The ledger's sequence that the answer shows.
    pub seq: u64,
}

/// What a whole answer was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Its rows or statements.
    pub rows: usize,
    /// Its bytes.
    pub bytes: usize,
    /// Whether the worker ends now, since it holds more memory than it should.
    pub leaves: bool,
}

/// How a worker tells that there is no answer, or no more of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Why.
    pub refusal: Refusal,
    /// The worker holds too much memory and ends now.
    pub leaves: bool,
}

/// Why there is no answer, or no more of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{detail}")]
pub struct Refusal {
    /// The kind of reason.
    pub cause: Cause,
    /// The reason in words.
    pub detail: String,
    /// The place of what is wrong with the query's text.
    pub fault: Option<Box<SyntaxFault>>,
}

impl Refusal {
    /// Makes a refusal.
    pub fn new(cause: Cause, detail: impl Into<String>) -> Self {
        Self { cause, detail: detail.into(), fault: None }
    }
}

/// The kinds of reasons for a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cause {
    /// The query's text is too long.
    TooLong,
    /// Its brackets nest too deeply.
    TooDeep,
    /// It is not SPARQL.
    Syntax,
    /// A graph's name is not an IRI.
    GraphName,
    /// There is no such graph.
    NoSuchGraph,
    /// The client takes no syntax that this form of answer has.
    NotAcceptable(QueryForm),
    /// The query uses what is not offered here, or failed.
    Evaluation,
    /// The answer took too long.
    Time,
    /// The answer needed too much memory.
    Memory,
    /// The answer has too many rows or statements.
    Rows,
    /// The answer has too many bytes.
    Bytes,
    /// The client does not read its answer.
    Unread,
    /// The worker ended, or something else went wrong here.
    Internal,
}
