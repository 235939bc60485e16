//! What the subject has begun for its driver and must end: reads and handovers.
//!
//! Each ticket ends once, in this life, and none takes longer than the longest election timeout
//! (or the group's stickiness period, if that is longer), whatever anybody says meanwhile; and so
//! does a handover. The driver remembers a few tickets and looks whether each comes back.

use clocks::{Duration, Instant};
use heapless::Vec;
use raft_core::{ReadOutcome, ReadTicket};

use super::rules::{Broken, Rule, check};
use super::subject::{ELECTION_MAX, Subject};

/// Reads under way at a time, at most.
const READS: usize = 12;

/// Reads and handovers that have not ended.
#[derive(Clone, Default, Debug)]
pub struct Begun {
    reads: Vec<(ReadTicket, Instant), READS>,
    /// By when the handover under way is over.
    handover: Option<Instant>,
    /// How many reads ended.
    pub ended: u64,
}

impl Begun {
    /// The subject is not what it was: what it had begun is forgotten with it.
    pub fn forget(&mut self) {
        self.reads.clear();
        self.handover = None;
    }
}

impl Subject {
    /// By when something that begins now must be over.
    fn over_by(&self) -> Instant {
        let stickiness = self.raft.stickiness();
        let longest = stickiness.max(ELECTION_MAX);
        // One microsecond more, because a timer is due at its deadline.
        let longest = longest.saturating_add(Duration::from_micros(1));
        self.now.saturating_add(longest)
    }

    /// Begins a read, unless enough are under way; says whether it was refused.
    pub fn begin_read(&mut self) -> Result<bool, Broken> {
        if self.begun.reads.is_full() {
            return Ok(false);
        }
        let over_by = self.over_by();
        let Ok(ticket) = self.raft.read(self.now) else {
            return Ok(true);
        };
        self.is_drained = false;
        let is_new = self.begun.reads.iter().all(|(known, _)| *known != ticket);
        check(is_new, Rule::Ends, || format!("{ticket:?} is given twice"))?;
        let kept = self.begun.reads.push((ticket, over_by));
        check(kept.is_ok(), Rule::Ends, || "no place is left".into())?;
        Ok(false)
    }

    /// Tells the subject to hand over; says whether it was refused.
    pub fn begin_handover(&mut self, to: quorum::NodeId) -> bool {
        let over_by = self.over_by();
        let is_refused = self.raft.transfer(self.now, to).is_err();
        if !is_refused {
            self.is_drained = false;
            self.begun.handover = Some(over_by);
        }
        is_refused
    }

    /// Fetches the reads that have ended. `forgets` is a seeded fault: one is fetched and not
    /// remembered.
    pub fn end_reads(&mut self, forgets: bool) -> Result<(), Broken> {
        while let Some(outcome) = self.raft.poll_read() {
            // The next one may go on now.
            self.is_drained = false;
            self.begun.ended += 1;
            let ticket = outcome.ticket();
            let known = self.begun.reads.iter().position(|(it, _)| *it == ticket);
            if !self.is_judged {
                continue;
            }
            check(known.is_some(), Rule::Ends, || {
                format!("{outcome:?} ends what is not under way")
            })?;
            if let (Some(place), false) = (known, forgets) {
                let _ = self.begun.reads.remove(place);
            }
            if let ReadOutcome::Ready { index, .. } = outcome {
                let delivered = self.raft.delivered();
                check(index <= delivered, Rule::Ends, || {
                    format!("{outcome:?}, and only {delivered} was handed over")
                })?;
            }
        }
        if !self.is_judged {
            self.begun.reads.clear();
            return Ok(());
        }
        let (known, begun) = (self.raft.reads(), self.begun.reads.len() as u64);
        check(known == begun, Rule::Ends, || {
            format!("{begun} reads are under way, and the machine knows of {known}")
        })
    }

    /// Time has come to this: what began too long ago is over, and fetched.
    pub fn look_for_overdue(&mut self) -> Result<(), Broken> {
        let (now, end) = (self.now, Instant::from_micros(u64::MAX));
        let is_overdue = |over_by: &Instant| *over_by <= now && *over_by < end;
        let late = self.begun.reads.iter().find(|(_, by)| is_overdue(by));
        check(late.is_none(), Rule::Ends, || {
            format!("at {now:?} {late:?} is still under way")
        })?;
        if self.raft.transferring_to().is_none() {
            self.begun.handover = None;
        }
        let late = self.begun.handover.filter(is_overdue);
        check(late.is_none(), Rule::Ends, || {
            format!("at {now:?} the handover is still under way that ends at {late:?}")
        })
    }
}
