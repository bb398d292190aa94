//! Raw deflate data, decoded step by step.

use flate2::{Decompress, FlushDecompress, Status};

/// Why deflate data stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The input ends before the data does.
    Truncated,
    /// The data is not deflate data.
    Corrupt,
}

/// Decodes deflate data from a slice, a buffer at a time.
pub(crate) struct Inflate<'a> {
    input: &'a [u8],
    decoder: Decompress,
    ended: bool,
}

impl<'a> Inflate<'a> {
    /// Begins at the start of `input`, which may go on after the data.
    pub(crate) fn new(input: &'a [u8]) -> Self {
        Self { input, decoder: Decompress::new(false), ended: false }
    }

    /// Fills the start of `output` and returns how many bytes; 0 means that the data has ended.
    pub(crate) fn fill(&mut self, output: &mut [u8]) -> Result<usize, Stop> {
        while !self.ended {
            let read = self.decoder.total_in();
            let written = self.decoder.total_out();
            let status =
                self.decoder.decompress(self.input, output, FlushDecompress::None).map_err(|_| Stop::Corrupt)?;
            let read = to_usize(self.decoder.total_in() - read);
            let written = to_usize(self.decoder.total_out() - written);
            self.input = &self.input[read..];
            self.ended = status == Status::StreamEnd;
            if written > 0 {
                return Ok(written);
            }
            if read == 0 && !self.ended {
                return Err(if self.input.is_empty() { Stop::Truncated } else { Stop::Corrupt });
            }
        }
        Ok(0)
    }

    /// Returns the input that follows the data, once it has ended.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.input
    }
}

fn to_usize(count: u64) -> usize {
    usize::try_from(count).expect("a step reads and writes no more than the slices that it was given")
}
