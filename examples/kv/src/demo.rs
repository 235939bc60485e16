//! The demonstration: real processes agree on real data while their leaders are killed.
//!
//! Three server processes are started with data in a temporary directory. Lines of text are written
//! through their leader, hundreds in flight, for at least 20 seconds and 200,000 writes. At each of
//! [`KILL_POINTS`] the leader is killed with SIGKILL and started again, and while it catches up its
//! successor is killed too. In the end every acknowledged write is read back from every node that was
//! killed and, linearizably, from the leader.
//!
//! The parts: [`input`] says what is written, [`writer`] writes it, [`ledger`] keeps what became of each
//! write, [`group`] holds the processes, [`view`] is what they say of themselves, [`verify`] reads back,
//! [`screen`] and [`table`] show.

pub mod client;
pub mod group;
pub mod input;
pub mod ledger;
pub mod screen;
pub mod table;
pub mod verify;
pub mod view;
pub mod writer;

#[cfg(test)]
mod tests;

use core::time::Duration;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, bail};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};

use group::{Group, NODES, PATIENCE};
use input::Input;
use ledger::Kill;
use screen::Screen;
use table::{Failover, ReadBack, Summary, grouped};
use verify::Asking;
use view::View;
use writer::Load;

/// The parts of the load after which a leader is killed, and its successor after it.
pub const KILL_POINTS: [f64; 2] = [0.2, 0.6];

/// How long a killed node stays down, so that it misses something.
const DOWN_TIME: Duration = Duration::from_millis(700);

/// How often the bars are drawn and the processes looked after.
const DRAW_INTERVAL: Duration = Duration::from_millis(200);

/// How often to look whether something was acknowledged.
const ACKNOWLEDGED_INTERVAL: Duration = Duration::from_millis(5);

/// How long to wait for a node to catch up before the next kill.
const LEVEL_TIME_MAX: Duration = Duration::from_secs(5);

/// How many times reading back is tried again because the leader changed.
const READ_BACK_TRIES: usize = 5;

/// What can be chosen.
#[derive(Clone, Debug)]
pub struct Options {
    /// The file whose lines are written; the text files around if there is none.
    pub input: Option<PathBuf>,
    /// At least so many writes.
    pub writes_min: usize,
    /// For at least so long.
    pub time_min: Duration,
    /// So many connections.
    pub connections: usize,
    /// At most so many writes in flight on each.
    pub window: usize,
    /// At most so many writes per second, if there is a limit: everything written stays in memory three
    /// times.
    pub rate: Option<u32>,
}

/// Runs it all; `Ok(true)` if every acknowledged write was found wherever it was looked for.
///
/// # Errors
/// The demonstration could not be carried out: no input, no processes, no leader, or it was interrupted. All
/// processes it started have ended and all their data is gone.
pub async fn run(options: &Options) -> anyhow::Result<bool> {
    let input = match &options.input {
        Some(path) => Input::from_file(path)?,
        None => Input::from_texts(&std::env::current_dir()?),
    };
    let program = std::env::current_exe().context("cannot find this program")?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut group = Group::prepare(program)?;
    let shown = tokio::select! {
        summary = demonstrate(options, input, &mut group) => summary,
        _ = interrupt.recv() => Err(anyhow::anyhow!("interrupted")),
        _ = terminate.recv() => Err(anyhow::anyhow!("terminated")),
        _ = hang_up.recv() => Err(anyhow::anyhow!("the terminal is gone")),
    };
    let cleaned_up = group.clean_up().await;
    let summary = shown?;
    cleaned_up?;
    println!("\n{summary}");
    Ok(summary.is_flawless())
}

async fn demonstrate(
    options: &Options,
    input: Input,
    group: &mut Group,
) -> anyhow::Result<Summary> {
    let screen = Screen::new(NODES);
    screen.say(&format!(
        "writing {} lines of {} files, over and over",
        grouped(input.lines_len()),
        input.files_len()
    ));
    group.found().await?;
    screen.say("three processes agree on a leader");

    let load = Load::new(input, group.addresses(), options.window, options.rate);
    let mut run = Run {
        options,
        group,
        screen: &screen,
        load: Arc::new(load),
        start: Instant::now(),
        killed: BTreeSet::new(),
        failovers: Vec::new(),
    };
    let writers = run.load.start(options.connections);
    for point in KILL_POINTS {
        run.reach(point).await?;
        run.kill_leader_and_successor(point).await?;
    }
    run.reach(1.0).await?;
    let elapsed = run.start.elapsed();
    run.finish(writers).await?;
    run.read_everything_back(elapsed).await
}

