//! The crate against a model that counts on its fingers.

mod agreement;
mod joint;
mod majority;
mod model;
#[cfg(feature = "serde")]
mod serde;
mod set;
