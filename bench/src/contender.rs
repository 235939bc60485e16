//! What every contender is asked to do, and how it proves that it did it.
//!
//! A *batch* is `window` proposals at the leader, after which messages are carried until no node has anything
//! left to say. Everything that this takes on every node, encoding and decoding included where the contender
//! says `wire`, is what a cell measures; divided by the proposals it is the cost of one committed entry for the
//! whole cluster.

/// What stays in the log when it is cut back.
pub(crate) const LOG_ENTRIES_KEPT: usize = 64;

/// The shape of the work: how many nodes, how long an entry, how many in flight.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Load {
    /// Nodes in the cluster, all voters, the leader included.
    pub(crate) members: usize,
    /// Bytes of application payload in an entry: at least [`STAMP_BYTES`].
    pub(crate) payload_bytes: usize,
    /// Proposals made before the network is carried.
    pub(crate) window: usize,
}

impl Load {
    /// Entries at which the log is cut back to [`LOG_ENTRIES_KEPT`]: 2,048 of them or 1 MiB of payload, whichever
    /// is less, but never fewer than two windows. A power of two.
    ///
    /// With 4 KiB entries 2,048 would be 8 MiB a node, and all that a cell measured would be memory bandwidth.
    pub(crate) fn log_entries_max(&self) -> usize {
        let fitting = (1 << 20) / self.payload_bytes;
        let entries = fitting.min(2048).max(2 * self.window);
        entries.next_power_of_two()
    }

    /// Batches after which the log has been cut back exactly once more: costs that come with the cut are spread
    /// evenly only over a whole number of these.
    pub(crate) fn cycle_batches(&self) -> usize {
        (self.log_entries_max() - LOG_ENTRIES_KEPT).div_ceil(self.window)
    }
}

/// Who tells the followers that an entry is committed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum CommitStyle {
    /// A message of its own as soon as the leader knows.
    Explicit,
    /// The next append carries it.
    Piggybacked,
}

/// How a message gets from node to node.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Carrier {
    /// As a struct, its payloads shared: what no network can do.
    Value,
    /// Encoded and decoded.
    Wire,
}

/// Which column a contender's figures divide the others' in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    /// The physical lower bound.
    Floor,
    /// This workspace.
    Ours,
    /// Somebody else's.
    Peer,
}

/// A cluster in one thread, ready for work.
pub(crate) trait Contender {
    /// Commits `batches` times `window` entries, or does `batches` rounds of a control-plane operation.
    fn run(&mut self, batches: usize);

    /// Panics unless all `batches` asked for since construction were done, by every node.
    fn verify(&self, batches: usize);
}

/// A contender that can be asked for by name.
pub(crate) struct Registered {
    /// As printed, and as given to `bench cell`.
    pub(crate) name: &'static str,
    pub(crate) side: Side,
    pub(crate) style: CommitStyle,
    /// Builds the cluster and elects its leader.
    pub(crate) build: fn(Load) -> Box<dyn Contender>,
}

/// Bytes at the start of a payload that hold the entry's place in the sequence.
pub(crate) const STAMP_BYTES: usize = 8;

/// Places in the sequence before it begins anew.
///
/// The payloads are made once: a stamp written just before the payload is copied would stall that copy, and
/// add to every contender a few nanoseconds that the cheap ones would feel most.
const STAMPS: u64 = 16;

/// The proposals of one run: each payload carries its number.
pub(crate) struct Source {
    payloads: Vec<Vec<u8>>,
    issued: u64,
}

impl Source {
    pub(crate) fn new(load: Load) -> Self {
        assert!(load.payload_bytes >= STAMP_BYTES, "no room for the stamp");
        let stamped = |stamp: u64| {
            let mut payload = vec![0x5a; load.payload_bytes];
            payload[..STAMP_BYTES].copy_from_slice(&stamp.to_le_bytes());
            payload
        };
        Self {
            payloads: (0..STAMPS).map(stamped).collect(),
            issued: 0,
        }
    }

    /// The next payload.
    #[inline]
    pub(crate) fn next(&mut self) -> &[u8] {
        let payload = &self.payloads[(self.issued % STAMPS) as usize];
        self.issued += 1;
        payload
    }
}

/// The state machine of one node: it counts the entries that arrive in order.
///
/// An entry that is missing, doubled, out of order or not the one proposed stops the count for a while, and
/// [`assert_applied`] then reports it.
#[derive(Clone, Copy, Default)]
pub(crate) struct Applied {
    entries: u64,
}

impl Applied {
    /// Applies one entry.
    #[inline]
    pub(crate) fn apply(&mut self, payload: &[u8]) {
        let stamp = payload
            .first_chunk()
            .map(|stamp| u64::from_le_bytes(*stamp));
        self.entries += u64::from(stamp == Some(self.entries % STAMPS));
    }
}

/// Panics unless the first node applied everything, and every other node all that its `style` lets it know of.
pub(crate) fn assert_applied(
    nodes: impl Iterator<Item = Applied>,
    load: Load,
    style: CommitStyle,
    batches: usize,
) {
    let proposed = (batches * load.window) as u64;
    for (at, applied) in nodes.enumerate() {
        let unknown = match style {
            CommitStyle::Piggybacked if at > 0 => load.window as u64,
            CommitStyle::Piggybacked | CommitStyle::Explicit => 0,
        };
        assert!(
            applied.entries <= proposed && applied.entries + unknown >= proposed,
            "node {at} applied {} of {proposed} entries in order",
            applied.entries,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::{Applied, CommitStyle, Load, Source, assert_applied};

    const LOAD: Load = Load {
        members: 1,
        payload_bytes: 16,
        window: 4,
    };

    fn applied_in(order: &[usize]) -> Applied {
        let mut source = Source::new(LOAD);
        let payloads: Vec<Vec<u8>> = (0..4).map(|_| source.next().to_vec()).collect();
        let mut applied = Applied::default();
        for &at in order {
            applied.apply(&payloads[at]);
        }
        applied
    }

    #[test]
    fn entries_in_order_are_accepted() {
        assert_applied(
            [applied_in(&[0, 1, 2, 3])].into_iter(),
            LOAD,
            CommitStyle::Explicit,
            1,
        );
    }

    #[test]
    #[should_panic(expected = "node 0 applied 2 of 4")]
    fn a_missing_entry_is_noticed() {
        assert_applied(
            [applied_in(&[0, 1, 3])].into_iter(),
            LOAD,
            CommitStyle::Explicit,
            1,
        );
    }

    #[test]
    #[should_panic(expected = "node 0 applied 2 of 4")]
    fn swapped_entries_are_noticed() {
        assert_applied(
            [applied_in(&[0, 2, 3, 1])].into_iter(),
            LOAD,
            CommitStyle::Explicit,
            1,
        );
    }
}
