//! The machine under attack, and the driver that serves it.

use clocks::{Duration, Instant};
use quorum::NodeId;
use raft_core::error::RestoreError;
use raft_core::{
    Body, Committed, Config, Entry, Event, HardState, Identity, LogIndex, RECORD_HEADER_BYTES_MAX,
    Raft, Ready, Receipt, Recovered, Role, Round, Snapshot, Ticket, wire,
};

use super::begun::Begun;
use super::rules::{self, Broken, Rule, Stored, View, check};

/// The most members of a configuration.
pub const MEMBERS: usize = 5;
/// The memory of the log window: some dozen entries, so that it is often full.
pub const WINDOW: usize = 1536;
/// The longest frame.
pub const FRAME: usize = 256;
/// The longest election timeout.
pub const ELECTION_MAX: Duration = Duration::from_millis(200);
/// Receipts of pieces that are stored late.
const RECEIPTS: usize = 4;

/// The machine.
pub type Machine = Raft<[u8; WINDOW], MEMBERS>;

/// The settings of every subject.
pub fn config(id: u64) -> Config {
    let built = Config::builder(NodeId::new(id))
        .election_timeout(Duration::from_millis(100), ELECTION_MAX)
        .heartbeat_interval(Duration::from_millis(20))
        .persist_timeout(Duration::from_millis(1000))
        .frame_bytes_max(FRAME)
        .quiet_after(Duration::from_millis(200))
        .build();
    built.unwrap_or_else(|error| panic!("the settings are sound: {error}"))
}

/// A write that the driver has taken and not reported.
#[derive(Clone, Debug)]
pub struct Taken {
    ticket: Ticket,
    hard: HardState,
    begins_anew: bool,
}

/// What the subject said last, so that answers to it can be made.
#[derive(Clone, Copy, Debug)]
pub struct Heard {
    /// Of the latest append.
    pub round: Round,
    /// Of the latest pre-vote.
    pub attempt: u32,
    /// The latest index before which entries were offered.
    pub prev: LogIndex,
    /// The latest snapshot spoken of, and how much of it is stored.
    pub snapshot: Snapshot,
    /// See above.
    pub stored: u64,
}

/// A record on the medium.
#[derive(Clone, Debug)]
pub struct Record {
    /// What is there of it.
    pub bytes: Vec<u8>,
    /// It is the prefix of what was to be written.
    pub is_torn: bool,
}

impl Record {
    /// A whole record.
    pub fn whole(bytes: Vec<u8>) -> Self {
        Record {
            bytes,
            is_torn: false,
        }
    }
}

/// A machine with its driver.
#[derive(Clone)]
pub struct Subject {
    /// The machine.
    pub raft: Machine,
    /// Its clock.
    pub now: Instant,
    /// What it said last.
    pub heard: Heard,
    /// The write under way.
    pub taken: Option<Taken>,
    /// Pieces to be stored later.
    pub receipts: [Option<Receipt>; RECEIPTS],
    /// Term and vote of the last write that was reported.
    pub promised: HardState,
    /// What was seen after the last input.
    pub view: View,
    /// Records on the medium, if they are kept; the last may be that of the write under way.
    pub journal: Option<Vec<Record>>,
    /// Whether everything that it wanted to say has been fetched.
    pub is_drained: bool,
    /// Frames are encoded and read back.
    pub is_watched: bool,
    /// The rules are looked at; without, one measures what the harness itself costs.
    pub is_judged: bool,
    /// Messages that the subject said.
    pub outputs: u64,
    /// Reads and handovers that have not ended.
    pub begun: Begun,
}

impl Subject {
    /// A machine that its driver has not served yet.
    pub fn new(raft: Machine, now: Instant, journal: Vec<Record>) -> Self {
        let promised = match journal.is_empty() {
            true => HardState::default(),
            false => raft.hard_state(),
        };
        let mut subject = Subject {
            raft,
            now,
            heard: Heard {
                round: Round::ZERO,
                attempt: 0,
                prev: LogIndex::ZERO,
                snapshot: Snapshot::default(),
                stored: 0,
            },
            taken: None,
            receipts: [const { None }; RECEIPTS],
            promised,
            view: View::default(),
            journal: Some(journal),
            is_drained: false,
            is_watched: true,
            is_judged: true,
            outputs: 0,
            begun: Begun::default(),
        };
        subject.view = subject.look();
        subject
    }

    /// A copy without journal.
    pub fn light(&self) -> Self {
        Subject {
            raft: self.raft.clone(),
            taken: self.taken.clone(),
            receipts: self.receipts.clone(),
            begun: self.begun.clone(),
            journal: None,
            ..*self
        }
    }

    /// What one sees of it now.
    #[inline]
    pub fn look(&self) -> View {
        let raft = &self.raft;
        View {
            hard: raft.hard_state(),
            commit: raft.commit(),
            delivered: raft.delivered(),
            base: raft.base().index,
            last: raft.last().index,
            durable: raft.durable(),
            fault: raft.fault(),
        }
    }

