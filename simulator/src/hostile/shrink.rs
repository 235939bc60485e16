//! From a failing episode to the few inputs that it takes.
//!
//! Steps are left out, half of them at first, then less and less, as long as the same rule is
//! still broken. What a step invents depends on seed, step and the machine's state alone, so that
//! a list of steps is a sequence of inputs.

use super::episode::{Failure, Manner, Stage};

/// A failure with the steps that are enough for it.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// The episode.
    pub seed: u64,
    /// The steps to take.
    pub keep: Vec<u32>,
    /// What they break.
    pub failure: Failure,
    /// Where it begins, and the inputs in words.
    pub lines: Vec<String>,
}

/// Shrinks the failure of a seed.
pub fn shrink(stage: &mut Stage, seed: u64, manner: &Manner, failure: Failure) -> Shrunk {
    let mut keep: Vec<u32> = (0..=failure.step).collect();
    let mut failure = failure;
    let mut size = keep.len().div_ceil(2);
    loop {
        let mut place = 0;
        let mut has_shrunk = false;
        while place < keep.len() {
            let end = (place + size).min(keep.len());
            let mut fewer = keep.clone();
            fewer.drain(place..end);
            match attempt(stage, seed, manner, &fewer) {
                Some(other) if other.broken.rule == failure.broken.rule => {
                    fewer.retain(|step| *step <= other.step);
                    (keep, failure, has_shrunk) = (fewer, other, true);
                }
                _ => place = end,
            }
        }
        if size == 1 && !has_shrunk {
            break;
        }
        size = size.div_ceil(2).max(1);
    }
    let told = Manner {
        keep: Some(keep.clone()),
        is_told: true,
        ..manner.clone()
    };
    let _ = stage.run(seed, &told);
    let mut lines = vec![stage.describe(seed)];
    lines.append(&mut stage.lines);
    Shrunk {
        seed,
        keep,
        failure,
        lines,
    }
}

fn attempt(stage: &mut Stage, seed: u64, manner: &Manner, keep: &[u32]) -> Option<Failure> {
    let fewer = Manner {
        keep: Some(keep.to_vec()),
        ..manner.clone()
    };
    stage.run(seed, &fewer).err()
}
