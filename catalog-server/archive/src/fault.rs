//! The faults of an archive: one table of codes, meanings and mendings, and the list that collects what is found.

use catalog_schemas::problem::{Finding, Severity};

/// A code of the `archive.*` family, with what it means and how to mend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Code {
    /// The stable code, such as `archive.truncated`.
    pub code: &'static str,
    /// Whether it keeps the package out.
    pub severity: Severity,
    /// What is wrong, in a sentence.
    pub meaning: &'static str,
    /// What to do about it.
    pub fix: &'static str,
}

/// Returns every code that [`crate::open()`] can report, in the order of the documentation.
pub fn codes() -> &'static [Code] {
    CODES
}

macro_rules! faults {
    ($($name:ident $severity:ident $code:literal $meaning:literal $fix:literal;)*) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Fault { $($name),* }

        const CODES: &[Code] = &[
            $(Code { code: $code, severity: Severity::$severity, meaning: $meaning, fix: $fix }),*
        ];
    };
}

faults! {
    Empty Error "archive.empty" "There are no bytes."
        "Send the package itself as the body of the request.";
    UnknownFormat Error "archive.unknown_format" "The bytes are neither a gzip-compressed tar nor a zip."
        "Pack the folder with `alidade pack DIR`, or as `.tar.gz` or `.zip`.";
    Truncated Error "archive.truncated" "The archive ends before its end mark."
        "Send the package again; if it stays so, pack it anew.";
    Corrupt Error "archive.corrupt" "The compressed data cannot be decoded."
        "Send the package again; if it stays so, pack it anew.";
    CrcMismatch Error "archive.crc_mismatch" "The data is not what its own CRC-32 says."
        "Send the package again; if it stays so, pack it anew.";
    SizeMismatch Error "archive.size_mismatch" "The data is longer or shorter than its header says."
        "Pack the folder anew with `alidade pack DIR`.";
    TrailingData Error "archive.trailing_data" "Bytes follow the end of the archive."
        "Remove what was appended, or pack the folder anew.";
    PrependedData Error "archive.prepended_data" "Bytes precede the archive, as in a self-extracting one."
        "Send a plain archive, not a self-extracting one.";
    MultiMember Error "archive.multi_member" "Several gzip members follow each other; readers differ on what they hold."
        "Compress the tar once, as one gzip member.";

    TooLarge Error "archive.too_large" "The archive is larger than a package may be."
        "Leave large data out of the package: name it as a data volume or a dataset.";
    UnpackedTooLarge Error "archive.unpacked_too_large" "The archive unpacks to more than a package may hold."
        "Leave large data out of the package: name it as a data volume or a dataset.";
    EntryTooLarge Error "archive.entry_too_large" "An entry is larger than an entry may be."
        "Leave the file out of the package: name it as a data volume or a dataset.";
    TooManyEntries Error "archive.too_many_entries" "The archive has more entries than a package may have."
        "Pack only what describes the datalab; its software belongs in the image.";
    Ratio Error "archive.ratio" "The data unpacks to far more bytes than it has: it looks like a bomb."
        "Leave out files that consist of one value repeated.";

    NameEmpty Error "archive.name_empty" "An entry has no name."
        "Pack the folder anew with `alidade pack DIR`.";
    NameTooLong Error "archive.name_too_long" "An entry's name is too long."
        "Shorten the names of the file and its folders.";
    PathTooDeep Error "archive.path_too_deep" "An entry lies in too many folders."
        "Flatten the folders.";
    NameEncoding Error "archive.name_encoding" "An entry's name is not UTF-8."
        "Rename the file with ASCII letters, or pack with a tool that writes UTF-8 names.";
    NameUnmarked Warning "archive.name_unmarked" "A zip entry's name is UTF-8 and not marked as such; some readers show it otherwise."
        "Rename the file with ASCII letters, or pack with `alidade pack DIR`.";
    NameControl Error "archive.name_control" "An entry's name has a character that does not show: a control, a zero width, or one that reverses the text."
        "Rename the file.";
    AbsolutePath Error "archive.absolute_path" "An entry's path begins at the root."
        "Pack from inside the folder, so that paths are relative.";
    DrivePath Error "archive.drive_path" "An entry's path begins with a drive letter or names a server."
        "Pack from inside the folder, so that paths are relative.";
    Backslash Error "archive.backslash" "An entry's name has a backslash, which is a separator to some readers only."
        "Pack with a tool that separates folders by `/`.";
    ParentPart Error "archive.parent_part" "An entry's path goes up with `..`."
        "Pack from inside the folder, so that paths stay in it.";
    DotPart Error "archive.dot_part" "An entry's path has an empty part or a part `.`, other than one `./` before every entry."
        "Pack the folder anew with `alidade pack DIR`.";
    NameOverride Error "archive.name_override" "An entry is given two different names by its headers."
        "Pack the folder anew with `alidade pack DIR`.";
    Duplicate Error "archive.duplicate" "Two entries have the same name; readers differ on which one counts."
        "Keep one of them.";
    CaseCollision Error "archive.case_collision" "Two names differ in case only; on some systems they are one file."
        "Rename one of them, or spell the folder alike everywhere.";
    UnicodeCollision Error "archive.unicode_collision" "Two names look the same and differ in their Unicode form only."
        "Rename one of them.";
    FileAndDirectory Error "archive.file_and_directory" "A name is both a file and a folder."
        "Rename one of them.";
    UnportableName Warning "archive.unportable_name" "A name cannot exist on some systems."
        "Avoid the characters `<>:\"|?*`, names such as `aux` and `nul`, and a dot or space at the end.";

    Symlink Error "archive.symlink" "An entry is a symbolic link."
        "Put the file itself in the place of the link.";
    Hardlink Error "archive.hardlink" "An entry is a hard link to another."
        "Pack with `tar --hard-dereference`, or with `alidade pack DIR`.";
    Device Error "archive.device" "An entry is a device, a pipe or a socket."
        "Leave it out.";
    Sparse Error "archive.sparse" "An entry is a sparse file."
        "Pack without `--sparse`.";
    EntryKind Error "archive.entry_kind" "An entry is neither a file nor a folder, or claims to be both."
        "Pack the folder anew with `alidade pack DIR`.";
    Nested Error "archive.nested" "An entry is itself an archive or compressed file."
        "Put its files in the package instead, or leave it out.";

    Encrypted Error "archive.encrypted" "An entry is encrypted."
        "Pack without a password.";
    Compression Error "archive.compression" "An entry is compressed by a method other than deflate."
        "Pack with the method deflate or store.";
    HeaderMismatch Error "archive.header_mismatch" "The zip's directory and the entry's own header contradict each other."
        "Pack the folder anew with `alidade pack DIR`.";
    Descriptor Error "archive.descriptor" "The data descriptor behind an entry contradicts the zip's directory."
        "Pack the folder anew with `alidade pack DIR`.";
    Overlap Error "archive.overlap" "Entries share bytes of the archive."
        "Pack the folder anew with `alidade pack DIR`.";
    Gap Error "archive.gap" "The archive holds bytes that belong to no entry."
        "Pack the folder anew with `alidade pack DIR`.";
    TwoEnds Error "archive.two_ends" "The zip has more than one end mark; readers differ on which one counts."
        "Pack the folder anew with `alidade pack DIR`.";
    Zip64 Error "archive.zip64" "The zip uses the zip64 form, which no package needs and readers read differently."
        "Pack from files rather than a pipe, without zip64.";
    MultiDisk Error "archive.multi_disk" "The zip is split over several files."
        "Send it as one file.";
    ZipComment Error "archive.zip_comment" "The zip's comment is too long or is not plain text; another archive can hide in it."
        "Pack without a comment.";
    ZipDirectory Error "archive.zip_directory" "The zip's directory contradicts itself."
        "Pack the folder anew with `alidade pack DIR`.";

    TarChecksum Error "archive.tar_checksum" "A tar header does not match its checksum."
        "Send the package again; if it stays so, pack it anew.";
    TarHeader Error "archive.tar_header" "A tar header has a field that readers read differently."
        "Pack with `tar --format=ustar` or `alidade pack DIR`.";
    GlobalHeader Error "archive.global_header" "A tar header changes all entries that follow."
        "Pack with `tar --format=ustar` or `alidade pack DIR`.";
    ExtendedHeader Error "archive.extended_header" "A tar header that extends the next one is malformed or contradicts it."
        "Pack with `tar --format=ustar` or `alidade pack DIR`.";

    NoManifest Error "archive.no_manifest" "The package has no `manifest.jsonld` at its top or in its only top folder."
        "Put `manifest.jsonld` at the top of the folder and pack that folder.";
    ChecksumMismatch Error "archive.checksum_mismatch" "A file is not what `SHA256SUMS` says."
        "Make `SHA256SUMS` anew, or restore the file.";
    ChecksumMissing Error "archive.checksum_missing" "`SHA256SUMS` and the package do not name the same files."
        "Make `SHA256SUMS` anew, over every file but itself and its signature.";
    ChecksumUnreadable Error "archive.checksum_unreadable" "A line of `SHA256SUMS` is not a digest and a name."
        "Make it with `sha256sum`, run at the top of the folder.";
    SystemFile Hint "archive.system_file" "macOS put files of its own beside what was packed; they are left out."
        "Nothing; `alidade pack DIR` does not pack them.";
    UnknownFile Hint "archive.unknown_file" "A file has no place in the package layout; it is stored and not shown."
        "Nothing, if it is meant to be there; the layout is in the documentation.";
    TooManyFaults Error "archive.too_many_faults" "There are more faults than are listed."
        "Mend those listed and try again.";
}

