//! Hostile input for one machine, one episode for each seed.

use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use simulator::figures::{Figures, Merge};
use simulator::hostile::quietly;
use simulator::hostile::traitor::{self, Traitor};
use simulator::hostile::{Manner, Shrunk, Stage, Tally, shrink};
use simulator::world::stats::Count;
use simulator::world::trace::Verbosity;
use simulator::world::{Options, Progress, World};

/// Options of `hostile`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Begin no episode after so many inputs; without this or `--seconds`, after 100 million.
    #[arg(long)]
    inputs: Option<u64>,
    /// Begin no episode after so many seconds.
    #[arg(long)]
    seconds: Option<u64>,
    /// The seed of the first episode.
    #[arg(long, default_value_t = 1)]
    first: u64,
    /// Run this one alone, and put its inputs into words.
    #[arg(long)]
    seed: Option<u64>,
    /// Take only these steps of it.
    #[arg(long, value_delimiter = ',', requires = "seed")]
    keep: Option<Vec<u32>>,
    /// Look at no rule: what inventing and handling alone costs.
    #[arg(long)]
    bare: bool,
    /// Threads, each with seeds of its own.
    #[arg(long, default_value_t = 1)]
    threads: u64,
    /// Large worlds in which one member lies, instead of one machine that everybody lies to.
    #[arg(long)]
    traitor: bool,
}

const INPUTS: u64 = 100_000_000;
/// How many episodes run between two looks at the clock.
const ROUND: u64 = 256;

/// Runs them.
pub(crate) fn main(arguments: &Arguments) -> ExitCode {
    match arguments.seed {
        _ if arguments.traitor => traitors(arguments),
        Some(seed) => tell(arguments, seed),
        None => sweep(arguments),
    }
}

fn stage() -> Stage {
    Stage::new().unwrap_or_else(|broken| panic!("an honest history: {broken}"))
}

fn tell(arguments: &Arguments, seed: u64) -> ExitCode {
    let mut stage = stage();
    let manner = Manner {
        keep: arguments.keep.clone(),
        is_told: true,
        ..Manner::default()
    };
    let ended = stage.run(seed, &manner);
    println!("seed {seed}: {}", stage.describe(seed));
    for line in &stage.lines {
        println!("{line}");
    }
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            println!("step {}: FAILED {}", failure.step, failure.broken);
            ExitCode::FAILURE
        }
    }
}

fn sweep(arguments: &Arguments) -> ExitCode {
    let began = Instant::now();
    let threads = arguments.threads.max(1);
    let runs: Vec<_> = std::thread::scope(|scope| {
        let spawn = |thread| scope.spawn(move || run(arguments, thread, threads, began));
        let handles: Vec<_> = (0..threads).map(spawn).collect();
        handles.into_iter().map(|handle| handle.join()).collect()
    });
    let micros = began.elapsed().as_micros() as u64;
    let mut sum = Tally::default();
    let mut episodes = 0;
    for (tally, count, found) in runs.into_iter().flatten() {
        sum.messages += tally.messages;
        sum.inputs += tally.inputs;
        sum.outputs += tally.outputs;
        sum.restarts += tally.restarts;
        episodes += count;
        if let Some(shrunk) = found {
            return report(&shrunk);
        }
    }
    let per_second = u128::from(sum.messages) * 1_000_000 / u128::from(micros.max(1));
    println!(
        "{episodes} episodes, {} inputs of which {} messages in {} ms: {per_second} messages/s, \
         {} ps each on {threads} threads",
        sum.inputs,
        sum.messages,
        micros / 1000,
        u128::from(micros) * 1_000_000 * u128::from(threads) / u128::from(sum.messages.max(1)),
    );
    let mut figures = Figures::new("hostile");
    figures.add("episodes", episodes, Merge::Sum);
    figures.add("inputs", sum.inputs, Merge::Sum);
    figures.add("messages", sum.messages, Merge::Sum);
    figures.add("outputs", sum.outputs, Merge::Sum);
    figures.add("restarts", sum.restarts, Merge::Sum);
    figures.add("milliseconds", micros / 1000, Merge::Sum);
    figures.add("violations", 0, Merge::Sum);
    print!("{figures}");
    ExitCode::SUCCESS
}

