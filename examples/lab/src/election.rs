//! The leader dies: how long until there is another one?
//!
//! Followers wait for a timeout drawn at random before they stand for election, so that one of them is usually first.
//! The spread of the timeouts must be large against the latency of the network: when it is not, several stand at
//! once, votes split, and the group tries again. The experiment is that of `[Ongaro14 §9.3]`, over latencies.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use clap::Args;
use clocks::Duration;
use raft_core::Role;
use simulator::stage::{Setting, Stage};

use crate::chart::{Chart, Line};
use crate::summary::{Summary, ms};

/// Options of `election`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// One-way latencies in microseconds; each frame takes between half and one and a half times as long.
    #[arg(long, value_delimiter = ',', default_values_t = [100, 1_000, 2_000, 5_000, 10_000, 20_000, 30_000, 45_000])]
    latencies: Vec<u64>,
    /// Elections for each latency.
    #[arg(long, default_value_t = 200)]
    seeds: u64,
    /// Nodes of the group: 3 to 7.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(3..=7))]
    hosts: u64,
    /// The shortest election timeout in milliseconds; the longest is twice that.
    #[arg(long, default_value_t = 150, value_parser = clap::value_parser!(u64).range(10..=60_000))]
    timeout: u64,
    /// Where the picture goes.
    #[arg(short, long, default_value = "lab-election.svg")]
    output: PathBuf,
}

/// What one election was like.
struct Election {
    /// From the crash to a new leader.
    leader: Duration,
    /// From the crash to the first entry committed under it.
    commit: Duration,
    /// Nodes that stood for election.
    candidates: u64,
    /// Terms that began and had no leader.
    split: u64,
}

/// Runs it.
pub(crate) fn main(arguments: &Arguments) -> Result<()> {
    let longest = arguments.timeout * 1000 / 3;
    for latency in &arguments.latencies {
        ensure!(
            (1..=longest).contains(latency),
            "a latency of {latency} us: with timeouts of {} ms the group lives up to {longest} us",
            arguments.timeout
        );
    }
    println!(
        "{} nodes, election timeouts {} to {} ms; the leader crashes; {} elections for each latency\n",
        arguments.hosts,
        arguments.timeout,
        2 * arguments.timeout,
        arguments.seeds
    );
    println!(
        "latency ms │ new leader ms: median    95 %     max │ commit ms │ candidates │ split terms │"
    );
    let mut lines = [("new leader, median", 50), ("new leader, 95 %", 95)].map(|(name, _)| Line {
        name: name.into(),
        points: Vec::new(),
    });
    let mut commits = Line {
        name: "first commit, median".into(),
        points: Vec::new(),
    };
    for latency in &arguments.latencies {
        let elections: Result<Vec<_>> = (1..=arguments.seeds)
            .map(|seed| elect(arguments, *latency, seed))
            .collect();
        let elections = elections?;
        let leader = Summary::of_times(elections.iter().map(|election| election.leader));
        let commit = Summary::of_times(elections.iter().map(|election| election.commit));
        let candidates = Summary::of(elections.iter().map(|election| election.candidates));
        let split = Summary::of(elections.iter().map(|election| election.split));
        let hundredths = |summary: &Summary| {
            let mean = summary.mean_hundredths();
            format!("{}.{:02}", mean / 100, mean % 100)
        };
        println!(
            "{:>10} │ {:>21} {:>7} {:>7} │ {:>9} │ {:>10} │ {:>11} │ {}",
            ms(*latency),
            ms(leader.median()),
            ms(leader.percentile(95)),
            ms(leader.max()),
            ms(commit.median()),
            hundredths(&candidates),
            hundredths(&split),
            "▇".repeat((leader.median() / 1000 * 20 / arguments.timeout) as usize),
        );
        let at = |micros: u64| (*latency as f64 / 1000.0, micros as f64 / 1000.0);
        lines[0].points.push(at(leader.median()));
        lines[1].points.push(at(leader.percentile(95)));
        commits.points.push(at(commit.median()));
    }
    println!("\ncandidates, split terms: means; split terms are terms in which nobody was elected");
    let [median, high] = lines;
    let chart = Chart {
        title: format!(
            "Time from the crash of a leader, {} nodes, timeouts {} to {} ms",
            arguments.hosts,
            arguments.timeout,
            2 * arguments.timeout
        ),
        x: "one-way latency (ms)",
        y: "ms",
        is_log: false,
        spans: Vec::new(),
        lines: vec![median, high, commits],
    };
    chart.write(&arguments.output)?;
    println!("picture: {}", arguments.output.display());
    Ok(())
}

fn elect(arguments: &Arguments, latency: u64, seed: u64) -> Result<Election> {
    let micros = Duration::from_micros;
    let timeout = Duration::from_millis(arguments.timeout);
    let setting = Setting {
        hosts: arguments.hosts as usize,
        latency: (micros(latency / 2), micros(latency + latency / 2)),
        election_timeout: (timeout, timeout.saturating_mul(2)),
        heartbeat: timeout.saturating_div(4),
        write: (micros(100), micros(300)),
    };
    let mut stage = Stage::settled(setting, seed)?;
    // Somewhere between two heartbeats.
    stage.advance(micros(seed * 7919 % timeout.as_micros()))?;
    let Some(old) = stage.leader() else {
        anyhow::bail!("seed {seed}: a settled group lost its leader");
    };
    let term = stage.machine(old).map_or(0, |raft| raft.term().value());
    let began = stage.now();
    stage.crash(old);
    let mut stood = vec![false; setting.hosts];
    let mut leader = None;
    loop {
        ensure!(
            stage.now().since(began) < timeout.saturating_mul(1000),
            "seed {seed}: no leader in 1000 timeouts"
        );
        stage.step()?;
        for (host, stood) in stood.iter_mut().enumerate() {
            let role = stage.machine(host).map(|raft| raft.role());
            *stood |= matches!(role, Some(Role::PreCandidate | Role::Candidate));
        }
        let Some(new) = stage.leader() else { continue };
        let Some(raft) = stage.machine(new) else {
            continue;
        };
        let elapsed = stage.now().since(began);
        let (elected, _) = *leader.get_or_insert((elapsed, new));
        if raft.is_established() {
            return Ok(Election {
                leader: elected,
                commit: elapsed,
                candidates: stood.iter().filter(|stood| **stood).count() as u64,
                split: u64::from(raft.term().value() - term) - 1,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments() -> Arguments {
        Arguments {
            latencies: vec![],
            seeds: 1,
            hosts: 5,
            timeout: 150,
            output: PathBuf::new(),
        }
    }

    #[test]
    fn a_new_leader_comes_after_a_timeout_and_not_before() {
        for seed in 1..20 {
            let election = elect(&arguments(), 1000, seed).unwrap();
            // The oldest heartbeat may be a quarter of a timeout old.
            assert!(election.leader >= Duration::from_millis(100));
            assert!(election.leader <= election.commit);
            assert!(election.candidates >= 1);
        }
    }

    #[test]
    fn high_latency_makes_several_stand_at_once() {
        let many = |latency| -> u64 {
            (1..40)
                .map(|seed| elect(&arguments(), latency, seed).unwrap().candidates)
                .sum()
        };
        assert!(many(40_000) > many(100));
    }
}
