//! One gzip member (RFC 1952), and nothing else.

use catalog_schemas::problem::Finding;
use flate2::Crc;

use crate::budget::Budget;
use crate::fault::Fault;
use crate::inflate::{Inflate, Stop};

const FHCRC: u8 = 2;
const FEXTRA: u8 = 4;
const FNAME: u8 = 8;
const FCOMMENT: u8 = 16;
const RESERVED: u8 = 0xE0;

/// Reads a gzip member by stream, under the budget of the whole.
pub(crate) struct Gzip<'a> {
    inflate: Inflate<'a>,
    crc: Crc,
    packed: u64,
    unpacked: u64,
    budget: &'a Budget,
    ended: bool,
}

impl<'a> Gzip<'a> {
    /// Reads the member's header.
    pub(crate) fn new(bytes: &'a [u8], budget: &'a Budget) -> Result<Self, Finding> {
        let data = header(bytes)?;
        Ok(Self {
            inflate: Inflate::new(data),
            crc: Crc::new(),
            packed: bytes.len() as u64,
            unpacked: 0,
            budget,
            ended: false,
        })
    }

    /// Returns how many bytes have been unpacked.
    pub(crate) fn unpacked(&self) -> u64 {
        self.unpacked
    }

    /// Fills the start of `output` and returns how many bytes; 0 means that the member has ended as it should.
    pub(crate) fn fill(&mut self, output: &mut [u8]) -> Result<usize, Finding> {
        if self.ended {
            return Ok(0);
        }
        let count = self.inflate.fill(output).map_err(|stop| match stop {
            Stop::Truncated => truncated(),
            Stop::Corrupt => Fault::Corrupt.finding("the gzip data cannot be decoded"),
        })?;
        if count == 0 {
            self.ended = true;
            return self.trailer().map(|()| 0);
        }
        self.crc.update(&output[..count]);
        self.unpacked += count as u64;
        if self.unpacked > self.budget.unpacked {
            let most = self.budget.unpacked;
            return Err(Fault::UnpackedTooLarge
                .finding(format!("the archive unpacks to more than {most} bytes"))
                .expected(format!("at most {most} bytes")));
        }
        if self.budget.is_bomb(self.unpacked, self.packed) {
            let (packed, ratio) = (self.packed, self.budget.ratio);
            return Err(Fault::Ratio
                .finding(format!("the archive unpacks to more than {ratio} times its {packed} bytes"))
                .expected(format!("at most {ratio} bytes for each packed byte")));
        }
        Ok(count)
    }

    fn trailer(&self) -> Result<(), Finding> {
        let Some((trailer, rest)) = self.inflate.rest().split_first_chunk::<8>() else { return Err(truncated()) };
        let [c0, c1, c2, c3, s0, s1, s2, s3] = *trailer;
        if u32::from_le_bytes([c0, c1, c2, c3]) != self.crc.sum() {
            return Err(Fault::CrcMismatch.finding("the unpacked data does not match the gzip checksum"));
        }
        if u32::from_le_bytes([s0, s1, s2, s3]) != self.crc.amount() {
            return Err(Fault::SizeMismatch.finding("the unpacked data does not have the length that gzip says"));
        }
        if rest.starts_with(&[0x1F, 0x8B]) {
            return Err(Fault::MultiMember.finding("a second gzip member follows the first"));
        }
        if !rest.is_empty() {
            return Err(Fault::TrailingData.finding(format!("{} bytes follow the gzip data", rest.len())));
        }
        Ok(())
    }
}

fn truncated() -> Finding {
    Fault::Truncated.finding("the gzip data ends before its end mark")
}

/// Returns what follows the header.
fn header(bytes: &[u8]) -> Result<&[u8], Finding> {
    let Some((fixed, mut rest)) = bytes.split_first_chunk::<10>() else { return Err(truncated()) };
    let (method, flags) = (fixed[2], fixed[3]);
    if method != 8 || flags & RESERVED != 0 {
        return Err(Fault::Corrupt.finding("the gzip header has an unknown method or flag"));
    }
    if flags & FEXTRA != 0 {
        let (length, after) = rest.split_first_chunk::<2>().ok_or_else(truncated)?;
        rest = after.get(usize::from(u16::from_le_bytes(*length))..).ok_or_else(truncated)?;
    }
    for flag in [FNAME, FCOMMENT] {
        if flags & flag != 0 {
            let end = rest.iter().position(|&byte| byte == 0).ok_or_else(truncated)?;
            rest = &rest[end + 1..];
        }
    }
    if flags & FHCRC != 0 {
        let mut crc = Crc::new();
        crc.update(&bytes[..bytes.len() - rest.len()]);
        let (stated, after) = rest.split_first_chunk::<2>().ok_or_else(truncated)?;
        // RFC 1952 stores the two least significant bytes of the CRC-32.
        if u32::from(u16::from_le_bytes(*stated)) != crc.sum() & 0xFFFF {
            return Err(Fault::CrcMismatch.finding("the gzip header does not match its checksum"));
        }
        rest = after;
    }
    Ok(rest)
}
