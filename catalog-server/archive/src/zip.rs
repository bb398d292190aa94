//! A zip, read strictly: directory, local headers and contents must tell one story and fill the archive.

use catalog_schemas::problem::Finding;
use flate2::Crc;

use crate::budget::Budget;
use crate::fault::{Fault, Faults, shown};
use crate::inflate::{Inflate, Stop};
use crate::intake::Intake;
use crate::package::{Entry, Keep, Member};
use crate::zip_directory::{self, Central, DESCRIPTOR, Directory, extra_fault, u16_at, u32_at};

const LOCAL: &[u8; 4] = b"PK\x03\x04";
const LOCAL_SIZE: usize = 30;
const DESCRIPTOR_MARK: &[u8; 4] = b"PK\x07\x08";

/// Reads every entry, in the order of the archive.
pub(crate) fn scan(bytes: &[u8], budget: &Budget, faults: &mut Faults) -> Result<Vec<Member>, Finding> {
    let Directory { mut entries, start } = zip_directory::read(bytes, budget, faults)?;
    let total: u64 = entries.iter().map(|entry| u64::from(entry.size)).sum();
    if total > budget.unpacked {
        let message = format!("the archive unpacks to {total} bytes; {} are allowed", budget.unpacked);
        return Err(Fault::UnpackedTooLarge.finding(message).expected(format!("at most {} bytes", budget.unpacked)));
    }
    if budget.is_bomb(total, bytes.len() as u64) {
        let (packed, ratio) = (bytes.len(), budget.ratio);
        return Err(Fault::Ratio.finding(format!("the archive unpacks to more than {ratio} times its {packed} bytes")));
    }
    entries.sort_by_key(|entry| entry.offset);
    let before = faults.refuse();
    let places = lay_out(bytes, &entries, start, faults);

    let mut keep = Keep::new(budget);
    let mut members = Vec::with_capacity(entries.len());
    for (position, entry) in entries.into_iter().enumerate() {
        // Where the layout is wrong, contents may be counted twice: they are not unpacked.
        let contents = places.as_ref().and_then(|places| places.get(position)).filter(|_| !entry.refused);
        let mut taken = None;
        let mut offset = 0;
        if let Some(&at) = contents {
            offset = at as u64;
            let data = &bytes[at..at + entry.packed as usize];
            let intake = Intake::new(!before && keep.grant(&entry.name, entry.size.into()));
            if let Some(intake) = unpack(&entry, data, intake, faults).filter(|_| !entry.directory) {
                taken = Some(intake.finish(&entry.name, faults));
            }
        }
        members.push(Member {
            directory: entry.directory,
            taken,
            offset,
            packed: entry.packed.into(),
            deflated: entry.method == 8,
            name: entry.name,
        });
    }
    Ok(members)
}

/// Reads one file again.
pub(crate) fn read(archive: &[u8], entry: &Entry) -> Option<Vec<u8>> {
    let start = usize::try_from(entry.offset).ok()?;
    let data = archive.get(start..)?.get(..usize::try_from(entry.packed).ok()?)?;
    if !entry.deflated {
        return Some(data.to_vec());
    }
    let mut contents = vec![0; usize::try_from(entry.size).ok()?];
    let mut inflate = Inflate::new(data);
    let mut filled = 0;
    while filled < contents.len() {
        match inflate.fill(&mut contents[filled..]).ok()? {
            0 => return None,
            count => filled += count,
        }
    }
    Some(contents)
}

/// Checks that local headers, contents and descriptors fill the archive up to the directory, each byte once.
/// Returns where the contents of each entry begin, unless the layout is wrong.
fn lay_out(bytes: &[u8], entries: &[Central], end: usize, faults: &mut Faults) -> Option<Vec<usize>> {
    let mut places = Vec::with_capacity(entries.len());
    let mut right = true;
    let first = entries.first().map_or(end, |entry| entry.offset as usize);
    if first > 0 {
        let fault = if bytes.starts_with(LOCAL) { Fault::Gap } else { Fault::PrependedData };
        faults.add(fault.finding(format!("the first {first} bytes belong to no entry")));
        right = false;
    }
    for (position, entry) in entries.iter().enumerate() {
        let next = entries.get(position + 1).map_or(end, |next| next.offset as usize);
        match place(bytes, entry, next.min(end), end) {
            Ok(at) => places.push(at),
            Err(finding) => {
                faults.add(finding);
                right = false;
            }
        }
    }
    right.then_some(places)
}

