//! A gzip-compressed tar (POSIX ustar and pax, GNU long names), read strictly by stream.

use catalog_schemas::problem::Finding;

use crate::budget::Budget;
use crate::fault::{Fault, Faults, shown};
use crate::gzip::Gzip;
use crate::intake::Intake;
use crate::package::{Entry, Keep, Member};
use crate::{names, pax};

/// A tar is made of blocks of this size.
pub(crate) const BLOCK: usize = 512;

/// The most bytes of an extended header or a long name: far more than any name allowed, far less than an entry.
const EXTENDED: u64 = 64 * 1024;

/// Reads every entry; faults that leave the next header's place unknown end the scan.
pub(crate) fn scan(bytes: &[u8], budget: &Budget, faults: &mut Faults) -> Result<Vec<Member>, Finding> {
    let mut stream = Stream::new(Gzip::new(bytes, budget)?);
    let mut keep = Keep::new(budget);
    let mut members: Vec<Member> = Vec::new();
    let mut pending = Pending::default();
    let mut first = true;
    loop {
        let Some(block) = stream.block().map_err(|finding| if first { not_a_tar(finding) } else { finding })? else {
            return Err(Fault::Truncated.finding("the tar ends before its end mark"));
        };
        if is_zero(&block) {
            if !pending.is_empty() {
                faults.add(Fault::ExtendedHeader.finding("an extended tar header has no entry after it"));
            }
            stream.end()?;
            return Ok(members);
        }
        let header = Header::parse(&block, first)?;
        first = false;
        for why in &header.odd {
            let name = String::from_utf8_lossy(&header.name);
            faults.add(Fault::TarHeader.of(&name, format!("the header of {} {why}", shown(&name))));
        }
        match header.kind {
            b'x' => {
                let payload = stream.payload(header.size)?;
                if pending.pax {
                    faults.add(Fault::ExtendedHeader.finding("two extended tar headers precede one entry"));
                }
                pending.pax = true;
                match pax::parse(&payload) {
                    Ok(extended) => pending.set(extended.path, extended.size, faults),
                    Err(finding) => faults.add(finding),
                }
            }
            b'g' => {
                let payload = stream.payload(header.size)?;
                // `git archive` writes one with the commit as a comment, which changes no entry.
                if !pax::parse(&payload).is_ok_and(|extended| extended.comment_only) {
                    faults.add(Fault::GlobalHeader.finding("a global tar header changes the entries that follow"));
                }
            }
            b'L' => {
                let mut payload = stream.payload(header.size)?;
                if payload.last() == Some(&0) {
                    payload.pop();
                }
                pending.set(Some(payload), None, faults);
            }
            b'K' => {
                stream.payload(header.size)?;
                pending.long_link = true;
            }
            _ => {
                if members.len() == budget.entries {
                    let message = format!("the archive has more than {} entries", budget.entries);
                    return Err(Fault::TooManyEntries.finding(message));
                }
                let pending = std::mem::take(&mut pending);
                members.push(member(&header, pending, &mut stream, budget, &mut keep, faults)?);
            }
        }
    }
}

/// Reads one file again.
pub(crate) fn read(archive: &[u8], entry: &Entry) -> Option<Vec<u8>> {
    // The archive has been opened under a budget before; this one stops at the end of the entry.
    let budget = Budget { unpacked: u64::MAX, ratio: u64::MAX, ..Budget::default() };
    let mut stream = Stream::new(Gzip::new(archive, &budget).ok()?);
    let mut skip = entry.offset;
    let mut contents = Vec::new();
    while (contents.len() as u64) < entry.size {
        let chunk = stream.chunk(u64::MAX).ok()?;
        if chunk.is_empty() {
            return None;
        }
        let from = usize::try_from(skip).map_or(chunk.len(), |skip| skip.min(chunk.len()));
        skip -= from as u64;
        let missing = usize::try_from(entry.size).ok()? - contents.len();
        let wanted = &chunk[from..];
        contents.extend_from_slice(&wanted[..missing.min(wanted.len())]);
    }
    Some(contents)
}

