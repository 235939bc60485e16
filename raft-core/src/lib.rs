#![no_std]
#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

pub mod canonical;
mod config;
mod configuration;
mod durable;
mod entry;
pub mod error;
mod event;
mod flight;
mod hollow;
mod lend;
mod message;
mod node;
mod progress;
mod raft;
mod read;
pub mod session;
mod slot;
mod snapshot;
#[cfg(feature = "status")]
pub mod status;
mod types;
mod window;
pub mod wire;

pub use config::{Config, ConfigBuilder, PRIORITY_MAX};
pub use configuration::{Change, Seat, Standing};
pub use durable::{HardState, RECORD_HEADER_BYTES_MAX, Snapshot, Ticket, Write};
pub use entry::{ENTRY_HEADER_BYTES, Entries, Entry, EntryIter, EntryKind, PAYLOAD_BYTES_MAX};
pub use error::Fault;
pub use event::{DropReason, Event};
pub use flight::InFlight;
pub use hollow::{HollowEntries, HollowIter, HollowRun};
pub use lend::Fetch;
pub use message::{
    Ack, Append, Body, Broadcast, Chunk, ChunkAck, ChunkData, Hollow, Message, PreVote,
    PreVoteReply, Quiet, QuietReply, ReadReply, ReadRequest, Reject, Transmit, Vote, VoteReply,
};
pub use node::RoleName as Role;
pub use node::outlet::{Outgoing, Ready, Wanted};
pub use node::poll::Committed;
pub use node::recover::Survivor;
pub use node::restore::Recovered;
pub use progress::{CatchingUp, MemberProgress};
pub use raft::{Raft, Status};
pub use read::{ReadFailure, ReadOutcome, ReadTicket};
pub use snapshot::{Piece, Receipt};
pub use types::{EntryId, GroupId, Identity, Incarnation, LogIndex, Round, Term};
