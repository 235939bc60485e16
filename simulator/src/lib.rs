#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

pub mod app;
pub mod chain;
pub mod clock;
pub mod disk;
mod driver;
mod faults;
pub mod host;
pub mod memory;
pub mod network;
pub mod oracle;
pub mod queue;
pub mod random;
mod run;
pub mod sabotage;
pub mod stats;
pub mod swarm;
pub mod trace;
mod workload;
pub mod world;

pub use oracle::{Bench, Oracle, Violation};
pub use run::{History, report, run};
pub use sabotage::Sabotage;
pub use world::{Options, World};