/// What extended headers say of the next entry.
#[derive(Default)]
struct Pending {
    pax: bool,
    path: Option<Vec<u8>>,
    size: Option<u64>,
    long_link: bool,
}

impl Pending {
    fn is_empty(&self) -> bool {
        !self.pax && self.path.is_none() && !self.long_link
    }

    fn set(&mut self, path: Option<Vec<u8>>, size: Option<u64>, faults: &mut Faults) {
        if self.path.is_some() && path.is_some() {
            faults.add(Fault::NameOverride.finding("two extended tar headers name one entry"));
        }
        self.path = path.or(self.path.take());
        self.size = size.or(self.size);
    }
}

/// Reads one entry behind its header.
fn member(
    header: &Header,
    pending: Pending,
    stream: &mut Stream,
    budget: &Budget,
    keep: &mut Keep,
    faults: &mut Faults,
) -> Result<Member, Finding> {
    let raw = pending.path.as_deref().unwrap_or(&header.name);
    let (name, slash) = match raw.strip_suffix(b"/") {
        // A name that is the root alone stays as it is, to be refused as such.
        Some(name) if !name.is_empty() => (name, true),
        _ => (raw, false),
    };
    if str::from_utf8(name).is_err() {
        let lossy = String::from_utf8_lossy(name);
        faults.add(Fault::NameEncoding.of(&lossy, format!("the name {} is not UTF-8", shown(&lossy))));
    }
    let name = String::from_utf8_lossy(name).into_owned();
    names::check(&name, budget, faults);
    let label = shown(&name);
    if pending.path.as_ref().is_some_and(|path| !is_shortened(&header.name, path)) {
        let message = format!("{label} is named {} by its own header", shown(&String::from_utf8_lossy(&header.name)));
        faults.add(Fault::NameOverride.of(&name, message));
    }
    if pending.size.is_some_and(|size| size != header.size) {
        return Err(Fault::ExtendedHeader.of(&name, format!("{label} is given two different sizes")));
    }
    let kind = match header.kind {
        b'0' | 0 | b'5' => None,
        b'1' => Some((Fault::Hardlink, "a hard link")),
        b'2' => Some((Fault::Symlink, "a symbolic link")),
        b'3' | b'4' => Some((Fault::Device, "a device")),
        b'6' => Some((Fault::Device, "a pipe")),
        b'S' => Some((Fault::Sparse, "a sparse file")),
        _ => Some((Fault::EntryKind, "of a kind that is not a file")),
    };
    let mut refused = kind.is_some();
    if let Some((fault, what)) = kind {
        faults.add(fault.of(&name, format!("{label} is {what}")));
    }
    let directory = header.kind == b'5';
    if slash && !directory && kind.is_none() {
        faults.add(Fault::EntryKind.of(&name, format!("{label} is a file and has a folder's name")));
        refused = true;
    }
    if pending.long_link && !matches!(header.kind, b'1' | b'2') {
        faults.add(Fault::ExtendedHeader.of(&name, format!("{label} has a link's target and is no link")));
    }
    // Readers differ on whether data follows such a header, so that the next header's place is not known.
    if header.size > 0 && (directory || matches!(header.kind, b'1' | b'2' | b'3' | b'4' | b'6' | b'S')) {
        return Err(Fault::TarHeader.of(&name, format!("{label} is not a file and has {} bytes", header.size)));
    }

    if header.size > budget.entry {
        let message = format!("{label} has {} bytes; {} are allowed", header.size, budget.entry);
        faults.add(Fault::EntryTooLarge.of(&name, message).expected(format!("at most {} bytes", budget.entry)));
        refused = true;
    }
    let offset = stream.position();
    if header.size > budget.unpacked.saturating_sub(offset) {
        let message = format!("with {label}, the archive unpacks to more than {} bytes", budget.unpacked);
        return Err(Fault::UnpackedTooLarge.of(&name, message));
    }
    let mut intake = Intake::new(!refused && keep.grant(&name, header.size));
    let mut left = header.size;
    while left > 0 {
        let chunk = stream.chunk(left)?;
        if chunk.is_empty() {
            return Err(Fault::Truncated.of(&name, format!("the tar ends within {label}")));
        }
        left -= chunk.len() as u64;
        if !refused {
            intake.take(chunk);
        }
    }
    stream.padding(header.size, &label, faults)?;
    let taken = (!refused && !directory).then(|| intake.finish(&name, faults));
    // Long names would add up; none of them is looked at again.
    let name = if name.len() > budget.name { String::new() } else { name };
    Ok(Member { name, directory, taken, offset, packed: header.size, deflated: false })
}

