//! The `kv` command: founds a group of key-value servers, joins one, runs a node, and demonstrates.

#![forbid(unsafe_code)]

use core::net::SocketAddr;
use core::time::Duration;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::{Args, Parser, Subcommand};

/// A replicated key-value server that speaks the Redis protocol.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Found a group: make the data directory of its first node.
    Init(Place),
    /// Join a group: make the data directory of a new node and ask the group to add it.
    Join {
        #[command(flatten)]
        place: Place,
        /// Where any member of the group serves clients.
        #[arg(long, value_name = "ADDRESS")]
        member: SocketAddr,
    },
    /// Run a node that has a data directory.
    Serve {
        /// The data directory, as `init` or `join` made it.
        #[arg(long, value_name = "DIRECTORY")]
        dir: PathBuf,
        /// End when the standard input is closed.
        #[arg(long, hide = true)]
        exit_with_stdin: bool,
    },
    /// Start three nodes, write to them while their leaders are killed, and check that nothing is lost.
    Demo(Demo),
}

#[derive(Debug, Args)]
struct Place {
    /// The data directory; it must not exist or be empty.
    #[arg(long, value_name = "DIRECTORY")]
    dir: PathBuf,
    /// The node's id, which no other node of the group has.
    #[arg(long)]
    id: u64,
    /// Where to serve clients.
    #[arg(long, value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Where to listen for the other nodes.
    #[arg(long, value_name = "ADDRESS")]
    peer_listen: SocketAddr,
}

#[derive(Debug, Args)]
struct Demo {
    /// Write the lines of this file instead of those of the Markdown files around.
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,
    /// Write at least so many lines.
    #[arg(long, default_value_t = 200_000)]
    writes: usize,
    /// Write for at least so many seconds.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Connections to write over.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1000))]
    connections: u16,
    /// Writes in flight on each connection.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    in_flight: u16,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info")),
        )
        .with_writer(std::io::stderr)
        .init();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("kv: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(arguments.command)) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("kv: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Init(_) | Command::Join { .. } | Command::Serve { .. } => bail!("not yet"),
        Command::Demo(demo) => {
            let options = kv::demo::Options {
                input: demo.input,
                writes_min: demo.writes,
                time_min: Duration::from_secs(demo.seconds),
                connections: demo.connections.into(),
                window: demo.in_flight.into(),
            };
            match kv::demo::run(&options).await? {
                true => Ok(ExitCode::SUCCESS),
                false => Ok(ExitCode::FAILURE),
            }
        }
    }
}
