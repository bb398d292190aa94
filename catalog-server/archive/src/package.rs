//! A package that has been read: what it holds, and its contents on demand.

use std::collections::BTreeMap;

use catalog_schemas::problem::Finding;
use sha2::{Digest, Sha256};

use crate::budget::Budget;
use crate::error::Error;
use crate::fault::{Fault, Faults, shown};
use crate::intake::Taken;
use crate::layout::{MANIFEST, SUMS, may_be_kept, place_of};
use crate::{checksums, names, tar, zip};

/// The two formats of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A tar compressed by gzip.
    TarGz,
    /// A zip.
    Zip,
}

impl Format {
    /// Returns the ending of a file of this format, without a dot at its start.
    pub fn extension(self) -> &'static str {
        match self {
            Format::TarGz => "tar.gz",
            Format::Zip => "zip",
        }
    }

    /// Returns the media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Format::TarGz => "application/gzip",
            Format::Zip => "application/zip",
        }
    }
}

/// A file of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The path within the package, parts separated by `/`, the only top folder stripped.
    pub path: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the contents, lower-case hexadecimal.
    pub sha256: String,
    /// Where the contents begin: in the archive for a zip, in the unpacked tar for a `.tar.gz`.
    pub offset: u64,
    /// Bytes of the contents as they stand there.
    pub packed: u64,
    /// Whether they stand there deflated.
    pub deflated: bool,
}

/// A package that has no fault: what it holds, and the contents of the files that the catalogue shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Package {
    /// The archive's format.
    pub format: Format,
    /// SHA-256 of the whole archive, lower-case hexadecimal.
    pub digest: String,
    /// Bytes of the archive.
    pub packed_size: u64,
    /// Bytes of all files.
    pub unpacked_size: u64,
    /// The folder that held everything and is stripped from the paths.
    pub folder: Option<String>,
    /// Every file, in the order of its path.
    pub entries: Vec<Entry>,
    /// Warnings and hints.
    pub findings: Vec<Finding>,
    kept: BTreeMap<String, Vec<u8>>,
}

impl Package {
    /// Returns the manifest's bytes.
    pub fn manifest(&self) -> &[u8] {
        self.file(MANIFEST).unwrap_or_default()
    }

    /// Returns the contents of a file that is kept in memory: see [`crate::LAYOUT`], and [`Package::read`] for others.
    pub fn file(&self, path: &str) -> Option<&[u8]> {
        self.kept.get(path).map(Vec::as_slice)
    }

    /// Returns the paths of the files kept in memory, in order.
    pub fn kept(&self) -> impl Iterator<Item = &str> {
        self.kept.keys().map(String::as_str)
    }

    /// Returns what is known of a file.
    pub fn entry(&self, path: &str) -> Option<&Entry> {
        let at = self.entries.binary_search_by(|entry| entry.path.as_str().cmp(path)).ok()?;
        self.entries.get(at)
    }

    /// Reads any file again from the archive's bytes, which must be those that were opened.
    pub fn read(&self, archive: &[u8], path: &str) -> Result<Option<Vec<u8>>, Error> {
        let Some(entry) = self.entry(path) else { return Ok(None) };
        if let Some(kept) = self.file(path) {
            return Ok(Some(kept.to_vec()));
        }
        read_again(self.format, archive, entry).map(Some).ok_or_else(|| Error::Changed { path: path.to_owned() })
    }
}

fn read_again(format: Format, archive: &[u8], entry: &Entry) -> Option<Vec<u8>> {
    let contents = match format {
        Format::TarGz => tar::read(archive, entry),
        Format::Zip => zip::read(archive, entry),
    }?;
    (hex::encode(Sha256::digest(&contents)) == entry.sha256).then_some(contents)
}

/// Grants memory for contents until the budget for it is spent.
pub(crate) struct Keep {
    left: u64,
}

impl Keep {
    /// Begins with the whole budget.
    pub(crate) fn new(budget: &Budget) -> Self {
        Self { left: budget.kept }
    }

    /// Tells whether an entry of this size is to be kept, and reserves its bytes if so.
    pub(crate) fn grant(&mut self, name: &str, size: u64) -> bool {
        let granted = size <= self.left && may_be_kept(name);
        if granted {
            self.left -= size;
        }
        granted
    }
}

/// An entry as the archive has it, before the only top folder is stripped.
pub(crate) struct Member {
    /// The name, without a folder's final slash; empty if it is empty or too long, which is a fault.
    pub(crate) name: String,
    /// Whether it is a folder.
    pub(crate) directory: bool,
    /// What its contents are; nothing for a folder and for an entry that is refused.
    pub(crate) taken: Option<Taken>,
    /// See [`Entry::offset`].
    pub(crate) offset: u64,
    /// See [`Entry::packed`].
    pub(crate) packed: u64,
    /// See [`Entry::deflated`].
    pub(crate) deflated: bool,
}

