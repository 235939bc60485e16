//! What is durable, and the proof of it: the only module that can make a [`Durable`] value or a
//! [`Ticket`].
//!
//! A vote or an acknowledgement that is sent before the write it rests on can be forgotten in a
//! crash and given again to another. Asking the driver for the right order in a document does not
//! work; so a message that promises something can only be built from a [`Durable`] fact, and a
//! fact becomes durable only here, when the driver hands back the [`Ticket`] of a write.
//!
//! One write is outstanding at a time. What changes meanwhile is the next one: group commit falls
//! out. A truncation lowers what the outstanding ticket can prove, because the entries it wrote
//! may since have been replaced by others with the same index and term in a later overwrite (the
//! ABA case).

mod head;

use core::fmt;

use quorum::NodeId;
use serde::{Deserialize, Serialize};

pub(crate) use head::{Beginning, RecordHeader};

use crate::canonical::Form;
use crate::entry::{Entries, EntryIter};
use crate::types::{EntryId, GroupId, Identity, LogIndex, Term};

/// The most bytes that the header of a record takes, see [`Write::record`].
pub const RECORD_HEADER_BYTES_MAX: usize = 128;

pub(crate) const RECORD_VERSION: u8 = 1;

/// Term and vote: what a node must never forget, `[Ongaro14 §3.8]`. Always one unit.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct HardState {
    /// The latest term the node has seen.
    pub term: Term,
    /// Whom it voted for in that term.
    pub vote: Option<Identity>,
}

/// What stands for the log up to and including `last`. The bytes themselves stay with the driver.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Snapshot {
    /// The last entry whose effect the snapshot contains.
    pub last: EntryId,
    /// Its length in bytes.
    pub size: u64,
    /// A checksum of its bytes, of the driver's choice: it tells two snapshots apart.
    pub checksum: u32,
}

/// A fact that survives a crash now.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Durable<T>(T);

impl<T: Copy> Durable<T> {
    #[inline]
    pub(crate) fn get(&self) -> T {
        self.0
    }
}

impl Durable<LogIndex> {
    /// What is durable up to an index is durable up to a lower one.
    #[inline]
    pub(crate) fn at_most(self, index: LogIndex) -> Self {
        Durable(self.0.min(index))
    }
}

/// Proof that the driver took a [`Write`]; handing it back says how the write ended. It is a
/// fact, so it may be copied; a second use changes nothing. It cannot be made by hand:
///
/// ```compile_fail
/// let ticket = raft_core::Ticket { node: 1, group: 1, nonce: 1, version: 1 };
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[must_use = "hand it back with handle_persisted or handle_persist_failed"]
pub struct Ticket {
    node: NodeId,
    group: GroupId,
    nonce: u64,
    version: u64,
}

/// The ticket belongs to another node, another group or an earlier life of this one: a mistake of
/// the driver. Nothing changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct ForeignTicket;

impl fmt::Display for ForeignTicket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the ticket was made by another node, another group or an earlier start")
    }
}

impl core::error::Error for ForeignTicket {}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Outstanding {
    hard: HardState,
    log: LogIndex,
    covers_truncation: bool,
    covers_beginning: bool,
}

/// The durable half of a node beside the volatile one.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Vault {
    pub(crate) identity: Identity,
    pub(crate) group: GroupId,
    /// This life of the node keeps no payloads, and never will.
    is_witness: bool,
    nonce: u64,
    version: u64,
    hard: HardState,
    hard_durable: Durable<HardState>,
    /// Whether the two differ.
    hard_changed: bool,
    log_durable: Durable<LogIndex>,
    /// The medium may hold entries beyond the log's end, or others in their place.
    truncated: bool,
    /// Snapshot and configuration at the base are not on the medium yet.
    beginning: bool,
    outstanding: Option<Outstanding>,
}

impl Vault {
    /// The vault of a node of which nothing is stored yet.
    pub(crate) fn fresh(identity: Identity, group: GroupId, nonce: u64) -> Self {
        Vault {
            beginning: true,
            ..Vault::restored(identity, group, nonce, HardState::default())
        }
    }

    /// The vault of a node that was read back: what was read is durable.
    pub(crate) fn restored(
        identity: Identity,
        group: GroupId,
        nonce: u64,
        hard: HardState,
    ) -> Self {
        Vault {
            identity,
            group,
            is_witness: false,
            nonce,
            version: 0,
            hard,
            hard_durable: Durable(hard),
            hard_changed: false,
            log_durable: Durable(LogIndex::ZERO),
            truncated: false,
            beginning: false,
            outstanding: None,
        }
    }

    /// Restart only: the log up to `index` was read back from the medium.
    pub(crate) fn recovered_log(&mut self, index: LogIndex) {
        self.log_durable = Durable(index);
        // The medium may hold a torn tail beyond what was read.
        self.truncated = true;
    }

    #[inline]
    pub(crate) const fn is_witness(&self) -> bool {
        self.is_witness
    }

