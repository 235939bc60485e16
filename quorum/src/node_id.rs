//! The name by which a process is known everywhere.
//!
//! A [`NodeId`] outlives configurations: it is what messages carry and what an operator types. Inside one
//! configuration a process also has a small dense index, the [`Member`](crate::Member), for arrays and bit sets.
//! The 64 bits leave room for an EUI-64 hardware address, so that a board can be its own name.

use core::fmt;

/// The stable name of a process: any 64-bit number, unique among all processes that may ever talk to each other.
///
/// ```
/// use quorum::NodeId;
///
/// const GATEWAY: NodeId = NodeId::new(0x00_12_4b_00_1c_a1_9f_02);
/// assert_eq!(GATEWAY.value(), 0x00_12_4b_00_1c_a1_9f_02);
/// assert_eq!(NodeId::new(7).to_string(), "7");
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[cfg_attr(feature = "serde", derive(::serde::Serialize, ::serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct NodeId(u64);

impl NodeId {
    /// The process whose name is `value`. Every value is valid, zero included.
    #[inline]
    #[must_use]
    pub const fn new(value: u64) -> Self {
        Self(value)
    }

    /// The number given to [`NodeId::new`].
    #[inline]
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