    /// Notes what an input did to it.
    #[inline]
    pub fn observe(&mut self) -> Result<(), Broken> {
        let after = self.look();
        if self.is_judged {
            rules::step(&self.view, &after)?;
        }
        self.view = after;
        Ok(())
    }

    /// Takes what is to be written, unless a write is under way.
    #[inline]
    pub fn persist_begin(&mut self) {
        if self.taken.is_some() {
            return;
        }
        let Some(write) = self.raft.poll_persist() else {
            return;
        };
        if let Some(journal) = &mut self.journal {
            let mut scratch = [0; RECORD_HEADER_BYTES_MAX];
            journal.push(Record::whole(write.record(&mut scratch).concat()));
        }
        let (hard, begins_anew) = (write.hard_state(), write.begins_anew());
        self.taken = Some(Taken {
            ticket: write.into_ticket(),
            hard,
            begins_anew,
        });
    }

    /// The write under way is on the medium.
    #[inline]
    pub fn persist_end(&mut self) -> Result<(), Broken> {
        let Some(taken) = self.taken.take() else {
            return Ok(());
        };
        if taken.begins_anew
            && let Some(journal) = &mut self.journal
        {
            let older = journal.len().saturating_sub(1);
            journal.drain(..older);
        }
        self.promised = taken.hard;
        let twice = self.is_watched.then(|| taken.ticket.clone());
        let done = self.raft.handle_persisted(self.now, taken.ticket);
        self.is_drained = false;
        check(done.is_ok(), Rule::NoFault, || format!("{done:?}"))?;
        if let Some(ticket) = twice {
            let before = self.raft.clone();
            let done = self.raft.handle_persisted(self.now, ticket);
            check(
                done.is_ok() && before == self.raft,
                Rule::NoChangeOnError,
                || "a ticket counted twice".into(),
            )?;
        }
        Ok(())
    }

    /// The write under way failed.
    pub fn persist_fail(&mut self) -> Result<(), Broken> {
        let Some(taken) = self.taken.take() else {
            return Ok(());
        };
        if let Some(journal) = &mut self.journal {
            journal.pop();
        }
        let done = self.raft.handle_persist_failed(self.now, taken.ticket);
        check(done.is_ok(), Rule::NoFault, || format!("{done:?}"))
    }

    /// Keeps a receipt, in the place of another if there is none left.
    #[inline]
    pub fn keep(&mut self, receipt: Receipt, place: usize) {
        self.receipts[place % RECEIPTS] = Some(receipt);
    }

    /// The piece of a receipt is stored.
    pub fn store(&mut self, receipt: Receipt) -> Result<(), Broken> {
        let done = self.raft.handle_stored(self.now, receipt);
        self.is_drained = false;
        check(done.is_ok(), Rule::NoFault, || format!("{done:?}"))
    }

    /// The most messages that one input can cause when nothing was due before: an answer to who
    /// spoke, and either one acknowledgement, or a request to each member, or to the one who
    /// spoke all entries one by one and to each a word about the commit, which is also the next
    /// round of reads, and the index to read at if it had asked for one.
    #[inline]
    pub fn answers_max(&self) -> u64 {
        let entries = self.view.last.since(self.view.base);
        entries + 2 + 2 * MEMBERS as u64
    }

    /// The most messages that can be due at once: all of that, to everybody, and to strangers.
    #[inline]
    pub fn due_max(&self) -> u64 {
        let entries = self.view.last.since(self.view.base);
        (MEMBERS as u64) * (entries + 4) + 4
    }

    /// Fetches everything that it wants to say, which is at most `max` messages.
    #[inline]
    pub fn transmit(&mut self, max: u64, ready: Ready<'_>) -> Result<(), Broken> {
        let stored = Stored {
            identity: self.raft.identity(),
            hard: self.promised,
            durable: self.view.durable,
            snapshot: self.raft.snapshot().size,
            role: self.raft.role(),
        };
        let mut count = 0;
        while let Some(transmit) = self.raft.poll_transmit(self.now, ready) {
            count += 1;
            check(count <= max, Rule::BoundedOutput, || {
                format!("more than {max} messages at once, the latest {transmit:?}")
            })?;
            if self.is_judged {
                rules::said(&stored, &transmit)?;
            }
            match &transmit.message.body {
                Body::Append(append) => {
                    self.heard.round = append.round;
                    self.heard.prev = append.prev.index;
                }
                Body::Hollow(hollow) => {
                    self.heard.round = hollow.round;
                    self.heard.prev = hollow.prev.index;
                }
                Body::PreVote(request) => self.heard.attempt = request.attempt,
                Body::Chunk(chunk) => {
                    (self.heard.snapshot, self.heard.stored) = (chunk.snapshot, chunk.offset);
                    self.heard.round = chunk.round;
                }
                Body::Ack(ack) => {
                    if let Some(chunk) = &ack.chunk {
                        self.heard.stored = chunk.stored;
                    }
                }
                Body::Vote(_)
                | Body::VoteReply(_)
                | Body::PreVoteReply(_)
                | Body::ReadRequest(_)
                | Body::ReadReply(_)
                | Body::TimeoutNow
                | Body::Quiet(_)
                | Body::QuietReply(_) => {}
            }
            if self.is_watched {
                frame(&transmit.message)?;
            }
        }
        self.outputs += count;
        self.is_drained = ready == Ready::All;
        Ok(())
    }

