//! Beginning a life: founding a group, joining one, coming back from what was stored.

use clocks::{Duration, Instant, Jitter, TimerTable};
use heapless::Vec;
use quorum::{Joint, MemberSet};

use super::snapshot::SNAPSHOT_INDEX_MAX;
use super::{Current, Node, Role, Timer};
use crate::config::Config;
use crate::configuration::{Encoded, Encoder, Refused, Seat, Standing, configuration_bytes_max};
use crate::durable::{HardState, RECORD_VERSION, RecordHeader, Snapshot, Vault};
use crate::entry::{ENTRY_HEADER_BYTES, Entries, EntryKind, Header};
use crate::error::RestoreError;
use crate::event::Events;
use crate::read::Reads;
use crate::slot::Slot;
use crate::types::{EntryId, GroupId, Identity, Incarnation, LogIndex, Term, low_half};
use crate::window::Window;

/// A record that begins beyond this is damaged; no sound node writes one. A log begins at zero, at
/// the end of a snapshot that a leader sent, which lies at [`SNAPSHOT_INDEX_MAX`] at most, or where
/// the machine compacted it; and that is an entry which was delivered, so which came into the
/// window after the last such snapshot, one by one. So many entries between the two nobody writes.
const BASE_INDEX_MAX: LogIndex = LogIndex::new(u64::MAX / 4 * 3);

// At a million entries a second more than 70,000 years.
const _: () = assert!(BASE_INDEX_MAX.since(SNAPSHOT_INDEX_MAX) > 1 << 61);

/// What was read back from storage: replay the records in the order in which they were written.
///
/// Starts with lent memory for the log window and takes it along into
/// [`Raft::restore`](crate::Raft::restore).
#[derive(Clone, Debug)]
pub struct Recovered<B, const N: usize> {
    pub(crate) memory: B,
    pub(super) window: Window,
    pub(super) origin: Option<(GroupId, Identity)>,
    pub(super) hard: HardState,
    pub(super) commit: LogIndex,
    snapshot: Snapshot,
    pub(super) is_witness: bool,
}

impl<B: AsRef<[u8]> + AsMut<[u8]>, const N: usize> Recovered<B, N> {
    /// Nothing read yet.
    ///
    /// # Errors
    ///
    /// [`RestoreError::WindowTooSmall`] or [`RestoreError::MembersOutOfRange`].
    pub fn new(memory: B) -> Result<Self, RestoreError> {
        let window = window_for::<N>(memory.as_ref().len())?;
        Ok(Recovered {
            memory,
            window,
            origin: None,
            hard: HardState::default(),
            commit: LogIndex::ZERO,
            snapshot: Snapshot::default(),
            is_witness: false,
        })
    }

    /// Takes the next stored record, a whole one.
    ///
    /// # Errors
    ///
    /// A damaged, foreign or out-of-order record: what was replayed before stays. A window too
    /// small for what it holds: start again with a larger one.
    pub fn replay(&mut self, record: &[u8]) -> Result<(), RestoreError> {
        self.replay_with(record, true)
    }

    /// Takes a record of which only a prefix was stored, for a medium that vouches for every
    /// byte it returns: whole entries count, the rest is ignored. Only the last record that was
    /// being written can be torn. One that begins anew counts as a whole or not at all: its
    /// prefix lacks entries that the records before it hold.
    ///
    /// # Errors
    ///
    /// As [`replay`](Recovered::replay); [`RestoreError::DamagedRecord`] if not even the record's
    /// header is whole, or not all of a record that begins anew: nothing changed, and the records
    /// before it are what counts.
    pub fn replay_prefix(&mut self, record: &[u8]) -> Result<(), RestoreError> {
        self.replay_with(record, false)
    }

