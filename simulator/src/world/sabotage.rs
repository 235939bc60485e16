//! Seeded faults of the harness itself: each breaks a promise on which Raft rests, so that an
//! oracle must fire. A check that has never failed proves nothing.

use clocks::Instant;
use raft_core::{Body, EntryId, EntryKind, LogIndex, Message, Term, Vote, VoteReply, wire};

use crate::world::app::App;
use crate::world::tamper::{Tampered, tamper};

/// What is broken on purpose.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Sabotage {
    /// Nothing.
    #[default]
    None,
    /// The driver reports a record as stored when the write begins.
    ReportsEarly,
    /// The same, but on one host only, and while it follows: there is always another copy.
    OneReportsEarly,
    /// A restart finds the journal without its latest record.
    ForgetsRecord,
    /// Refused votes arrive as granted.
    ForgesGrants,
    /// The network changes commands on their way.
    ChangesCommands,
    /// Vote requests arrive with a longer log than the candidate has.
    RaisesClaims,
    /// The driver passes over a command now and then.
    SkipsCommands,
    /// The driver hands over a command twice now and then.
    RepeatsCommands,
    /// A host falls back to an earlier image of its memory.
    Rewinds,
    /// The memory of the log window is damaged.
    RotsMemory,
    /// A disk loses a record that it had stored for good, and says so.
    LosesRecord,
    /// Acknowledgements arrive as if for one entry more.
    RaisesAcks,
    /// Appends arrive as if all that they carry were committed.
    RaisesCommits,
    /// Pre-votes arrive as requests for the vote of the next term.
    HardensPreVotes,
    /// Pre-votes arrive now and then as news of later and later terms.
    DeposesByPreVotes,
    /// Configurations arrive with another standing of the last member.
    ChangesMembers,
    /// Snapshots are made of another state than the application's.
    SpoilsSnapshots,
    /// A machine that is run twice reads the clock twice.
    MisreadsClock,
    /// A machine does not remember what it has sent.
    ForgetsSending,
    /// Clients are told that a command is done when it is proposed.
    AnswersEarly,
    /// A command is proposed twice.
    ProposesTwice,
    /// Reads are answered from whatever the host has applied.
    ReadsLocally,
    /// Appends with commands never arrive, but for those with a leader's first entry.
    LosesCommands,
    /// Pieces of snapshots never arrive.
    LosesChunks,
    /// Appends with configurations never arrive, but for the first.
    LosesConfigurations,
    /// Appends that meet a partition are answered all the same.
    EchoesAppends,
    /// Pre-votes that meet a partition are granted all the same.
    EchoesPreVotes,
    /// Drivers take damaged frames for what was sent.
    TrustsFrames,
    /// Drivers read a damaged journal as if it were sound.
    TrustsRecords,
    /// Who is woken is told that it is later than it is.
    HurriesTime,
    /// Votes never arrive, not even when the storm is over.
    LosesVotes,
    /// Nobody writes down who was let in as a witness.
    ForgetsWitnesses,
}

impl Sabotage {
    /// All of them, with their names on the command line.
    pub const ALL: [(&'static str, Sabotage); 33] = [
        ("none", Sabotage::None),
        ("forgets-witnesses", Sabotage::ForgetsWitnesses),
        ("reports-early", Sabotage::ReportsEarly),
        ("one-reports-early", Sabotage::OneReportsEarly),
        ("forgets-record", Sabotage::ForgetsRecord),
        ("forges-grants", Sabotage::ForgesGrants),
        ("changes-commands", Sabotage::ChangesCommands),
        ("raises-claims", Sabotage::RaisesClaims),
        ("skips-commands", Sabotage::SkipsCommands),
        ("repeats-commands", Sabotage::RepeatsCommands),
        ("rewinds", Sabotage::Rewinds),
        ("rots-memory", Sabotage::RotsMemory),
        ("loses-record", Sabotage::LosesRecord),
        ("raises-acks", Sabotage::RaisesAcks),
        ("raises-commits", Sabotage::RaisesCommits),
        ("hardens-pre-votes", Sabotage::HardensPreVotes),
        ("deposes-by-pre-votes", Sabotage::DeposesByPreVotes),
        ("changes-members", Sabotage::ChangesMembers),
        ("spoils-snapshots", Sabotage::SpoilsSnapshots),
        ("misreads-clock", Sabotage::MisreadsClock),
        ("forgets-sending", Sabotage::ForgetsSending),
        ("answers-early", Sabotage::AnswersEarly),
        ("proposes-twice", Sabotage::ProposesTwice),
        ("reads-locally", Sabotage::ReadsLocally),
        ("loses-commands", Sabotage::LosesCommands),
        ("loses-chunks", Sabotage::LosesChunks),
        ("loses-configurations", Sabotage::LosesConfigurations),
        ("echoes-appends", Sabotage::EchoesAppends),
        ("echoes-pre-votes", Sabotage::EchoesPreVotes),
        ("trusts-frames", Sabotage::TrustsFrames),
        ("trusts-records", Sabotage::TrustsRecords),
        ("hurries-time", Sabotage::HurriesTime),
        ("loses-votes", Sabotage::LosesVotes),
    ];

    /// The name on the command line.
    pub fn name(self) -> &'static str {
        let mut all = Sabotage::ALL.into_iter();
        all.find(|(_, sabotage)| *sabotage == self)
            .map_or("none", |(name, _)| name)
    }

