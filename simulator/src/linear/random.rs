//! Tiny histories drawn at random: few values and short times, so that about half of them can be
//! explained and half cannot.

use super::{Action, Operation};
use crate::world::random::Random;

/// Draws a history of one to five operations on one or two registers.
pub fn tiny(random: &mut Random, history: &mut Vec<Operation>) {
    history.clear();
    let len = random.between(1, 5);
    let keys = random.between(1, 2);
    let has_swaps = random.chance(300);
    for _ in 0..len {
        let value = random.below(3);
        let action = match random.below(if has_swaps { 6 } else { 4 }) {
            0 | 1 => Action::Write(value),
            2 | 3 => Action::Read(value),
            4 => Action::Swap {
                from: value,
                to: random.below(3),
            },
            _ => Action::SwapFailed(value),
        };
        let call = random.below(8);
        let is_known = random.chance(850);
        history.push(Operation {
            key: random.below(keys) as u32,
            action,
            call,
            end: is_known.then(|| call + random.below(4)),
        });
    }
}
