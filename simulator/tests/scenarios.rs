//! Stories: what a seed decided is the same history again, and the texts in `scenarios/` end as
//! they say.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use simulator::draw::Diagram;
use simulator::scenario::{Scenario, Step, record, shrink};
use simulator::world::decision::Decision;
use simulator::world::trace::Verbosity;
use simulator::{Bench, Options, Oracle, Sabotage};

#[test]
fn the_decisions_of_a_seed_are_its_history() {
    for seed in 1..=60 {
        let recorded = record(seed, Options::default()).unwrap();
        let rots = |step: &Step| matches!(step.decision, Decision::Rot(_));
        if recorded.scenario.steps.iter().any(rots) {
            // Which bit rots is not told.
            continue;
        }
        let played = recorded
            .scenario
            .play_with(Bench::ALL, Verbosity::Decisions);
        assert_eq!(played.violation, recorded.violation, "seed {seed}");
        let skipped = played.happened.iter().position(|did| !did);
        if let Some(place) = skipped {
            panic!("seed {seed}: {place} {:?}", recorded.scenario.steps[place]);
        }
        assert_eq!(played.world.trace().hash(), recorded.hash, "seed {seed}");
    }
}

#[test]
fn the_decisions_of_a_failing_seed_fail_in_the_same_way() {
    for (name, sabotage) in Sabotage::ALL {
        let options = Options {
            sabotage,
            ..Options::default()
        };
        let failing = (1..=40).filter_map(|seed| record(seed, options).ok());
        for recorded in failing
            .filter(|recorded| recorded.violation.is_some())
            .take(3)
        {
            let played = recorded.scenario.play_with(Bench::ALL, Verbosity::Silent);
            let (was, is) = (recorded.violation.unwrap(), played.violation);
            if was.oracle == Oracle::NoMajority
                || matches!(sabotage, Sabotage::TrustsFrames | Sabotage::TrustsRecords)
            {
                // A story ends when the group is well, and does not fall apart then; and which
                // bytes of a frame or a record are damaged is not told.
                continue;
            }
            println!("{name}: {} lines, {was}", recorded.scenario.events());
            assert_eq!(
                Some(was.oracle),
                is.map(|violation| violation.oracle),
                "{name}"
            );
        }
    }
}

#[test]
fn a_story_is_the_same_after_writing_and_reading() {
    for seed in 1..=20 {
        let scenario = record(seed, Options::default()).unwrap().scenario;
        let text = scenario.to_string();
        let again = Scenario::parse(&text).unwrap();
        for (one, other) in scenario.steps.iter().zip(&again.steps) {
            assert_eq!(one, other);
        }
        assert_eq!(again, scenario, "seed {seed}");
    }
}

/// The folder of the stories.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

/// All stories by name, in order.
fn stories() -> Vec<PathBuf> {
    let entries = fs::read_dir(folder()).unwrap();
    let mut all: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    all.retain(|path| path.extension().is_some_and(|end| end == "txt"));
    all.sort();
    assert!(all.len() >= 4);
    all
}

/// Compares a file with what it should be; with `UPDATE=1` in the environment, makes it so.
fn assert_file(path: &Path, expected: &str) {
    if std::env::var_os("UPDATE").is_some() {
        fs::write(path, expected).unwrap();
        return;
    }
    let found = fs::read_to_string(path).unwrap_or_default();
    let differs = found
        .lines()
        .zip(expected.lines())
        .position(|(a, b)| a != b);
    assert!(
        found == expected,
        "{} is out of date from line {:?} on; UPDATE=1 rewrites it, and the diff wants to be read",
        path.display(),
        differs.map(|line| line + 1)
    );
}

#[test]
fn every_story_ends_as_it_says() {
    for path in stories() {
        let text = fs::read_to_string(&path).unwrap();
        let scenario = Scenario::parse(&text).unwrap();
        let played = scenario.play();
        let judged = scenario.judge(played.violation.as_ref());
        assert_eq!(judged, Ok(()), "{}", path.display());
        let idle = played.happened.iter().position(|did| !did);
        let idle = idle.map(|place| scenario.steps[place].decision.to_string());
        assert_eq!(idle, None, "{}: a line means nothing", path.display());
        let script = text.split("\n---\n").next().unwrap_or_default();
        let diagram = Diagram::of(&scenario, &played).text();
        assert_file(&path, &format!("{}\n---\n{diagram}", script.trim_end()));
    }
}