    /// From now on this life keeps no payloads. The next write says so together with the first
    /// entry that has none: a record that begins anew counts as a whole or not at all.
    pub(crate) fn become_witness(&mut self) {
        self.is_witness = true;
        self.rebase();
    }

    /// Restart only: what was read back says so.
    pub(crate) fn recovered_witness(&mut self, is_witness: bool) {
        self.is_witness = is_witness;
    }

    /// Restart only: the log proves that the term was seen; nobody got a vote in it.
    pub(crate) fn raise_term(&mut self, term: Term) {
        self.enter_term(term);
    }

    /// What tells the starts of a node apart.
    pub(crate) const fn nonce(&self) -> u64 {
        self.nonce
    }

    #[inline]
    pub(crate) const fn term(&self) -> Term {
        self.hard.term
    }

    #[inline]
    pub(crate) const fn vote(&self) -> Option<Identity> {
        self.hard.vote
    }

    #[inline]
    pub(crate) const fn hard(&self) -> HardState {
        self.hard
    }

    #[inline]
    pub(crate) const fn hard_durable(&self) -> &Durable<HardState> {
        &self.hard_durable
    }

    #[inline]
    pub(crate) const fn log_durable(&self) -> Durable<LogIndex> {
        self.log_durable
    }

    /// Whether term and vote are on the medium, so that a message of this term may leave.
    #[inline]
    pub(crate) fn is_term_durable(&self) -> bool {
        self.hard_durable.0.term == self.hard.term
    }

    /// Whether the medium says exactly what memory says: hard state and a log that ends at `last`.
    #[inline]
    pub(crate) fn is_settled(&self, last: LogIndex) -> bool {
        self.log_durable.0 == last && !(self.hard_changed | self.truncated | self.beginning)
    }

    /// Enters a later term, in which nobody has this node's vote yet.
    pub(crate) fn enter_term(&mut self, term: Term) {
        if term > self.hard.term {
            self.hard = HardState { term, vote: None };
            self.hard_changed = true;
        }
    }

    /// Gives the vote of this term. It stays with the first who got it.
    pub(crate) fn vote_for(&mut self, candidate: Identity) {
        if self.hard.vote.is_none() {
            self.hard.vote = Some(candidate);
            self.hard_changed = true;
        }
    }

    /// The log was cut back to `last`.
    pub(crate) fn truncate(&mut self, last: LogIndex) {
        self.log_durable = self.log_durable.at_most(last);
        self.truncated = true;
        if let Some(outstanding) = &mut self.outstanding {
            outstanding.log = outstanding.log.min(last);
            outstanding.covers_truncation = false;
        }
    }

    /// The window has a new base, made from entries that are durable here.
    pub(crate) fn rebase(&mut self) {
        self.beginning = true;
        if let Some(outstanding) = &mut self.outstanding {
            outstanding.covers_beginning = false;
        }
    }

    /// A snapshot replaced the log; of the old one, only what is up to `kept` says the same.
    pub(crate) fn replace(&mut self, kept: LogIndex) {
        self.truncate(kept);
        self.rebase();
    }

    #[inline]
    pub(crate) const fn has_outstanding(&self) -> bool {
        self.outstanding.is_some()
    }

    /// Whether there is something to write, outstanding or not.
    #[inline]
    pub(crate) fn is_dirty(&self, last: LogIndex) -> bool {
        !self.is_settled(last)
    }

    /// Whether the next write must hold everything from the base on.
    #[inline]
    pub(crate) const fn is_beginning(&self) -> bool {
        self.beginning
    }

    /// Everything but what tells two lives and two writes apart.
    pub(crate) fn canonical(&self, form: &mut Form<'_>) {
        form.identity(self.identity);
        form.group(self.group);
        form.flag(self.is_witness);
        form.hard(self.hard);
        form.hard(self.hard_durable.0);
        form.index(self.log_durable.0);
        form.flag(self.truncated);
        form.flag(self.beginning);
        form.option(self.outstanding.as_ref(), |form, outstanding| {
            form.hard(outstanding.hard);
            form.index(outstanding.log);
            form.flag(outstanding.covers_truncation);
            form.flag(outstanding.covers_beginning);
        });
    }

    fn take(&mut self, last: LogIndex) -> Ticket {
        self.version = self.version.wrapping_add(1);
        self.outstanding = Some(Outstanding {
            hard: self.hard,
            log: last,
            covers_truncation: true,
            covers_beginning: true,
        });
        Ticket {
            node: self.identity.node,
            group: self.group,
            nonce: self.nonce,
            version: self.version,
        }
    }

    /// Whether the ticket is that of the outstanding write; an older one of this life is not.
    #[inline]
    fn is_outstanding(&self, ticket: &Ticket) -> Result<bool, ForeignTicket> {
        let own = ticket.node == self.identity.node
            && ticket.group == self.group
            && ticket.nonce == self.nonce
            && ticket.version <= self.version;
        if !own {
            return Err(ForeignTicket);
        }
        Ok(ticket.version == self.version)
    }

