//! The leader is cut off with a minority: what does each side decide, and what becomes of it when the cut heals?
//!
//! Each side still has clients, and for a while each side has a leader: the old one does not know yet. What keeps
//! them from deciding differently is not that there is one leader but that a decision needs a majority, and two
//! majorities have a member in common, `[Ongaro14 §3.6]`. The old leader notices that no quorum answers and gives way.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;
use clocks::Duration;
use simulator::stage::{Setting, Stage};

use crate::chart::{Chart, Line};
use crate::summary::{Summary, ms};

/// Options of `partition`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// How many groups are cut in two.
    #[arg(long, default_value_t = 100)]
    seeds: u64,
    /// Nodes of the group: 3 to 7. The leader's side is the largest minority.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(3..=7))]
    hosts: u64,
    /// How long the cut lasts, in milliseconds.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u64).range(1..=60_000))]
    cut: u64,
    /// Where the picture of the first of them goes.
    #[arg(short, long, default_value = "lab-partition.svg")]
    output: PathBuf,
}

const TIMEOUT: Duration = Duration::from_millis(150);

/// Each side's clients ask for something this often.
const ASK: Duration = Duration::from_millis(5);

/// What happened to one group.
#[derive(Debug, Default)]
struct Cut {
    /// From the cut until the old leader gave way.
    gave_way: Duration,
    /// From the cut until the majority had a leader.
    elected: Duration,
    /// From the cut until the majority committed something new.
    committed: Duration,
    /// While both sides had a leader.
    two_leaders: Duration,
    /// What the minority's leader accepted after the cut, and what of it was committed.
    minority: (u64, u64),
    /// The same for the majority.
    majority: (u64, u64),
    /// From the healing until all have the same log.
    healed: Duration,
}

/// What each side had accepted and committed at one moment.
struct Sample {
    at: Duration,
    accepted: [u64; 2],
    committed: [u64; 2],
}

/// Runs it.
pub(crate) fn main(arguments: &Arguments) -> Result<()> {
    let mut cuts = Vec::new();
    for seed in 1..=arguments.seeds {
        let (cut, samples) = run(arguments, seed)?;
        if seed == 1 {
            draw(arguments, &samples)?;
        }
        cuts.push(cut);
    }
    let minority = (arguments.hosts - 1) / 2;
    println!(
        "{} nodes; the leader and {} more are cut off from the other {} for {} ms; {} groups\n",
        arguments.hosts,
        minority - 1,
        arguments.hosts - minority,
        arguments.cut,
        arguments.seeds
    );
    println!("{:<52}  median     max", "");
    let time = |name: &str, pick: fn(&Cut) -> Duration| {
        let summary = Summary::of_times(cuts.iter().map(pick));
        println!(
            "{name:<52} {:>7} {:>7} ms",
            ms(summary.median()),
            ms(summary.max())
        );
    };
    let count = |name: &str, pick: fn(&Cut) -> u64| {
        let summary = Summary::of(cuts.iter().map(pick));
        println!("{name:<52} {:>7} {:>7}", summary.median(), summary.max());
    };
    time("the old leader gives way after", |cut| cut.gave_way);
    time("the majority has a leader after", |cut| cut.elected);
    time("the majority commits again after", |cut| cut.committed);
    time(
        "two nodes believe to lead, in different terms, for",
        |cut| cut.two_leaders,
    );
    count("accepted by the minority's leader", |cut| cut.minority.0);
    count("committed by the minority", |cut| cut.minority.1);
    count("accepted by the majority's leader", |cut| cut.majority.0);
    count("committed by the majority", |cut| cut.majority.1);
    time("all logs are the same again after the healing in", |cut| {
        cut.healed
    });
    println!(
        "\nsplit brain: {} of {} groups",
        cuts.iter().filter(|cut| cut.minority.1 > 0).count(),
        cuts.len()
    );
    println!("picture: {}", arguments.output.display());
    Ok(())
}