/// Checks one local header against the directory, and that the entry ends where the next begins.
fn place(bytes: &[u8], entry: &Central, next: usize, end: usize) -> Result<usize, Finding> {
    let label = shown(&entry.name);
    let start = entry.offset as usize;
    let at_no_entry = || Fault::HeaderMismatch.of(&entry.name, format!("{label} is not where the directory says"));
    let local = bytes.get(start..end).filter(|local| local.starts_with(LOCAL)).ok_or_else(at_no_entry)?;
    let (fixed, rest) = local.split_at_checked(LOCAL_SIZE).ok_or_else(at_no_entry)?;
    let [name_length, extra_length] = [26, 28].map(|at| usize::from(u16_at(fixed, at)));
    let (name, rest) = rest.split_at_checked(name_length).ok_or_else(at_no_entry)?;
    let (extra, _) = rest.split_at_checked(extra_length).ok_or_else(at_no_entry)?;

    let mismatch = |what: &str, local: String, central: String| {
        let message = format!("{label} has one {what} in its own header and another in the directory");
        Fault::HeaderMismatch.of(&entry.name, message).got(local).expected(central)
    };
    if name != entry.raw {
        let (local, central) = (String::from_utf8_lossy(name), String::from_utf8_lossy(entry.raw));
        return Err(mismatch("name", shown(&local), shown(&central)));
    }
    for (what, local, central) in
        [("set of flags", u16_at(fixed, 6), entry.flags), ("method", u16_at(fixed, 8), entry.method)]
    {
        if local != central {
            return Err(mismatch(what, local.to_string(), central.to_string()));
        }
    }
    let described = entry.flags & DESCRIPTOR != 0;
    let numbers = [("checksum", 14, entry.crc), ("packed size", 18, entry.packed), ("size", 22, entry.size)];
    for (what, at, central) in numbers {
        let local = u32_at(fixed, at);
        // With a descriptor behind the contents, the header has zeros, or already the truth.
        if local != central && !(described && local == 0) {
            if local == u32::MAX {
                let message = format!("{} has a {what} in the zip64 form", shown(&entry.name));
                return Err(Fault::Zip64.of(&entry.name, message));
            }
            return Err(mismatch(what, local.to_string(), central.to_string()));
        }
    }
    if let Some(finding) = extra_fault(extra, entry.raw, &entry.name) {
        return Err(finding);
    }

    let data = start + LOCAL_SIZE + name_length + extra_length;
    let data_end = data + entry.packed as usize;
    let Some(behind) = bytes[..next].get(data_end..) else {
        return Err(Fault::Overlap.of(&entry.name, format!("{label} reaches into what follows it")));
    };
    if described {
        descriptor(entry, behind)?;
    } else if !behind.is_empty() {
        let message = format!("{} bytes behind {label} belong to no entry", behind.len());
        return Err(Fault::Gap.of(&entry.name, message));
    }
    Ok(data)
}

/// Checks the data descriptor, which must be all that stands behind the contents.
fn descriptor(entry: &Central, behind: &[u8]) -> Result<(), Finding> {
    let label = shown(&entry.name);
    let numbers = match behind.len() {
        12 => behind,
        16 if behind.starts_with(DESCRIPTOR_MARK) => &behind[4..],
        20 | 24 => return Err(Fault::Zip64.of(&entry.name, format!("{label} has a zip64 data descriptor"))),
        count => {
            let message = format!("{count} bytes behind {label} are no data descriptor");
            return Err(Fault::Descriptor.of(&entry.name, message));
        }
    };
    if [0, 4, 8].map(|at| u32_at(numbers, at)) == [entry.crc, entry.packed, entry.size] {
        return Ok(());
    }
    let message = format!("the data descriptor behind {label} contradicts the directory");
    Err(Fault::Descriptor.of(&entry.name, message))
}

/// Unpacks one entry; never more bytes than its header says, which the budget has allowed.
fn unpack(entry: &Central, data: &[u8], mut intake: Intake, faults: &mut Faults) -> Option<Intake> {
    let label = shown(&entry.name);
    let mut crc = Crc::new();
    let size = u64::from(entry.size);
    let mut fail = |fault: Fault, what: String| -> Option<Intake> {
        faults.add(fault.of(&entry.name, what));
        None
    };
    if entry.method == 0 {
        if entry.packed != entry.size {
            return fail(Fault::SizeMismatch, format!("{label} is stored and has two sizes"));
        }
        intake.take(data);
        crc.update(data);
    } else {
        let mut inflate = Inflate::new(data);
        // One byte more than the entry says, so that a longer one shows.
        let mut buffer = vec![0; (entry.size as usize + 1).min(64 * 1024)].into_boxed_slice();
        loop {
            match inflate.fill(&mut buffer) {
                Ok(0) => break,
                Ok(count) if intake.size() + count as u64 > size => {
                    return fail(Fault::SizeMismatch, format!("{label} unpacks to more than its {size} bytes"));
                }
                Ok(count) => {
                    intake.take(&buffer[..count]);
                    crc.update(&buffer[..count]);
                }
                Err(Stop::Truncated) => {
                    return fail(Fault::Corrupt, format!("the compressed data of {label} ends too soon"));
                }
                Err(Stop::Corrupt) => {
                    return fail(Fault::Corrupt, format!("the compressed data of {label} cannot be decoded"));
                }
            }
        }
        if !inflate.rest().is_empty() {
            let count = inflate.rest().len();
            return fail(Fault::SizeMismatch, format!("{count} bytes follow the compressed data of {label}"));
        }
        if intake.size() != size {
            let got = intake.size();
            return fail(Fault::SizeMismatch, format!("{label} unpacks to {got} bytes and says {size}"));
        }
    }
    if crc.sum() != entry.crc {
        return fail(Fault::CrcMismatch, format!("{label} does not match its checksum"));
    }
    Some(intake)
}
