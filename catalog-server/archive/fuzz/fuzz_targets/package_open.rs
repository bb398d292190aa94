//! Opens any bytes as a package: bounded, without a panic, and what opens reads again as it was digested.
//!
//! The first byte chooses the form, so that the fuzzer gets behind the checksums: the bytes as they are, or as the
//! blocks of a tar that is then compressed and whose headers get right checksums.

#![no_main]

use catalog_archive::{Budget, open};
use libfuzzer_sys::fuzz_target;

fn crc(bytes: &[u8]) -> u32 {
    bytes.iter().fold(!0_u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
    }) ^ !0
}

/// Compresses in stored blocks.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut archive = b"\x1F\x8B\x08\0\0\0\0\0\0\xFF".to_vec();
    for part in bytes.chunks(0xFFFF) {
        let length = part.len() as u16;
        archive.push(0);
        archive.extend(length.to_le_bytes());
        archive.extend((!length).to_le_bytes());
        archive.extend(part);
    }
    archive.extend([3, 0]);
    archive.extend(crc(bytes).to_le_bytes());
    archive.extend((bytes.len() as u32).to_le_bytes());
    archive
}

fn seal(tar: &mut [u8]) {
    for block in tar.chunks_exact_mut(512).filter(|block| block[257..262] == *b"ustar") {
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().copied().map(u32::from).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    }
}

fuzz_target!(|data: &[u8]| {
    let budget = Budget { unpacked: 1 << 22, entry: 1 << 20, ..Budget::default() };
    let archive = match data.split_first() {
        Some((b't', tar)) => {
            let mut tar = tar.to_vec();
            seal(&mut tar);
            gzip(&tar)
        }
        _ => data.to_vec(),
    };
    match open(&archive, &budget) {
        Ok(package) => {
            for entry in &package.entries {
                let contents = package.read(&archive, &entry.path).expect("the archive is the same").expect("it is listed");
                assert_eq!(contents.len() as u64, entry.size);
            }
        }
        Err(findings) => assert!(!findings.is_empty() && findings.len() <= 101),
    }
});
