//! Asks a node that came back what it remembers, with messages that peers might send. It ends the
//! history, because some of them say what no peer ever said.

use clocks::Duration;
use raft_core::{
    Append, Body, Entries, EntryId, LogIndex, PreVote, Round, Term, Vote, VoteReply, wire,
};

use super::duty::Duty;
use super::rig::Input;
use super::stage::{Stage, node};
use super::witness::Seen;

impl Stage<'_> {
    /// Whether the node remembers what it promised.
    pub(super) fn interrogate(&mut self) -> Seen {
        let application = self.rig.application();
        // What it knows to be committed may be more than it ever said.
        let state = self.witness.on_applied(application);
        // Long after it heard a leader, so that it considers other candidates.
        self.now = self.now.saturating_add(Duration::from_millis(5_000));
        self.rig.handle(Input::Time, self.now);
        for peer in 1..3 {
            self.take_answers(peer);
        }
        self.ask_term()?;
        self.ask_votes()?;
        self.ask_entries()?;
        state
    }

    fn check_terms(&mut self, answers: &[Vec<u8>]) -> Result<Term, (Duty, String)> {
        let mut latest = Term::ZERO;
        for answer in answers {
            let Ok(message) = wire::decode(answer) else {
                continue;
            };
            latest = latest.max(message.term);
            if message.term < self.witness.term {
                return Err((
                    Duty::KeepTerm,
                    format!(
                        "it spoke in term {}, and after the restart in term {}",
                        self.witness.term, message.term
                    ),
                ));
            }
        }
        Ok(latest)
    }

    fn ask_term(&mut self) -> Seen {
        let request = PreVote {
            last: EntryId::ZERO,
            attempt: 1,
        };
        let answers = self.ask(1, Term::new(1), Body::PreVote(request));
        self.check_terms(&answers).map(drop)
    }

    /// Asks for the vote of each term in which it went to another.
    fn ask_votes(&mut self) -> Seen {
        let votes: Vec<_> = self.witness.votes.clone().into_iter().collect();
        for (term, first) in votes {
            for candidate in (1..3).filter(|who| node(*who) != first) {
                // With a log that is surely as up to date as that of the node.
                let last = EntryId::new(LogIndex::new(1 << 20), term);
                let request = Vote {
                    last,
                    is_transfer: false,
                };
                for answer in self.ask(candidate, term, Body::Vote(request)) {
                    let Ok(message) = wire::decode(&answer) else {
                        continue;
                    };
                    let granted = Body::VoteReply(VoteReply { is_granted: true });
                    if message.term == term && message.body == granted {
                        return Err((
                            Duty::KeepVote,
                            format!(
                                "in term {term} it voted for node {first}, and after the restart \
                                 for node {}",
                                node(candidate)
                            ),
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    /// Claims to lead a later term, and asks whether the node has what it promised.
    fn ask_entries(&mut self) -> Seen {
        let promised = self.witness.promised();
        if promised == EntryId::ZERO {
            return Ok(());
        }
        let term = Term::new(self.witness.term.value() + 100);
        let (verified, _) = self.probe(term, promised)?;
        if verified < promised.index {
            return Err(self.forgotten(term, promised));
        }
        let application = self.rig.application();
        let expected = self.witness.digest(promised);
        if expected.is_some_and(|expected| expected != application.digest) {
            return Err((
                Duty::ApplyCommands,
                format!(
                    "given that everything up to entry {} is committed, its state machine has \
                     another content than these entries make",
                    promised.index
                ),
            ));
        }
        Ok(())
    }

    fn probe(&mut self, term: Term, prev: EntryId) -> Result<(LogIndex, Term), (Duty, String)> {
        let heartbeat = Append {
            prev,
            commit: prev.index,
            round: Round::ZERO,
            entries: Entries::EMPTY,
        };
        let mut answers = self.ask(1, term, Body::Append(heartbeat));
        for _ in 0..5 {
            for answer in &answers {
                let Ok(message) = wire::decode(answer) else {
                    continue;
                };
                if let Body::Ack(ack) = message.body
                    && message.term == term
                {
                    return Ok((ack.verified, message.term));
                }
            }
            self.now = self.now.saturating_add(Duration::from_millis(1));
            self.rig.handle(Input::Time, self.now);
            answers = self.take_answers(1);
        }
        Err((
            Duty::ComeBack,
            "after the restart it does not answer a leader".into(),
        ))
    }

    fn forgotten(&mut self, term: Term, promised: EntryId) -> (Duty, String) {
        for (place, old) in self.witness.rivals(promised).into_iter().enumerate() {
            let later = Term::new(term.value() + 1 + place as u32);
            let found = self.probe(later, old);
            if found.is_ok_and(|(verified, _)| verified >= old.index) {
                return (
                    Duty::KeepTruncation,
                    format!(
                        "entry {} of term {} is back, in the place of entry {} of term {}, which \
                         was acknowledged",
                        old.index, old.term, promised.index, promised.term
                    ),
                );
            }
        }
        (
            Duty::KeepEntries,
            format!(
                "it acknowledged or applied entry {} of term {}, and after the restart it has it \
                 no more",
                promised.index, promised.term
            ),
        )
    }
}
