//! Reads, and handing over: what a driver asks of a node besides the log.
//!
//! A read that ends must be answered from a state that holds all that anybody had committed when it
//! began, `[Ongaro14 §6.4]`. What was committed then is noted in the [`Past`], in the order in which a
//! node was asked; the node keeps its tickets in the same order.

use raft_core::ReadOutcome;

use super::ghost::Past;
use super::names::name;
use super::step::Acting;
use crate::model;

/// A read that ended in a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Ended {
    /// Which of those that the node was asked and that did not end before.
    place: usize,
    /// Up to where the state reaches that it is answered from, if it is.
    index: Option<u32>,
}

impl Ended {
    pub(super) fn is_answer(&self) -> bool {
        self.index.is_some()
    }
}

/// The law that a read obeys.
const LAW: &str = "linearizability";

impl Acting<'_> {
    pub(super) fn read(&mut self) {
        if let Ok(ticket) = self.local.machine.read(self.local.now) {
            self.local.tickets.push(ticket);
            self.was_asked = true;
        }
        self.stepped(&model::Input::Nothing);
    }

    /// While it hands over it takes no command: its successor would never be level.
    pub(super) fn propose(&mut self) {
        let is_leaving = self.local.machine.transferring_to().is_some();
        if self.local.machine.propose(&[]).is_ok() && is_leaving {
            self.break_law("transfer");
        }
        self.stepped(&model::Input::Propose);
    }

    pub(super) fn transfer(&mut self, to: u8) {
        let _ = self
            .local
            .machine
            .transfer(self.local.now, name(usize::from(to)));
        self.stepped(&model::Input::Nothing);
    }

    /// Fetches the outcomes of reads; says whether there was one.
    pub(super) fn end_reads(&mut self) -> bool {
        let mut any = false;
        while let Some(outcome) = self.local.machine.poll_read() {
            any = true;
            self.stepped(&model::Input::Nothing);
            let mut tickets = self.local.tickets.iter();
            let Some(place) = tickets.position(|ticket| *ticket == outcome.ticket()) else {
                self.break_law("tickets");
                break;
            };
            let _ = self.local.tickets.remove(place);
            let index = match outcome {
                ReadOutcome::Failed { .. } => None,
                // Too late to be answered: the clock was looked at again.
                ReadOutcome::Ready {
                    valid_until: Some(until),
                    ..
                } if self.local.now >= until => None,
                ReadOutcome::Ready { index, .. } => {
                    // The state is that which was handed over.
                    if index > self.local.machine.delivered() {
                        self.break_law(LAW);
                    }
                    Some(index.value() as u32)
                }
            };
            self.ended.push(Ended { place, index });
        }
        if self.local.machine.reads() != self.local.tickets.len() as u64 {
            self.break_law("tickets");
        }
        any
    }
}

impl Past {
    /// The node at a place is asked to read: all of the log up to `floor` is committed.
    pub(super) fn ask(&mut self, place: usize, floor: u32) {
        self.reads[place].push(floor);
    }

    /// Reads of the node at a place end.
    pub(super) fn end(&mut self, place: usize, ended: &[Ended]) -> Result<(), &'static str> {
        for read in ended {
            let reads = &mut self.reads[place];
            if read.place >= reads.len() {
                return Err("tickets");
            }
            let floor = reads.remove(read.place);
            if read.index.is_some_and(|index| index < floor) {
                return Err(LAW);
            }
        }
        Ok(())
    }
}
