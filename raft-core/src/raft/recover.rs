//! The public constructor for a group that has lost its majority.

use clocks::Instant;

use super::Raft;
use crate::config::Config;
use crate::error::RecoverError;
use crate::node::restore::Recovered;
use crate::types::LogIndex;

impl<B: AsRef<[u8]> + AsMut<[u8]>, const N: usize> Raft<B, N> {
    /// Goes on without the group when the majority of its voters is lost for good, machines and
    /// storage: founds a *new group*, of which this node is the only member, with the log and the
    /// snapshot that it holds. The others [`join`](Raft::join) it with empty storage. It keeps its
    /// name and incarnation; everything of the old group is a stranger's from now on, so a majority
    /// that comes back after all cannot commit beside the new one under the same name. It can still
    /// serve clients as the old one: keep it switched off.
    ///
    /// This is the operator's decision, and no machine takes it by itself.
    ///
    /// - **Lost** is whatever the old group committed and this node does not hold, acknowledged to
    ///   clients or not; what was read from it was read.
    /// - **Resurrected** is whatever this node holds: entries that were never committed, or that the
    ///   others have overwritten, are committed now, also those whose client was told nothing or
    ///   was told of a loss.
    /// - Ask every survivor for its [`survivor`](Recovered::survivor) first and recover one that
    ///   none of them [`is_better_than`](crate::Survivor::is_better_than): it lacks nothing
    ///   committed that any of them has. Recover no second one: that would be a second group.
    /// - Reads, tickets and leases of the old group are gone with it. Sessions of clients are part of
    ///   the state and stay, but for those whose registration is lost; a command that was lost is
    ///   executed when it is repeated, one that came back is not executed again. An incarnation that
    ///   was a member of the old group is a stranger to the new one.
    ///
    /// `applied`, `seed` and `now` are as in [`restore`](Raft::restore). Nothing is sent or delivered
    /// before the first write is stored; it begins anew, and older records may go then. A crash before
    /// leaves the node in the old group, as it was.
    ///
    /// # Errors
    ///
    /// [`RecoverError`]: nothing was stored.
    pub fn recover(
        config: Config,
        recovered: Recovered<B, N>,
        applied: LogIndex,
        seed: u64,
        now: Instant,
    ) -> Result<Self, RecoverError> {
        let (memory, node) = recovered.into_new_group(config, applied, seed, now)?;
        Ok(Raft { node, memory })
    }
}