#[test]
fn the_pictures_of_the_stories_are_up_to_date() {
    for path in stories() {
        let text = fs::read_to_string(&path).unwrap();
        let scenario = Scenario::parse(&text).unwrap();
        let svg = Diagram::of(&scenario, &scenario.play()).svg();
        let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/diagrams");
        let name = path.file_stem().unwrap();
        assert_file(&docs.join(name).with_extension("svg"), &svg);
    }
}

/// A log as ShiViz reads it: host, clock and event, two lines each; returns host and clock.
fn parse_shiviz(log: &str) -> Vec<(String, BTreeMap<String, u64>)> {
    let lines: Vec<_> = log.lines().collect();
    let events = lines.chunks(2);
    let events = events.map(|event| {
        let [head, words] = event else {
            panic!("an event without words");
        };
        assert!(!words.is_empty());
        let (host, clock) = head.split_once(" {").unwrap();
        let clock = clock.strip_suffix('}').unwrap();
        let parts = clock.split(", ").map(|part| {
            let (name, count) = part.split_once(':').unwrap();
            let name = name.strip_prefix('"').and_then(|n| n.strip_suffix('"'));
            (name.unwrap().to_owned(), count.parse().unwrap())
        });
        (host.to_owned(), parts.collect())
    });
    events.collect()
}

#[test]
fn the_clocks_of_a_log_grow_by_one_and_know_only_what_was() {
    for path in stories() {
        let scenario = Scenario::parse(&fs::read_to_string(&path).unwrap()).unwrap();
        let diagram = Diagram::of(&scenario, &scenario.play());
        let events = parse_shiviz(&diagram.shiviz());
        assert!(events.len() > 20);
        let mut latest: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
        for (host, clock) in events {
            let before = latest.get(&host).cloned().unwrap_or_default();
            assert_eq!(clock[&host], before.get(&host).unwrap_or(&0) + 1);
            for (other, count) in &before {
                assert!(clock[other] >= *count);
            }
            for (other, count) in clock.iter().filter(|(other, _)| **other != host) {
                assert!(latest[other][other] >= *count, "{host} knows the future");
            }
            latest.insert(host, clock);
        }
    }
}

#[test]
fn a_failing_seed_becomes_a_short_story_in_which_the_same_oracle_fires() {
    let mut lengths = Vec::new();
    for (name, sabotage) in Sabotage::ALL {
        let options = Options {
            sabotage,
            ..Options::default()
        };
        let Some(shrunk) = (1..=6).find_map(|seed| shrink(seed, options)) else {
            // Some are rare, and some are for others than this world.
            continue;
        };
        assert_ne!(sabotage, Sabotage::None);
        let text = shrunk.scenario.to_string();
        let again = Scenario::parse(&text).unwrap();
        assert_eq!(again.check(), Ok(()), "{name}\n{text}");
        assert!(shrunk.events <= shrunk.events_before);
        // What is broken is needed: the sound world passes the same story.
        let mut sound = again.clone();
        sound.knobs.sabotage = Sabotage::None;
        assert_eq!(sound.play().violation, None, "{name}\n{text}");
        lengths.push(shrunk.events);
    }
    assert!(lengths.len() >= 12, "{lengths:?}");
    lengths.sort_unstable();
    assert!(lengths[lengths.len() / 2] <= 30, "{lengths:?}");
}

#[test]
fn a_line_that_means_nothing_is_passed_over() {
    let text = "hosts 3\nmembers n1 n2 n3\nauto network disk\n\
                deliver vote 2->1 term 9 #4\nstore n3\nrestart n2\npropose n3 8 bytes\n\
                propose n1 8 bytes\ncalm\nexpect sound\n";
    let played = Scenario::parse(text).unwrap().play();
    assert_eq!(played.happened, [false, false, false, false, true, true]);
    assert_eq!(played.violation, None);
}

#[test]
fn what_is_no_story_is_refused_with_its_line() {
    for (text, line) in [
        ("hosts 9\n", 1),
        ("hosts 3\nexplode n1\n", 2),
        ("wake n8\n", 1),
        ("deliver append 1-2\n", 1),
        ("propose n1 8 apples\n", 1),
        ("\nwake n1 now\n", 2),
        ("expect violation nobody\n", 1),
        ("clock n1 300ms\n", 1),
    ] {
        assert_eq!(Scenario::parse(text).unwrap_err().line, line, "{text}");
    }
}
