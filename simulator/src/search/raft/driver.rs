//! The driver of a node: what follows every input. Persist, transmit, apply, listen.

use raft_core::{
    Body, ChunkData, Committed, Entries, Event, Message, RECORD_HEADER_BYTES_MAX, Ready, Transmit,
    Vote, wire,
};

use super::judge;
use super::names::place_of;
use super::node::Writing;
use super::profile::Profile;
use super::sabotage::Sabotage;
use super::step::Acting;

impl Acting<'_> {
    /// What a driver does after every input.
    pub(super) fn drain(&mut self) {
        loop {
            let wrote = self.persist();
            let sent = self.transmit();
            self.apply();
            self.delivered();
            let ended = self.end_reads();
            self.hear();
            if self.broken.is_some() || (!wrote && !sent && !ended) {
                break;
            }
        }
    }

    fn persist(&mut self) -> bool {
        if self.local.writing.is_some() {
            return false;
        }
        let Some(write) = self.local.machine.poll_persist() else {
            return false;
        };
        let mut scratch = [0; RECORD_HEADER_BYTES_MAX];
        let parts = write.record(&mut scratch);
        let record = parts.concat();
        // Part of a record that begins anew counts for nothing.
        let mut cuts = vec![record.len()];
        if !write.begins_anew() {
            let mut rest = record.len();
            let sizes = write.entries().map(|entry| entry.payload.len() + 8);
            for size in sizes.collect::<Vec<_>>().into_iter().rev() {
                rest -= size;
                cuts.push(rest);
            }
            cuts.reverse();
        }
        let is_vote_alone = write.entries().next().is_none() && !write.begins_anew();
        let ticket = write.into_ticket();
        let (place, disk) = (self.local.place, self.local.disk);
        let nodes = &mut *self.nodes;
        let after = if nodes.sabotage == Sabotage::VotesForgotten && is_vote_alone {
            Some(disk)
        } else {
            nodes
                .disks
                .store(place, disk, &record, true, &mut nodes.prefixes)
        };
        let Some(after) = after else {
            self.break_law("recovery");
            return false;
        };
        let now = self.local.now;
        if !self.nodes.profile.slow_disks {
            self.local.disk = after;
            let done = self.local.machine.handle_persisted(now, ticket);
            self.note(done);
            self.wrote();
            return true;
        }
        if self.nodes.sabotage == Sabotage::WritesReportedEarly {
            let done = self.local.machine.handle_persisted(now, ticket.clone());
            self.note(done);
            self.wrote();
        }
        self.local.writing = Some(Writing {
            record,
            ticket,
            cuts,
            after,
        });
        true
    }

    fn transmit(&mut self) -> bool {
        let (now, mut any) = (self.local.now, false);
        let place = self.local.place;
        let members = self.nodes.identities.len();
        while let Some(Transmit { to, message }) = self.local.machine.poll_transmit(now, Ready::All)
        {
            any = true;
            self.reference.sends(to, &message);
            let to = place_of(to);
            if to >= members {
                continue;
            }
            let nodes = &mut *self.nodes;
            let disk = nodes.disks.get(self.local.disk);
            if let Some(law) = judge::release(&message, place, to, disk) {
                self.broken = self.broken.or(Some(law));
            }
            let round = match &message.body {
                Body::Append(append) => append.round.value(),
                Body::Chunk(chunk) => chunk.round.value(),
                _ => 0,
            };
            self.is_beyond |= round > u64::from(nodes.profile.rounds);
            let message = nodes.sabotage.tamper(shorten(message, &nodes.profile));
            if let Body::Vote(Vote {
                is_transfer: true, ..
            }) = message.body
                && !(self.is_told || self.was_candidate)
            {
                self.broken = self.broken.or(Some("transfer"));
            }
            let mut bytes = [0; 1100];
            let len = wire::encode(&in_pieces(message), &mut bytes);
            let Ok(len) = len.map(<[u8]>::len) else {
                self.broken = self.broken.or(Some("wire"));
                continue;
            };
            self.sent
                .push(nodes.frames.intern(place, to, &bytes[..len]));
        }
        any
    }

    /// Takes what is committed. What stands before the log comes as a snapshot, and first.
    fn apply(&mut self) {
        let machine = &mut self.local.machine;
        let (before, base) = (machine.delivered(), machine.base().index);
        let mut at = before;
        let mut is_due = before < base;
        let mut is_wrong = false;
        while let Some(committed) = machine.poll_committed() {
            match committed {
                Committed::Snapshot(snapshot) => {
                    is_wrong |= !is_due || snapshot.last.index != base;
                    (at, is_due) = (base, false);
                }
                Committed::Command(entry) => {
                    is_wrong |= is_due || entry.id.index <= at;
                    at = entry.id.index;
                }
            }
        }
        is_wrong |= is_due && machine.delivered() > before;
        let owed = machine.commit().min(machine.durable());
        if is_wrong || machine.delivered() < owed.max(at) {
            self.break_law("delivery");
        }
    }

    fn hear(&mut self) {
        while let Some(event) = self.local.machine.poll_event() {
            if let Event::Faulted(_) = event {
                self.break_law("invariants");
            }
        }
    }
}

/// A piece of a snapshot with its bytes: one in each.
fn in_pieces(message: Message<'_>) -> Message<'_> {
    let Body::Chunk(mut chunk) = message.body else {
        return message;
    };
    if let ChunkData::Wanted(len) = chunk.data {
        chunk.data = ChunkData::Received(&[7][..(len as usize).min(1)]);
    }
    Message {
        body: Body::Chunk(chunk),
        ..message
    }
}

/// A frame that is cut at an entry's border is a shorter append.
fn shorten<'a>(message: Message<'a>, profile: &Profile) -> Message<'a> {
    let Body::Append(mut append) = message.body else {
        return message;
    };
    let mut entries = append.entries.iter(append.prev.index.next());
    if profile.single_entries
        && let (Some(first), Some(_)) = (entries.next(), entries.next())
    {
        let [head, tail] = append.entries.slices();
        let slice = if head.is_empty() { tail } else { head };
        append.entries = Entries::from_bytes(&slice[..first.payload.len() + 8]);
        append.commit = append.commit.min(append.prev.index.next());
    }
    Message {
        body: Body::Append(append),
        ..message
    }
}
