//! What the driver does for members that need entries of before the window.

use clocks::Instant;
use raft_core::Ready;
use raft_core::error::LendError;

use crate::oracle::words::words;
use crate::oracle::{Oracle, Violation};
use crate::world::World;
use crate::world::host::host_of;
use crate::world::stats::Count;

impl World {
    /// Lends what members need of the archive, or declines. Whoever cannot be sent to now gets it
    /// with the next heartbeat.
    pub(crate) fn lend(
        &mut self,
        number: usize,
        local: Instant,
        ready: Ready<'_>,
    ) -> Result<(), Violation> {
        if !self.hosts[number].archive.is_kept() {
            return Ok(());
        }
        while self.lend_one(number, local, ready)? {}
        Ok(())
    }

    #[inline(never)]
    fn lend_one(
        &mut self,
        number: usize,
        local: Instant,
        ready: Ready<'_>,
    ) -> Result<bool, Violation> {
        let host = &mut self.hosts[number];
        let Some(raft) = host.raft.as_mut() else {
            return Ok(false);
        };
        let Some(fetch) = raft.poll_fetch() else {
            return Ok(false);
        };
        let is_busy = match ready {
            Ready::All => false,
            Ready::Only(nodes) => !nodes.contains(&fetch.to()),
            Ready::Except(nodes) => nodes.contains(&fetch.to()),
        };
        let to = host_of(fetch.to()).filter(|to| *to < self.swarm.hosts);
        let Some(to) = to.filter(|_| !is_busy) else {
            return Ok(true);
        };
        let kept = host
            .archive
            .after(fetch.after(), fetch.last(), fetch.bytes_max());
        let Some((prev, entries)) = kept else {
            raft.decline(&fetch);
            self.stats.add(Count::LoanDeclined);
            // The first piece of the snapshot.
            return self.transmit_one(number, local, ready).map(|_| true);
        };
        let lent = raft.lend(local, &fetch, prev, entries);
        let refused = match lent {
            Ok(transmit) => {
                self.stats.add(Count::Loan);
                let encoded = raft_core::wire::encode(&transmit.message, &mut self.frame);
                match encoded.map(<[u8]>::len) {
                    Ok(len) => {
                        let _ = self.put_frame(number, to, len)?;
                        return Ok(true);
                    }
                    Err(error) => words!("host {} lends what does not fit: {error}", number + 1),
                }
            }
            // One entry may be longer than a frame of this leader.
            Err(LendError::TooLong { .. }) => {
                raft.decline(&fetch);
                return Ok(true);
            }
            Err(error) => {
                raft.decline(&fetch);
                words!("host {} is refused what it keeps: {error}", number + 1)
            }
        };
        if self.traitor.is_none() {
            self.judge(Oracle::Invariants, Err(refused))?;
        }
        Ok(true)
    }
}
