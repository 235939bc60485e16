//! A replicated key-value server that speaks the Redis protocol.
//!
//! Three or more of these processes hold one map between them. Clients talk to any of them as to a Redis
//! Cluster; a write is acknowledged once a majority has it on disk and it has been applied; a read sees
//! every write acknowledged before it began. The processes agree through `raft-core`, and what this crate
//! adds is everything around it:
//!
//! ```text
//! client ── RESP ──▶ resp::decode ─▶ command ─▶ operation ──▶ raft log ──▶ store ─▶ answer ── RESP ──▶ client
//!                                       └── session, slots: answered from what this node knows
//! ```
//!
//! The modules along that line are pure: bytes in, bytes out, no clock and no socket. [`demo`] is a client
//! that streams writes at such a group while it kills its leaders, and checks that nothing was lost.

#![forbid(unsafe_code)]

pub mod access;
pub mod answer;
pub mod command;
pub mod complaints;
pub mod connection;
pub mod demo;
pub mod engine;
pub mod files;
pub mod http;
pub mod info;
pub mod metrics;
pub mod node;
pub mod operation;
pub mod outbox;
pub mod overview;
pub mod port;
pub mod protection;
pub mod resp;
pub mod server;
pub mod session;
pub mod setup;
pub mod shutdown;
pub mod slots;
pub mod storage;
pub mod store;
pub mod stream;
pub mod timestamp;
pub mod tls;
pub mod transport;
pub mod watch;
