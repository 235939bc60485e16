//! Scripted histories, crashed at every persist boundary.

use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use simulator::Sabotage;
use simulator::crash_points::{Room, SCRIPTS, Script, Settings};
use simulator::figures::{Figures, Merge};

/// Options of `crash-points`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Begin no script after so many seconds.
    #[arg(long)]
    seconds: Option<u64>,
    /// Run each script with so many seeds.
    #[arg(long, default_value_t = 4)]
    seeds: u64,
    /// The first seed.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Run this part of the scripts and seeds: `i/n`, i from 0.
    #[arg(long, value_name = "I/N", default_value = "0/1", value_parser = super::shard)]
    shard: (u64, u64),
    /// Run this script alone.
    #[arg(long, value_name = "NAME", value_parser = script)]
    script: Option<Script>,
    /// Run this point of a script alone, and print what happens; needs `--script` and `--first`.
    #[arg(long, requires = "script")]
    point: Option<u64>,
    /// Records of at most so many bytes are torn at every byte.
    #[arg(long, default_value_t = 64)]
    exact_bytes_max: usize,
    /// Break the disk on purpose: it forgets its latest record.
    #[arg(long)]
    forgets: bool,
    /// Break the driver on purpose: damage at the end of the journal counts as torn.
    #[arg(long)]
    ignores_damage: bool,
}

fn script(name: &str) -> Result<Script, String> {
    Script::by_name(name).ok_or_else(|| {
        let names: Vec<_> = SCRIPTS.iter().map(|script| script.name).collect();
        format!("the scripts are {}", names.join(", "))
    })
}

/// Runs them.
pub(crate) fn main(arguments: &Arguments) -> ExitCode {
    let began = Instant::now();
    let sabotage = if arguments.forgets {
        Sabotage::ForgetsRecord
    } else {
        Sabotage::None
    };
    let mut room = Room::new(Settings {
        exact_bytes_max: arguments.exact_bytes_max,
        only: arguments.point,
        sabotage,
        ignores_damage: arguments.ignores_damage,
    });
    let seeds = if arguments.point.is_some() {
        1
    } else {
        arguments.seeds
    };
    let scripts = match arguments.script {
        Some(script) => vec![script],
        None => SCRIPTS.to_vec(),
    };
    let units = (0..seeds).flat_map(|seed| scripts.iter().map(move |script| (seed, *script)));
    let (place, count) = arguments.shard;
    let mut findings = 0;
    for (_, (seed, script)) in (0..).zip(units).filter(|(unit, _)| unit % count == place) {
        let is_over = |seconds| began.elapsed().as_secs() >= seconds;
        if arguments.seconds.is_some_and(is_over) {
            break;
        }
        let seed = arguments.first + seed;
        if let Err(finding) = room.run(script, seed) {
            findings += 1;
            println!("FAILED {finding}");
            println!("{}", replay(arguments, finding.script, seed, finding.point));
            break;
        }
    }
    print!("{}", figures(&room, findings, began));
    if findings > 0 {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn replay(arguments: &Arguments, script: &str, seed: u64, point: u64) -> String {
    let mut line = format!(
        "replay: cargo run --release -p simulator -- crash-points --script {script} --first {seed} \
         --point {point} --exact-bytes-max {}",
        arguments.exact_bytes_max
    );
    if arguments.forgets {
        line.push_str(" --forgets");
    }
    if arguments.ignores_damage {
        line.push_str(" --ignores-damage");
    }
    line
}

fn figures(room: &Room, findings: u64, began: Instant) -> Figures {
    let tally = room.tally();
    let mut figures = Figures::new("crash-points");
    let elapsed = began.elapsed().as_millis();
    let counts = [
        ("histories", tally.histories),
        ("boundaries", tally.boundaries),
        ("points", tally.points),
        ("torn", tally.torn),
        ("pairs", tally.pairs),
        ("blackouts", tally.blackouts),
        ("decays", tally.decays),
        ("rejoined", tally.rejoined),
        ("halts", tally.halts),
        ("milliseconds", elapsed as u64),
        ("findings", findings),
    ];
    for (name, value) in counts {
        figures.add(name, value, Merge::Sum);
    }
    figures
}
