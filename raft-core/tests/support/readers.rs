//! Reads of one machine, and what its leader says about them.

use raft_core::{LogIndex, ReadFailure, ReadOutcome, ReadTicket};

use super::solo::{Said, Solo};

pub fn ready(ticket: ReadTicket, index: u64) -> ReadOutcome {
    ReadOutcome::Ready {
        ticket,
        index: LogIndex::new(index),
        valid_until: None,
    }
}

pub fn failed(ticket: ReadTicket, reason: ReadFailure) -> ReadOutcome {
    ReadOutcome::Failed { ticket, reason }
}

pub fn read(solo: &mut Solo) -> ReadTicket {
    let ticket = solo.raft.read(solo.now).expect("somebody leads");
    solo.check();
    ticket
}

/// The latest round that was sent to anybody.
pub fn round(sent: &[(u64, u32, Said)]) -> u64 {
    let rounds = sent.iter().filter_map(|(_, _, said)| match said {
        Said::Append { round, .. } => Some(*round),
        _ => None,
    });
    rounds.max().expect("an append was sent")
}

pub fn replies(sent: &[(u64, u32, Said)]) -> Vec<(u64, u64, u64)> {
    let reply = |(to, _, said): &(u64, u32, Said)| match said {
        Said::ReadReply { number, index, .. } => Some((*to, *number, *index)),
        _ => None,
    };
    sent.iter().filter_map(reply).collect()
}
