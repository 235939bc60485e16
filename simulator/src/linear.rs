//! Linearizability: do the answers that clients got agree with one order of all operations, in
//! which each stands between its call and its end, `[Herlihy90]`?
//!
//! *Problem.* An oracle that knows the log can compare indexes, and does so in the large worlds
//! ([`crate::oracle`]). But it trusts that answers belong to indexes, and knows nothing of a
//! history without one. *Idea that fails.* Trying every order takes forever from some ten
//! operations on ([`brute`]). *Idea that works* ([`search`]). Go through the orders depth first,
//! as `[Wing93]`, never continue twice from the same set of operations and the same value, as
//! `[Lowe17]`, and do so for each register alone, because a history is linearizable exactly if
//! it is so for each object (locality, `[Herlihy90 §3.1]`).
//!
//! An operation without an end has an unknown outcome: its client stopped waiting. It may have
//! taken effect at any time since its call, once, or never.
//!
//! *Bounds.* The time is exponential in how many operations overlap, so the search takes a number
//! of steps and may end undecided.

pub mod brute;
pub mod random;
pub mod search;
pub mod text;

/// What an operation did to its register, whose first value is 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Action {
    /// Wrote this value.
    Write(u64),
    /// Read this value.
    Read(u64),
    /// Found `from`, and wrote `to` in its place.
    Swap {
        /// The value that was there.
        from: u64,
        /// The value that is there now.
        to: u64,
    },
    /// Wanted to replace this value and found another, so changed nothing.
    SwapFailed(u64),
}

impl Action {
    /// The value after this, if it can happen to a register with this value.
    pub const fn apply(self, value: u64) -> Option<u64> {
        match self {
            Action::Write(written) => Some(written),
            Action::Read(seen) if seen == value => Some(value),
            Action::Swap { from, to } if from == value => Some(to),
            Action::SwapFailed(wanted) if wanted != value => Some(value),
            Action::Read(_) | Action::Swap { .. } | Action::SwapFailed(_) => None,
        }
    }
}

/// One operation of a client.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Operation {
    /// The register.
    pub key: u32,
    /// What it did, as far as its client knows; without an end, what it wanted to do.
    pub action: Action,
    /// When it was called.
    pub call: u64,
    /// When it was answered; `None` if that is not known.
    pub end: Option<u64>,
}

impl Operation {
    /// Whether this was over before the other began.
    pub fn is_before(&self, other: &Operation) -> bool {
        self.end.is_some_and(|end| end < other.call)
    }
}

/// What became of a check.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// There is an order.
    Linearizable,
    /// There is none for the operations on this register.
    Contradiction {
        /// Which register.
        key: u32,
    },
    /// The steps were used up.
    Undecided,
}
