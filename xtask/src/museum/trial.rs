//! One mutant, one checker, one trial: a process of its own, because a mutant may loop without end.

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};

use super::scratch::SELECTOR;

/// How much longer than its budget a checker may take for its last try, in processor time.
const GRACE: Duration = Duration::from_secs(20);

/// The processor time of a test program: each takes less than a second.
const TESTS_TIME: Duration = Duration::from_secs(5);

/// What Linux counts processor time in.
const TICK: Duration = Duration::from_millis(10);

/// How much longer a process may take than its processor time, on a machine that does other things too.
const BUSY: u32 = 20;

/// The checker that is made of the tests of the core crates.
pub(crate) const TESTS: &str = "tests";

/// Not a checker: makes what the worlds notice short.
pub(crate) const STORY: &str = "story";

/// What is hunted with.
pub(crate) struct Arms {
    pub(crate) simulator: PathBuf,
    /// None if the tests are not asked for.
    pub(crate) tests: Vec<PathBuf>,
}

/// What is to be tried.
#[derive(Clone, Debug)]
pub(crate) struct Trial<'a> {
    pub(crate) mutant: u32,
    pub(crate) checker: &'a str,
    pub(crate) number: u32,
    pub(crate) seconds: u64,
    /// Oracles that are left out.
    pub(crate) dropped: &'a [String],
}

/// How a trial ended.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Finding {
    /// Who noticed; nobody if the budget was used up.
    pub(crate) by: Option<String>,
    pub(crate) tries: u64,
    pub(crate) unit: String,
    pub(crate) micros: u64,
}

impl Arms {
    pub(crate) fn hunt(&self, trial: &Trial<'_>) -> Result<Finding> {
        if trial.checker == TESTS {
            return self.run_tests(trial);
        }
        let mut command = Command::new(&self.simulator);
        match trial.checker {
            STORY => command.args(["museum", "--story"]),
            checker => command.args(["museum", "--checker", checker]),
        };
        command
            .args(["--trial", &trial.number.to_string()])
            .args(["--seconds", &trial.seconds.to_string()]);
        for oracle in trial.dropped {
            command.args(["--drop-oracle", oracle]);
        }
        let limit = Duration::from_secs(trial.seconds) + GRACE;
        let ended = run(command.env(SELECTOR, trial.mutant.to_string()), limit)?;
        let Some(output) = ended.output else {
            return Ok(hung(ended.micros));
        };
        // A process that ended without its line was ended by what it ran: a stack that overflowed.
        Ok(parse(&output).unwrap_or(Finding {
            by: Some("abort".into()),
            tries: 1,
            unit: "run".into(),
            micros: ended.micros,
        }))
    }

    /// Runs one test program after the other until a test fails.
    fn run_tests(&self, trial: &Trial<'_>) -> Result<Finding> {
        let mut micros = 0;
        for (place, program) in self.tests.iter().enumerate() {
            let mut command = Command::new(program);
            command
                .args(["--test-threads", "1"])
                .env(SELECTOR, trial.mutant.to_string())
                .env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "true");
            if let Some(directory) = program.parent() {
                command.current_dir(directory);
            }
            let ended = run(&mut command, TESTS_TIME)?;
            micros += ended.micros;
            let by = match &ended.output {
                None => Some("hang".to_owned()),
                Some(_) if ended.success => None,
                Some(output) => Some(failing(output)),
            };
            if let Some(by) = by {
                return Ok(Finding {
                    by: Some(format!("{}::{by}", short(program))),
                    tries: place as u64 + 1,
                    unit: "programs".into(),
                    micros,
                });
            }
        }
        Ok(Finding {
            by: None,
            tries: self.tests.len() as u64,
            unit: "programs".into(),
            micros,
        })
    }
}

/// The name of a test program without cargo's hash.
fn short(program: &std::path::Path) -> String {
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    name.rsplit_once('-')
        .map_or(name.to_string(), |(name, _)| name.to_owned())
}