/// Tells whether a header's own name is what a writer leaves there when the full name does not fit: the full name with
/// characters cut off, dropped, or replaced by `?`, or the same name.
fn is_shortened(own: &[u8], full: &[u8]) -> bool {
    if own == full {
        return true;
    }
    // A name that fits and is ASCII needs no second header.
    if full.len() <= 100 && full.is_ascii() {
        return false;
    }
    let mut rest = full.iter();
    own.iter()
        .filter(|byte| byte.is_ascii() && !matches!(byte, b'?' | b'_'))
        .all(|byte| rest.any(|other| other == byte))
}

fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == 0)
}

/// A tar header.
struct Header {
    name: Vec<u8>,
    kind: u8,
    size: u64,
    odd: Vec<&'static str>,
}

impl Header {
    fn parse(block: &[u8; BLOCK], first: bool) -> Result<Self, Finding> {
        let (posix, gnu) = (&block[257..265] == b"ustar\x0000", &block[257..265] == b"ustar  \0");
        let marked = block[257..262] == *b"ustar";
        let sum: u64 =
            block.iter().enumerate().map(|(at, &byte)| if (148..156).contains(&at) { 32 } else { byte.into() }).sum();
        if octal(&block[148..156]) != Some(sum) {
            return Err(if first && !marked {
                Fault::UnknownFormat.finding("a package is a .tar.gz or a .zip; this is gzip data that holds no tar")
            } else {
                Fault::TarChecksum.finding("a tar header does not match its checksum")
            });
        }
        let Some(size) = octal(&block[124..136]) else {
            return Err(Fault::TarHeader.finding("the size in a tar header is not an octal number"));
        };
        let mut odd = Vec::new();
        if !posix && !gnu {
            odd.push("has no ustar mark");
        }
        // Owner, times and device numbers say nothing here, but some readers stop without a word where one is malformed.
        if ![100..108, 108..116, 116..124, 136..148, 329..337, 337..345].into_iter().all(|at| is_number(&block[at])) {
            odd.push("has a number that is not octal");
        }
        let mut name = field(&block[..100], &mut odd);
        // A sparse file of GNU tar has its map there; that it is one is said of its kind.
        let prefix = if block[156] == b'S' { Vec::new() } else { field(&block[345..500], &mut odd) };
        if !prefix.is_empty() {
            if posix {
                name = [&prefix, &b"/"[..], &name].concat();
            } else {
                odd.push("has a prefix, which its form does not know");
            }
        }
        Ok(Self { name, kind: block[156], size, odd })
    }
}

const ENDS_WITHIN_A_BLOCK: &str = "the tar ends within a block";

/// Says of gzip data that is shorter than any tar what it is not.
fn not_a_tar(finding: Finding) -> Finding {
    if finding.message != ENDS_WITHIN_A_BLOCK {
        return finding;
    }
    Fault::UnknownFormat.finding("a package is a .tar.gz or a .zip; this is gzip data that holds no tar")
}

/// Returns a field's bytes before the first NUL; bytes after it are seen by some readers only.
fn field(bytes: &[u8], odd: &mut Vec<&'static str>) -> Vec<u8> {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    if !is_zero(&bytes[end..]) {
        odd.push("has bytes behind the end of a name");
    }
    bytes[..end].to_vec()
}

/// Reads an octal number as POSIX has it: digits, then spaces or NULs; leading spaces as old writers put them.
fn octal(bytes: &[u8]) -> Option<u64> {
    let digits = bytes.trim_ascii_start();
    let end = digits.iter().position(|byte| matches!(byte, b' ' | 0)).unwrap_or(digits.len());
    let (digits, rest) = digits.split_at(end);
    if digits.is_empty() || !rest.iter().all(|byte| matches!(byte, b' ' | 0)) {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, byte| match byte {
        b'0'..=b'7' => Some(number * 8 + u64::from(byte - b'0')),
        _ => None,
    })
}

