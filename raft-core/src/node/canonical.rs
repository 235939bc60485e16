//! What of a node's state the protocol can still notice, see [`crate::canonical`].

use clocks::Duration;

use super::{Ballots, Incoming, Node, Office, Owed, Role, RoleName, Timer};
use crate::canonical::{Detail, Form, next_by_name};
use crate::flight::{Flight, InFlight};
use crate::slot::{Asking, Flow, Replies};
use quorum::{Member, MemberSet, NodeId};

impl Node {
    pub(crate) fn canonical(&self, memory: &[u8], form: &mut Form<'_>) {
        self.canonical_config(form);
        self.vault.canonical(form);
        self.canonical_log(memory, form);
        form.index(self.commit);
        form.index(self.delivered);
        form.deadline(self.sticky_until, self.now);
        form.flag(self.dirty_since.is_some());
        form.flag(self.is_stalled);
        form.flag(self.is_quiet);
        form.option(self.leader, Form::node);
        form.option(self.fault, |form, fault| form.put(fault as u64));
        self.canonical_members(form);
        form.index(self.current.index);
        form.flag(self.current.was_voter);
        form.entry_id(self.current.removed_below);
        form.time(self.current.stickiness);
        let is_open = matches!(self.role, Role::PreCandidate(_));
        form.put(u64::from(form.names.own_attempt(self.attempt, is_open)));
        form.option(self.incoming.as_ref(), |form, incoming| {
            incoming.canonical(form);
            form.configuration(self.window.staged_configuration(memory));
        });
        for guest in &self.guests {
            form.identity(guest.identity);
            guest.replies.canonical(guest.identity.node, form);
        }
        self.canonical_reads(form);
        self.canonical_role(form);
    }

    fn canonical_config(&self, form: &mut Form<'_>) {
        let config = &self.config;
        form.node(config.id);
        for time in [
            config.election_timeout_min,
            config.election_timeout_max,
            config.heartbeat_interval,
            config.persist_timeout,
        ] {
            form.time(time);
        }
        form.room(u32::try_from(config.frame_bytes_max).unwrap_or(u32::MAX));
        form.option(config.lease_drift_ppm, |form, drift| {
            form.put(u64::from(drift))
        });
        form.put(u64::from(config.in_flight.messages));
        form.put(u64::from(config.in_flight.bytes));
        form.put(u64::from(config.uncommitted_bytes_max));
        form.flag(config.lends);
        form.time(config.hold_longest);
        form.put(u64::from(config.hold_percent));
        form.option(config.quiet_after, |form, beats| {
            form.put(u64::from(beats.get()))
        });
        form.put(u64::from(config.priority));
    }

    fn canonical_log(&self, memory: &[u8], form: &mut Form<'_>) {
        form.snapshot(self.snapshot);
        form.room(self.window.room());
        let (base, last, configuration, entries) = self.window.logical(memory);
        form.entry_id(base);
        form.entry_id(last);
        form.configuration(configuration);
        for entry in entries {
            form.entry(&entry);
        }
    }

    /// The member table: who, how, and what is owed.
    fn canonical_members(&self, form: &mut Form<'_>) {
        let mut previous = None;
        while let Some(member) = self.next_member(form, &mut previous) {
            let Some(slot) = self.slot(member) else { break };
            form.identity(slot.identity);
            form.put(slot.standing as u64);
            slot.replies.canonical(slot.identity.node, form);
        }
    }

    /// The member whose new name is the next after `previous`.
    fn next_member(&self, form: &Form<'_>, previous: &mut Option<NodeId>) -> Option<Member> {
        let slots = (0..).zip(self.slots.iter());
        let slots = slots.map(|(place, slot)| (place, slot.identity.node));
        let (place, node) = next_by_name(form.names, *previous, slots, |(_, node)| *node)?;
        *previous = Some(form.names.node(node));
        Member::new(place)
    }

