//! `raft-core` of this workspace.

use crate::contender::Registered;

/// Replication.
pub(crate) const CONTENDERS: &[Registered] = &[];

/// A heartbeat round.
pub(crate) const HEARTBEATS: &[Registered] = &[];

/// An election with pre-vote, until the new leader's entry is committed everywhere.
pub(crate) const ELECTIONS: &[Registered] = &[];
