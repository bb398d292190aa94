//! The hostile corpus: archives that no package may be, each with the codes it is refused by.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test fails by panicking")]

mod corpus;

use std::collections::BTreeSet;

use catalog_archive::{Budget, Format, codes, open, pack_entries};
use catalog_schemas::problem::Severity;
use corpus::*;

type Case = (&'static str, Vec<u8>, &'static [&'static str]);

fn zips() -> Vec<Case> {
    let good = zip([file("README.md", "read me")]).bytes();
    let readme = || file("README.md", "read me");
    let zip_mode = |mode: u32| move |entry: &mut ZipEntry| entry.external = mode << 16;
    let unicode_path = |name: &str| {
        let mut field = vec![0x75, 0x70];
        field.extend((5 + name.len() as u16).to_le_bytes());
        field.extend([1, 0, 0, 0, 0]);
        field.extend(name.as_bytes());
        field
    };
    let zip64 = [1, 0, 8, 0, 7, 0, 0, 0, 0, 0, 0, 0].to_vec();
    let end_mark = |at: u32| {
        let mut mark = b"PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0".to_vec();
        mark.extend(at.to_le_bytes());
        mark.extend([0, 0]);
        mark
    };
    let second_zip = zip([]).bytes();
    vec![
        // Names.
        ("zip: absolute path", zip([file("/etc/passwd", "x")]).bytes(), &["archive.absolute_path"]),
        ("zip: parent part", zip([file("../x", "x")]).bytes(), &["archive.parent_part"]),
        ("zip: parent part within", zip([file("a/../../x", "x")]).bytes(), &["archive.parent_part"]),
        ("zip: backslash", zip([file("media\\icon.png", "x")]).bytes(), &["archive.backslash"]),
        (
            "zip: backslashed parent part",
            zip([file("..\\x", "x")]).bytes(),
            &["archive.backslash", "archive.parent_part"],
        ),
        ("zip: drive letter", zip([file("C:\\x", "x")]).bytes(), &["archive.drive_path"]),
        ("zip: network share", zip([file("\\\\server\\x", "x")]).bytes(), &["archive.drive_path"]),
        ("zip: dot part", zip([file("a/./x", "x")]).bytes(), &["archive.dot_part"]),
        ("zip: one name with ./", zip([file("./x", "x")]).bytes(), &["archive.dot_part"]),
        ("zip: NUL in a name", zip([file("README.md\0.png", "x")]).bytes(), &["archive.name_control"]),
        ("zip: reversed text", zip([file("gpj\u{202E}.exe", "x")]).bytes(), &["archive.name_control"]),
        (
            "zip: name not UTF-8",
            zip([file(b"\xFF\xFE", "x").but(|entry| entry.flags = 1 << 11)]).bytes(),
            &["archive.name_encoding"],
        ),
        ("zip: no name", zip([file("", "x")]).bytes(), &["archive.name_empty"]),
        ("zip: long name", zip([file("n".repeat(256), "x")]).bytes(), &["archive.name_too_long"]),
        ("zip: deep path", zip([file("d/".repeat(32) + "x", "x")]).bytes(), &["archive.path_too_deep"]),
        ("zip: same name twice", zip([readme(), file("README.md", "other")]).bytes(), &["archive.duplicate"]),
        ("zip: case collision", zip([readme(), file("readme.md", "x")]).bytes(), &["archive.case_collision"]),
        (
            "zip: Unicode collision",
            zip([file("caf\u{E9}", "x"), file("cafe\u{301}", "x")]).bytes(),
            &["archive.unicode_collision"],
        ),
        ("zip: file and folder", zip([file("a", "x"), file("a/b", "x")]).bytes(), &["archive.file_and_directory"]),
        (
            "zip: Unicode path field",
            zip([readme().but(|entry| entry.extra = unicode_path("manifest.jsonld"))]).bytes(),
            &["archive.name_override"],
        ),
        (
            "zip: local Unicode path field",
            zip([readme().but(|entry| entry.local_extra = unicode_path("x"))]).bytes(),
            &["archive.name_override"],
        ),
        // Kinds.
        (
            "zip: symbolic link",
            zip([stored("link", "/etc/passwd").but(zip_mode(0o120_777))]).bytes(),
            &["archive.symlink"],
        ),
        ("zip: pipe", zip([stored("pipe", "").but(zip_mode(0o010_644))]).bytes(), &["archive.device"]),
        ("zip: device", zip([stored("zero", "").but(zip_mode(0o020_644))]).bytes(), &["archive.device"]),
        (
            "zip: folder by mode only",
            zip([stored("folder", "").but(zip_mode(0o040_755))]).bytes(),
            &["archive.entry_kind"],
        ),
        (
            "zip: folder by attribute only",
            zip([stored("folder", "").but(|entry| (entry.made_by, entry.external) = (0, 0x10))]).bytes(),
            &["archive.entry_kind"],
        ),
        (
            "zip: folder with contents",
            zip([stored("folder/", "x").but(zip_mode(0o040_755))]).bytes(),
            &["archive.entry_kind"],
        ),
        ("zip: zip within", zip([stored("media/x", &second_zip)]).bytes(), &["archive.nested"]),
        ("zip: deflated tar.gz within", zip([file("media/x", tar([]))]).bytes(), &["archive.nested"]),
        ("zip: tar within", zip([file("media/x", plain_tar([]))]).bytes(), &["archive.nested"]),
        // Forms.
        ("zip: encrypted", zip([readme().but(|entry| entry.flags = 1)]).bytes(), &["archive.encrypted"]),
        ("zip: AES", zip([readme().but(|entry| entry.method = 99)]).bytes(), &["archive.encrypted"]),
        ("zip: masked headers", zip([readme().but(|entry| entry.flags = 1 << 13)]).bytes(), &["archive.encrypted"]),
        ("zip: bzip2", zip([readme().but(|entry| entry.method = 12)]).bytes(), &["archive.compression"]),
        ("zip: lzma", zip([readme().but(|entry| entry.method = 14)]).bytes(), &["archive.compression"]),
        ("zip: patch flag", zip([readme().but(|entry| entry.flags = 1 << 5)]).bytes(), &["archive.zip_directory"]),
        ("zip: zip64 field", zip([readme().but(|entry| entry.extra = zip64.clone())]).bytes(), &["archive.zip64"]),
        (
            "zip: local zip64 field",
            zip([readme().but(|entry| entry.local_extra = zip64.clone())]).bytes(),
            &["archive.zip64"],
        ),
        (
            "zip: zip64 sizes",
            zip([readme().but(|entry| (entry.size, entry.local_size) = (u32::MAX, Some(7)))]).bytes(),
            &["archive.zip64"],
        ),
        (
            "zip: zip64 locator",
            zip([]).but(|zip| zip.before_end = b"PK\x06\x07".iter().copied().chain([0; 16]).collect()).bytes(),
            &["archive.zip64"],
        ),
        ("zip: zip64 count", zip([]).but(|zip| zip.counts = Some([u16::MAX; 2])).bytes(), &["archive.zip64"]),
        (
            "zip: zip64 descriptor",
            zip([readme().described(true).but(|entry| entry.behind.extend([0; 8]))]).bytes(),
            &["archive.zip64"],
        ),
        (
            "zip: malformed extra field",
            zip([readme().but(|entry| entry.extra = vec![1, 2, 3])]).bytes(),
            &["archive.zip_directory"],
        ),
        // One story, told twice.
        (
            "zip: other local name",
            zip([readme().but(|entry| entry.local_name = Some(b"MANIFEST!".to_vec()))]).bytes(),
            &["archive.header_mismatch"],
        ),
        (
            "zip: other local method",
            zip([readme().but(|entry| entry.local_method = Some(0))]).bytes(),
            &["archive.header_mismatch"],
        ),
        (
            "zip: other local flags",
            zip([readme().but(|entry| entry.local_flags = Some(8))]).bytes(),
            &["archive.header_mismatch"],
        ),
        (
            "zip: encrypted in the local header only",
            zip([readme().but(|entry| entry.local_flags = Some(1))]).bytes(),
            &["archive.header_mismatch"],
        ),
        (
            "zip: other local size",
            zip([readme().but(|entry| entry.local_size = Some(6))]).bytes(),
            &["archive.header_mismatch"],
        ),
        (
            "zip: other local packed size",
            zip([readme().but(|entry| entry.local_packed = Some(1))]).bytes(),
            &["archive.header_mismatch"],
        ),
        (
            "zip: other local checksum",
            zip([readme().but(|entry| entry.local_crc = Some(1))]).bytes(),
            &["archive.header_mismatch"],
        ),
        (
            "zip: offset at no header",
            zip([readme().but(|entry| entry.offset = Some(9))]).bytes(),
            &["archive.overlap", "archive.header_mismatch"],
        ),
        ("zip: wrong checksum", zip([readme().but(|entry| entry.crc ^= 1)]).bytes(), &["archive.crc_mismatch"]),
        ("zip: larger than it says", zip([readme().but(|entry| entry.size = 3)]).bytes(), &["archive.size_mismatch"]),
        ("zip: smaller than it says", zip([readme().but(|entry| entry.size = 30)]).bytes(), &["archive.size_mismatch"]),
        (
            "zip: stored with two sizes",
            zip([stored("x", "abc").but(|entry| entry.size = 2)]).bytes(),
            &["archive.size_mismatch"],
        ),
        (
            "zip: bytes behind the deflated data",
            zip([readme().but(|entry| {
                entry.data.extend(b"hidden");
                entry.packed += 6;
            })])
            .bytes(),
            &["archive.size_mismatch"],
        ),
        ("zip: broken deflate data", zip([readme().with_data(vec![0xFF; 9])]).bytes(), &["archive.corrupt"]),
        (
            "zip: deflate data cut",
            zip([readme().but(|entry| {
                entry.data.pop();
                entry.packed -= 1;
            })])
            .bytes(),
            &["archive.corrupt"],
        ),
        (
            "zip: descriptor missing",
            zip([readme().described(true).but(|entry| entry.behind.clear())]).bytes(),
            &["archive.descriptor"],
        ),
        (
            "zip: descriptor lies",
            zip([readme().described(true).but(|entry| entry.behind[4] ^= 1)]).bytes(),
            &["archive.descriptor"],
        ),
        (
            "zip: descriptor without its mark lies",
            zip([readme().described(false).but(|entry| entry.behind[11] ^= 1)]).bytes(),
            &["archive.descriptor"],
        ),
        // Layout.
        (
            "zip: one entry twice",
            zip([readme(), file("COPY", "read me").but(|entry| (entry.in_archive, entry.offset) = (false, Some(0)))])
                .bytes(),
            &["archive.overlap", "archive.header_mismatch"],
        ),
        (
            "zip: entry within another",
            {
                let inner = zip([]).bytes();
                let outer = stored("README.md", &inner);
                let at = (zip([]).entries[0].data.len() + 30 + 15 + 30 + 9) as u32;
                let quoted =
                    file("manifest2", MANIFEST).but(|entry| (entry.in_archive, entry.offset) = (false, Some(at)));
                zip([outer, quoted]).bytes()
            },
            &["archive.overlap", "archive.header_mismatch"],
        ),
        (
            "zip: entry not in the directory",
            zip([readme().but(|entry| entry.in_directory = false)]).bytes(),
            &["archive.gap"],
        ),
        (
            "zip: bytes between entries",
            zip([readme().but(|entry| entry.behind = b"hidden".to_vec()), file("x", "x")]).bytes(),
            &["archive.gap"],
        ),
        (
            "zip: bytes before the directory",
            zip([]).but(|zip| zip.before_directory = b"hidden".to_vec()).bytes(),
            &["archive.gap"],
        ),
        (
            "zip: first entry not in the directory",
            Zip {
                entries: vec![
                    file("x", "x").but(|entry| entry.in_directory = false),
                    file("manifest.jsonld", MANIFEST),
                ],
                ..Zip::default()
            }
            .bytes(),
            &["archive.gap"],
        ),
        (
            "zip: self-extracting",
            zip([]).but(|zip| zip.prefix = b"#!/bin/sh\n".to_vec()).bytes(),
            &["archive.prepended_data"],
        ),
        (
            "zip: self-extracting, offsets adjusted",
            zip([]).but(|zip| (zip.prefix, zip.honest_offsets) = (b"MZ\x90\0".to_vec(), true)).bytes(),
            &["archive.prepended_data"],
        ),
        (
            "zip: two zips in a row",
            [good.clone(), good.clone()].concat(),
            &["archive.two_ends", "archive.prepended_data"],
        ),
        ("zip: trailing data", zip([]).but(|zip| zip.tail = b"hidden".to_vec()).bytes(), &["archive.trailing_data"]),
        (
            "zip: end mark in the comment",
            zip([]).but(|zip| zip.comment = end_mark(0)).bytes(),
            &["archive.two_ends", "archive.zip_comment"],
        ),
        (
            "zip: whole zip in the comment",
            zip([]).but(|zip| zip.comment = second_zip.clone()).bytes(),
            &["archive.two_ends", "archive.zip_comment"],
        ),
        ("zip: binary comment", zip([]).but(|zip| zip.comment = vec![0, 1, 2]).bytes(), &["archive.zip_comment"]),
        ("zip: long comment", zip([]).but(|zip| zip.comment = vec![b'x'; 1025]).bytes(), &["archive.zip_comment"]),
        ("zip: two disks", zip([]).but(|zip| zip.disks = [1, 0]).bytes(), &["archive.multi_disk"]),
        ("zip: entry on another disk", zip([readme().but(|entry| entry.disk = 1)]).bytes(), &["archive.multi_disk"]),
        ("zip: first of several", [&b"PK00PK\x03\x04"[..], &good].concat(), &["archive.multi_disk"]),
        (
            "zip: fewer entries than said",
            zip([]).but(|zip| zip.counts = Some([2, 2])).bytes(),
            &["archive.zip_directory"],
        ),
        (
            "zip: more entries than said",
            zip([readme()]).but(|zip| zip.counts = Some([1, 1])).bytes(),
            &["archive.zip_directory"],
        ),
        ("zip: counts differ", zip([readme()]).but(|zip| zip.counts = Some([1, 2])).bytes(), &["archive.multi_disk"]),
        (
            "zip: directory elsewhere",
            zip([]).but(|zip| zip.directory_start = Some(5000)).bytes(),
            &["archive.zip_directory"],
        ),
        (
            "zip: directory size lies",
            zip([]).but(|zip| zip.directory_size = Some(3)).bytes(),
            &["archive.zip_directory"],
        ),
        ("zip: empty", Zip::default().bytes(), &["archive.no_manifest"]),
        ("zip: truncated", good[..good.len() - 1].to_vec(), &["archive.truncated"]),
        // Budgets.
        (
            "zip: 2,001 entries",
            zip((0..2000).map(|number| stored(format!("media/{number}"), ""))).bytes(),
            &["archive.too_many_entries"],
        ),
        (
            "zip: entry over 20 MiB",
            zip([stored("media/x", noise((20 << 20) + 1))]).bytes(),
            &["archive.entry_too_large"],
        ),
        (
            "zip: ratio of an entry",
            zip([stored("media/noise", noise(200_000)), file("media/zeros", vec![0; 12 << 20])]).bytes(),
            &["archive.ratio"],
        ),
        (
            "zip: ratio of the whole",
            zip([file("media/zeros", vec![0; 2 << 20])]).bytes(),
            &["archive.ratio", "archive.ratio"],
        ),
        (
            "zip: says it unpacks to 4 GB",
            zip([readme().but(|entry| entry.size = 4_000_000_000)]).bytes(),
            &["archive.entry_too_large", "archive.unpacked_too_large"],
        ),
        (
            "zip: zeros that say to be one byte",
            zip([file("media/zeros", vec![0; 12 << 20]).but(|entry| entry.size = 1)]).bytes(),
            &["archive.size_mismatch"],
        ),
        // Several at once.
        (
            "zip: several faults",
            zip([
                file("../x", "x"),
                readme().but(|entry| entry.crc ^= 1),
                stored("link", "x").but(zip_mode(0o120_777)),
            ])
            .bytes(),
            &["archive.parent_part", "archive.symlink", "archive.crc_mismatch"],
        ),
    ]
}

fn tars() -> Vec<Case> {
    let good = tar([tar_entry("README.md", b'0', "read me")]);
    let named = |name: &str| tar([tar_entry(name, b'0', "x")]);
    let link = |kind: u8| tar_changed("link", kind, |block| block[157..163].copy_from_slice(b"/etc/x"));
    let extended = |records: &[Vec<u8>], kind: u8| tar_entry("PaxHeader", kind, records.concat());
    let readme = || tar_entry("README.md", b'0', "read me");
    let long = "n".repeat(120);
    let with = |change: fn(&mut Vec<u8>)| {
        let mut tar = plain_tar([readme()]);
        change(&mut tar);
        gzip(&tar)
    };
    vec![
        // Names.
        ("tar: absolute path", named("/etc/passwd"), &["archive.absolute_path"]),
        ("tar: parent part", named("../x"), &["archive.parent_part"]),
        ("tar: backslash", named("..\\x"), &["archive.backslash", "archive.parent_part"]),
        ("tar: drive letter", named("C:/x"), &["archive.drive_path"]),
        ("tar: a file named .", tar([tar_entry(".", b'0', "x")]), &["archive.dot_part"]),
        ("tar: dot part", named("a/./x"), &["archive.dot_part"]),
        ("tar: one name with ./", named("./x"), &["archive.dot_part"]),
        ("tar: control character", named("a\nb"), &["archive.name_control"]),
        ("tar: no name", named(""), &["archive.name_empty"]),
        ("tar: name not UTF-8", tar([tar_entry(b"\xFF", b'0', "x")]), &["archive.name_encoding"]),
        ("tar: same name twice", tar([readme(), readme()]), &["archive.duplicate"]),
        ("tar: manifest twice", tar([tar_entry("manifest.jsonld", b'0', "{}")]), &["archive.duplicate"]),
        ("tar: case collision", tar([readme(), tar_entry("readme.md", b'0', "x")]), &["archive.case_collision"]),
        (
            "tar: Unicode collision",
            tar([tar_entry("caf\u{E9}", b'0', "x"), tar_entry("cafe\u{301}", b'0', "x")]),
            &["archive.unicode_collision"],
        ),
        (
            "tar: file and folder",
            tar([tar_entry("a", b'0', "x"), tar_entry("a/b", b'0', "x")]),
            &["archive.file_and_directory"],
        ),
        // Kinds.
        ("tar: symbolic link", tar([link(b'2')]), &["archive.symlink"]),
        ("tar: hard link", tar([link(b'1')]), &["archive.hardlink"]),
        ("tar: character device", tar([link(b'3')]), &["archive.device"]),
        ("tar: block device", tar([link(b'4')]), &["archive.device"]),
        ("tar: pipe", tar([link(b'6')]), &["archive.device"]),
        ("tar: GNU sparse file", tar([tar_entry("x", b'S', "")]), &["archive.sparse"]),
        ("tar: pax sparse file", tar([extended(&[pax("GNU.sparse.major", "1")], b'x'), readme()]), &["archive.sparse"]),
        ("tar: contiguous file", tar([tar_entry("x", b'7', "x")]), &["archive.entry_kind"]),
        ("tar: volume label", tar([tar_entry("x", b'V', "")]), &["archive.entry_kind"]),
        ("tar: file named as a folder", tar([tar_entry("x/", b'0', "x")]), &["archive.entry_kind"]),
        ("tar: folder with contents", tar([tar_entry("x/", b'5', "x")]), &["archive.tar_header"]),
        ("tar: link with contents", tar([tar_entry("x", b'2', "x")]), &["archive.symlink", "archive.tar_header"]),
        ("tar: zip within", tar([tar_entry("media/x", b'0', zip([]).bytes())]), &["archive.nested"]),
        ("tar: tar within", tar([tar_entry("media/x", b'0', plain_tar([]))]), &["archive.nested"]),
        // Headers.
        ("tar: wrong checksum", with(|tar| tar[1024 + 110] ^= 1), &["archive.tar_checksum"]),
        ("tar: owner not a number", tar([tar_changed("x", b'0', |block| block[110] = b'x')]), &["archive.tar_header"]),
        ("tar: no ustar mark", tar([tar_changed("x", b'0', |block| block[257..265].fill(0))]), &["archive.tar_header"]),
        ("tar: size in base 256", tar([tar_changed("x", b'0', |block| block[124] = 0x80)]), &["archive.tar_header"]),
        ("tar: bytes behind a name", tar([tar_changed("x", b'0', |block| block[9] = b'y')]), &["archive.tar_header"]),
        (
            "tar: prefix in the GNU form",
            tar([tar_changed("x", b'0', |block| {
                block[257..265].copy_from_slice(b"ustar  \0");
                block[345] = b'y';
            })]),
            &["archive.tar_header"],
        ),
        (
            "tar: pax header renames",
            tar([extended(&[pax("path", "image/image.ref")], b'x'), readme()]),
            &["archive.name_override"],
        ),
        (
            "tar: pax header renames to a long name",
            tar([extended(&[pax("path", &long)], b'x'), readme()]),
            &["archive.name_override"],
        ),
        (
            "tar: long name renames",
            tar([tar_entry("././@LongLink", b'L', "x.txt\0"), readme()]),
            &["archive.name_override"],
        ),
        (
            "tar: pax header and long name",
            tar([
                extended(&[pax("path", &long)], b'x'),
                tar_entry("././@LongLink", b'L', format!("{long}\0")),
                tar_entry(&long[..100], b'0', ""),
            ]),
            &["archive.name_override"],
        ),
        (
            "tar: pax header changes the size",
            tar([extended(&[pax("size", "0")], b'x'), readme()]),
            &["archive.extended_header"],
        ),
        (
            "tar: malformed pax header",
            tar([extended(&[b"99 path=x\n".to_vec()], b'x'), readme()]),
            &["archive.extended_header"],
        ),
        (
            "tar: two pax headers",
            tar([extended(&[], b'x'), extended(&[], b'x'), readme()]),
            &["archive.extended_header"],
        ),
        ("tar: pax header at the end", tar([extended(&[], b'x')]), &["archive.extended_header"]),
        (
            "tar: link target for a file",
            tar([tar_entry("././@LongLink", b'K', "x\0"), readme()]),
            &["archive.extended_header"],
        ),
        ("tar: pax header of 65 KiB", tar([tar_entry("x", b'x', vec![b'x'; 66_560])]), &["archive.extended_header"]),
        (
            "tar: global header",
            tar([extended(&[pax("path", "manifest.jsonld")], b'g'), readme()]),
            &["archive.global_header"],
        ),
        // Layout.
        ("tar: padding not zero", with(|tar| tar[512 + 500] = 1), &["archive.gap"]),
        ("tar: no end mark", gzip(&plain_tar([])[..1024]), &["archive.truncated"]),
        ("tar: half an end mark", gzip(&plain_tar([])[..1536]), &["archive.truncated"]),
        ("tar: cut within a file", gzip(&plain_tar([])[..530]), &["archive.truncated"]),
        ("tar: entry behind one zero block", with(|tar| tar.extend_from_within(..512)), &["archive.trailing_data"]),
        ("tar: second tar behind the end", gzip(&[plain_tar([]), plain_tar([])].concat()), &["archive.trailing_data"]),
        ("gzip: trailing data", [&good[..], b"hidden"].concat(), &["archive.trailing_data"]),
        ("gzip: trailing zeros", [&good[..], &[0; 16]].concat(), &["archive.trailing_data"]),
        ("gzip: zip behind", [good.clone(), zip([]).bytes()].concat(), &["archive.trailing_data"]),
        (
            "gzip: two members",
            [gzip(&plain_tar([])[..512]), gzip(&plain_tar([])[512..])].concat(),
            &["archive.multi_member"],
        ),
        ("gzip: truncated", good[..good.len() - 1].to_vec(), &["archive.truncated"]),
        (
            "gzip: wrong checksum",
            good.iter().enumerate().map(|(at, byte)| if at == good.len() - 8 { !byte } else { *byte }).collect(),
            &["archive.crc_mismatch"],
        ),
        (
            "gzip: wrong length",
            good.iter().enumerate().map(|(at, byte)| if at == good.len() - 4 { !byte } else { *byte }).collect(),
            &["archive.size_mismatch"],
        ),
        ("gzip: wrong header checksum", gzip_with_all_fields(&plain_tar([]), 1), &["archive.crc_mismatch"]),
        (
            "gzip: unknown flag",
            good.iter().enumerate().map(|(at, byte)| if at == 3 { 0x80 } else { *byte }).collect(),
            &["archive.corrupt"],
        ),
        ("gzip: broken data", [&good[..10], &[0xFF; 30]].concat(), &["archive.corrupt"]),
        ("gzip: no tar", gzip(&noise(4096)), &["archive.unknown_format"]),
        // Budgets.
        (
            "tar: 2,001 entries",
            tar((0..2000).map(|number| tar_entry(format!("media/{number}"), b'0', ""))),
            &["archive.too_many_entries"],
        ),
        (
            "tar: entry over 20 MiB",
            tar([tar_entry("media/x", b'0', noise((20 << 20) + 1))]),
            &["archive.entry_too_large"],
        ),
        ("tar: ratio", tar([tar_entry("media/x", b'0', vec![0; 2 << 20])]), &["archive.ratio"]),
        (
            "tar: says it has 8 GB",
            tar([tar_header("media/x", b'0', 8_000_000_000).to_vec()]),
            &["archive.entry_too_large", "archive.unpacked_too_large"],
        ),
        // Several at once.
        (
            "tar: several faults",
            tar([tar_entry("../x", b'0', "x"), link(b'2'), readme(), readme()]),
            &["archive.parent_part", "archive.symlink", "archive.duplicate"],
        ),
    ]
}

fn others() -> Vec<Case> {
    let packed = |files: &[(&str, &str)]| zip(files.iter().map(|(path, contents)| file(path, contents))).bytes();
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let manifest = "c0ffee".repeat(10) + "c0de";
    vec![
        ("nothing", Vec::new(), &["archive.empty"]),
        ("one byte of a zip", b"P".to_vec(), &["archive.truncated"]),
        ("text", b"hello".to_vec(), &["archive.unknown_format"]),
        ("a bare manifest", MANIFEST.to_vec(), &["archive.unknown_format"]),
        ("an error page", b"<!doctype html>".to_vec(), &["archive.unknown_format"]),
        ("a tar not compressed", plain_tar([]), &["archive.unknown_format"]),
        ("7z", b"7z\xBC\xAF\x27\x1C\0\x04".to_vec(), &["archive.unknown_format"]),
        ("rar", b"Rar!\x1A\x07\x01\0".to_vec(), &["archive.unknown_format"]),
        ("xz", b"\xFD7zXZ\0\0".to_vec(), &["archive.unknown_format"]),
        ("bzip2", b"BZh91AY&SY".to_vec(), &["archive.unknown_format"]),
        ("zstd", b"\x28\xB5\x2F\xFD\0".to_vec(), &["archive.unknown_format"]),
        ("50 MiB and a byte", vec![0; (50 << 20) + 1], &["archive.too_large"]),
        (
            "no manifest",
            Zip { entries: vec![file("README.md", "x")], ..Zip::default() }.bytes(),
            &["archive.no_manifest"],
        ),
        (
            "two folders",
            Zip { entries: vec![file("a/manifest.jsonld", "x"), file("b/x", "x")], ..Zip::default() }.bytes(),
            &["archive.no_manifest"],
        ),
        (
            "manifest misspelt",
            Zip { entries: vec![file("manifest.json", "x")], ..Zip::default() }.bytes(),
            &["archive.no_manifest"],
        ),
        (
            "manifest a folder",
            Zip { entries: vec![file("manifest.jsonld/x", "x"), file("x", "x")], ..Zip::default() }.bytes(),
            &["archive.no_manifest"],
        ),
        (
            "sums: other digest",
            packed(&[("SHA256SUMS", &format!("{manifest}  manifest.jsonld\n"))]),
            &["archive.checksum_mismatch"],
        ),
        ("sums: file not named", packed(&[("SHA256SUMS", "")]), &["archive.checksum_missing"]),
        (
            "sums: file not there",
            packed(&[("SHA256SUMS", &format!("{empty}  x\n"))]),
            &["archive.checksum_missing", "archive.checksum_missing"],
        ),
        (
            "sums: not a sum",
            packed(&[("SHA256SUMS", "hello\n")]),
            &["archive.checksum_unreadable", "archive.checksum_missing"],
        ),
    ]
}

#[test]
fn each_hostile_archive_is_refused_by_name() {
    let cases: Vec<Case> = [zips(), tars(), others()].concat();
    assert!(cases.len() >= 100, "{}", cases.len());
    let mut seen = BTreeSet::new();
    let mut wrong = Vec::new();
    for (name, bytes, expected) in &cases {
        match open(bytes, &Budget::default()) {
            Ok(package) => wrong.push(format!("{name}: accepted: {package:?}")),
            Err(findings) => {
                let errors: Vec<_> =
                    findings.iter().filter(|finding| finding.severity == Severity::Error).cloned().collect();
                if corpus::codes(&errors) != *expected {
                    wrong.push(format!("{name}: expected {expected:?}, found {errors:#?}"));
                }
                for finding in &errors {
                    assert!(finding.fix.is_some(), "{finding:?}");
                    assert!(
                        !finding.message.ends_with('.') && !finding.message.contains(char::is_control),
                        "{finding:?}"
                    );
                }
                seen.extend(errors.into_iter().map(|finding| finding.code));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let names: BTreeSet<_> = cases.iter().map(|case| case.0).collect();
    assert_eq!(names.len(), cases.len());
    let unseen: Vec<_> = codes()
        .iter()
        .filter(|code| code.severity == Severity::Error && !seen.contains(code.code))
        .map(|code| code.code)
        .collect();
    assert_eq!(unseen, ["archive.too_many_faults"], "each code has a case");
}

#[test]
fn a_flood_of_faults_is_cut() {
    let flood = zip((0..1999).map(|number| file(format!("../{number}"), ""))).bytes();
    let findings = open(&flood, &Budget::default()).unwrap_err();
    assert_eq!(findings.len(), 101);
    assert_eq!(findings[100].code, "archive.too_many_faults");
    assert_eq!(findings[100].message, "1899 more faults are not listed");
}

#[test]
fn a_finding_names_the_entry_and_the_way_out() {
    let findings = open(&zip([file("a\u{7}/../b", "x")]).bytes(), &Budget::default()).unwrap_err();
    assert_eq!(findings[0].file.as_deref(), Some("a\\u{7}/../b"));
    assert_eq!(findings[0].fix.as_deref(), Some("Rename the file."));
    assert_eq!(findings[1].message, "the path a\\u{7}/../b leaves its folder");
}

#[test]
fn each_fault_has_one_name() {
    let codes_of = |bytes: &[u8]| -> Vec<String> {
        open(bytes, &Budget::default()).unwrap_err().into_iter().map(|finding| finding.code).collect()
    };
    // Gzip data shorter than any tar was never cut off.
    assert_eq!(codes_of(&gzip(MANIFEST)), ["archive.unknown_format"]);
    // Writers that do not know the size beforehand leave it to a zip64 field, which says nothing against the directory.
    let mut open_ended = zip([file("README.md", "read me")]).bytes();
    open_ended[18..26].fill(0xff);
    assert!(codes_of(&open_ended).contains(&"archive.zip64".to_owned()), "{:?}", codes_of(&open_ended));
}

#[test]
fn a_manifest_out_of_place_is_told_where_it_is() {
    let message = |paths: &[&str]| {
        let entries = paths.iter().map(|path| file(path, "x")).collect();
        let findings = open(&Zip { entries, ..Zip::default() }.bytes(), &Budget::default()).unwrap_err();
        assert_eq!(corpus::codes(&findings), ["archive.no_manifest"]);
        findings[0].message.clone()
    };
    assert_eq!(message(&["README.md"]), "the package has no manifest.jsonld");
    assert_eq!(message(&["manifest.json"]), "manifest.json must be named manifest.jsonld");
    assert_eq!(
        message(&["lab/manifest.jsonld", "other/notes.txt"]),
        "the manifest is lab/manifest.jsonld, and other/notes.txt lies outside its folder"
    );
    assert_eq!(message(&["a/lab/manifest.jsonld"]), "the manifest lies too deep, at lab/manifest.jsonld");
}

#[test]
fn what_cannot_be_opened_cannot_be_packed() {
    let files = |path: &str| vec![("manifest.jsonld".to_owned(), MANIFEST.to_vec()), (path.to_owned(), b"x".to_vec())];
    for format in [Format::TarGz, Format::Zip] {
        for (path, code) in [
            ("../x", "archive.parent_part"),
            ("/x", "archive.absolute_path"),
            ("", "archive.name_empty"),
            ("x/", "archive.entry_kind"),
            ("MANIFEST.jsonld", "archive.case_collision"),
            ("manifest.jsonld", "archive.duplicate"),
            ("manifest.jsonld/x", "archive.file_and_directory"),
        ] {
            let Err(catalog_archive::Error::Refused(findings)) = pack_entries(files(path), format) else {
                panic!("{path} was packed")
            };
            assert!(corpus::codes(&findings).contains(&code), "{path}: {findings:?}");
        }
        let error = pack_entries([("README.md".to_owned(), Vec::new())], format).unwrap_err();
        assert_eq!(error.to_string(), "the package would be refused: the package has no manifest.jsonld");
    }
}
