//! The delta's log: batches one behind the other, each with its length and checksum; a torn tail is cut.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::delta::Batch;
use super::{DEFAULT_GRAPH, Quad};

/// The log's name in a generation's folder.
pub(crate) const LOG: &str = "delta.log";

/// What a log begins with; the last byte is the format's version.
const MAGIC: &[u8; 8] = b"ALIDLOG\x01";

/// The longest record: a batch of the projector is far below.
const MAX_RECORD: u32 = 1 << 30;

/// The end of an empty log.
pub(crate) const START: u64 = MAGIC.len() as u64;

/// A log that is appended to.
pub(crate) struct Log {
    file: File,
    end: u64,
}

impl Log {
    /// Begins a log that has these batches.
    pub(crate) fn create(folder: &Path, batches: &[Batch]) -> io::Result<Self> {
        let mut file = File::create(folder.join(LOG))?;
        file.write_all(MAGIC)?;
        let mut log = Self { file, end: START };
        for batch in batches {
            log.append(batch)?;
        }
        log.file.sync_data()?;
        Ok(log)
    }

    /// Opens a log, gives its whole batches with where each ends, and cuts what stands behind the last.
    pub(crate) fn open(folder: &Path, each: impl FnMut(Batch, u64)) -> io::Result<(Self, u64)> {
        let mut file = File::options().read(true).write(true).open(folder.join(LOG))?;
        let length = file.metadata()?.len();
        let end = read(&mut file, 0, length, each)?;
        file.set_len(end)?;
        file.seek(SeekFrom::Start(end))?;
        Ok((Self { file, end }, length - end))
    }

    /// Returns where it ends.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Appends a batch and returns where the log ends then.
    ///
    /// The bytes are with the kernel when this returns: a process that dies loses nothing, and what a power cut takes
    /// is followed again from the ledger, because each record carries its sequence.
    pub(crate) fn append(&mut self, batch: &Batch) -> io::Result<u64> {
        let record = encode(batch)?;
        if let Err(error) = self.file.write_all(&record) {
            // Half a record must not stand before the next one.
            self.file.set_len(self.end)?;
            self.file.seek(SeekFrom::Start(self.end))?;
            return Err(error);
        }
        self.end += record.len() as u64;
        Ok(self.end)
    }
}

/// Reads the batches between two places of a log and returns where the last whole one ends.
pub(crate) fn read(file: &mut File, from: u64, to: u64, mut each: impl FnMut(Batch, u64)) -> io::Result<u64> {
    file.seek(SeekFrom::Start(from))?;
    let mut input = io::BufReader::with_capacity(1 << 16, file.take(to.saturating_sub(from)));
    let mut end = from;
    if from == 0 {
        let mut magic = [0; MAGIC.len()];
        if input.read_exact(&mut magic).is_err() || magic != *MAGIC {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the log does not begin as a log does"));
        }
        end = START;
    }
    loop {
        let mut head = [0; 8];
        if input.read_exact(&mut head).is_err() {
            return Ok(end);
        }
        let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
        let checksum = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        if length > MAX_RECORD {
            return Ok(end);
        }
        let mut payload = Vec::new();
        if input.by_ref().take(u64::from(length)).read_to_end(&mut payload)? < length as usize
            || crc32fast::hash(&payload) != checksum
        {
            return Ok(end);
        }
        let Some(batch) = decode(&payload) else { return Ok(end) };
        end += 8 + u64::from(length);
        each(batch, end);
    }
}

fn encode(batch: &Batch) -> io::Result<Vec<u8>> {
    let mut record = vec![0; 8];
    let number = |record: &mut Vec<u8>, number: usize| record.extend_from_slice(&(number as u32).to_le_bytes());
    record.extend_from_slice(&batch.seq.to_le_bytes());
    number(&mut record, batch.terms.len());
    for term in &batch.terms {
        number(&mut record, term.len());
        record.extend_from_slice(term);
    }
    for quads in [&batch.add, &batch.remove] {
        number(&mut record, quads.len());
        for id in quads.iter().flatten() {
            record.extend_from_slice(&id.to_le_bytes());
        }
    }
    let length = u32::try_from(record.len() - 8).ok().filter(|length| *length <= MAX_RECORD);
    let length = length.ok_or_else(|| io::Error::other("a batch is too large for one record of the log"))?;
    let checksum = crc32fast::hash(&record[8..]);
    record[..4].copy_from_slice(&length.to_le_bytes());
    record[4..8].copy_from_slice(&checksum.to_le_bytes());
    Ok(record)
}

fn decode(mut payload: &[u8]) -> Option<Batch> {
    fn take<'a>(payload: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = payload.split_at_checked(length)?;
        *payload = rest;
        Some(taken)
    }
    fn number(payload: &mut &[u8]) -> Option<u32> {
        Some(u32::from_le_bytes(take(payload, 4)?.try_into().ok()?))
    }
    let seq = u64::from_le_bytes(take(&mut payload, 8)?.try_into().ok()?);
    let mut terms = Vec::new();
    for _ in 0..number(&mut payload)? {
        let length = number(&mut payload)? as usize;
        terms.push(take(&mut payload, length)?.into());
    }
    let known = |id: u32| id == DEFAULT_GRAPH || (id as usize) < terms.len();
    let mut quads = || -> Option<Vec<Quad>> {
        let mut quads = Vec::new();
        for _ in 0..number(&mut payload)? {
            let mut quad = [0; 4];
            for id in &mut quad {
                *id = number(&mut payload)?;
            }
            if !quad.iter().all(|id| known(*id)) || quad[1..].contains(&DEFAULT_GRAPH) {
                return None;
            }
            quads.push(quad);
        }
        Some(quads)
    };
    let (add, remove) = (quads()?, quads()?);
    payload.is_empty().then_some(Batch { seq, terms, add, remove })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(seq: u64) -> Batch {
        let terms = vec![Box::from(&b"Ia"[..]), Box::from(&b"Sb"[..])];
        Batch { seq, terms, add: vec![[DEFAULT_GRAPH, 0, 0, 1]], remove: vec![[0, 0, 0, 1]] }
    }

    #[test]
    fn batches_come_back_and_a_torn_tail_is_cut_at_every_length() {
        let folder = tempfile::tempdir().unwrap();
        Log::create(folder.path(), &[batch(1), batch(2)]).unwrap();
        let path = folder.path().join(LOG);
        let whole = std::fs::read(&path).unwrap();
        let mut ends = Vec::new();
        Log::open(folder.path(), |batch_, end| {
            assert_eq!(batch_, batch(ends.len() as u64 + 1));
            ends.push(end);
        })
        .unwrap();
        assert_eq!(ends[1], whole.len() as u64);
        for length in START as usize..whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let mut count = 0;
            let (mut log, _) = Log::open(folder.path(), |_, _| count += 1).unwrap();
            assert_eq!(count, usize::from(length as u64 >= ends[0]));
            // What is appended then is read.
            log.append(&batch(3)).unwrap();
            let mut last = 0;
            Log::open(folder.path(), |batch, _| last = batch.seq).unwrap();
            assert_eq!(last, 3);
        }
        // A flipped bit ends the log before its record.
        let mut flipped = whole.clone();
        let at = ends[0] as usize + 12;
        flipped[at] ^= 1;
        std::fs::write(&path, &flipped).unwrap();
        let mut count = 0;
        let (_, cut) = Log::open(folder.path(), |_, _| count += 1).unwrap();
        assert_eq!((count, cut), (1, whole.len() as u64 - ends[0]));
    }
}
