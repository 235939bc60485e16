//! The search for an order: depth first, register by register, never twice from the same place.

use std::collections::HashSet;

use super::{Action, Operation, Verdict};

/// Steps for one register, unless said otherwise.
pub const STEPS_MAX: u64 = 1_000_000;

/// Checks a history; each register may take so many steps.
pub fn check(history: &[Operation], steps_max: u64) -> Verdict {
    let mut keys: Vec<u32> = history.iter().map(|operation| operation.key).collect();
    keys.sort_unstable();
    keys.dedup();
    let mut verdict = Verdict::Linearizable;
    for key in keys {
        let of_key = history.iter().filter(|operation| operation.key == key);
        let operations = relevant(of_key.copied().collect());
        match Search::new(&operations).run(steps_max) {
            Some(true) => {}
            Some(false) => return Verdict::Contradiction { key },
            None => verdict = Verdict::Undecided,
        }
    }
    verdict
}

/// Leaves out what cannot matter, and orders the rest by its end: that is nearly the order in
/// which a sound system did it.
fn relevant(mut operations: Vec<Operation>) -> Vec<Operation> {
    let is_failure = |operation: &Operation| matches!(operation.action, Action::SwapFailed(_));
    let has_failures = operations.iter().any(is_failure);
    let mut seen: Vec<u64> = Vec::new();
    for operation in &operations {
        match operation.action {
            Action::Read(value) | Action::Swap { from: value, .. } => seen.push(value),
            Action::Write(_) | Action::SwapFailed(_) => {}
        }
    }
    seen.sort_unstable();
    // An unknown outcome that nobody saw may as well not have been. A failed swap could have seen
    // it without saying so.
    operations.retain(|operation| match (operation.end, operation.action) {
        (Some(_), _) | (None, Action::Swap { .. }) => true,
        (None, Action::Read(_) | Action::SwapFailed(_)) => false,
        (None, Action::Write(value)) => has_failures || seen.binary_search(&value).is_ok(),
    });
    operations.sort_by_key(|operation| (operation.end.unwrap_or(u64::MAX), operation.call));
    operations
}

/// One step of the order that is being tried.
#[derive(Clone, Copy, Debug)]
struct Step {
    /// The operation that was put there.
    place: usize,
    /// The value before it.
    value: u64,
}

#[derive(Debug)]
struct Search<'a> {
    operations: &'a [Operation],
    /// Which of them stand in the order so far, a bit each.
    done: Vec<u64>,
    /// The first that does not.
    first: usize,
    value: u64,
    order: Vec<Step>,
    visited: HashSet<(Box<[u64]>, u64)>,
}

impl<'a> Search<'a> {
    fn new(operations: &'a [Operation]) -> Self {
        Search {
            operations,
            done: vec![0; operations.len().div_ceil(64)],
            first: 0,
            value: 0,
            order: Vec::new(),
            visited: HashSet::new(),
        }
    }

    fn is_done(&self, place: usize) -> bool {
        self.done[place / 64] >> (place % 64) & 1 == 1
    }

    fn flip(&mut self, place: usize) {
        self.done[place / 64] ^= 1 << (place % 64);
    }

    /// Whether there is an order; `None` if the steps do not suffice to say.
    fn run(mut self, steps_max: u64) -> Option<bool> {
        let mut from = 0;
        let mut steps = 0;
        loop {
            while self.first < self.operations.len() && self.is_done(self.first) {
                self.first += 1;
            }
            // Those without an end come last, and need not be done at all.
            let Some(bound) = self.operations.get(self.first).map(|first| first.end) else {
                return Some(true);
            };
            let Some(bound) = bound else {
                return Some(true);
            };
            steps += 1;
            if steps > steps_max {
                return None;
            }
            match self.next(from.max(self.first), bound) {
                Some(step) => {
                    self.order.push(step);
                    from = 0;
                }
                None => {
                    let Some(last) = self.order.pop() else {
                        return Some(false);
                    };
                    self.flip(last.place);
                    self.value = last.value;
                    self.first = self.first.min(last.place);
                    from = last.place + 1;
                }
            }
        }
    }

    /// Puts the next operation in its place: one that no other must precede, that fits the value,
    /// and that leads to where the search has not been.
    fn next(&mut self, from: usize, bound: u64) -> Option<Step> {
        for place in from..self.operations.len() {
            let operation = &self.operations[place];
            if self.is_done(place) || operation.call > bound {
                continue;
            }
            let Some(value) = operation.action.apply(self.value) else {
                continue;
            };
            self.flip(place);
            if self.visited.insert((self.done.clone().into(), value)) {
                let before = std::mem::replace(&mut self.value, value);
                return Some(Step {
                    place,
                    value: before,
                });
            }
            self.flip(place);
        }
        None
    }
}
