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
    /// Runs groups through simulated storms, one history per seed, and checks every step.
    Histories(command::histories::Arguments),
    /// Explores every state of small worlds that run the shipping code.
    Search(command::search::Arguments),
}

fn main() -> ExitCode {
    match Arguments::parse().word {
        Word::Histories(arguments) => command::histories::main(&arguments),
        Word::Search(arguments) => command::search::main(&arguments),
    }
}
