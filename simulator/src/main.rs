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
    /// Compares each seed with itself, and prints one hash of many for other builds to compare.
    Determinism(command::determinism::Arguments),
    /// Crashes scripted histories at every persist boundary, on every node and on pairs.
    CrashPoints(command::crash_points::Arguments),
    /// Runs groups through simulated storms, one history per seed, and checks every step.
    Histories(command::histories::Arguments),
    /// Forks worlds where something new happens, and goes on from there.
    Explore(command::explore::Arguments),
    /// Tells one machine everything that nobody would say, and checks the rules that it keeps alone.
    Hostile(command::hostile::Arguments),
    /// Compares the checker of client histories with one that tries every order.
    Linear(command::linear::Arguments),
    /// Lets one checker look for anything that is wrong, as the bug museum does with each mutant.
    Museum(command::museum::Arguments),
    /// Adds up what the slices of a campaign reported.
    Report(command::report::Arguments),
    /// Makes the history of a failing seed short.
    Shrink(command::shrink::Arguments),
    /// Runs groups on every link graph of three, four and five nodes.
    Topologies(command::topologies::Arguments),
    /// Explores every state of small worlds that run the shipping code.
    Search(command::search::Arguments),
}

fn main() -> ExitCode {
    match Arguments::parse().word {
        Word::Draw(arguments) => command::draw::main(&arguments),
        Word::Replay(arguments) => command::replay::main(&arguments),
        Word::Determinism(arguments) => command::determinism::main(&arguments),
        Word::CrashPoints(arguments) => command::crash_points::main(&arguments),
        Word::Histories(arguments) => command::histories::main(&arguments),
        Word::Explore(arguments) => command::explore::main(&arguments),
        Word::Hostile(arguments) => command::hostile::main(&arguments),
        Word::Linear(arguments) => command::linear::main(&arguments),
        Word::Museum(arguments) => command::museum::main(&arguments),
        Word::Report(arguments) => command::report::main(&arguments),
        Word::Shrink(arguments) => command::shrink::main(&arguments),
        Word::Topologies(arguments) => command::topologies::main(&arguments),
        Word::Search(arguments) => command::search::main(&arguments),
    }
}
