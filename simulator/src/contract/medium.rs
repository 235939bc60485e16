//! What a power cut, a failed operation or decay may do to a medium.

use core::fmt;

/// Where bytes are kept, with the faults that the tester asks for.
///
/// An *operation* is whatever can fail or be cut in two by a power cut: a write, a sync, a rename,
/// a page that is erased. [`Files`](super::Files) and [`Flash`](super::Flash) are two to build on;
/// another counts its operations and keeps what is not synced yet apart.
pub trait Medium {
    /// How many operations were begun since the medium was made; reading is none.
    fn operations(&self) -> u64;

    /// Lets `fault` happen to the operation that is begun when so many were begun before it. Only
    /// the latest such order counts.
    fn strike(&mut self, at: u64, fault: Fault);

    /// Whether power is on. Once it is out every operation fails, and nothing leaves the node.
    fn is_powered(&self) -> bool;

    /// The operations that a power cut may undo, oldest first: how many bytes each writes. The
    /// one that power failed in is among them.
    fn unsynced(&self) -> Vec<usize>;

    /// Whether of these any subset can survive, not only a prefix.
    fn reorders(&self) -> bool;

    /// Cuts power, if it is on still; of what was not synced this much survives; power is back.
    fn settle(&mut self, fate: &Fate);

    /// How many bits of acknowledged records could decay. Leave the latest record out if the
    /// driver cannot tell a damaged one from a torn one there, and say so in its documentation.
    fn decaying_bits(&self) -> u64;

    /// Flips the bit with this number.
    fn flip(&mut self, bit: u64);

    /// Takes everything off; what was ordered to strike still does.
    fn wipe(&mut self);

    /// What the driver did that the medium forbids, the first of it; a medium that forbids nothing
    /// says nothing.
    fn misuse(&self) -> Option<String> {
        None
    }
}

/// What goes wrong with an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// Power fails in the middle of it.
    PowerCut,
    /// It fails, and nothing of it happened.
    Refused,
    /// It fails half way. A sync fails and drops what it should have made durable, which is read
    /// back as if nothing had happened until the next power cut.
    Broken,
}

/// What survives a power cut of the operations that were not synced.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fate {
    /// One bit for each operation, the oldest lowest: it survives as a whole.
    pub kept: u64,
    /// One that survives in part.
    pub torn: Option<Torn>,
}

/// An operation that survives in part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Torn {
    /// Which one, counted from the oldest.
    pub operation: u32,
    /// How many of its bytes are as they should be.
    pub bytes: usize,
    /// What stands in the place of the others.
    pub rest: Rest,
}

/// What stands where bytes of a torn write should be. A medium on which a torn write is another
/// thing than a file's says what it takes these for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Rest {
    /// What was there before: at the end of a file, nothing.
    Old,
    /// Zeros: the length was stored before the bytes.
    Zeros,
}

impl Fate {
    /// Nothing survives that was not synced.
    pub const NOTHING: Fate = Fate {
        kept: 0,
        torn: None,
    };

    /// Everything survives.
    pub const EVERYTHING: Fate = Fate {
        kept: u64::MAX,
        torn: None,
    };

    /// Whether the operation with this number survives as a whole.
    pub const fn keeps(&self, operation: usize) -> bool {
        operation < 64 && self.kept & (1 << operation) != 0
    }

    /// Every fate of operations of these lengths: each prefix, or each subset where the medium
    /// reorders (up to six operations), and the next one torn: at each byte if it has no more
    /// than `exact_bytes_max`, else at its borders and at some places between.
    pub fn all(unsynced: &[usize], reorders: bool, exact_bytes_max: usize) -> Vec<Fate> {
        let count = unsynced.len().min(63);
        let whole: Vec<u64> = if reorders && count <= 6 {
            (0..1 << count).collect()
        } else {
            (0..=count).map(|kept| (1 << kept) - 1).collect()
        };
        let mut fates = Vec::new();
        for kept in whole {
            fates.push(Fate { kept, torn: None });
            let next = (!kept).trailing_zeros();
            let Some(len) = unsynced.get(next as usize).copied() else {
                continue;
            };
            for bytes in cuts(len, exact_bytes_max) {
                for rest in [Rest::Old, Rest::Zeros] {
                    let operation = next;
                    let torn = Some(Torn {
                        operation,
                        bytes,
                        rest,
                    });
                    fates.push(Fate { kept, torn });
                }
            }
        }
        fates
    }
}

/// Where a write of so many bytes is cut.
pub fn cuts(len: usize, exact_bytes_max: usize) -> Vec<usize> {
    if len <= exact_bytes_max {
        return (1..len).collect();
    }
    let mut cuts = vec![1, 4, 8, 12, 16, len / 4, len / 2, len / 4 * 3, len - 1];
    cuts.retain(|cut| (1..len).contains(cut));
    cuts.sort_unstable();
    cuts.dedup();
    cuts
}

impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kept, self.torn) {
            (u64::MAX, _) => f.write_str("all of it survives"),
            (0, None) => f.write_str("nothing of it survives"),
            (kept, None) => write!(f, "the operations {kept:#b} survive"),
            (kept, Some(torn)) => write!(
                f,
                "the operations {kept:#b} survive, and {} bytes of number {} ({:?} behind them)",
                torn.bytes, torn.operation, torn.rest
            ),
        }
    }
}

/// The medium did not do what it was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Failed;

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the medium failed")
    }
}

impl core::error::Error for Failed {}
