//! UDP
fn main() {}