    fn replay_with(&mut self, record: &[u8], is_whole: bool) -> Result<(), RestoreError> {
        match record.first() {
            Some(&RECORD_VERSION) => {}
            Some(&version) => return Err(RestoreError::UnknownVersion(version)),
            None => return Err(RestoreError::DamagedRecord),
        }
        let (header, rest) = postcard::take_from_bytes::<RecordHeader>(record)
            .map_err(|_| RestoreError::DamagedRecord)?;
        let origin = (header.group, header.identity);
        // The same life of the same node goes over into another group in one way: by recovery. Its
        // record stands for all that it kept, and those before it may still be there.
        let is_recovery = |known: (GroupId, Identity)| {
            let is_later = header.hard.term > self.hard.term;
            known.1 == header.identity && header.beginning.is_some() && is_later
        };
        if self
            .origin
            .is_some_and(|known| known != origin && !is_recovery(known))
        {
            return Err(RestoreError::ForeignRecord);
        }
        let configuration_len = header
            .beginning
            .map_or(0, |b| usize::from(b.configuration_len));
        let (configuration, entries) = rest
            .split_at_checked(configuration_len)
            .ok_or(RestoreError::DamagedRecord)?;
        if is_whole && entries.len() as u64 != u64::from(header.entries_len) {
            return Err(RestoreError::DamagedRecord);
        }
        let is_whole = is_whole || entries.len() >= header.entries_len as usize;
        let entries = entries
            .get(..header.entries_len as usize)
            .unwrap_or(entries);
        let entries = Entries::from_bytes(entries);
        // Everything is checked before anything changes.
        match header.beginning {
            Some(beginning) => {
                let snapshot = beginning.snapshot;
                check_configuration::<N>(configuration)?;
                // Part of it would replace entries of older records that were acknowledged; and no
                // node takes a snapshot behind which there is no place for entries.
                if !is_whole
                    || header.after != snapshot.last.index
                    || snapshot.last.index > BASE_INDEX_MAX
                {
                    return Err(RestoreError::DamagedRecord);
                }
                // A witness stays one for good, and nobody who has stored anything becomes one.
                let was = self.is_witness;
                let is_turned = was && !beginning.is_witness;
                let is_late = !was && beginning.is_witness && !self.is_blank();
                if is_turned || is_late {
                    return Err(RestoreError::DamagedRecord);
                }
                let kind = Kept::by(beginning.is_witness);
                check_entries::<N>(snapshot.last.term, entries, is_whole, kind)?;
                self.begin(snapshot, configuration)?;
                self.is_witness = beginning.is_witness;
            }
            None if self.origin.is_none() => return Err(RestoreError::NoBeginning),
            None => {
                let term = self.term_at(header.after)?;
                check_entries::<N>(term, entries, is_whole, Kept::by(self.is_witness))?;
            }
        }
        if self.origin.is_some_and(|known| known != origin) {
            // What the old group committed beyond this log stands for other entries now.
            self.commit = LogIndex::ZERO;
        }
        self.origin = Some(origin);
        self.take_entries(header.after, entries)?;
        self.hard = header.hard;
        self.commit = self.commit.max(header.commit);
        Ok(())
    }

    /// Whether nothing was stored yet but a name, and perhaps a term.
    fn is_blank(&self) -> bool {
        self.window.last().index == LogIndex::ZERO
            && self
                .window
                .base_configuration(self.memory.as_ref())
                .is_empty()
    }

    fn begin(&mut self, snapshot: Snapshot, configuration: &[u8]) -> Result<(), RestoreError> {
        self.window.reset(snapshot.last);
        self.window
            .set_base_configuration(self.memory.as_mut(), configuration)
            .map_err(|_| RestoreError::TooManyMembers)?;
        self.snapshot = snapshot;
        Ok(())
    }

    /// The term of the entry that a record follows.
    fn term_at(&self, after: LogIndex) -> Result<Term, RestoreError> {
        let last = self.window.last().index;
        if after > last {
            return Err(RestoreError::Gap { last, after });
        }
        self.window
            .term(self.memory.as_ref(), after)
            .ok_or(RestoreError::DamagedRecord)
    }

