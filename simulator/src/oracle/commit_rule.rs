//! What may raise a commit, `[Ongaro14 §3.6.2]` and `[Ongaro14 §3.5]`.
//!
//! A leader counts copies only of entries of its own term; older ones are committed with them.
//! A follower commits what the leader says is committed, as far as the same message verified the
//! log: what lies beyond may still be another leader's.

use raft_core::{Append, Hollow, LogIndex, Role, Term};

use super::view::View;
use super::words::words;
use crate::world::swarm::HOSTS_MAX;

/// What a machine was given in a step, as far as it may raise the commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Cause {
    /// Nothing of a leader: only counting copies can raise it.
    #[default]
    None,
    /// The leader says that entries up to here are committed, and the message covers them.
    Told(LogIndex),
}

/// Remembers the cause of the step that is going on, for each host.
#[derive(Clone, Debug, Default)]
pub(super) struct CommitRule {
    causes: [Cause; HOSTS_MAX],
}

impl CommitRule {
    /// The next change of the host comes from this.
    pub(super) fn on_told(&mut self, host: usize, index: LogIndex) {
        self.causes[host] = Cause::Told(index);
    }

    /// The cause of the change that is looked at now.
    pub(super) fn take(&mut self, host: usize) -> Cause {
        std::mem::take(&mut self.causes[host])
    }
}

/// Up to where an append lets a follower commit.
pub(super) fn bound(append: &Append<'_>) -> LogIndex {
    let count = append.entries.iter(append.prev.index.next()).count() as u64;
    append.commit.min(append.prev.index.plus(count))
}

/// The same for a witness.
pub(super) fn bound_of_hollow(hollow: &Hollow<'_>) -> LogIndex {
    let count = hollow.entries.count();
    hollow.commit.min(hollow.prev.index.plus(count))
}

/// A machine raised its commit to an entry of this term.
pub(super) fn check(
    host: usize,
    before: &View,
    after: &View,
    cause: Cause,
    term: Option<Term>,
) -> Result<(), String> {
    let (host, commit) = (host + 1, after.commit);
    match cause {
        Cause::Told(bound) if commit <= bound => Ok(()),
        Cause::Told(bound) => Err(words!(
            "host {host} raises its commit to {commit}; the leader's message covers {bound}"
        )),
        Cause::None if before.role != Role::Leader => Err(words!(
            "host {host}, a {:?}, raises its commit to {commit}, and no leader told it to",
            before.role
        )),
        Cause::None if term == Some(before.hard.term) => Ok(()),
        Cause::None => Err(words!(
            "host {host} leads term {} and commits entry {commit} of term {term:?} by counting",
            before.hard.term
        )),
    }
}

#[cfg(test)]
mod tests {
    use raft_core::HardState;

    use super::*;

    fn view(role: Role, commit: u64) -> View {
        View {
            role,
            commit: LogIndex::new(commit),
            hard: HardState {
                term: Term::new(4),
                vote: None,
            },
            ..View::default()
        }
    }

    #[test]
    fn figure_8_is_refused() {
        let (before, after) = (view(Role::Leader, 1), view(Role::Leader, 2));
        let of = |term| check(0, &before, &after, Cause::None, Some(Term::new(term)));
        assert!(of(4).is_ok());
        assert!(of(2).is_err());
    }

    #[test]
    fn a_follower_commits_what_it_was_told_and_shown() {
        let (before, after) = (view(Role::Follower, 1), view(Role::Follower, 5));
        let told = |index| {
            let cause = Cause::Told(LogIndex::new(index));
            check(0, &before, &after, cause, Some(Term::new(2)))
        };
        assert!(told(5).is_ok() && told(6).is_ok() && told(4).is_err());
        assert!(check(0, &before, &after, Cause::None, Some(Term::new(4))).is_err());
    }
}