    /// The fault with this name.
    pub fn by_name(name: &str) -> Option<Sabotage> {
        let mut all = Sabotage::ALL.into_iter();
        all.find(|(other, _)| *other == name)
            .map(|(_, sabotage)| sabotage)
    }

    /// Changes a frame that arrives; says whether it arrives at all.
    #[inline]
    pub fn tamper(self, bytes: &mut Vec<u8>) -> bool {
        self == Sabotage::None || self.change(bytes)
    }

    #[cold]
    fn change(self, bytes: &mut Vec<u8>) -> bool {
        let len = bytes.len();
        let Ok(message) = wire::decode(bytes) else {
            return true;
        };
        match (self, message.body) {
            (Sabotage::LosesVotes, Body::VoteReply(_)) => return false,
            (Sabotage::ForgesGrants, Body::VoteReply(_)) => {
                let body = Body::VoteReply(VoteReply { is_granted: true });
                *bytes = encode(&Message { body, ..message }, len);
            }
            (Sabotage::RaisesClaims, Body::Vote(_)) => {
                let term = Term::new(message.term.value().saturating_sub(1));
                let last = EntryId::new(LogIndex::new(1 << 20), term);
                let body = Body::Vote(Vote {
                    last,
                    is_transfer: false,
                });
                *bytes = encode(&Message { body, ..message }, len);
            }
            (Sabotage::ChangesCommands, Body::Append(append)) => {
                let last = append.entries.iter(LogIndex::ZERO).last();
                let is_command = last.is_some_and(|entry| {
                    entry.kind == EntryKind::Command && !entry.payload.is_empty()
                });
                if is_command
                    && len.is_multiple_of(3)
                    && let Some(byte) = bytes.last_mut()
                {
                    *byte ^= 1;
                }
            }
            _ => match tamper(self, &message, bytes) {
                Tampered::Kept => {}
                Tampered::Lost => return false,
                Tampered::Changed(changed) => *bytes = changed,
            },
        }
        true
    }

    /// What a machine that reads the clock itself takes for the time.
    pub fn misread(self, now: Instant) -> Instant {
        let later = clocks::Duration::from_millis(1);
        match self {
            Sabotage::MisreadsClock => now.saturating_add(later),
            _ => now,
        }
    }

    /// What a machine that is woken is told.
    #[inline]
    pub fn hurry(self, now: Instant) -> Instant {
        match self {
            Sabotage::HurriesTime => now.saturating_add(clocks::Duration::from_secs(10)),
            _ => now,
        }
    }

    /// The state of which a snapshot is made.
    pub fn spoil(self, app: App) -> App {
        match self {
            Sabotage::SpoilsSnapshots => App {
                state: app.state ^ 1,
                ..app
            },
            _ => app,
        }
    }
}

fn encode(message: &Message<'_>, len: usize) -> Vec<u8> {
    let mut frame = vec![0; len];
    let len = wire::encode(message, &mut frame).map_or(0, <[u8]>::len);
    frame.truncate(len);
    frame
}