    fn take_entries(&mut self, after: LogIndex, entries: Entries<'_>) -> Result<(), RestoreError> {
        let memory = self.memory.as_mut();
        self.window
            .truncate(memory, after)
            .ok_or(RestoreError::DamagedRecord)?;
        let needed = memory.len().saturating_add(2 * entries.len());
        let mut rest = entries;
        while let Some((header, bytes, next)) = rest.split_first() {
            self.window
                .append_one(memory, header.term, bytes)
                .map_err(|_| RestoreError::WindowTooSmall { needed })?;
            rest = next;
        }
        Ok(())
    }

    /// The snapshot that stands before the log: the driver loads it, unless its state machine
    /// is that far already.
    pub const fn snapshot(&self) -> Snapshot {
        self.snapshot
    }

    pub(crate) fn into_node(
        mut self,
        config: Config,
        applied: LogIndex,
        seed: u64,
        now: Instant,
    ) -> Result<(B, Node<Vec<Slot, N>>), RestoreError> {
        let (group, identity) = self.origin.ok_or(RestoreError::NoBeginning)?;
        if identity.node != config.id {
            return Err(RestoreError::ForeignRecord);
        }
        let (base, last) = (self.window.base(), self.window.last());
        if applied > last.index {
            return Err(RestoreError::AppliedBeyondLog { last: last.index });
        }
        let mut jitter = Jitter::new(seed);
        let nonce = jitter.next_u64();
        let mut vault = Vault::restored(identity, group, nonce, self.hard);
        vault.recovered_log(last.index);
        vault.raise_term(last.term);
        vault.recovered_witness(self.is_witness);
        let mut node = blank::<N>(config, vault, self.window, jitter, now);
        // Answers to what was asked before the crash may still be on their way.
        node.attempt = low_half(nonce);
        node.snapshot = self.snapshot;
        // The commit may be older than the log, and a torn batch may have lost what it covered;
        // what is applied was committed.
        node.commit = self.commit.min(last.index).max(base.index).max(applied);
        node.delivered = applied;
        let view: &mut Node = &mut node;
        view.restore_configuration(self.memory.as_mut())
            .map_err(|_| RestoreError::DamagedRecord)?;
        // Before the crash a leader may just have been heard, and this node relied on by it.
        view.mark_heard();
        view.mark_dirty();
        view.events = Events::default();
        if view.config.quiet_after.is_some() {
            // The others may be quiet, and ahead of this node.
            view.mark_awake_words();
        }
        Ok((self.memory, node))
    }
}

/// What a life of a node keeps of entries that are no configurations.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kept {
    Payloads,
    Nothing,
}

impl Kept {
    const fn by(is_witness: bool) -> Self {
        if is_witness {
            Kept::Nothing
        } else {
            Kept::Payloads
        }
    }

    /// Whether an entry is as it is kept here.
    fn is_kept(self, header: Header) -> bool {
        match header.kind {
            EntryKind::Configuration => true,
            EntryKind::Command | EntryKind::NoOp => self == Kept::Payloads,
            EntryKind::Hollow => self == Kept::Nothing && header.payload_len == 0,
        }
    }
}

/// Whether these entries may follow one of `term`.
fn check_entries<const N: usize>(
    mut term: Term,
    entries: Entries<'_>,
    is_whole: bool,
    kept: Kept,
) -> Result<(), RestoreError> {
    let mut rest = entries;
    while let Some((header, bytes, next)) = rest.split_first() {
        if header.term < term || !kept.is_kept(header) {
            return Err(RestoreError::DamagedRecord);
        }
        if header.kind == EntryKind::Configuration {
            check_configuration::<N>(bytes.get(ENTRY_HEADER_BYTES..).unwrap_or_default())?;
        }
        (term, rest) = (header.term, next);
    }
    if is_whole && !rest.is_empty() {
        return Err(RestoreError::DamagedRecord);
    }
    Ok(())
}

fn check_configuration<const N: usize>(bytes: &[u8]) -> Result<(), RestoreError> {
    match Encoded::decode(bytes, N) {
        Ok(_) => Ok(()),
        Err(Refused::TooLarge) => Err(RestoreError::TooManyMembers),
        Err(Refused::Malformed) => Err(RestoreError::DamagedRecord),
    }
}

