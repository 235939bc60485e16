#![no_std]
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![doc = include_str!("../README.md")]

mod duration;
mod instant;
mod jitter;
mod tick;
mod timer;

pub use duration::Duration;
pub use instant::Instant;
pub use jitter::Jitter;
pub use tick::Tick32;
pub use timer::{TimerKey, TimerTable};