    /// The write of this ticket is on the medium. Says whether that was news.
    #[inline]
    pub(crate) fn persisted(&mut self, ticket: &Ticket) -> Result<bool, ForeignTicket> {
        if !self.is_outstanding(ticket)? {
            return Ok(false);
        }
        let Some(done) = &self.outstanding else {
            return Ok(false);
        };
        if self.hard_changed {
            self.hard_durable = Durable(done.hard);
            self.hard_changed = self.hard != done.hard;
        }
        self.log_durable = Durable(self.log_durable.0.max(done.log));
        self.truncated &= !done.covers_truncation;
        self.beginning &= !done.covers_beginning;
        self.outstanding = None;
        Ok(true)
    }

    /// The write of this ticket failed: what the medium holds beyond the last success is
    /// unknown, and everything since is still to be written. Says whether that was news.
    pub(crate) fn persist_failed(&mut self, ticket: &Ticket) -> Result<bool, ForeignTicket> {
        Ok(self.is_outstanding(ticket)? && self.outstanding.take().is_some())
    }
}

/// Everything that memory holds and the medium does not: one unit, to be stored as a whole.
///
/// Lent by `poll_persist`. Store it, take the ticket, and hand that back when the medium has it.
/// [`record`](Write::record) gives the bytes of one record: a driver that appends records to a
/// journal and replays them in order needs nothing else. When
/// [`begins_anew`](Write::begins_anew) is true the record stands for everything before it, and
/// older records may be dropped once it is stored (with a snapshot: its data first). A record must
/// be stored as a whole: protect it with a checksum, so that a torn one is recognised.
///
/// Dropping a `Write` without taking the ticket changes nothing: it is offered again.
#[must_use = "store it, then call into_ticket"]
pub struct Write<'a> {
    pub(crate) vault: &'a mut Vault,
    pub(crate) header: RecordHeader,
    pub(crate) last: LogIndex,
    pub(crate) configuration: &'a [u8],
    pub(crate) entries: Entries<'a>,
}

impl<'a> Write<'a> {
    /// Term and vote.
    pub const fn hard_state(&self) -> HardState {
        self.header.hard
    }

    /// What is known to be committed. It rides along, and never is the reason of a write.
    pub const fn commit(&self) -> LogIndex {
        self.header.commit
    }

    /// The last index that stays as it is on the medium; whatever it holds beyond is gone.
    pub const fn after(&self) -> LogIndex {
        self.header.after
    }

    /// The last index of the log once this is stored.
    pub const fn last(&self) -> LogIndex {
        self.last
    }

    /// The entries after [`after`](Write::after), one by one.
    pub const fn entries(&self) -> EntryIter<'a> {
        self.entries.iter(self.header.after.next())
    }

    /// The same entries as they are encoded.
    pub const fn encoded_entries(&self) -> Entries<'a> {
        self.entries
    }

    /// Whether this record holds everything from the snapshot on, so that older ones may go.
    pub const fn begins_anew(&self) -> bool {
        self.header.beginning.is_some()
    }

    /// The snapshot that stands before the entries, when it changed. A snapshot whose last index
    /// is zero is the empty beginning of a group or of a new member: no data belongs to it. Nor to
    /// that of a witness.
    pub fn snapshot(&self) -> Option<Snapshot> {
        self.header.beginning.map(|beginning| beginning.snapshot)
    }

    /// One record: four slices to be stored one after the other. `scratch` receives the header.
    pub fn record<'s>(&self, scratch: &'s mut [u8; RECORD_HEADER_BYTES_MAX]) -> [&'s [u8]; 4]
    where
        'a: 's,
    {
        // The buffer holds the longest header (see the test).
        let header = self.header.encode(scratch);
        let [head, tail] = self.entries.slices();
        [header, self.configuration, head, tail]
    }

    /// Says that the driver has the bytes and will report how the write ended.
    pub fn into_ticket(self) -> Ticket {
        self.vault.take(self.last)
    }
}

impl fmt::Debug for Write<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Write")
            .field("hard_state", &self.header.hard)
            .field("after", &self.header.after)
            .field("last", &self.last)
            .field("snapshot", &self.snapshot())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Incarnation;

    #[test]
    fn the_longest_record_header_fits_its_buffer() {
        let identity = Identity::new(NodeId::new(u64::MAX), Incarnation::new(u32::MAX));
        let last = EntryId::new(LogIndex::new(u64::MAX), Term::MAX);
        let header = RecordHeader {
            version: RECORD_VERSION,
            group: GroupId::new(u64::MAX),
            identity,
            hard: HardState {
                term: Term::MAX,
                vote: Some(identity),
            },
            commit: LogIndex::new(u64::MAX),
            beginning: Some(Beginning {
                snapshot: Snapshot {
                    last,
                    size: u64::MAX,
                    checksum: u32::MAX,
                },
                configuration_len: u16::MAX,
                is_witness: true,
            }),
            after: LogIndex::new(u64::MAX),
            entries_len: u32::MAX,
        };
        let mut scratch = [0; RECORD_HEADER_BYTES_MAX];
        assert!(postcard::to_slice(&header, &mut scratch).is_ok());
    }
}
