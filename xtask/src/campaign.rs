//! Long runs of everything: `cargo xtask campaign --hours H [--shard I/N]`.
//!
//! The work is an endless row of slices, each one command of at most some minutes with seeds of its own. Shard I of N
//! takes every N-th slice, so shards need no coordination and may run anywhere. Each slice leaves its output as a
//! file, and a slice whose file is there is not run again: what was interrupted goes on where it was. The report is
//! the sum of the files, of one directory or of many.

mod slices;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result, bail, ensure};

use crate::tools::{self, Context};
use slices::{STATIONS, Slice};

const USAGE: &str =
    "cargo xtask campaign --hours H [--shard I/N] [--station NAME] [--out DIRECTORY]";

/// What the command line asks for.
#[derive(Debug, PartialEq)]
struct Arguments {
    seconds: u64,
    shard: u64,
    shards: u64,
    /// These alone; all if there is none.
    stations: Vec<String>,
    out: Option<PathBuf>,
}

impl Arguments {
    fn parse(words: &[String]) -> Result<Self> {
        let mut arguments = Arguments {
            seconds: 0,
            shard: 0,
            shards: 1,
            stations: Vec::new(),
            out: None,
        };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let value = words
                .next()
                .with_context(|| format!("{word} wants a value; {USAGE}"))?;
            match word.as_str() {
                "--hours" => {
                    let hours: f64 = value.parse().with_context(|| format!("{value} hours?"))?;
                    ensure!(
                        (0.0..=10_000.0).contains(&hours),
                        "{value} hours? 0 to 10000"
                    );
                    arguments.seconds = (hours * 3600.0) as u64;
                }
                "--shard" => {
                    (arguments.shard, arguments.shards) = tools::shard(value)?;
                }
                "--station" => {
                    let known = STATIONS.iter().any(|station| station.name == value);
                    let names: Vec<_> = STATIONS.iter().map(|station| station.name).collect();
                    ensure!(known, "the stations are {}", names.join(", "));
                    arguments.stations.push(value.clone());
                }
                "--out" => arguments.out = Some(value.into()),
                _ => bail!("{word}? {USAGE}"),
            }
        }
        ensure!(arguments.seconds > 0, "for how long? {USAGE}");
        Ok(arguments)
    }
}

/// Runs a shard of a campaign; an error if a slice found something.
pub(crate) fn main(context: &Context, words: &[String]) -> Result<()> {
    let arguments = Arguments::parse(words)?;
    let commit = commit(context)?;
    let out = match &arguments.out {
        Some(out) => context.root.join(out),
        None => context.target.join("campaign").join(&commit),
    };
    fs::create_dir_all(&out)?;
    slices::build(context, &arguments.stations)?;
    let mut campaign = Campaign {
        context,
        head: format!("# commit: {commit}\n# machine: {}\n", machine()),
        out,
        left: arguments.seconds,
        findings: 0,
    };
    campaign.run(&arguments)?;
    println!(
        "the report: cargo run --release -p simulator -- report {}",
        campaign.out.display()
    );
    ensure!(
        campaign.findings == 0,
        "{} slices found something",
        campaign.findings
    );
    Ok(())
}

struct Campaign<'c> {
    context: &'c Context,
    head: String,
    out: PathBuf,
    /// Seconds of work.
    left: u64,
    findings: usize,
}

impl Campaign<'_> {
    /// One slice of each station, then the next one of each, while there is time and there are slices.
    fn run(&mut self, arguments: &Arguments) -> Result<()> {
        for round in 0.. {
            let number = round * arguments.shards + arguments.shard;
            let mut is_idle = true;
            for station in STATIONS {
                let chosen = &arguments.stations;
                if !chosen.is_empty() && !chosen.iter().any(|name| name == station.name) {
                    continue;
                }
                let Some(slice) = (station.slice)(self.context, number) else {
                    continue;
                };
                is_idle = false;
                self.slice(station.name, number, slice)?;
                if self.left == 0 {
                    return Ok(());
                }
            }
            if is_idle {
                return Ok(());
            }
        }
        Ok(())
    }

    fn slice(&mut self, name: &str, number: u64, slice: Slice) -> Result<()> {
        let path = self.out.join(format!("{name}-{number:05}.txt"));
        if let Ok(text) = fs::read_to_string(&path) {
            self.count(&text);
            return Ok(());
        }
        let began = Instant::now();
        let (status, output) = carry_out(slice.commands)?;
        let seconds = began.elapsed().as_secs().max(1);
        let text = format!(
            "{}# station: {name}\n# command: {}\n# seconds: {seconds}\n# status: {status}\n\n{output}",
            self.head, slice.line
        );
        // All or nothing: half a file must not count as a slice.
        let half = path.with_extension("half");
        fs::write(&half, &text)?;
        fs::rename(&half, &path)?;
        println!("{name} {number}: {status}, {seconds} s");
        self.count(&text);
        Ok(())
    }

    fn count(&mut self, text: &str) {
        let head = |name| head(text, name).unwrap_or_default();
        self.left = self
            .left
            .saturating_sub(head("seconds").parse().unwrap_or(0));
        self.findings += usize::from(head("status") != "sound");
    }
}

