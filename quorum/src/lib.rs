#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![doc = include_str!("../README.md")]

#[cfg(feature = "defmt")]
mod defmt;
mod joint;
mod majority;
mod member;
mod node_id;
mod outcome;
#[cfg(feature = "serde")]
mod serde;
mod set;

pub use joint::Joint;
pub use majority::Majority;
pub use member::Member;
pub use node_id::NodeId;
pub use outcome::Outcome;
pub use set::{MemberSet, Members};
