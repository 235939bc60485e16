//! What the tester asks of a driver under test.

use core::fmt;

use clocks::Instant;
use quorum::NodeId;
use raft_core::error::RestoreError;
use raft_core::{GroupId, Identity};

use super::application::Application;
use super::medium::Medium;

/// The most members of a configuration in a tester's group.
pub const MEMBERS_MAX: usize = 5;
/// The longest frame that its transport takes.
pub const FRAME_BYTES_MAX: usize = 256;
/// Bytes of each log window.
pub const WINDOW_BYTES: usize = 16 * 1024;

/// One node as an embedder drives it, on the medium that he gives it.
///
/// After each of [`begin`](Rig::begin), [`restart`](Rig::restart) and [`handle`](Rig::handle) the
/// driver does what it does after every input: persist, transmit, apply. When power fails half
/// way ([`Medium::is_powered`]) nothing leaves any more, and the next call is `restart`. The
/// machine's settings: election timeout 100 to 200 ms, heartbeat 20 ms, frames of
/// [`FRAME_BYTES_MAX`], a window of [`WINDOW_BYTES`].
pub trait Rig {
    /// Makes a new node on an empty medium and starts it: the founder of a group, or one that
    /// waits to be let in.
    ///
    /// # Errors
    ///
    /// [`Refusal`], if power failed or the medium did.
    fn begin(&mut self, begin: Begin, now: Instant) -> Result<(), Refusal>;

    /// Starts the node with what the medium holds. Whatever was in memory is gone.
    ///
    /// # Errors
    ///
    /// [`Refusal`]: why it does not start.
    fn restart(&mut self, seed: u64, now: Instant) -> Result<(), Refusal>;

    /// Something happened. A node that is down does nothing.
    fn handle(&mut self, input: Input<'_>, now: Instant);

    /// The next frame that left, oldest first.
    fn take_sent(&mut self) -> Option<(NodeId, Vec<u8>)>;

    /// Whether the node runs. A driver may give up after a failure of its medium; it is started
    /// again then.
    fn is_up(&self) -> bool;

    /// Which life of which node it is, and of which group; none before it began.
    fn identity(&self) -> Option<(GroupId, Identity)>;

    /// When it wants to be given [`Input::Time`].
    fn deadline(&self) -> Option<Instant>;

    /// The state machine, as far as it was given commands.
    fn application(&self) -> Application;

    /// Its medium.
    fn medium(&mut self) -> &mut dyn Medium;
}

/// How a node comes into being.
#[derive(Clone, Copy, Debug)]
pub struct Begin {
    /// Its name.
    pub node: NodeId,
    /// The group that it waits to be let into; the founder has none.
    pub group: Option<GroupId>,
    /// Differs at every start.
    pub seed: u64,
}

/// Something happened to a node.
#[derive(Clone, Copy, Debug)]
pub enum Input<'a> {
    /// A frame arrived.
    Frame(NodeId, &'a [u8]),
    /// Time has passed.
    Time,
    /// The application proposes a command; in vain if the node does not lead.
    Propose(&'a [u8]),
    /// The operator lets these nodes in as voters; in vain if the node does not lead.
    Admit(&'a [Identity]),
    /// The application compacts the log up to what is applied.
    Compact,
}

/// Why a node does not start from its medium.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// There is nothing on it.
    Empty,
    /// A record is damaged, foreign or out of order.
    Damaged(String),
    /// The snapshot that a record names is missing or damaged.
    Snapshot(String),
    /// The medium cannot be read or written now.
    Unusable(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Empty => f.write_str("the medium is empty"),
            Refusal::Damaged(what) => write!(f, "damaged: {what}"),
            Refusal::Snapshot(what) => write!(f, "no snapshot: {what}"),
            Refusal::Unusable(what) => write!(f, "unusable: {what}"),
        }
    }
}

impl core::error::Error for Refusal {}

impl From<RestoreError> for Refusal {
    fn from(error: RestoreError) -> Self {
        match error {
            RestoreError::NoBeginning => Refusal::Empty,
            _ => Refusal::Damaged(error.to_string()),
        }
    }
}