    /// One word for each member: whether it is in each of these sets.
    fn canonical_sets(&self, sets: &[MemberSet], form: &mut Form<'_>) {
        let mut previous = None;
        while let Some(member) = self.next_member(form, &mut previous) {
            let bits = sets
                .iter()
                .fold(0, |bits, set| bits << 1 | u64::from(set.contains(member)));
            form.put(bits);
        }
    }

    fn canonical_role(&self, form: &mut Form<'_>) {
        let is_asking = matches!(self.role, Role::PreCandidate(_) | Role::Candidate(_));
        if is_asking && !form.names.keeps(Detail::Asking) {
            form.put(RoleName::Follower as u64);
            self.canonical_wait(form);
            return form.flag(false);
        }
        form.put(self.role_name() as u64);
        match &self.role {
            Role::Follower(owed) => {
                self.canonical_wait(form);
                form.option(owed.as_ref(), |form, owed| owed.canonical(form));
            }
            Role::PreCandidate(ballots) | Role::Candidate(ballots) => {
                self.canonical_wait(form);
                form.option(self.timers.deadline(Timer::Heartbeat), |form, deadline| {
                    if form.names.is_timed() {
                        form.deadline(deadline, self.now);
                    }
                });
                let Ballots {
                    granted,
                    refused,
                    is_transfer,
                } = *ballots;
                form.flag(is_transfer);
                self.canonical_sets(&[granted, refused, self.ask_due], form);
            }
            Role::Leader(office) => {
                self.canonical_office(office, form);
                self.canonical_sets(&[self.append_due], form);
                self.canonical_progress(form);
            }
        }
    }

    /// Whether an election is due, will be, or cannot be.
    fn canonical_wait(&self, form: &mut Form<'_>) {
        form.option(self.timers.deadline(Timer::Election), |form, deadline| {
            // The timer may be early: what counts is when the wait ends.
            let end = self.election_base.saturating_add(self.election_timeout);
            if form.names.is_timed() {
                // How long beyond the shortest it waits was drawn.
                let shortest = self.config.election_timeout_min;
                let least = shortest.max(self.current.stickiness);
                form.deadline(self.election_base.saturating_add(least), self.now);
            } else {
                form.flag(self.now < deadline.max(end));
            }
        });
    }

    /// Reads that wait, and since when what a lease counts on is to be trusted.
    fn canonical_reads(&self, form: &mut Form<'_>) {
        let is_timed = form.names.is_timed() || self.is_leader();
        let nonce = self.vault.nonce();
        self.reads.canonical(self.now, nonce, is_timed, form);
        if is_timed && !self.reads.batches().is_empty() {
            form.option(self.timers.deadline(Timer::Read), |form, deadline| {
                form.time(deadline.saturating_since(self.now));
            });
        }
        // A contact counts if it was later. Only a leader has earlier ones, and knows their ages.
        if self.config.lease_drift_ppm.is_some() && self.is_leader() {
            self.age(self.reads.lease_after, form);
        }
    }

    fn canonical_office(&self, office: &Office, form: &mut Form<'_>) {
        form.index(office.first);
        form.round(office.round);
        form.flag(office.handed < office.round);
        form.option(office.leaving, Form::round);
        form.option(office.transfer, |form, transfer| {
            form.node(transfer.to);
            form.flag(transfer.sent);
        });
        form.flag(office.has_sent_timeout_now);
        form.option(office.sending_since, |form, since| {
            let end = since.saturating_add(self.config.hold_longest);
            form.time(end.saturating_since(self.now));
        });
        if let Some(after) = self.config.quiet_after {
            form.flag(office.seen == self.activity());
            form.put(u64::from(office.idle_beats.min(after.get())));
            form.flag(office.is_asking);
        }
        for timer in [Timer::Heartbeat, Timer::Quorum, Timer::Transfer] {
            form.option(self.timers.deadline(timer), |form, deadline| {
                form.time(deadline.saturating_since(self.now));
            });
        }
        // When a round was opened matters until everyone has acknowledged a later one.
        let peers = self.peers();
        let acked = (0..).zip(self.slots.iter()).filter_map(|(place, slot)| {
            let is_peer = Member::new(place).is_some_and(|member| peers.contains(member));
            is_peer.then_some(slot.progress.round_acked)
        });
        let mut round = acked.min().unwrap_or(office.round);
        while let Some((noted, at)) = office.opened.noted_after(round) {
            round = noted;
            form.round(noted);
            self.age(at, form);
        }
    }

