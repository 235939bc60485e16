#![forbid(unsafe_code)]
#![doc = include_str!("../README.md")]

pub mod contract;
pub mod crash_points;
pub mod determinism;
pub mod draw;
pub mod figures;
pub mod guide;
pub mod hostile;
pub mod linear;
pub mod model;
pub mod museum;
pub mod oracle;
mod run;
pub mod scenario;
pub mod search;
pub mod stage;
pub mod topology;
pub mod world;

pub use oracle::{Bench, Oracle, Violation};
pub use run::{History, report, run, run_in};
pub use world::sabotage::Sabotage;
pub use world::{Options, World};
