//! The end mark and the central directory of a zip (APPNOTE 4.3.12 and 4.3.16), read strictly.

use catalog_schemas::problem::Finding;

use crate::budget::Budget;
use crate::fault::{Fault, Faults, shown};
use crate::names;

const END: &[u8; 4] = b"PK\x05\x06";
const END_SIZE: usize = 22;
const CENTRAL: &[u8; 4] = b"PK\x01\x02";
const CENTRAL_SIZE: usize = 46;
const ZIP64_LOCATOR: &[u8; 4] = b"PK\x06\x07";
const ZIP64_LOCATOR_SIZE: usize = 20;

/// Names are UTF-8.
const UTF8: u16 = 1 << 11;
/// Sizes and checksum stand behind the contents.
pub(crate) const DESCRIPTOR: u16 = 1 << 3;
/// Encrypted, strongly encrypted, masked headers.
const ENCRYPTED: u16 = 1 | 1 << 6 | 1 << 13;
/// What deflate writes to tell its level, which means nothing to a reader.
const LEVEL: u16 = 1 << 1 | 1 << 2;

/// An entry as the central directory has it.
#[derive(Debug)]
pub(crate) struct Central<'a> {
    /// The name, without a folder's final slash; empty if it is empty or too long, which is a fault.
    pub(crate) name: String,
    /// The name's bytes.
    pub(crate) raw: &'a [u8],
    pub(crate) directory: bool,
    pub(crate) flags: u16,
    pub(crate) method: u16,
    pub(crate) crc: u32,
    pub(crate) packed: u32,
    pub(crate) size: u32,
    /// Where the local header stands.
    pub(crate) offset: u32,
    /// Whether a fault of its own makes its contents unreadable or unwanted.
    pub(crate) refused: bool,
}

/// The central directory.
pub(crate) struct Directory<'a> {
    /// The entries in its order.
    pub(crate) entries: Vec<Central<'a>>,
    /// Where it begins, which is where the last entry ends.
    pub(crate) start: usize,
}

/// Tells whether bytes end with a zip's end mark, whatever they begin with.
pub(crate) fn ends_as_zip(bytes: &[u8]) -> bool {
    marks(bytes).any(|at| comment_end(bytes, at) == Some(bytes.len()))
}

/// Reads end mark and central directory.
pub(crate) fn read<'a>(bytes: &'a [u8], budget: &Budget, faults: &mut Faults) -> Result<Directory<'a>, Finding> {
    let end = find_end(bytes, faults)?;
    let mark = &bytes[end..];
    if has_zip64(bytes, end) {
        return Err(Fault::Zip64.finding("the zip has a zip64 end mark"));
    }
    let [disk, directory_disk, here, total] = [4, 6, 8, 10].map(|at| u16_at(mark, at));
    let [size, start] = [12, 16].map(|at| u32_at(mark, at) as usize);
    if disk != 0 || directory_disk != 0 || here != total {
        return Err(Fault::MultiDisk.finding("the zip is split over several files"));
    }
    if usize::from(total) > budget.entries {
        let message = format!("the archive has {total} entries; {} are allowed", budget.entries);
        return Err(Fault::TooManyEntries.finding(message));
    }
    if start + size != end {
        let shifted = end.checked_sub(size).and_then(|at| bytes.get(at..)).is_some_and(|at| at.starts_with(CENTRAL));
        return Err(if shifted && start + size < end {
            Fault::PrependedData.finding(format!("{} bytes precede the zip", end - start - size))
        } else {
            Fault::ZipDirectory.finding("the end mark does not say where the directory is")
        });
    }
    check_comment(&mark[END_SIZE..], faults);

    let mut rest = &bytes[start..end];
    let mut entries = Vec::with_capacity(usize::from(total));
    while !rest.is_empty() {
        if entries.len() == usize::from(total) {
            return Err(Fault::ZipDirectory.finding(format!("the directory has more than the {total} entries it says")));
        }
        let (entry, after) = central(rest, budget, faults)?;
        entries.push(entry);
        rest = after;
    }
    if entries.len() != usize::from(total) {
        let message = format!("the directory has {} entries and says {total}", entries.len());
        return Err(Fault::ZipDirectory.finding(message));
    }
    Ok(Directory { entries, start })
}

/// Returns every place where an end mark may stand: the comment behind it has 65,535 bytes at most.
fn marks(bytes: &[u8]) -> impl Iterator<Item = usize> {
    let from = bytes.len().saturating_sub(END_SIZE + usize::from(u16::MAX));
    bytes[from..].windows(END.len()).enumerate().filter(|(_, four)| *four == END).map(move |(at, _)| from + at)
}