/// The first test that failed.
fn failing(output: &str) -> String {
    let failed = output
        .lines()
        .find_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... FAILED"));
    failed.unwrap_or("abort").to_owned()
}

fn hung(micros: u64) -> Finding {
    Finding {
        by: Some("hang".into()),
        tries: 1,
        unit: "run".into(),
        micros,
    }
}

/// Reads `museum caught NAME TRIES UNIT MICROS micros by WHO`, or `museum missed ...`.
fn parse(output: &str) -> Option<Finding> {
    let line = output.lines().find(|line| line.starts_with("museum "))?;
    let words: Vec<&str> = line.split_whitespace().collect();
    let (verdict, tries, unit, micros) =
        (words.get(1)?, words.get(3)?, words.get(4)?, words.get(5)?);
    Some(Finding {
        by: match *verdict {
            "caught" => Some((*words.get(8)?).to_owned()),
            _ => None,
        },
        tries: tries.parse().ok()?,
        unit: (*unit).to_owned(),
        micros: micros.parse().ok()?,
    })
}

struct Ended {
    /// None if it was killed.
    output: Option<String>,
    success: bool,
    micros: u64,
}

/// Runs a command, and ends it when it takes longer than `limit`.
fn run(command: &mut Command, limit: Duration) -> Result<Ended> {
    let began = Instant::now();
    let mut took = Duration::ZERO;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("cannot start a checker")?;
    let mut pipe = child.stdout.take().context("a checker without output")?;
    // Read beside it: a full pipe would stop it.
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    });
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break Some(status);
        }
        took = process_time(child.id()).unwrap_or(took).max(took);
        if took > limit || began.elapsed() > limit * BUSY {
            child.kill()?;
            child.wait()?;
            break None;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    // Of short processes the clock on the wall says more than the count of ticks.
    let took = took.max(began.elapsed().min(TICK));
    let micros = u64::try_from(took.as_micros())?;
    let output = reader.join().unwrap_or_default();
    Ok(Ended {
        output: status.map(|_| output),
        success: status.is_some_and(|status| status.success()),
        micros,
    })
}

/// The processor time of a process that runs: the sum of two fields of Linux's `stat`, which count ticks.
fn process_time(process: u32) -> Option<Duration> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The second field is a name in parentheses, which may hold anything.
    let (_, rest) = text.rsplit_once(") ")?;
    let words: Vec<&str> = rest.split(' ').collect();
    let field = |at: usize| words.get(at - 2)?.parse::<u32>().ok();
    Some(TICK * (field(13)? + field(14)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_for_the_runner_is_read() {
        let caught = parse("seed 7: words\nmuseum caught worlds 7 seeds 1234 micros by one-vote\n");
        let expected = Finding {
            by: Some("one-vote".into()),
            tries: 7,
            unit: "seeds".into(),
            micros: 1234,
        };
        assert_eq!(caught.unwrap(), expected);
        let missed =
            parse("museum missed worlds 900 seeds 1000000 micros\nfigure museum x 1 sum\n");
        assert_eq!(
            missed.map(|finding| (finding.by, finding.tries)),
            Some((None, 900))
        );
        assert_eq!(parse("nothing\n"), None);
    }

    #[test]
    fn a_checker_that_does_not_end_is_ended() {
        let ended = run(Command::new("sleep").arg("60"), Duration::from_millis(5)).unwrap();
        assert!(ended.output.is_none());
    }

    #[test]
    fn processor_time_is_told_apart_from_waiting() {
        let ended = run(Command::new("sleep").arg("0.2"), Duration::from_secs(60)).unwrap();
        assert!(ended.success && ended.micros < 200_000);
        assert!(process_time(std::process::id()).is_some());
    }

    #[test]
    fn the_first_failing_test_is_named() {
        let output = "running 2 tests\ntest a::b ... ok\ntest a::c ... FAILED\n";
        assert_eq!(failing(output), "a::c");
        assert_eq!(failing("fatal runtime error"), "abort");
    }
}
