//! The `kv` command: founds a group of key-value servers, joins one, runs a node, and demonstrates.

#![forbid(unsafe_code)]

use core::net::SocketAddr;
use core::time::Duration;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::{Args, Parser, Subcommand};
use kv::access::Access;
use kv::overview;
use kv::protection::{Password, Protection, Trust};
use kv::server;
use kv::setup::{self, Settings};
use kv::tls::{self, Files};

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
    Init {
        #[command(flatten)]
        place: Place,
    },
    /// Join a group: make the data directory of a new node and ask the group to add it.
    Join {
        #[command(flatten)]
        place: Place,
        /// Where any member of the group serves clients.
        #[arg(long, value_name = "ADDRESS")]
        member: SocketAddr,
        #[command(flatten)]
        secret: Secret,
    },
    /// Run a node that has a data directory.
    Serve {
        /// The data directory, as `init` or `join` made it.
        #[arg(long, value_name = "DIRECTORY")]
        dir: PathBuf,
        /// Megabytes of log in memory; a snapshot is made when half of it is used.
        #[arg(long, value_name = "MEGABYTES", default_value_t = 64,
              value_parser = clap::value_parser!(u16).range(4..=2048))]
        window: u16,
        /// Where to serve `/metrics`, `/livez` and `/readyz` over HTTP.
        #[arg(long, value_name = "ADDRESS")]
        metrics: Option<SocketAddr>,
        /// Answer reads without asking the others, trusting that the clock of each member is wrong by at most so many
        /// millionths over a second. Give the same on all.
        #[arg(long, value_name = "MILLIONTHS", value_parser = clap::value_parser!(u32).range(0..1_000_000))]
        lease_drift: Option<u32>,
        #[command(flatten)]
        secret: Secret,
        #[command(flatten)]
        shield: Shield,
        /// End when the standard input is closed.
        #[arg(long, hide = true)]
        exit_with_stdin: bool,
    },
    /// Show all members of a group, what each says of itself and how far the leader sees it.
    Status {
        /// Where any member of the group serves clients.
        #[arg(long, value_name = "ADDRESS")]
        member: SocketAddr,
        #[command(flatten)]
        secret: Secret,
        /// The certificate of the group's authority, if connections are encrypted.
        #[arg(long, value_name = "FILE")]
        tls_ca: Option<PathBuf>,
        /// Say the password to other machines although it is not encrypted.
        #[arg(long)]
        insecure: bool,
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
    #[command(flatten)]
    shield: Shield,
}

impl Place {
    fn settings(&self) -> anyhow::Result<Settings> {
        let settings = Settings {
            id: self.id,
            listen: self.listen,
            peer_listen: self.peer_listen,
        };
        settings.check(&self.shield.protection())?;
        Ok(settings)
    }
}

#[derive(Debug, Args)]
struct Shield {
    /// The certificate of this node, in PEM: it names node-ID.kv and the addresses that clients use.
    #[arg(long, value_name = "FILE", requires_all = ["tls_key", "tls_ca"])]
    tls_cert: Option<PathBuf>,
    /// Its private key.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// The certificate of the authority that signs those of all nodes of the group, and nothing else.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_ca: Option<PathBuf>,
    /// Allow addresses that other machines reach without certificates, and without a password.
    #[arg(long)]
    insecure: bool,
}

impl Shield {
    fn protection(&self) -> Protection {
        let files = match (&self.tls_cert, &self.tls_key, &self.tls_ca) {
            (Some(certificate), Some(key), Some(authority)) => Some(Files {
                certificate: certificate.clone(),
                key: key.clone(),
                authority: authority.clone(),
            }),
            _ => None,
        };
        Protection {
            files,
            trust: trust(self.insecure),
        }
    }
}

fn trust(insecure: bool) -> Trust {
    match insecure {
        true => Trust::Network,
        false => Trust::Machine,
    }
}

#[derive(Debug, Args)]
struct Secret {
    /// A file whose first line is the password that clients have to give.
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl Secret {
    fn read(&self) -> anyhow::Result<Option<Password>> {
        let Some(path) = &self.password_file else {
            return Ok(None);
        };
        let shown = path.display();
        let text = std::fs::read_to_string(path);
        let text = text.with_context(|| format!("cannot read the password in {shown}"))?;
        match text.lines().next() {
            Some(password) if !password.is_empty() => Ok(Some(Password::new(password))),
            _ => bail!("there is no password in {shown}"),
        }
    }
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
    /// Write at most so many lines per second; 0 for as many as possible. Everything written stays in the
    /// memory of three processes.
    #[arg(long, default_value_t = 60_000)]
    rate: u32,
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
    match run(arguments.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("kv: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Init { place } => {
            let settings = place.settings()?;
            // A wrong certificate is found before anything is made.
            place.shield.protection().load(place.id)?;
            setup::init(&place.dir, &settings)?;
        }
        Command::Join {
            place,
            member,
            secret,
        } => {
            let settings = place.settings()?;
            let tls = place.shield.protection().load(place.id)?;
            let access = Access {
                password: secret.read()?,
                tls: tls.map(|tls| tls.dialer().clone()),
                trust: place.shield.protection().trust,
            };
            let joined = setup::join(&place.dir, &settings, member, &access);
            tokio::runtime::Runtime::new()?.block_on(joined)?;
        }
        Command::Serve {
            dir,
            window,
            metrics,
            lease_drift,
            secret,
            shield,
            exit_with_stdin,
        } => server::serve(&server::Options {
            directory: dir,
            window_len: usize::from(window) * 1024 * 1024,
            password: secret.read()?,
            protection: shield.protection(),
            drift: lease_drift,
            metrics,
            exits_with_stdin: exit_with_stdin,
        })?,
        Command::Status {
            member,
            secret,
            tls_ca,
            insecure,
        } => {
            let access = Access {
                password: secret.read()?,
                tls: tls_ca.as_deref().map(tls::client).transpose()?,
                trust: trust(insecure),
            };
            let table = overview::table(member, &access);
            print!("{}", tokio::runtime::Runtime::new()?.block_on(table)?);
        }
        Command::Demo(demo) => {
            let options = kv::demo::Options {
                input: demo.input,
                writes_min: demo.writes,
                time_min: Duration::from_secs(demo.seconds),
                connections: demo.connections.into(),
                window: demo.in_flight.into(),
                rate: Some(demo.rate).filter(|rate| *rate > 0),
            };
            let run = kv::demo::run(&options);
            let is_flawless = tokio::runtime::Runtime::new()?.block_on(run)?;
            return Ok(match is_flawless {
                true => ExitCode::SUCCESS,
                false => ExitCode::FAILURE,
            });
        }
    }
    Ok(ExitCode::SUCCESS)
}