/// Makes the package of the members of a scanned archive, or returns every fault.
pub(crate) fn assemble(
    format: Format,
    archive: &[u8],
    mut members: Vec<Member>,
    mut faults: Faults,
) -> Result<Package, Vec<Finding>> {
    members.retain(|member| !member.name.is_empty());
    leave_out(&mut members, &mut faults);
    let folder = strip(&mut members, &mut faults);
    names::check_together(members.iter().map(|member| (member.name.as_str(), member.directory)), &mut faults);
    let manifest = members.iter().any(|member| member.name == MANIFEST && !member.directory);
    if !manifest {
        faults.add(no_manifest(&members));
    }
    if faults.refuse() {
        return Err(faults.into_findings());
    }

    let mut entries = Vec::with_capacity(members.len());
    let mut kept = BTreeMap::new();
    for Member { name, taken, offset, packed, deflated, .. } in members {
        let Some(Taken { size, sha256, kept: contents }) = taken else { continue };
        let place = place_of(&name);
        if let Some(contents) = contents.filter(|_| place.is_some_and(|place| place.kept)) {
            kept.insert(name.clone(), contents);
        }
        entries.push(Entry { path: name, size, sha256, offset, packed, deflated });
    }
    entries.sort_by(|one, other| one.path.cmp(&other.path));

    // What the budget for memory left out is still needed where a rule speaks of it.
    for needed in [MANIFEST, SUMS] {
        if let (false, Some(entry)) = (kept.contains_key(needed), entries.iter().find(|entry| entry.path == needed)) {
            kept.insert(needed.to_owned(), read_again(format, archive, entry).unwrap_or_default());
        }
    }
    if let Some(sums) = kept.get(SUMS) {
        let files = entries.iter().map(|entry| (entry.path.as_str(), entry.sha256.as_str())).collect();
        checksums::verify(sums, &files, &mut faults);
    }
    hint_unknown(&entries, &mut faults);
    if faults.refuse() {
        return Err(faults.into_findings());
    }
    Ok(Package {
        format,
        digest: hex::encode(Sha256::digest(archive)),
        packed_size: archive.len() as u64,
        unpacked_size: entries.iter().map(|entry| entry.size).sum(),
        folder,
        entries,
        findings: faults.into_findings(),
        kept,
    })
}

/// Leaves out what macOS puts beside the folder that somebody compressed, so that the folder is the only one again.
fn leave_out(members: &mut Vec<Member>, faults: &mut Faults) {
    let added = |name: &str| {
        let name = name.strip_prefix("./").unwrap_or(name);
        name == "__MACOSX" || name.starts_with("__MACOSX/") || (name.starts_with("._") && !name.contains('/'))
    };
    let Some(member) = members.iter().find(|member| added(&member.name)) else { return };
    let top = member.name.strip_prefix("./").unwrap_or(&member.name).split('/').next().unwrap_or_default();
    faults.add(Fault::SystemFile.of(top, format!("{} was added by macOS and is left out", shown(top))));
    members.retain(|member| !added(&member.name));
}

/// Strips `./` and then the only top folder, where every name has it.
fn strip(members: &mut Vec<Member>, faults: &mut Faults) -> Option<String> {
    let dotted = |member: &Member| (member.name == "." && member.directory) || member.name.starts_with("./");
    if members.iter().all(dotted) {
        members.retain(|member| member.name != ".");
        for member in members.iter_mut() {
            member.name.drain(..2);
        }
    } else {
        for member in members.iter().filter(|member| member.name == "." || dotted(member)) {
            let message = format!("{} names the folder itself and other entries do not", shown(&member.name));
            faults.add(Fault::DotPart.of(&member.name, message));
        }
    }
    let paths = members.iter().map(|member| (member.name.as_str(), member.directory));
    let folder = names::only_folder(paths)?.to_owned();
    members.retain(|member| member.name != folder);
    for member in members.iter_mut() {
        member.name.drain(..=folder.len());
    }
    Some(folder)
}

fn no_manifest(members: &[Member]) -> Finding {
    let elsewhere = members.iter().find(|member| member.name.rsplit('/').next() == Some(MANIFEST));
    let misspelt = members.iter().find(|member| {
        let name = member.name.to_ascii_lowercase();
        ["manifest.jsonld", "manifest.json", "manifest.json-ld"].contains(&name.as_str())
    });
    match (elsewhere, misspelt) {
        (Some(manifest), _) if manifest.name.contains('/') => {
            let folder = &manifest.name[..manifest.name.len() - MANIFEST.len()];
            let outside = members
                .iter()
                .find(|member| !member.name.starts_with(folder) && member.name != folder.trim_end_matches('/'));
            let message = match outside {
                Some(outside) => format!(
                    "the manifest is {}, and {} lies outside its folder",
                    shown(&manifest.name),
                    shown(&outside.name)
                ),
                None => format!("the manifest lies too deep, at {}", shown(&manifest.name)),
            };
            Fault::NoManifest.of(&manifest.name, message)
        }
        (_, Some(member)) => {
            let message = format!("{} must be named {MANIFEST}", shown(&member.name));
            Fault::NoManifest.of(&member.name, message).fix(format!("Rename it to `{MANIFEST}`."))
        }
        _ => Fault::NoManifest.finding(format!("the package has no {MANIFEST}")).expected(MANIFEST),
    }
}

/// Hints at what has no place in the layout, once for each file or folder at the top.
fn hint_unknown(entries: &[Entry], faults: &mut Faults) {
    let mut last = "";
    for path in entries.iter().map(|entry| entry.path.as_str()).filter(|path| place_of(path).is_none()) {
        let top = path.split('/').next().unwrap_or(path);
        if top != last {
            faults.add(Fault::UnknownFile.of(top, format!("{} has no place in the package layout", shown(top))));
            last = top;
        }
    }
}
