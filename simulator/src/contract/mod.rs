//! The storage contract, as something that can be run: examines a driver and its medium.
//!
//! Raft forgets nothing only if the driver beneath it does not. Most failures of consensus
//! systems sit there: a message that leaves before its write, a sync whose error is passed over,
//! a torn record that is read as a whole one, a rename that the directory never heard of. A
//! document that lists the duties finds none of them, and a test on a sound file system neither,
//! because such a system never forgets.
//!
//! The idea: the driver is put into a group of honest peers, and its power is cut in the middle of
//! *every* operation of its medium, with *every* outcome that the medium allows. Then it is
//! started again and asked: for the vote that it gave, the term it spoke in, the entries it
//! acknowledged. It is judged by what left it and what comes back, never by what it says of
//! itself, so any driver can be examined, in any style, on any medium:
//!
//! - implement [`Rig`] for the driver as it is, or [`Store`] for its journal alone (then
//!   [`Driver`] is the loop around it);
//! - run it on [`Files`], on a [`Flash`], or on a [`Medium`] of one's own;
//! - call [`examine`]. A [`Breach`] says which [`Duty`] was not done, what was seen, and where;
//!   [`replay`] goes there again.
//!
//! [`Journal`] is a store that keeps the contract, and an example of one. A [`Flaw`] breaks it in
//! one place; `tests/contract.rs` shows that each is found.
//!
//! # Bounds
//!
//! Histories are those of one node under test among three; at most one power cut (and one in the
//! restart after it), one failed operation or one flipped bit in each. Cuts are at borders of
//! operations and inside one of them; a medium that reorders is tried with every subset of up to
//! six operations, beyond that with prefixes.
//!
//! # What it does not do
//!
//! Two processes on one medium, a medium that lies about syncs (nothing can be built on that), and
//! damage of the latest record where the driver says that it cannot tell it from a torn one.
//! Whether a *damaged* node is brought back in the right way is an operator's affair: remove the
//! life that lost something, wait until that is committed, wipe, join anew.
//!
#![doc = include_str!("../../../docs/contract.md")]

mod application;
mod ask;
mod driver;
mod duty;
mod examine;
mod files;
mod flash;
mod flaw;
mod history;
mod journal;
mod medium;
mod power;
mod rig;
mod stage;
mod witness;

pub use application::{Application, checksum};
pub use driver::{Driver, Machine, Store};
pub use duty::{Blow, Breach, Duty, Point};
pub use examine::{Options, Report, examine, replay};
pub use files::Files;
pub use flash::Flash;
pub use flaw::Flaw;
pub use history::History;
pub use journal::Journal;
pub use medium::{Failed, Fate, Fault, Medium, Rest, Torn, cuts};
pub use rig::{Begin, FRAME_BYTES_MAX, Input, MEMBERS_MAX, Refusal, Rig, WINDOW_BYTES};
