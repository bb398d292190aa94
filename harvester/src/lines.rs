//! A source with one manifest a line (JSON Lines).

use std::io::BufRead;

use catalog_ontology::manifest::{Limits, Options, Validation, Writer, validate};
use catalog_schemas::problem::{Finding, Report};

use crate::{Batch, Error, Quarantined};

/// Manifests validated together: enough for every core, little enough to stay in memory.
const BATCH: usize = 5000;

/// Bytes of lines held at once, however few lines those are.
const BATCH_BYTES: usize = 64 << 20;

/// Reads manifests, one a line, in batches. Blocking: it reads and validates on every core.
#[derive(Debug)]
pub struct Lines<R> {
    reader: R,
    line: u64,
    longest: usize,
}

/// A line as it was read: its number, and its bytes or the finding that it is too long.
struct Line {
    number: u64,
    content: Result<Vec<u8>, usize>,
}

impl<R: BufRead> Lines<R> {
    /// Makes a source of a reader.
    pub fn new(reader: R) -> Self {
        Self { reader, line: 0, longest: Limits::default().bytes }
    }

    /// Reads and validates the next batch; nothing at the end.
    ///
    /// # Errors
    ///
    /// The reader's own, with the line.
    pub fn next_batch(&mut self) -> Result<Option<Batch>, Error> {
        let (mut lines, mut bytes, mut held) = (Vec::new(), 0, 0);
        while lines.len() < BATCH && held < BATCH_BYTES {
            let Some((line, taken)) = self.next_line()? else { break };
            bytes += taken;
            held += line.content.as_ref().map_or(0, Vec::len);
            if !line.content.as_ref().is_ok_and(|content| content.iter().all(u8::is_ascii_whitespace)) {
                lines.push(line);
            }
        }
        if bytes == 0 {
            return Ok(None);
        }
        let mut batch = Batch { bytes, ..Batch::default() };
        for (line, validation) in on_every_core(&lines) {
            match validation.record {
                Some(record) => batch.records.push(record),
                None => batch.quarantined.push(Quarantined { line, report: validation.report }),
            }
        }
        Ok(Some(batch))
    }

    /// Reads one line, of which no more is kept than may be valid, and how many bytes it took.
    fn next_line(&mut self) -> Result<Option<(Line, u64)>, Error> {
        let number = self.line + 1;
        let (mut content, mut length) = (Vec::new(), 0_usize);
        loop {
            let buffer = self.reader.fill_buf().map_err(|source| Error::Read { line: number, source })?;
            if buffer.is_empty() {
                break;
            }
            let end = buffer.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(buffer.len(), |end| end + 1);
            if length <= self.longest {
                content.extend_from_slice(&buffer[..taken]);
            }
            length += taken;
            self.reader.consume(taken);
            if end.is_some() {
                break;
            }
        }
        if length == 0 {
            return Ok(None);
        }
        self.line = number;
        let content = if length > self.longest { Err(length) } else { Ok(content) };
        Ok(Some((Line { number, content }, length as u64)))
    }
}

/// Validates lines on every core, in their order.
fn on_every_core(lines: &[Line]) -> Vec<(u64, Validation)> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let share = lines.len().div_ceil(cores).max(1);
    std::thread::scope(|scope| {
        let threads: Vec<_> = lines
            .chunks(share)
            .map(|lines| scope.spawn(move || lines.iter().map(|line| (line.number, judge(line))).collect::<Vec<_>>()))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap_or_default()).collect()
    })
}

fn judge(line: &Line) -> Validation {
    match &line.content {
        Ok(content) => validate(content, &Options::new(Writer::Developer)),
        Err(length) => {
            let finding = Finding::error("limit.size", format!("the line has {length} bytes"))
                .expected(format!("at most {} bytes", Limits::default().bytes));
            Validation { report: Report::new(vec![finding]), record: None }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(name: &str) -> String {
        serde_json::json!({
            "@context": catalog_schemas::CONTEXT, "@type": "Dataset", "identifier": format!("test.{name}"),
            "title": { "en": name }, "description": { "en": "A dataset to test with." }, "domain": ["space-science"],
            "license": "https://spdx.org/licenses/CC-BY-4.0", "creator": [{ "name": "Me" }], "version": "1"
        })
        .to_string()
    }

    #[test]
    fn bad_lines_are_set_aside_with_their_number_and_the_rest_goes_on() {
        let text = format!("{}\n\n{{\"broken\"\n{}\n{{}}\n{}", manifest("a"), manifest("b"), manifest("c"));
        let mut source = Lines::new(text.as_bytes());
        let batch = source.next_batch().unwrap().unwrap();
        let names: Vec<_> = batch.records.iter().map(|record| record.identifier().to_owned()).collect();
        assert_eq!(names, ["test.a", "test.b", "test.c"], "{:?}", batch.quarantined);
        let lines: Vec<_> =
            batch.quarantined.iter().map(|one| (one.line, one.report.findings[0].code.clone())).collect();
        assert_eq!(lines[0], (3, "json.syntax".to_owned()));
        assert_eq!(lines[1].0, 5);
        assert_eq!(batch.bytes, text.len() as u64);
        assert!(source.next_batch().unwrap().is_none());
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over_without_being_kept() {
        let text = format!("{}\n{}\n", "x".repeat(2000), manifest("a"));
        let mut source = Lines::new(text.as_bytes());
        source.longest = 1000;
        let batch = source.next_batch().unwrap().unwrap();
        assert_eq!(batch.records.len(), 1);
        assert_eq!(batch.quarantined[0].report.findings[0].code, "limit.size");
    }
}
