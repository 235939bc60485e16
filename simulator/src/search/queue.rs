//! The states that are still to be expanded: first in, first out, in blocks, so that nothing is
//! copied when there are more and memory is given back as they are taken out.

use std::collections::VecDeque;

/// States in a block.
const BLOCK: usize = 1 << 12;

/// A queue of states.
pub(super) struct Queue<T> {
    blocks: VecDeque<Vec<T>>,
    /// How many of the first block were taken out.
    taken: usize,
    len: usize,
}

impl<T: Copy> Queue<T> {
    pub(super) fn new() -> Self {
        Queue {
            blocks: VecDeque::new(),
            taken: 0,
            len: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// How much memory it takes.
    pub(super) fn bytes(&self) -> u64 {
        (self.blocks.len() * BLOCK * size_of::<T>()) as u64
    }

    pub(super) fn push(&mut self, state: T) {
        if self.blocks.back().is_none_or(|block| block.len() == BLOCK) {
            self.blocks.push_back(Vec::with_capacity(BLOCK));
        }
        if let Some(block) = self.blocks.back_mut() {
            block.push(state);
            self.len += 1;
        }
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        let state = *self.blocks.front()?.get(self.taken)?;
        self.taken += 1;
        self.len -= 1;
        if self.taken == BLOCK {
            self.blocks.pop_front();
            self.taken = 0;
        }
        Some(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_first_leaves_first_and_gives_its_memory_back() {
        let mut queue = Queue::new();
        (0..3 * BLOCK).for_each(|n| queue.push(n));
        assert_eq!(queue.bytes(), (3 * BLOCK * size_of::<usize>()) as u64);
        for n in 0..3 * BLOCK {
            assert_eq!(queue.len(), 3 * BLOCK - n);
            assert_eq!(queue.pop(), Some(n));
        }
        assert_eq!((queue.pop(), queue.bytes()), (None, 0));
        queue.push(7);
        assert_eq!((queue.pop(), queue.pop()), (Some(7), None));
    }
}