/// A demonstration in progress.
struct Run<'a> {
    options: &'a Options,
    group: &'a mut Group,
    screen: &'a Screen,
    load: Arc<Load>,
    start: Instant,
    /// The places of the nodes that were killed at least once.
    killed: BTreeSet<usize>,
    /// Who was killed when; how long it took is in the ledger, in the same order.
    failovers: Vec<(u64, String)>,
}

impl Run<'_> {
    /// How much of the load is done: of the time or of the writes, whichever is behind.
    fn part_done(&self) -> f64 {
        let elapsed = self.start.elapsed().as_secs_f64();
        let time = elapsed / self.options.time_min.as_secs_f64().max(0.001);
        let [done, wanted] = [
            self.load.ledger().acknowledged(),
            self.options.writes_min.max(1),
        ]
        .map(|count| u32::try_from(count).map_or(f64::MAX, f64::from));
        time.min(done / wanted)
    }

    /// Waits until so much of the load is done.
    async fn reach(&mut self, part: f64) -> anyhow::Result<()> {
        let mut draw = interval(DRAW_INTERVAL);
        while self.part_done() < part {
            draw.tick().await;
            self.draw().await?;
        }
        Ok(())
    }

    async fn draw(&mut self) -> anyhow::Result<()> {
        self.group.check()?;
        let (acknowledged, unknown) = {
            let ledger = self.load.ledger();
            (ledger.acknowledged(), ledger.unknown())
        };
        let seconds = self.start.elapsed().as_secs_f64();
        let counts = format!(
            "{} acknowledged, {} unknown",
            grouped(acknowledged),
            grouped(unknown)
        );
        let text = format!("{counts}, {seconds:.1} s");
        self.screen.show("writing", self.part_done(), text);
        let views = self.group.views().await;
        self.screen.show_nodes(self.group.nodes(), &views);
        Ok(())
    }

    /// Kills the leader, starts it again, and kills the next leader while the first is catching up.
    async fn kill_leader_and_successor(&mut self, point: f64) -> anyhow::Result<()> {
        let first = self.group.leader().await?;
        self.kill(first, format!("at {:.0} %", point * 100.0))
            .await?;
        self.restart(first).await?;
        // As soon as it answers, it knows how far it is, and it is behind what others have committed.
        let views = self.group.wait(|views| views[first].is_some()).await?;
        let commit = commit_of(&views);
        let behind = views[first].as_ref().map_or(0, |view| view.behind(commit));
        let second = self.group.leader().await?;
        let first_id = self.group.nodes()[first].id;
        let circumstance = format!("while n{first_id} was {} entries behind", grouped(behind));
        self.kill(second, circumstance).await?;
        self.restart(second).await?;
        self.wait_level_under_load().await
    }

    /// Kills a node and waits until somebody else has acknowledged a write.
    async fn kill(&mut self, index: usize, circumstance: String) -> anyhow::Result<()> {
        let id = self.group.nodes()[index].id;
        self.screen
            .say(&format!("killing the leader, n{id}, {circumstance}"));
        let begun = Instant::now();
        self.group.kill(index).await?;
        let done = Instant::now();
        self.load.ledger().kill(Kill { begun, done });
        self.killed.insert(index);
        self.failovers.push((id, circumstance));
        let end = Instant::now() + PATIENCE;
        while self.load.ledger().is_waiting() {
            if Instant::now() > end {
                bail!(
                    "no write was acknowledged for {} s after a kill",
                    PATIENCE.as_secs()
                );
            }
            sleep(ACKNOWLEDGED_INTERVAL).await;
        }
        let outage = self
            .load
            .ledger()
            .outages()
            .last()
            .copied()
            .unwrap_or_default();
        let millis = outage.as_secs_f64() * 1000.0;
        self.screen
            .say(&format!("writes go on after {millis:.0} ms"));
        Ok(())
    }

    async fn restart(&mut self, index: usize) -> anyhow::Result<()> {
        let end = Instant::now() + DOWN_TIME;
        while Instant::now() < end {
            self.draw().await?;
            sleep(DRAW_INTERVAL / 4).await;
        }
        self.group.start(index)?;
        let id = self.group.nodes()[index].id;
        self.screen.say(&format!("n{id} starts again"));
        Ok(())
    }

    /// Waits a while for every node to apply what is committed by now. Under load a node may take longer,
    /// and nothing is wrong with that.
    async fn wait_level_under_load(&mut self) -> anyhow::Result<()> {
        let commit = commit_of(&self.group.views().await);
        let level = self
            .group
            .wait_for(LEVEL_TIME_MAX, |views| are_level(views, commit));
        self.screen.say(match level.await? {
            Ok(_) => "everyone has caught up while the writes go on",
            Err(_) => "not everyone has caught up yet; the writes go on",
        });
        Ok(())
    }

    /// Lets the writers finish what they have begun, and every node catch up.
    async fn finish(&mut self, mut writers: JoinSet<()>) -> anyhow::Result<()> {
        self.load.stop();
        while let Some(ended) = writers.join_next().await {
            ended.context("a writer failed")?;
        }
        self.screen
            .say("no more writes; waiting for everyone to catch up");
        let commit = commit_of(&self.group.views().await);
        let level = self.group.wait(|views| are_level(views, commit)).await;
        level.context("a node does not catch up").map(drop)
    }

    /// Reads everything back from the nodes that were killed, and from the leader.
    async fn read_everything_back(&mut self, elapsed: Duration) -> anyhow::Result<Summary> {
        let mut summary = {
            let ledger = self.load.ledger();
            let (refused, first_refusal) = ledger.refused();
            let failovers = self.failovers.iter().zip(ledger.outages());
            Summary {
                acknowledged: ledger.acknowledged(),
                elapsed,
                rate: self.options.rate,
                unknown: ledger.unknown(),
                refused: (refused, first_refusal.map(str::to_owned)),
                latency: [0.5, 0.99, 1.0].map(|quantile| ledger.latency(quantile)),
                failovers: failovers
                    .map(|((node, circumstance), outage)| Failover {
                        node: *node,
                        circumstance: circumstance.clone(),
                        outage: *outage,
                    })
                    .collect(),
                ..Summary::default()
            }
        };
        let fates = self.load.ledger().fates().to_vec();
        for index in self.killed.clone() {
            let found = self.read_back(Some(index), &fates).await?;
            summary.read_back.push(found.0);
        }
        let (found, unknown_found) = self.read_back(None, &fates).await?;
        summary.read_back.push(found);
        summary.unknown_found = unknown_found;
        summary.bytes_on_disk = self.group.bytes_on_disk();
        Ok(summary)
    }

    /// Reads everything back from one node, or from the leader; says also how many unknown writes it has.
    async fn read_back(
        &mut self,
        node: Option<usize>,
        fates: &[ledger::Fate],
    ) -> anyhow::Result<(ReadBack, usize)> {
        let mut failure = None;
        for _ in 0..READ_BACK_TRIES {
            let (index, asking, how) = match node {
                Some(index) => (index, Asking::Local, "by itself, after it was killed"),
                None => (
                    self.group.leader().await?,
                    Asking::Linearizable,
                    "leader, linearizable",
                ),
            };
            let (id, address) = {
                let node = &self.group.nodes()[index];
                (node.id, node.address)
            };
            let progress = |done: usize| {
                let [part, all] = [done, fates.len().max(1)]
                    .map(|count| u32::try_from(count).map_or(f64::MAX, f64::from));
                let text = format!("{} from n{id}", grouped(done));
                self.screen.show("reading", part / all, text);
            };
            let input = self.load.input();
            let findings = match verify::read_back(address, asking, input, fates, progress).await {
                Ok(findings) => findings,
                Err(lost) => {
                    self.screen
                        .say(&format!("reading from n{id} again: {lost}"));
                    failure = Some(lost);
                    self.group.check()?;
                    sleep(DRAW_INTERVAL).await;
                    continue;
                }
            };
            for example in &findings.examples {
                self.screen.say(&format!("n{id}: {example}"));
            }
            let source = format!("n{id}, {how}");
            let verify::Findings {
                found, lost, wrong, ..
            } = findings;
            self.screen
                .say(&format!("read back {} from {source}", grouped(found)));
            let read_back = ReadBack {
                source,
                found,
                lost,
                wrong,
            };
            return Ok((read_back, findings.unknown_found));
        }
        match failure {
            Some(lost) => Err(lost).context("cannot read back"),
            None => bail!("cannot read back"),
        }
    }
}

/// Up to which entry anybody knows that they are committed.
fn commit_of(views: &[Option<View>]) -> u64 {
    let commits = views.iter().flatten().map(|view| view.commit);
    commits.max().unwrap_or(0)
}

/// Whether all nodes answer and have applied that much.
fn are_level(views: &[Option<View>], commit: u64) -> bool {
    let is_level = |view: &View| view.applied >= commit;
    views.iter().all(|view| view.as_ref().is_some_and(is_level))
}