fn head<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let lines = text.lines().map_while(|line| line.strip_prefix("# "));
    let mut heads = lines.filter_map(|line| line.split_once(": "));
    heads
        .find(|(found, _)| *found == name)
        .map(|(_, value)| value)
}

/// Runs the commands of a slice. If there are several they must print the same last line that starts with `hash`.
fn carry_out(commands: Vec<Command>) -> Result<(String, String)> {
    let (mut status, mut all) = ("sound".to_owned(), String::new());
    let mut hashes = Vec::new();
    for mut command in commands {
        let (success, output) = tools::capture(&mut command)?;
        if !success {
            status = "a finding".into();
        }
        let hash = output.lines().rev().find(|line| line.starts_with("hash"));
        hashes.push(hash.map(str::to_owned));
        all += &output;
    }
    hashes.dedup();
    if hashes.len() > 1 {
        status = "two hashes".into();
    }
    Ok((status, all))
}

/// The commit, marked when there are changes beside it.
fn commit(context: &Context) -> Result<String> {
    let git = |arguments: &[&str]| {
        let mut command = Command::new("git");
        tools::capture(command.args(arguments).current_dir(&context.root))
    };
    let (success, commit) = git(&["rev-parse", "--short=12", "HEAD"])?;
    ensure!(
        success,
        "a campaign is of a commit, and this is no git repository: {commit}"
    );
    let (_, changes) = git(&["status", "--porcelain"])?;
    let mark = if changes.trim().is_empty() {
        ""
    } else {
        "-changed"
    };
    Ok(format!("{}{mark}", commit.trim()))
}

/// The processor and how many of it.
fn machine() -> String {
    let info = fs::read_to_string(Path::new("/proc/cpuinfo")).unwrap_or_default();
    let mut models = info.lines().filter(|line| line.starts_with("model name"));
    let model = models.next().and_then(|line| line.split_once(": "));
    let model = model.map_or("unknown processor", |(_, model)| model);
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{model}, {cores} cores")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        Arguments::parse(&words)
    }

    #[test]
    fn arguments_are_checked() {
        let sound = parse("--hours 0.5 --shard 1/4").unwrap();
        assert_eq!((sound.seconds, sound.shard, sound.shards), (1800, 1, 4));
        for wrong in [
            "--hours",
            "--hours x",
            "--hours -1",
            "--shard 0/2",
            "--hours 1 --shard 2/2",
            "--hours 1 --station nowhere",
            "--what 1",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn heads_end_where_the_output_begins() {
        let text = "# commit: abc\n# status: sound\n\n# status: other\n";
        assert_eq!(head(text, "status"), Some("sound"));
        assert_eq!(head(text, "seconds"), None);
    }

    fn echo(words: &str) -> Command {
        let mut command = Command::new("echo");
        command.arg(words);
        command
    }

    #[test]
    fn a_slice_whose_commands_disagree_is_a_finding() {
        let agreeing = carry_out(vec![echo("hash 1"), echo("hash 1")]).unwrap();
        assert_eq!(agreeing.0, "sound");
        let disagreeing = carry_out(vec![echo("hash 1"), echo("hash 2")]).unwrap();
        assert_eq!(disagreeing.0, "two hashes");
        let failing = carry_out(vec![Command::new("false")]).unwrap();
        assert_eq!(failing.0, "a finding");
    }
}
