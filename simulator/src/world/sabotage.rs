//! Seeded faults of the harness itself: each breaks a promise on which Raft rests, so that an
//! oracle must fire. A check that has never failed proves nothing.

use raft_core::{Body, EntryId, EntryKind, LogIndex, Message, Term, Vote, VoteReply, wire};

/// What is broken on purpose.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Sabotage {
    /// Nothing.
    #[default]
    None,
    /// The driver reports a record as stored when the write begins.
    ReportsEarly,
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
    /// Votes never arrive, not even when the storm is over.
    LosesVotes,
}

impl Sabotage {
    /// All of them, with their names on the command line.
    pub const ALL: [(&'static str, Sabotage); 11] = [
        ("none", Sabotage::None),
        ("reports-early", Sabotage::ReportsEarly),
        ("forgets-record", Sabotage::ForgetsRecord),
        ("forges-grants", Sabotage::ForgesGrants),
        ("changes-commands", Sabotage::ChangesCommands),
        ("raises-claims", Sabotage::RaisesClaims),
        ("skips-commands", Sabotage::SkipsCommands),
        ("repeats-commands", Sabotage::RepeatsCommands),
        ("rewinds", Sabotage::Rewinds),
        ("rots-memory", Sabotage::RotsMemory),
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
                let body = Body::Vote(Vote { last });
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
            _ => {}
        }
        true
    }
}

fn encode(message: &Message<'_>, len: usize) -> Vec<u8> {
    let mut frame = vec![0; len];
    let len = wire::encode(message, &mut frame).map_or(0, <[u8]>::len);
    frame.truncate(len);
    frame
}
