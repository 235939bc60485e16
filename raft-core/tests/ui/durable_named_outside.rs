//! Nobody outside the one private module can even name what is durable.

use raft_core::durable::Durable;

fn main() {
    let _ = Durable(1);
}
