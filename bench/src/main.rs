//! The family beside its peers and beside the floor, in one run.
//!
//! `cargo run --release -p bench -- --instructions` prints every table of the README of this crate; that page says
//! how each figure comes about.

mod alloc;
mod consensus;
mod contender;
mod flatness;
mod floor;
mod measure;
mod omni;
mod ours;
mod raft_rs;
mod table;

use std::io;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::consensus::Selection;
use crate::contender::Load;
use crate::measure::{Effort, has_valgrind};

#[derive(Parser)]
#[command(
    about = "The family beside its peers and beside the floor, in one run",
    args_conflicts_with_subcommands = true
)]
struct Cli {
    #[command(subcommand)]
    suite: Option<Suite>,
    #[command(flatten)]
    options: Options,
}

#[derive(Subcommand)]
enum Suite {
    /// Replicated logs: what an entry, a heartbeat round and an election cost the whole cluster (the default)
    Consensus(Options),
    /// What the next entry costs after histories of all lengths, and with windows of all fills
    Flatness,
    /// One cell, run and verified without measuring: what is started under callgrind
    #[command(hide = true)]
    Cell(CellArgs),
}

#[derive(Args, Clone)]
struct Options {
    /// Three nodes and 16-byte entries only, short runs
    #[arg(long)]
    quick: bool,
    /// Count instructions too (needs valgrind; takes minutes)
    #[arg(long)]
    instructions: bool,
    /// Only peers whose name contains this; may be given several times
    #[arg(long, value_name = "PART")]
    only: Vec<String>,
    /// Runs of each cell
    #[arg(long, default_value_t = 11, value_name = "ODD")]
    repeats: usize,
}

#[derive(Args)]
struct CellArgs {
    group: String,
    name: String,
    members: usize,
    payload_bytes: usize,
    window: usize,
    batches: usize,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.suite {
        None => consensus(cli.options),
        Some(Suite::Consensus(options)) => consensus(options),
        Some(Suite::Flatness) => flatness::run(),
        Some(Suite::Cell(cell)) => run_cell(&cell),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn consensus(options: Options) -> io::Result<()> {
    let countable = options.instructions && has_valgrind();
    if options.instructions && !countable {
        eprintln!(
            "Instructions are not counted: valgrind is missing (on Debian: apt-get install valgrind)."
        );
    }
    consensus::run(&Selection {
        quick: options.quick,
        instructions: countable,
        only: options.only,
        effort: Effort {
            repeats: options.repeats.max(1) | 1,
            run_nanos: if options.quick { 5_000_000 } else { 20_000_000 },
        },
    })
}

fn run_cell(cell: &CellArgs) -> io::Result<()> {
    let Some(contender) = consensus::find(&cell.group, &cell.name) else {
        return Err(io::Error::other(format!(
            "no contender `{}` in `{}`",
            cell.name, cell.group
        )));
    };
    let mut cluster = (contender.build)(Load {
        members: cell.members,
        payload_bytes: cell.payload_bytes,
        window: cell.window,
    });
    cluster.run(cell.batches);
    cluster.verify(cell.batches);
    Ok(())
}
