//! The proof room's commands, one word each: `cargo run --release -p simulator -- --help`.

mod command;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Puts the machines of this family through everything that can happen to them.
#[derive(Parser, Debug)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    word: Word,
}

#[derive(Subcommand, Debug)]
enum Word {
    /// Draws a story, or the history of a seed.
    Draw(command::draw::Arguments),
    /// Plays a story, or a seed, and says how it ends.
    Replay(command::replay::Arguments),
    /// Runs groups through simulated storms, one history per seed, and checks every step.
    Histories(command::histories::Arguments),
    /// Adds up what the slices of a campaign reported.
    Report(command::report::Arguments),
    /// Makes the history of a failing seed short.
    Shrink(command::shrink::Arguments),
    /// Runs groups on every link graph of three, four and five nodes.
    Topologies(command::topologies::Arguments),
}

fn main() -> ExitCode {
    match Arguments::parse().word {
        Word::Draw(arguments) => command::draw::main(&arguments),
        Word::Replay(arguments) => command::replay::main(&arguments),
        Word::Histories(arguments) => command::histories::main(&arguments),
        Word::Report(arguments) => command::report::main(&arguments),
        Word::Shrink(arguments) => command::shrink::main(&arguments),
        Word::Topologies(arguments) => command::topologies::main(&arguments),
    }
}
