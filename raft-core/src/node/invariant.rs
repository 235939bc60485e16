//! What must hold in every state: checked by tests and the simulator after every step.

use super::{Node, Role};
use crate::flight::Flight;
use crate::read::Stage;
use crate::slot::{Flow, Progress};
use crate::types::LogIndex;

impl Node {
    /// Everything.
    pub(crate) fn check_invariants(&self, memory: &[u8]) -> Result<(), &'static str> {
        self.check_numbers()?;
        self.check_log(memory)
    }

    /// What can be checked without reading the log. Work: O(members).
    #[inline]
    pub(crate) fn check_numbers(&self) -> Result<(), &'static str> {
        let (base, last) = (self.window.base(), self.window.last());
        let check = |holds: bool, law: &'static str| if holds { Ok(()) } else { Err(law) };
        check(base.index <= last.index, "the base is at or before the end")?;
        check(base.index <= self.commit, "what is compacted is committed")?;
        check(self.commit <= last.index, "what is committed is in the log")?;
        check(
            self.delivered <= self.commit,
            "what is delivered is committed",
        )?;
        check(
            self.vault.log_durable().get() <= last.index,
            "what is durable is in the log",
        )?;
        check(
            last.term <= self.term(),
            "the log's last term has been entered",
        )?;
        check(
            self.vault.hard_durable().get().term <= self.term(),
            "the term never falls",
        )?;
        check(
            !self.vault.is_witness() || matches!(self.role, Role::Follower(_)),
            "a witness never stands",
        )?;
        self.check_reads()?;
        self.check_quiet()?;
        self.check_role(last.index)
    }

    fn check_log(&self, memory: &[u8]) -> Result<(), &'static str> {
        let (base, last) = (self.window.base(), self.window.last());
        let check = |holds: bool, law: &'static str| if holds { Ok(()) } else { Err(law) };
        let (_, _, _, entries) = self.window.logical(memory);
        let (mut previous, mut count) = (base, 0_u64);
        for entry in entries {
            check(
                entry.id.term >= previous.term,
                "terms never fall along the log",
            )?;
            check(
                entry.id.index == previous.index.next(),
                "indexes are consecutive",
            )?;
            self.check_hollow(entry.kind)?;
            (previous, count) = (entry.id, count + 1);
        }
        check(count == self.window.len(), "every entry can be read")?;
        check(previous == last, "the last entry is the last")?;
        let is_latest = match self.window.last_configuration(memory, last.index) {
            Some(latest) => self.current.index == latest,
            None => self.current.index <= base.index,
        };
        check(is_latest, "the configuration in force is the latest")
    }

    fn check_reads(&self) -> Result<(), &'static str> {
        let check = |holds: bool, law: &'static str| if holds { Ok(()) } else { Err(law) };
        let batches = self.reads.batches();
        let mut end = 0;
        for (place, batch) in batches.iter().enumerate() {
            check(batch.count > 0, "no record of reads is empty")?;
            check(batch.first >= end, "reads are in order")?;
            end = batch.end();
            match batch.stage {
                Stage::Gathering => {
                    // On a leader a read by lease may come after one that waits for a round.
                    let is_last = place.saturating_add(1) == batches.len();
                    check(is_last || self.is_leader(), "only the last record gathers")?;
                    check(self.leader.is_some(), "reads gather for a leader")?;
                }
                Stage::Round { .. } => check(self.is_leader(), "only a leader waits for rounds")?,
                Stage::Asked => check(!self.is_leader(), "a leader asks nobody")?,
                Stage::Confirmed { .. } | Stage::Failed(_) => {}
            }
        }
        Ok(())
    }

    fn check_flight(&self, progress: &Progress) -> Result<(), &'static str> {
        let check = |holds: bool, law: &'static str| if holds { Ok(()) } else { Err(law) };
        let Flow::Replicate(flight) = &progress.flow else {
            return Ok(());
        };
        let (sum, most) = (flight.sum(), self.config.in_flight);
        check(
            sum.messages <= most.messages && sum.bytes <= most.bytes,
            "no more is in flight than is allowed",
        )?;
        check(
            progress.next > progress.matched.next() || *flight == Flight::NONE,
            "what is acknowledged is not in flight",
        )
    }

    fn check_role(&self, last: LogIndex) -> Result<(), &'static str> {
        let check = |holds: bool, law: &'static str| if holds { Ok(()) } else { Err(law) };
        match &self.role {
            Role::Leader(office) => {
                check(office.first <= last, "a leader's log holds its first entry")?;
                check(
                    office.handed <= office.round,
                    "no later round was handed out",
                )?;
                let me = self.vault.identity;
                for slot in self.slots.iter() {
                    let progress = &slot.progress;
                    check(progress.matched <= last, "nobody has more than the leader")?;
                    check(
                        slot.identity == me || progress.matched < progress.next,
                        "what is sent next is not acknowledged yet",
                    )?;
                    check(
                        progress.next <= last.next(),
                        "the next entry follows the log",
                    )?;
                    self.check_flight(progress)?;
                }
            }
            Role::Candidate(_) => {
                check(
                    self.vault.vote() == Some(self.vault.identity),
                    "a candidate has its vote",
                )?;
            }
            Role::Follower(Some(owed)) => {
                check(owed.verified <= last, "what is verified is in the log")?;
            }
            Role::Follower(None) | Role::PreCandidate(_) => {}
        }
        Ok(())
    }
}
