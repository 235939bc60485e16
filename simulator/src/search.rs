//! Exhaustive search: every reachable state of a small world, not a sample of a large one.
//!
//! - The engine: [`space`] (what can be explored), [`explore`] (breadth first).
//! - [`raft`]: the shipping code of `raft-core` as a space.

pub mod explore;
pub mod lasso;
mod queue;
pub mod raft;
mod seen;
pub mod space;
mod table;
pub mod textbook;
