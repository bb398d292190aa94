//! How much an archive may cost.

const MIB: u64 = 1024 * 1024;

/// How much a package may cost to read; whatever goes beyond is refused while streaming.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Budget {
    /// Bytes of the archive.
    pub packed: u64,
    /// Bytes of everything unpacked; for a tar, its headers and padding count.
    pub unpacked: u64,
    /// Bytes of one entry unpacked.
    pub entry: u64,
    /// Entries, folders included.
    pub entries: usize,
    /// Unpacked bytes for each packed byte, of the archive and of each zip entry.
    pub ratio: u64,
    /// Unpacked bytes below which the ratio is not asked: a short file of equal lines is no bomb.
    pub ratio_grace: u64,
    /// Bytes of an entry's name.
    pub name: usize,
    /// Parts of an entry's path.
    pub depth: usize,
    /// Bytes of contents that stay in memory after [`crate::open()`].
    pub kept: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            packed: 50 * MIB,
            unpacked: 200 * MIB,
            entry: 20 * MIB,
            entries: 2_000,
            ratio: 100,
            ratio_grace: MIB,
            name: 255,
            depth: 32,
            kept: 8 * MIB,
        }
    }
}

impl Budget {
    /// Tells whether `unpacked` bytes out of `packed` ones are more than the ratio allows.
    pub(crate) fn is_bomb(&self, unpacked: u64, packed: u64) -> bool {
        unpacked > self.ratio_grace && unpacked > packed.saturating_mul(self.ratio)
    }
}
