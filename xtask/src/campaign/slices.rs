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
            let first = first(number);
            let words = format!("histories --first {first} --seeds {SEEDS_APART} --seconds 60");
            Some(simulator(context, RELEASE, &words))
        },
    },
    Station {
        name: "reference",
        slice: |context, number| {
            // Every step beside the model; other seeds than without.
            let first = first(number) + SEEDS_APART / 2;
            let words =
                format!("histories --reference --first {first} --seeds {SEEDS_APART} --seconds 40");
            Some(simulator(context, RELEASE, &words))
        },
    },
    Station {
        name: "explore",
        slice: |context, number| {
            let words = format!("explore --first {} --seconds 40", first(number));
            Some(simulator(context, RELEASE, &words))
        },
    },
    Station {
        name: "search",
        slice: |context, number| {
            let (profile, seconds) = PROFILES.get(usize::try_from(number).ok()?)?;
            let words = format!(
                "search --profile {profile} --scale 2 --memory-mib 7680 --seconds {seconds}"
            );
            Some(simulator(context, RELEASE, &words))
        },
    },
    Station {
        name: "coverage",
        slice: |context, number| {
            // Once is enough: what part of a closed small world the random worlds visit.
            let words = match number {
                0 => "coverage --shapes --forks --runs 140000 --least 9900 --seconds 600",
                1 => "coverage --forks --seconds 1800",
                _ => return None,
            };
            Some(simulator(context, RELEASE, words))
        },
    },
    Station {
        name: "hostile",
        slice: |context, number| {
            let words = format!("hostile --first {} --seconds 150", first(number));
            Some(simulator(context, RELEASE, &words))
        },
    },
    Station {
        name: "hostile-checked",
        slice: |context, number| {
            // Other seeds than without the checks.
            let first = first(number) + SEEDS_APART / 2;
            let words = format!("hostile --first {first} --seconds 40");
            Some(simulator(context, CHECKED, &words))
        },
    },
    Station {
        name: "traitor",
        slice: |context, number| {
            let words = format!("hostile --traitor --first {} --seconds 20", first(number));
            Some(simulator(context, RELEASE, &words))
        },
    },
    Station {
        name: "crash-points",
        slice: |context, number| {
            let first = first(number);
            let words = format!("crash-points --first {first} --seeds {SEEDS_APART} --seconds 40");
            Some(simulator(context, RELEASE, &words))
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
            Some(simulator(context, RELEASE, &words))
        },
    },
    Station {
        name: "linear",
        slice: |context, number| {
            let words = format!(
                "linear --first {} --histories {SEEDS_APART} --seconds 20",
                first(number)
            );
            Some(simulator(context, RELEASE, &words))
        },
    },
    Station {
        name: "determinism",
        slice: |context, number| {
            if number >= DETERMINISM_SLICES {
                return None;
            }
            let first = 1 + number * DETERMINISM_SEEDS;
            let words = format!("determinism --first {first} --seeds {DETERMINISM_SEEDS}");
            let mut slice = simulator(context, RELEASE, &words);
            slice
                .commands
                .append(&mut simulator(context, DEBUG, &words).commands);
            slice.line += ", as released and with debug assertions";
            Some(slice)
        },
    },
];

const RELEASE: &str = "release";
const CHECKED: &str = "checked";
const DEBUG: &str = "debug";

/// The profiles of `simulator search`, and for how many seconds each may be explored: two shards take
/// every other one, and each slice less than 8 GiB.
const PROFILES: [(&str, u32); 17] = [
    ("figure-8", 800),
    ("replication", 600),
    ("elections", 300),
    ("joining-and-leaving", 300),
    ("unsynced", 300),
    ("calm", 300),
    ("snapshots", 100),
    ("undisturbed", 300),
    ("reads", 300),
    ("earlier-lives", 600),
    ("transfer", 300),
    ("membership", 600),
    ("compacted-changes", 300),
    ("pieces", 100),
    ("leases", 900),
    ("replication --bound replication.proposals=3", 900),
    (
        "joining-and-leaving --bound joining-and-leaving.terms=4",
        600,
    ),
];

/// Into how many slices all graphs on five nodes fall: of four minutes each.
const TOPOLOGY_SLICES: u64 = 4;

/// A hundred thousand seeds, each run by two builds in two processes.
const DETERMINISM_SLICES: u64 = 4;
const DETERMINISM_SEEDS: u64 = 25_000;

/// More seeds than a slice has time for.
const SEEDS_APART: u64 = 10_000_000;

/// The first seed of a slice.
const fn first(number: u64) -> u64 {
    1 + number * SEEDS_APART
}

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
pub(super) fn build(context: &Context, stations: &[String]) -> Result<()> {
    let runs = |name: &str| stations.is_empty() || stations.iter().any(|station| station == name);
    let build = ["build", "-p", "simulator"];
    context.run(context.cargo(&build).arg("--release"))?;
    if runs("hostile-checked") {
        context.run(context.cargo(&build).args(["--profile", CHECKED]))?;
    }
    if runs("determinism") {
        context.run(&mut context.cargo(&build))?;
    }
    Ok(())
}