fn run(arguments: &Arguments, seed: u64) -> Result<(Cut, Vec<Sample>)> {
    let hosts = arguments.hosts as usize;
    let setting = Setting {
        hosts,
        latency: (Duration::from_micros(500), Duration::from_millis(2)),
        election_timeout: (TIMEOUT, TIMEOUT.saturating_mul(2)),
        heartbeat: TIMEOUT.saturating_div(4),
        write: (Duration::from_micros(100), Duration::from_micros(300)),
    };
    let mut stage = Stage::settled(setting, seed)?;
    let Some(old) = stage.leader() else {
        anyhow::bail!("seed {seed}: a settled group lost its leader");
    };
    let minority: Vec<_> = (0..hosts)
        .map(|step| (old + step) % hosts)
        .take((hosts - 1) / 2)
        .collect();
    let majority: Vec<_> = (0..hosts).filter(|host| !minority.contains(host)).collect();
    let sides = [&minority[..], &majority[..]];

    let (mut cut, mut samples) = (Cut::default(), Vec::new());
    let (mut accepted, mut before) = ([0; 2], [0; 2]);
    let lead_in = Duration::from_millis(200);
    let began = stage.now();
    let mut is_cut = false;
    // What is under way when the cut comes may still be acknowledged at that moment: the count starts after it.
    while stage.now().since(began) < lead_in.saturating_add(Duration::from_millis(arguments.cut)) {
        let elapsed = stage.now().since(began);
        if !is_cut && elapsed >= lead_in {
            is_cut = true;
            stage.split(&minority);
            before = sides.map(|side| committed(&stage, side));
            accepted = [0; 2];
        }
        for (side, accepted) in sides.iter().zip(&mut accepted) {
            let leaders: Vec<_> = side
                .iter()
                .copied()
                .filter(|host| leads(&stage, *host))
                .collect();
            for leader in leaders {
                *accepted += u64::from(stage.propose(leader, b"what the clients want")?.is_some());
            }
        }
        stage.advance(ASK)?;
        let now = sides.map(|side| committed(&stage, side));
        samples.push(Sample {
            at: stage.now().since(began),
            accepted: if is_cut { accepted } else { [0; 2] },
            committed: if is_cut {
                [now[0] - before[0], now[1] - before[1]]
            } else {
                [0; 2]
            },
        });
        if is_cut {
            let since = stage.now().since(began).saturating_sub(lead_in);
            watch(&mut cut, &stage, old, &majority, since, now[1] > before[1]);
        }
    }
    let after = sides.map(|side| committed(&stage, side));
    cut.minority = (accepted[0], after[0] - before[0]);
    cut.majority = (accepted[1], after[1] - before[1]);
    ensure!(
        cut.minority.1 == 0,
        "seed {seed}: the minority committed {} entries",
        cut.minority.1
    );

    stage.heal();
    let healed = stage.now();
    while !is_level(&stage, hosts) {
        ensure!(
            stage.now().since(healed) < TIMEOUT.saturating_mul(100),
            "seed {seed}: not level in 100 timeouts"
        );
        stage.advance(ASK)?;
    }
    cut.healed = stage.now().since(healed);
    Ok((cut, samples))
}

fn watch(
    cut: &mut Cut,
    stage: &Stage,
    old: usize,
    majority: &[usize],
    since: Duration,
    commits: bool,
) {
    let is_zero = |time: Duration| time == Duration::ZERO;
    let has_given_way = !leads(stage, old);
    let is_elected = majority.iter().any(|host| leads(stage, *host));
    if has_given_way && is_zero(cut.gave_way) {
        cut.gave_way = since;
    }
    if is_elected && is_zero(cut.elected) {
        cut.elected = since;
    }
    if commits && is_elected && is_zero(cut.committed) {
        cut.committed = since;
    }
    if is_elected && !has_given_way {
        cut.two_leaders = cut.two_leaders.saturating_add(ASK);
    }
}

fn leads(stage: &Stage, host: usize) -> bool {
    stage.machine(host).is_some_and(|raft| raft.is_leader())
}

/// The last index that anybody of these knows to be committed.
fn committed(stage: &Stage, side: &[usize]) -> u64 {
    let commits = side.iter().filter_map(|host| stage.machine(*host));
    commits.map(|raft| raft.commit().value()).max().unwrap_or(0)
}

fn is_level(stage: &Stage, hosts: usize) -> bool {
    let mut machines = (0..hosts).filter_map(|host| stage.machine(host));
    let Some(first) = machines.next() else {
        return false;
    };
    first.commit() == first.last().index
        && machines.all(|raft| raft.last() == first.last() && raft.commit() == first.commit())
}

fn draw(arguments: &Arguments, samples: &[Sample]) -> Result<()> {
    let seconds = |at: Duration| at.as_micros() as f64 / 1000.0;
    let line = |name: &str, pick: &dyn Fn(&Sample) -> u64| Line {
        name: name.into(),
        points: samples
            .iter()
            .map(|sample| (seconds(sample.at), pick(sample) as f64))
            .collect(),
    };
    let chart = Chart {
        title: format!(
            "{} nodes, the leader cut off with a minority",
            arguments.hosts
        ),
        x: "ms",
        y: "entries since the cut",
        is_log: false,
        spans: vec![(
            200.0,
            200.0 + arguments.cut as f64,
            "the network is cut in two",
        )],
        lines: vec![
            line("majority: accepted", &|sample| sample.accepted[1]),
            line("minority: accepted, and lost", &|sample| sample.accepted[0]),
            line("majority: committed", &|sample| sample.committed[1]),
            line("minority: committed", &|sample| sample.committed[0]),
        ],
    };
    chart.write(&arguments.output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_minority_accepts_but_never_commits_and_everybody_agrees_in_the_end() {
        let arguments = Arguments {
            seeds: 1,
            hosts: 5,
            cut: 1000,
            output: PathBuf::new(),
        };
        for seed in 1..10 {
            let (cut, samples) = run(&arguments, seed).unwrap();
            assert!(cut.minority.0 > 0);
            assert_eq!(cut.minority.1, 0);
            assert!(cut.majority.1 > 0 && cut.majority.1 <= cut.majority.0 + 1);
            assert!(cut.gave_way > Duration::ZERO && cut.elected > Duration::ZERO);
            assert!(!samples.is_empty());
        }
    }
}