fn comment_end(bytes: &[u8], mark: usize) -> Option<usize> {
    let length = bytes.get(mark + 20..mark + END_SIZE)?;
    Some(mark + END_SIZE + usize::from(u16_at(length, 0)))
}

fn find_end(bytes: &[u8], faults: &mut Faults) -> Result<usize, Finding> {
    let all: Vec<usize> = marks(bytes).collect();
    let complete: Vec<usize> = all.iter().copied().filter(|&at| comment_end(bytes, at) == Some(bytes.len())).collect();
    let Some(&end) = complete.first() else {
        return Err(match all.last().map(|&at| comment_end(bytes, at)) {
            Some(Some(end)) if end < bytes.len() => {
                Fault::TrailingData.finding(format!("{} bytes follow the end of the zip", bytes.len() - end))
            }
            _ => Fault::Truncated.finding("the zip ends before its end mark"),
        });
    };
    // Readers that look for the last mark, for the first, or for one whose directory fits would differ on these. A mark
    // within an entry's contents counts only if it could be taken for the end.
    let directory = u32_at(&bytes[end..], 16) as usize;
    let fits = |at: usize| {
        let [size, start] = [12, 16].map(|field| bytes.get(at + field..at + field + 4).map(|four| u32_at(four, 0)));
        size.zip(start).is_some_and(|(size, start)| size > 0 && size as usize + start as usize == at)
    };
    if complete.len() > 1 || all.iter().any(|&at| at != end && (at >= directory || fits(at))) {
        faults.add(Fault::TwoEnds.finding("the zip has more than one end mark"));
    }
    Ok(end)
}

fn has_zip64(bytes: &[u8], end: usize) -> bool {
    let locator = end.checked_sub(ZIP64_LOCATOR_SIZE).is_some_and(|at| bytes[at..].starts_with(ZIP64_LOCATOR));
    let mark = &bytes[end..];
    locator
        || [8, 10].iter().any(|&at| u16_at(mark, at) == u16::MAX)
        || [12, 16].iter().any(|&at| u32_at(mark, at) == u32::MAX)
}

/// A comment is plain text and short; `git archive` writes the commit there.
fn check_comment(comment: &[u8], faults: &mut Faults) {
    let plain = str::from_utf8(comment).is_ok_and(|text| {
        text.chars().all(|character| matches!(character, '\n' | '\r' | '\t') || !names::is_hidden(character))
    });
    if comment.len() > 1024 || !plain {
        faults.add(Fault::ZipComment.finding("the zip's comment is longer than 1024 bytes, or not plain text"));
    }
}

fn central<'a>(bytes: &'a [u8], budget: &Budget, faults: &mut Faults) -> Result<(Central<'a>, &'a [u8]), Finding> {
    let broken = || Fault::ZipDirectory.finding("the directory has an entry that is cut or is none");
    if !bytes.starts_with(CENTRAL) {
        return Err(broken());
    }
    let (fixed, rest) = bytes.split_at_checked(CENTRAL_SIZE).ok_or_else(broken)?;
    let [made_by, flags, method] = [4, 8, 10].map(|at| u16_at(fixed, at));
    let [name_length, extra_length, comment_length] = [28, 30, 32].map(|at| usize::from(u16_at(fixed, at)));
    let [crc, packed, size] = [16, 20, 24].map(|at| u32_at(fixed, at));
    let (disk, external, offset) = (u16_at(fixed, 34), u32_at(fixed, 38), u32_at(fixed, 42));
    let (raw, rest) = rest.split_at_checked(name_length).ok_or_else(broken)?;
    let (extra, rest) = rest.split_at_checked(extra_length).ok_or_else(broken)?;
    let (_, rest) = rest.split_at_checked(comment_length).ok_or_else(broken)?;

    let (stem, directory) = match raw.strip_suffix(b"/") {
        Some(stem) if !stem.is_empty() => (stem, true),
        _ => (raw, false),
    };
    let name = String::from_utf8_lossy(stem).into_owned();
    let label = shown(&name);
    if [packed, size, offset].contains(&u32::MAX) {
        return Err(Fault::Zip64.of(&name, format!("{label} has its sizes in zip64 form")));
    }
    let mut refused = false;
    let mut warning = None;
    let mut refuse = |finding: Finding| {
        faults.add(finding);
        refused = true;
    };
    if str::from_utf8(stem).is_err() {
        refuse(Fault::NameEncoding.of(&name, format!("the name {label} is not UTF-8")));
    } else if flags & UTF8 == 0 && !stem.is_ascii() {
        // By the letter of the format it is in code page 437, in which no tool of today writes. Bytes below 128 mean the
        // same in both, so that no reader sees another path, only other letters.
        warning = Some(Fault::NameUnmarked.of(&name, format!("the name {label} is not marked as UTF-8")));
    }
    if disk != 0 {
        refuse(Fault::MultiDisk.of(&name, format!("{label} is on another disk")));
    }
    if flags & ENCRYPTED != 0 || method == 99 {
        refuse(Fault::Encrypted.of(&name, format!("{label} is encrypted")));
    } else if flags & !(UTF8 | DESCRIPTOR | LEVEL) != 0 {
        refuse(Fault::ZipDirectory.of(&name, format!("{label} has flags of no known meaning")));
    } else if !matches!(method, 0 | 8) {
        let message = format!("{label} is compressed by method {method} ({})", method_name(method));
        refuse(Fault::Compression.of(&name, message).expected("deflate or store"));
    }
    if let Some(finding) = kind_fault(&name, made_by, external, directory) {
        refuse(finding);
    }
    if directory && size != 0 {
        refuse(Fault::EntryKind.of(&name, format!("{label} is a folder and has {size} bytes")));
    }
    if u64::from(size) > budget.entry {
        let message = format!("{label} has {size} bytes; {} are allowed", budget.entry);
        refuse(Fault::EntryTooLarge.of(&name, message).expected(format!("at most {} bytes", budget.entry)));
    } else if budget.is_bomb(size.into(), packed.into()) {
        let message = format!("{label} unpacks to more than {} times its {packed} bytes", budget.ratio);
        refuse(Fault::Ratio.of(&name, message));
    }
    if let Some(finding) = extra_fault(extra, raw, &name) {
        refuse(finding);
    }
    warning.into_iter().for_each(|finding| faults.add(finding));
    names::check(&name, budget, faults);
    // Long names would add up; none of them is looked at again.
    let name = if name.len() > budget.name { String::new() } else { name };
    Ok((Central { name, raw, directory, flags, method, crc, packed, size, offset, refused }, rest))
}

