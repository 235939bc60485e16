//! Every story again, with a restart in it: each host crashes at each point, between any two
//! arrivals, writes and wakes, and loses what was not reported as written. The group must become
//! well again, and no oracle may object, whether the storm ends there or the story goes on.

use std::fs;
use std::path::Path;

use simulator::World;
use simulator::scenario::{Restart, Scenario};
use simulator::world::decision::Left;
use simulator::world::stats::Count;

fn stories() -> Vec<(String, Scenario)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let entries = fs::read_dir(folder).unwrap();
    let mut all: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "txt"))
        .map(|path| {
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let story = Scenario::parse(&fs::read_to_string(&path).unwrap()).unwrap();
            (name, story)
        })
        .collect();
    all.sort_by(|one, other| one.0.cmp(&other.0));
    assert!(all.len() >= 10);
    all
}

#[test]
fn a_story_that_is_written_out_is_the_same_history() {
    for (name, story) in stories() {
        let written = story.written_out();
        assert!(written.events() > story.events(), "{name}");
        let (one, other) = (story.play(), written.play());
        let idle = other.happened.iter().position(|did| !did);
        let idle = idle.map(|place| written.steps[place].decision.to_string());
        assert_eq!(idle, None, "{name}: a line means nothing");
        let (one, other) = (one.world.trace(), other.world.trace());
        assert_eq!(one.hash(), other.hash(), "{name}");
        assert_eq!(Scenario::parse(&written.to_string()).as_ref(), Ok(&written));
    }
}

/// What a crash leaves: nothing, a write that was done and not reported, a part of one.
const LEFT: [Left; 3] = [
    Left {
        kept: 0,
        torn: None,
    },
    Left {
        kept: 1,
        torn: None,
    },
    Left {
        kept: 0,
        torn: Some(20),
    },
];

#[test]
fn every_host_restarts_at_every_point_of_every_story() {
    let mut world = World::blank();
    let (mut plays, mut crashes) = (0, 0);
    for (name, story) in stories() {
        let written = story.written_out();
        for before in 0..written.events() {
            for host in 0..written.knobs.hosts {
                let mut is_writing = false;
                for (kind, left) in LEFT.into_iter().enumerate() {
                    if kind > 0 && !is_writing {
                        break;
                    }
                    for goes_on in [false, true] {
                        let restart = Restart {
                            before,
                            host,
                            left,
                            goes_on,
                        };
                        let told = written.with_restart(&restart);
                        let happened = told.check_in(&mut world);
                        let happened = happened.unwrap_or_else(|what| {
                            panic!("{name}, {restart:?}: {what}\n{told}");
                        });
                        is_writing |= world.stats().count(Count::CrashWriting) > 0;
                        plays += 1;
                        crashes += u32::from(happened[before]);
                    }
                }
            }
        }
        println!("{name}: {} points, {plays} plays so far", written.events());
    }
    assert!(crashes > plays / 2, "{crashes} of {plays}");
}
