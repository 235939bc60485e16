//! What can be run, a module for each word.

pub(crate) mod draw;
pub(crate) mod histories;
pub(crate) mod replay;
pub(crate) mod report;
pub(crate) mod shrink;
pub(crate) mod topologies;