    /// Applies what is committed, which is at most what is in the log.
    #[inline]
    pub fn apply(&mut self) -> Result<(), Broken> {
        let most = self.view.last.since(self.view.base) + 1;
        let mut count = 0;
        while let Some(committed) = self.raft.poll_committed() {
            count += 1;
            let is_snapshot = matches!(committed, Committed::Snapshot(_));
            check(
                count <= most && (count == 1 || !is_snapshot),
                Rule::BoundedOutput,
                || format!("delivers without end, the latest {committed:?}"),
            )?;
        }
        // Entries of the machine's own are passed over, so the count does not tell.
        if self.view.delivered == self.raft.delivered() {
            return Ok(());
        }
        self.observe()
    }

    /// Fetches the events, at most one of each kind.
    #[inline]
    pub fn hear(&mut self) -> Result<(), Broken> {
        const KINDS: u64 = 12;
        let mut count = 0;
        while let Some(event) = self.raft.poll_event() {
            count += 1;
            check(count <= KINDS, Rule::BoundedOutput, || {
                format!("events without end, the latest {event:?}")
            })?;
            check(!matches!(event, Event::Faulted(_)), Rule::NoFault, || {
                format!("{event:?}")
            })?;
        }
        Ok(())
    }

    /// Comes back from these records; `Err` is what `replay` or `restore` says, and then nothing
    /// changed. A torn record that tells nothing is passed over.
    pub fn restart(
        &mut self,
        mut records: Vec<Record>,
        applied: LogIndex,
        seed: u64,
    ) -> Result<(), RestoreError> {
        let mut recovered = Recovered::<_, MEMBERS>::new([0; WINDOW])?;
        let mut failed = None;
        records.retain(|record| {
            if failed.is_some() {
                return false;
            }
            let read = match record.is_torn {
                true => recovered.replay_prefix(&record.bytes),
                false => recovered.replay(&record.bytes),
            };
            match read {
                Err(error) if !record.is_torn => failed = Some(error),
                _ => {}
            }
            read.is_ok()
        });
        if let Some(error) = failed {
            return Err(error);
        }
        let applied = applied.max(recovered.snapshot().last.index);
        let config = config(self.raft.identity().node.value());
        self.raft = Raft::restore(config, recovered, applied, seed, self.now)?;
        self.journal = Some(records);
        self.taken = None;
        self.receipts = [const { None }; RECEIPTS];
        self.begun.forget();
        self.is_drained = false;
        self.promised = self.raft.hard_state();
        Ok(())
    }

    /// The identity that the subject has.
    pub fn identity(&self) -> Identity {
        self.raft.identity()
    }

    /// Whether it leads.
    pub fn is_leader(&self) -> bool {
        self.raft.role() == Role::Leader
    }
}

/// A message must fit a frame and come back from it as it was.
fn frame(message: &raft_core::Message<'_>) -> Result<(), Broken> {
    let data = match &message.body {
        Body::Chunk(raft_core::Chunk {
            data: raft_core::ChunkData::Wanted(len),
            ..
        }) => *len as usize,
        _ => 0,
    };
    let supplied = [0xa5; FRAME];
    let mut bytes = [0; FRAME];
    let data = supplied.get(..data).unwrap_or(&supplied);
    let encoded = wire::encode_chunk(message, data, &mut bytes);
    let is_same = match encoded {
        Ok(frame) => wire::decode(frame).is_ok_and(|back| is_same(message, &back)),
        Err(_) => false,
    };
    check(is_same, Rule::Promises, || {
        format!("{message:?} does not travel: {encoded:?}")
    })
}

fn is_same(sent: &raft_core::Message<'_>, back: &raft_core::Message<'_>) -> bool {
    match (&sent.body, &back.body) {
        (Body::Append(one), Body::Append(other)) => {
            let bytes = |entries: &raft_core::Entries<'_>| entries.slices().concat();
            one.prev == other.prev
                && one.round == other.round
                && (one.commit == other.commit || other.commit == LogIndex::ZERO)
                && bytes(&one.entries) == bytes(&other.entries)
        }
        (Body::Chunk(one), Body::Chunk(other)) => {
            one.snapshot == other.snapshot && one.offset == other.offset
        }
        _ => sent == back,
    }
}

/// What identifies an entry's content.
pub fn fingerprint(entry: &Entry<'_>) -> u64 {
    let start = u64::from(entry.id.term.value()) << 8 | entry.payload.len() as u64;
    entry.payload.iter().fold(start, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
