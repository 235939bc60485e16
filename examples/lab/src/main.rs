//! Three experiments on simulated groups, in numbers and a picture: `cargo run --release -p lab -- --help`.

mod cap;
mod chart;
mod election;
mod eventual;
mod partition;
mod summary;

use clap::{Parser, Subcommand};

/// Lets groups of Raft nodes meet what a curriculum talks about, and measures what comes of it.
///
/// Nothing here is random: the same seeds give the same numbers on every machine. Time is simulated.
#[derive(Parser, Debug)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    word: Word,
}

#[derive(Subcommand, Debug)]
enum Word {
    /// The leader dies. How long until there is another one, over a sweep of network latencies?
    Election(election::Arguments),
    /// The leader is cut off with a minority. What does each side decide, and what becomes of it?
    Partition(partition::Arguments),
    /// The same work, with a quorum and with answers at once, under a partition: what is refused, what is stale?
    Cap(cap::Arguments),
}

fn main() -> anyhow::Result<()> {
    match Arguments::parse().word {
        Word::Election(arguments) => election::main(&arguments),
        Word::Partition(arguments) => partition::main(&arguments),
        Word::Cap(arguments) => cap::main(&arguments),
    }
}