/// Finds an entry that the file modes of Unix or DOS say to be no file, or not what its name says.
fn kind_fault(name: &str, made_by: u16, external: u32, directory: bool) -> Option<Finding> {
    const DOS_DIRECTORY: u32 = 0x10;
    const DOS: u16 = 0;
    let label = shown(name);
    let (fault, what) = match external >> 28 {
        0 if external & DOS_DIRECTORY != 0 && !directory && made_by >> 8 == DOS => {
            (Fault::EntryKind, "marked as a folder and named as a file")
        }
        0 => return None,
        0o10 if !directory => return None,
        0o4 if directory => return None,
        0o10 => (Fault::EntryKind, "marked as a file and named as a folder"),
        0o4 => (Fault::EntryKind, "marked as a folder and named as a file"),
        0o12 => (Fault::Symlink, "a symbolic link"),
        0o1 | 0o2 | 0o6 | 0o14 => (Fault::Device, "a device, a pipe or a socket"),
        _ => (Fault::EntryKind, "of a kind that is not a file"),
    };
    Some(fault.of(name, format!("{label} is {what}")))
}

/// Finds an extra field that is malformed or that changes what readers see.
pub(crate) fn extra_fault(mut extra: &[u8], raw_name: &[u8], name: &str) -> Option<Finding> {
    let label = shown(name);
    while !extra.is_empty() {
        let parts = extra.split_at_checked(4).and_then(|(head, rest)| {
            let (data, rest) = rest.split_at_checked(usize::from(u16_at(head, 2)))?;
            Some((u16_at(head, 0), data, rest))
        });
        let Some((id, data, rest)) = parts else {
            return Some(Fault::ZipDirectory.of(name, format!("{label} has a malformed extra field")));
        };
        extra = rest;
        match id {
            0x0001 => return Some(Fault::Zip64.of(name, format!("{label} has a zip64 extra field"))),
            0x0017 | 0x9901 => return Some(Fault::Encrypted.of(name, format!("{label} is encrypted"))),
            // Info-ZIP's Unicode path: a version, the checksum of the other name, and a name that wins in some readers.
            0x7075 if data.get(5..) != Some(raw_name) => {
                return Some(Fault::NameOverride.of(name, format!("{label} has another name in an extra field")));
            }
            _ => {}
        }
    }
    None
}

fn method_name(method: u16) -> &'static str {
    match method {
        1..=5 => "shrunk or reduced",
        6 => "imploded",
        9 => "deflate64",
        12 => "bzip2",
        14 => "lzma",
        20 | 93 => "zstd",
        95 => "xz",
        98 => "ppmd",
        _ => "unknown",
    }
}

/// Reads two bytes, little-endian; the caller has checked that they are there.
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

/// Reads four bytes, little-endian; the caller has checked that they are there.
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