fn window_for<const N: usize>(memory_len: usize) -> Result<Window, RestoreError> {
    if N == 0 || N > quorum::Member::COUNT_MAX {
        return Err(RestoreError::MembersOutOfRange);
    }
    Window::new(memory_len, N).map_err(|needed| RestoreError::WindowTooSmall { needed })
}

/// A node without a configuration.
fn blank<const N: usize>(
    config: Config,
    vault: Vault,
    window: Window,
    jitter: Jitter,
    now: Instant,
) -> Node<Vec<Slot, N>> {
    Node {
        config,
        vault,
        window,
        snapshot: Snapshot::default(),
        commit: LogIndex::ZERO,
        delivered: LogIndex::ZERO,
        now,
        timers: TimerTable::new(),
        jitter,
        role: Role::Follower(None),
        leader: None,
        sticky_until: now,
        election_base: now,
        election_timeout: Duration::ZERO,
        dirty_since: None,
        is_dirty_untimed: false,
        is_quiet: false,
        is_stalled: false,
        current: Current {
            index: LogIndex::ZERO,
            voters: Joint::simple(MemberSet::EMPTY),
            stickiness: Duration::ZERO,
            me: None,
            witnesses: MemberSet::EMPTY,
            was_voter: false,
            removed_below: EntryId::ZERO,
        },
        attempt: 0,
        incoming: None,
        guests: Vec::new(),
        append_due: MemberSet::EMPTY,
        ask_due: MemberSet::EMPTY,
        reply_due: MemberSet::EMPTY,
        cursor: 0,
        reads: Reads::new(),
        events: Events::default(),
        fault: None,
        slots: Vec::new(),
    }
}

/// Room for the configuration of a group of one.
pub(super) type Scratch = [u8; configuration_bytes_max(1)];

/// The configuration of a group of one.
pub(super) fn alone(
    scratch: &mut Scratch,
    identity: Identity,
    stickiness: Duration,
) -> Option<&[u8]> {
    let mut encoder = Encoder::new(scratch, stickiness, 1)?;
    let standing = Standing::Voter;
    encoder.put(&Seat { identity, standing })?;
    let len = encoder.len();
    scratch.get(..len)
}

/// The first node of a new group.
pub(crate) fn found<const N: usize>(
    config: Config,
    memory: &mut [u8],
    seed: u64,
    now: Instant,
) -> Result<Node<Vec<Slot, N>>, RestoreError> {
    let mut window = window_for::<N>(memory.len())?;
    let too_small = RestoreError::WindowTooSmall {
        needed: Window::bytes_min(N),
    };
    let mut jitter = Jitter::new(seed);
    let group = GroupId::new(jitter.next_u64());
    let identity = Identity::new(config.id, Incarnation::new(low_half(jitter.next_u64())));
    let mut scratch = Scratch::default();
    let bytes = alone(&mut scratch, identity, config.election_timeout_min).ok_or(too_small)?;
    window
        .set_base_configuration(memory, bytes)
        .map_err(|_| too_small)?;
    let vault = Vault::fresh(identity, group, jitter.next_u64());
    let mut node = blank::<N>(config, vault, window, jitter, now);
    let view: &mut Node = &mut node;
    view.restore_configuration(memory).map_err(|_| too_small)?;
    view.mark_dirty();
    // There is nobody to wait for.
    view.election_timeout = Duration::ZERO;
    view.timers.set(Timer::Election, now);
    view.events = Events::default();
    Ok(node)
}

/// A node that waits to be let into a group: it has no vote until a configuration names it.
pub(crate) fn join<const N: usize>(
    config: Config,
    group: GroupId,
    memory_len: usize,
    seed: u64,
    now: Instant,
) -> Result<Node<Vec<Slot, N>>, RestoreError> {
    let window = window_for::<N>(memory_len)?;
    let mut jitter = Jitter::new(seed);
    let identity = Identity::new(config.id, Incarnation::new(low_half(jitter.next_u64())));
    let vault = Vault::fresh(identity, group, jitter.next_u64());
    let mut node = blank::<N>(config, vault, window, jitter, now);
    let view: &mut Node = &mut node;
    view.mark_dirty();
    Ok(node)
}
