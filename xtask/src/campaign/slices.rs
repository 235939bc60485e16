//! What a campaign is made of: one station for each kind of check, each an endless or finite row of slices.

use std::process::Command;

use anyhow::Result;

use crate::tools::Context;

/// A kind of check.
pub(super) struct Station {
    pub(super) name: &'static str,
    /// The slice with this number; `None` when there are no more.
    pub(super) slice: fn(&Context, u64) -> Option<Slice>,
}

/// One run.
pub(super) struct Slice {
    /// For the reader.
    pub(super) line: String,
    /// Usually one; if more, their hashes must agree.
    pub(super) commands: Vec<Command>,
}

/// All stations, in the order in which a round goes through them.
pub(super) const STATIONS: &[Station] = &[
    Station {
        name: "histories",
        slice: |context, number| {
            let first = 1 + number * SEEDS_APART;
            let words = format!("histories --first {first} --seeds {SEEDS_APART} --seconds 60");
            Some(simulator(context, "release", &words))
        },
    },
    Station {
        name: "crash-points",
        slice: |context, number| {
            let first = 1 + number * SEEDS_APART;
            let words = format!("crash-points --first {first} --seeds {SEEDS_APART} --seconds 60");
            Some(simulator(context, "release", &words))
        },
    },
    Station {
        name: "topologies",
        slice: |context, number| {
            let words = match number {
                0 => "topologies".into(),
                1..=TOPOLOGY_SLICES => {
                    let shard = number - 1;
                    format!("topologies --nodes 5 --labelled --shard {shard}/{TOPOLOGY_SLICES}")
                }
                _ => return None,
            };
            Some(simulator(context, "release", &words))
        },
    },
];

/// Into how many slices all graphs on five nodes fall: of half a minute each.
const TOPOLOGY_SLICES: u64 = 32;

/// More seeds than a slice has time for.
const SEEDS_APART: u64 = 10_000_000;

/// A slice of one command of the simulator's binary.
fn simulator(context: &Context, profile: &str, words: &str) -> Slice {
    let mut command = Command::new(context.target.join(profile).join("simulator"));
    command.args(words.split(' ')).current_dir(&context.root);
    Slice {
        line: format!("simulator {words}"),
        commands: vec![command],
    }
}

/// Builds what the slices run.
pub(super) fn build(context: &Context, _stations: &[String]) -> Result<()> {
    context.run(&mut context.cargo(&["build", "--release", "-p", "simulator"]))
}
