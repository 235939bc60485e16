//! The canonical form of a machine.

use super::Raft;
use crate::canonical::{Form, Names};

impl<B: AsRef<[u8]> + AsMut<[u8]>, const N: usize> Raft<B, N> {
    /// Writes the canonical form of this machine, word by word: machines in equal situations have
    /// equal forms, whatever their clocks and counters say, and whatever their nodes are called
    /// if `names` renames them. For state-space search, and for comparing machines that came by
    /// different ways. Work: O(members² + log window).
    ///
    /// ```
    /// # use clocks::{Duration, Instant};
    /// # use quorum::NodeId;
    /// use raft_core::canonical::AsTheyAre;
    /// use raft_core::{Config, Raft};
    ///
    /// let form = |now: Instant| {
    ///     let config = Config::builder(NodeId::new(1)).build().unwrap();
    ///     let raft = Raft::<_, 3>::found(config, vec![0; 4096], 7, now).unwrap();
    ///     let mut words = Vec::new();
    ///     raft.canonical(&AsTheyAre, &mut |word| words.push(word));
    ///     words
    /// };
    /// let later = Instant::ZERO.saturating_add(Duration::from_millis(5));
    /// assert_eq!(form(Instant::ZERO), form(later));
    /// ```
    pub fn canonical(&self, names: &dyn Names, word: &mut dyn FnMut(u64)) {
        let mut form = Form { names, word };
        self.view().canonical(self.memory.as_ref(), &mut form);
    }
}