    /// How long ago, up to the time after which it does not matter.
    fn age(&self, at: clocks::Instant, form: &mut Form<'_>) {
        let age: Duration = self.now.saturating_since(at);
        form.time(age.min(self.authority_timeout()));
    }

    /// How much more may be sent, and which acknowledgement allows more. A window cannot hold more
    /// appends than it has places: where as many may be under way, nobody counts.
    fn canonical_flight(&self, flight: &Flight, form: &mut Form<'_>) {
        form.room(flight.left(InFlight {
            messages: u16::MAX,
            ..self.config.in_flight
        }));
        if u32::from(self.config.in_flight.messages) < self.window.places() {
            let (mark, older, newer) = flight.parts();
            form.index(mark);
            form.put(u64::from(older));
            form.put(u64::from(newer));
        }
    }

    fn canonical_progress(&self, form: &mut Form<'_>) {
        let mut previous = None;
        while let Some(member) = self.next_member(form, &mut previous) {
            let Some(slot) = self.slot(member) else { break };
            let progress = &slot.progress;
            form.index(progress.matched);
            // Of itself a leader keeps only what is durable.
            if Some(member) == self.current.me {
                continue;
            }
            form.index(progress.next);
            match progress.flow {
                Flow::Probe { sent } => form.put(u64::from(sent)),
                Flow::Replicate(ref flight) => {
                    form.put(2);
                    self.canonical_flight(flight, form);
                }
                Flow::Lend { asked } => form.put(3 + u64::from(asked)),
                Flow::Snapshot {
                    index,
                    offset,
                    sent,
                } => {
                    form.put(5 + u64::from(sent));
                    form.index(index);
                    form.put(offset);
                }
            }
            form.room(progress.room);
            form.flag(progress.got_pieces);
            form.index(progress.commit_sent);
            form.round(progress.round_sent);
            form.round(progress.round_acked);
            form.option(progress.asked, |form, asked| {
                form.question(slot.identity.node, asked.nonce, asked.number);
                match asked.stage {
                    Asking::Gathering => form.put(0),
                    Asking::Round(round) => form.round(round),
                    Asking::Confirmed => form.put(u64::MAX),
                }
            });
            self.age(progress.contact, form);
        }
    }
}

impl Replies {
    fn canonical(&self, to: NodeId, form: &mut Form<'_>) {
        form.flag(self.vote);
        form.option(self.pre_vote, |form, (attempt, is_granted)| {
            form.put(u64::from(form.names.attempt(to, attempt)));
            form.flag(is_granted);
        });
        form.put(self.quiet.map_or(0, |word| 1 + word as u64));
    }
}

impl Incoming {
    fn canonical(&self, form: &mut Form<'_>) {
        form.identity(self.leader);
        form.snapshot(self.snapshot);
        form.put(self.stored);
        form.flag(self.offered.is_some());
    }
}

impl Owed {
    fn canonical(&self, form: &mut Form<'_>) {
        form.identity(self.leader);
        form.index(self.verified);
        form.index(self.verified_sent);
        form.round(self.round);
        form.round(self.round_sent);
        form.option(self.reject, |form, reject| {
            form.index(reject.prev);
            form.entry_id(reject.hint);
        });
        form.option(self.chunk, |form, chunk| {
            form.index(chunk.index);
            form.put(chunk.stored);
        });
        form.flag(self.repeat);
        form.round(self.quiet_round);
        form.room(self.room_sent);
    }
}