/// One thread's share: every so many-th seed.
fn run(
    arguments: &Arguments,
    thread: u64,
    threads: u64,
    began: Instant,
) -> (Tally, u64, Option<Shrunk>) {
    let mut stage = stage();
    let manner = Manner {
        is_bare: arguments.bare,
        ..Manner::default()
    };
    let share = match (arguments.inputs, arguments.seconds) {
        (Some(inputs), _) => inputs / threads,
        (None, Some(_)) => u64::MAX,
        (None, None) => INPUTS / threads,
    };
    let mut episodes = 0;
    loop {
        let is_late = |seconds| began.elapsed().as_secs() >= seconds;
        if stage.tally.inputs >= share || arguments.seconds.is_some_and(is_late) {
            return (stage.tally, episodes, None);
        }
        for _ in 0..ROUND {
            let seed = arguments
                .first
                .wrapping_add(episodes.wrapping_mul(threads))
                .wrapping_add(thread);
            episodes += 1;
            if let Err(failure) = stage.run(seed, &manner) {
                let tally = stage.tally;
                let shrunk = shrink(&mut stage, seed, &manner, failure);
                return (tally, episodes, Some(shrunk));
            }
            if stage.tally.inputs >= share {
                break;
            }
        }
    }
}

fn report(shrunk: &Shrunk) -> ExitCode {
    for line in &shrunk.lines {
        println!("{line}");
    }
    println!("FAILED {}", shrunk.failure.broken);
    let keep: Vec<_> = shrunk.keep.iter().map(u32::to_string).collect();
    println!(
        "replay: cargo run --release -p simulator -- hostile --seed {} --keep {}",
        shrunk.seed,
        keep.join(",")
    );
    println!("figure hostile violations 1 sum");
    ExitCode::FAILURE
}

/// Of a world that goes wrong the last so many lines are printed.
const LINES: usize = 500;

/// What came of the worlds with a traitor.
#[derive(Default)]
struct Betrayed {
    worlds: u64,
    events: u64,
    bent: u64,
    crashes: u64,
}

fn traitors(arguments: &Arguments) -> ExitCode {
    const EVENTS: u64 = 10_000_000;
    let began = Instant::now();
    let mut sum = Betrayed::default();
    let most = match (arguments.inputs, arguments.seconds) {
        (Some(inputs), _) => inputs,
        (None, Some(_)) => u64::MAX,
        (None, None) => EVENTS,
    };
    let mut seed = arguments.seed.unwrap_or(arguments.first);
    loop {
        let is_told = arguments.seed.is_some();
        let ended = quietly::catch(|| betray(seed, is_told, &mut sum));
        if let Err(what) = ended.and_then(|ended| ended) {
            println!("seed {seed}: FAILED {what}");
            println!("replay: cargo run --release -p simulator -- hostile --traitor --seed {seed}");
            println!("figure traitor violations 1 sum");
            return ExitCode::FAILURE;
        }
        seed = seed.wrapping_add(1);
        let is_late = |seconds| began.elapsed().as_secs() >= seconds;
        let is_over = sum.events >= most || arguments.seconds.is_some_and(is_late);
        if is_over || arguments.seed.is_some() {
            break;
        }
    }
    let elapsed = began.elapsed().as_millis() as u64;
    println!(
        "{} worlds, {} events, {} frames bent in {elapsed} ms",
        sum.worlds, sum.events, sum.bent
    );
    let mut figures = Figures::new("traitor");
    figures.add("worlds", sum.worlds, Merge::Sum);
    figures.add("events", sum.events, Merge::Sum);
    figures.add("frames-bent", sum.bent, Merge::Sum);
    figures.add("crashes", sum.crashes, Merge::Sum);
    figures.add("milliseconds", elapsed, Merge::Sum);
    figures.add("violations", 0, Merge::Sum);
    print!("{figures}");
    ExitCode::SUCCESS
}

/// One world with a traitor, put into words as far as it goes wrong.
fn betray(seed: u64, is_told: bool, sum: &mut Betrayed) -> Result<(), String> {
    let options = Options {
        bench: traitor::bench(),
        verbosity: match is_told {
            true => Verbosity::Last(LINES),
            false => Verbosity::Silent,
        },
        ..Options::default()
    };
    let mut world = World::new(seed, options).map_err(|found| found.to_string())?;
    world.betray(Traitor::new(seed, world.swarm().hosts));
    let ended = loop {
        match world.step() {
            Ok(Progress::Goes) => {}
            Ok(Progress::Ends) => break Ok(()),
            Err(violation) => break Err(violation.to_string()),
        }
    };
    if ended.is_err() {
        for line in world.trace().lines() {
            println!("{line}");
        }
    }
    sum.worlds += 1;
    sum.events += world.stats().count(Count::Event);
    sum.crashes += world.stats().count(Count::Crash);
    sum.bent += world.traitor().map_or(0, Traitor::bent);
    ended
}