/// Tells whether a field whose value does not matter is octal, empty, or in GNU's form for large numbers.
fn is_number(bytes: &[u8]) -> bool {
    octal(bytes).is_some() || bytes.iter().all(|byte| matches!(byte, b' ' | 0)) || matches!(bytes[0], 0x80 | 0xFF)
}

/// The unpacked tar, through a buffer.
struct Stream<'a> {
    gzip: Gzip<'a>,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
}

impl<'a> Stream<'a> {
    fn new(gzip: Gzip<'a>) -> Self {
        Self { gzip, buffer: vec![0; 64 * 1024].into_boxed_slice(), start: 0, end: 0 }
    }

    /// Returns where in the tar the next byte stands.
    fn position(&self) -> u64 {
        self.gzip.unpacked() - (self.end - self.start) as u64
    }

    /// Returns the next bytes, at most `most`; none means the end.
    fn chunk(&mut self, most: u64) -> Result<&[u8], Finding> {
        if self.start == self.end {
            self.start = 0;
            self.end = 0;
            self.end = self.gzip.fill(&mut self.buffer)?;
        }
        let there = self.end - self.start;
        let count = usize::try_from(most).map_or(there, |most| most.min(there));
        let chunk = &self.buffer[self.start..self.start + count];
        self.start += count;
        Ok(chunk)
    }

    /// Returns the next block, or nothing at the end.
    fn block(&mut self) -> Result<Option<[u8; BLOCK]>, Finding> {
        let mut block = [0; BLOCK];
        let mut have = 0;
        while have < BLOCK {
            let chunk = self.chunk((BLOCK - have) as u64)?;
            if chunk.is_empty() {
                if have == 0 {
                    return Ok(None);
                }
                return Err(Fault::Truncated.finding(ENDS_WITHIN_A_BLOCK));
            }
            block[have..have + chunk.len()].copy_from_slice(chunk);
            have += chunk.len();
        }
        Ok(Some(block))
    }

    /// Returns the contents of an extended header.
    fn payload(&mut self, size: u64) -> Result<Vec<u8>, Finding> {
        if size > EXTENDED {
            return Err(Fault::ExtendedHeader.finding(format!("an extended tar header has {size} bytes")));
        }
        let mut payload = Vec::new();
        while (payload.len() as u64) < size.next_multiple_of(BLOCK as u64) {
            let Some(block) = self.block()? else {
                return Err(Fault::Truncated.finding("the tar ends within an extended header"));
            };
            payload.extend_from_slice(&block);
        }
        let size = usize::try_from(size).unwrap_or(payload.len());
        if !is_zero(&payload[size..]) {
            return Err(Fault::Gap.finding("the padding behind an extended tar header is not zero"));
        }
        payload.truncate(size);
        Ok(payload)
    }

    /// Passes the padding behind contents of a size.
    fn padding(&mut self, size: u64, label: &str, faults: &mut Faults) -> Result<(), Finding> {
        let mut left = size.next_multiple_of(BLOCK as u64) - size;
        let mut clean = true;
        while left > 0 {
            let chunk = self.chunk(left)?;
            if chunk.is_empty() {
                return Err(Fault::Truncated.of(label, format!("the tar ends behind {label}")));
            }
            clean &= is_zero(chunk);
            left -= chunk.len() as u64;
        }
        if !clean {
            faults.add(Fault::Gap.of(label, format!("the padding behind {label} is not zero")));
        }
        Ok(())
    }

    /// Passes the second block of the end mark and the zeros behind it.
    fn end(&mut self) -> Result<(), Finding> {
        let Some(block) = self.block()? else {
            return Err(Fault::Truncated.finding("the tar ends within its end mark"));
        };
        let mut clean = is_zero(&block);
        loop {
            let chunk = self.chunk(u64::MAX)?;
            if chunk.is_empty() {
                break;
            }
            clean &= is_zero(chunk);
        }
        if clean { Ok(()) } else { Err(Fault::TrailingData.finding("data follows the end mark of the tar")) }
    }
}