impl Fault {
    /// Returns the fault's row of the table.
    pub(crate) fn code(self) -> &'static Code {
        &CODES[self as usize]
    }

    /// Makes a finding of this fault, with the table's mending.
    pub(crate) fn finding(self, message: impl Into<String>) -> Finding {
        let Code { code, severity, fix, .. } = self.code();
        let mut finding = Finding::error(code, message).fix(*fix);
        finding.severity = *severity;
        finding
    }

    /// Makes a finding of this fault in an entry.
    pub(crate) fn of(self, entry: &str, message: impl Into<String>) -> Finding {
        self.finding(message).file(shown(entry))
    }
}

/// Returns a name fit for a message: control characters escaped, and cut.
pub(crate) fn shown(name: &str) -> String {
    let mut shown = String::new();
    for (count, character) in name.chars().enumerate() {
        if count == 255 {
            shown.push('…');
            break;
        }
        if crate::names::is_hidden(character) {
            shown.extend(character.escape_default())
        } else {
            shown.push(character)
        }
    }
    shown
}

/// The most findings that are listed: a hostile archive must not make a report larger than itself.
const MOST: usize = 100;

/// What has been found so far.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    findings: Vec<Finding>,
    left_out: usize,
    refused: bool,
}

impl Faults {
    /// Adds a finding.
    pub(crate) fn add(&mut self, finding: Finding) {
        let error = finding.severity == Severity::Error;
        self.refused |= error;
        if self.findings.len() < MOST {
            self.findings.push(finding);
        } else if error {
            self.left_out += 1;
        }
    }

    /// Tells whether any finding keeps the package out.
    pub(crate) fn refuse(&self) -> bool {
        self.refused
    }

    /// Returns what was found; the last finding says how many are left out, if any.
    pub(crate) fn into_findings(mut self) -> Vec<Finding> {
        if self.left_out > 0 {
            let message = format!("{} more faults are not listed", self.left_out);
            self.findings.push(Fault::TooManyFaults.finding(message));
        }
        self.findings
    }
}
