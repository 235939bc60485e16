//! There is no second way to what is durable.

use raft_core::Durable;

fn main() {
    let _: Option<Durable<u64>> = None;
}
