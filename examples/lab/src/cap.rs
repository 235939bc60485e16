//! The same work, answered by a quorum or answered at once, while the network is cut in two.
//!
//! A service that is cut in two can refuse some requests, or give answers that contradict each other; it cannot do
//! neither, `[Gilbert02]`. Here are both choices under one workload: reads and writes of registers by one client at
//! each node. The consistent group sends everything through the log of Raft; in the other each node answers alone
//! and tells the others later.

mod consistent;
mod workload;

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;
use clocks::Duration;

use crate::chart::{Chart, Line};
use crate::summary::{Summary, ms};
use workload::{End, Log, Operation, Phase};

use crate::eventual::Eventual;

/// Options of `cap`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Chooses the history.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Nodes: 3 to 7, of which the largest minority is cut off.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(3..=7))]
    hosts: u64,
    /// Where the picture goes.
    #[arg(short, long, default_value = "lab-cap.svg")]
    output: PathBuf,
}

/// One step of the experiment, in which each client may ask once.
const STEP: Duration = Duration::from_millis(5);
const LATENCY: (Duration, Duration) = (Duration::from_micros(500), Duration::from_millis(2));

/// Runs it.
pub(crate) fn main(arguments: &Arguments) -> Result<()> {
    let hosts = arguments.hosts as usize;
    let minority: Vec<_> = (0..(hosts - 1) / 2).collect();
    println!(
        "{hosts} nodes, a client at each; after 1 s nodes 1 to {} are cut off from the others, for 2 s\n",
        minority.len()
    );
    let (quorum, is_kept) = consistent::run(hosts, &minority, arguments.seed)?;
    let (at_once, gone) = eventual(hosts, &minority, arguments.seed);
    table("through a quorum (Raft)", &quorum, &minority);
    println!(
        "  writes that were answered and are not in the log of every node: {}\n",
        quorum.answered_writes() - is_kept
    );
    table(
        "at once (each node alone, largest stamp wins)",
        &at_once,
        &minority,
    );
    println!("  writes that were answered during the cut and gone after it: {gone}\n");
    ensure!(
        is_kept == quorum.answered_writes(),
        "an answered write is lost"
    );
    draw(arguments, &quorum, &at_once)?;
    println!("picture: {}", arguments.output.display());
    Ok(())
}

/// The workload on nodes that answer alone, and how many answered writes the merge took away.
fn eventual(hosts: usize, minority: &[usize], seed: u64) -> (Log, usize) {
    let mut group = Eventual::new(hosts, LATENCY, seed);
    let mut log = Log::new(hosts, seed);
    for (now, phase) in workload::steps() {
        match phase {
            Phase::Cut => group.split(minority),
            Phase::Before | Phase::After => group.split(&[]),
        }
        for (client, operation) in log.ask(phase) {
            match operation {
                Operation::Write { key, value } => {
                    group.write(client, key, value);
                    log.end(client, now, now, phase, operation, End::Written);
                }
                Operation::Read { key } => {
                    let value = group.read(client, key);
                    log.end(client, now, now, phase, operation, End::Read(value));
                }
            }
        }
        group.advance(STEP);
    }
    while !group.is_level() {
        group.advance(STEP);
    }
    let gone = log.gone(minority, |key| group.read(0, key));
    (log, gone)
}

fn table(name: &str, log: &Log, minority: &[usize]) {
    println!("{name}");
    println!(
        "  when             where      asked  answered  refused  no answer  stale reads  answer ms (median)"
    );
    for phase in [Phase::Before, Phase::Cut, Phase::After] {
        for is_minority in [false, true] {
            let ends = log
                .ends()
                .filter(|end| end.phase == phase && minority.contains(&end.client) == is_minority);
            let ends: Vec<_> = ends.collect();
            let count = |is: fn(&End) -> bool| ends.iter().filter(|end| is(&end.end)).count();
            let answered = ends.iter().filter(|end| end.end.is_answer());
            let times = Summary::of_times(answered.map(|end| end.ended.saturating_sub(end.began)));
            println!(
                "  {:<16} {:<8} {:>7} {:>9} {:>8} {:>10} {:>12}  {:>18}",
                phase.name(),
                if is_minority { "minority" } else { "majority" },
                ends.len(),
                count(End::is_answer),
                count(|end| *end == End::Refused),
                count(|end| *end == End::NoAnswer),
                ends.iter().filter(|end| log.is_stale(end)).count(),
                ms(times.median()),
            );
        }
    }
}

/// What is refused or not answered, and what is stale, over time.
fn draw(arguments: &Arguments, quorum: &Log, at_once: &Log) -> Result<()> {
    let bins = workload::END.as_micros() / BIN.as_micros();
    let line = |name: &str, log: &Log, is: &dyn Fn(&workload::Ended) -> bool| {
        let mut counts = vec![0_u32; bins as usize];
        for end in log.ends().filter(|end| is(end)) {
            if let Some(count) = counts.get_mut((end.began.as_micros() / BIN.as_micros()) as usize)
            {
                *count += 1;
            }
        }
        let at = |bin: usize| (bin as f64 * BIN.as_micros() as f64) / 1000.0;
        Line {
            name: name.into(),
            points: counts
                .into_iter()
                .enumerate()
                .map(|(bin, count)| (at(bin), f64::from(count)))
                .collect(),
        }
    };
    let cut = workload::CUT;
    let chart = Chart {
        title: format!(
            "{} nodes under a partition: refuse, or answer with what may be old",
            arguments.hosts
        ),
        x: "ms",
        y: "requests in 100 ms",
        is_log: false,
        spans: vec![(
            cut.0.as_micros() as f64 / 1000.0,
            cut.1.as_micros() as f64 / 1000.0,
            "the network is cut in two",
        )],
        lines: vec![
            line("quorum: answered", quorum, &|end| end.end.is_answer()),
            line("quorum: refused, or no answer", quorum, &|end| {
                !end.end.is_answer()
            }),
            line("at once: answered", at_once, &|end| end.end.is_answer()),
            line("at once: stale reads", at_once, &|end| {
                at_once.is_stale(end)
            }),
        ],
    };
    chart.write(&arguments.output)
}

const BIN: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    fn count(
        log: &Log,
        phase: Phase,
        side: &[usize],
        is: impl Fn(&workload::Ended) -> bool,
    ) -> usize {
        let ends = log
            .ends()
            .filter(|end| end.phase == phase && side.contains(&end.client));
        ends.filter(|end| is(end)).count()
    }

    #[test]
    fn the_quorum_refuses_and_is_never_stale() {
        for seed in 1..4 {
            let (log, kept) = consistent::run(5, &[0, 1], seed).unwrap();
            assert_eq!(log.ends().filter(|end| log.is_stale(end)).count(), 0);
            assert_eq!(kept, log.answered_writes());
            assert!(count(&log, Phase::Cut, &[0, 1], |end| !end.end.is_answer()) > 100);
            assert!(count(&log, Phase::Cut, &[2, 3, 4], |end| end.end.is_answer()) > 100);
        }
    }

    #[test]
    fn answers_at_once_are_never_refused_and_sometimes_stale_and_lost() {
        for seed in 1..4 {
            let (log, gone) = eventual(5, &[0, 1], seed);
            assert!(log.ends().all(|end| end.end.is_answer()));
            assert!(count(&log, Phase::Cut, &[0, 1, 2, 3, 4], |end| log.is_stale(end)) > 100);
            assert!(gone > 0);
        }
    }
}
