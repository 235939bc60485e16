#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

pub mod draw;
pub mod figures;
pub mod oracle;
mod run;
pub mod scenario;
pub mod topology;
pub mod world;

pub use oracle::{Bench, Oracle, Violation};
pub use run::{History, report, run};
pub use world::sabotage::Sabotage;
pub use world::{Options, World};
