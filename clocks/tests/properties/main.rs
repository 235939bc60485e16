//! The crate against models with unlimited numbers and ordered maps.

mod instant;
mod jitter;
#[cfg(feature = "serde")]
mod serde;
mod tick;
mod timer;
