//! Scripted histories crashed at every persist boundary, and two faults of the harness that this
//! must find.

use simulator::crash_points::{Room, SCRIPTS, Settings};
use simulator::{Oracle, Sabotage};

#[test]
fn every_script_survives_every_crash_and_every_decay() {
    let mut room = Room::new(Settings::default());
    for script in SCRIPTS {
        if let Err(finding) = room.run(script, 1) {
            panic!("{finding}");
        }
    }
    let tally = room.tally();
    println!("{tally:?}");
    assert!(tally.points > 5_000, "{tally:?}");
    let each = [tally.torn, tally.pairs, tally.blackouts, tally.halts];
    assert!(each.iter().all(|count| *count > 0), "{tally:?}");
    assert_eq!(tally.decays, tally.rejoined);
}

/// The scripts changed the membership and called elections without telling the oracles, and the model, which looks at one
/// seed in 32, missed the step. Found by a campaign.
#[test]
fn the_model_is_told_of_what_a_script_does() {
    let mut room = Room::new(Settings::default());
    for script in SCRIPTS {
        if let Err(finding) = room.run(script, 32) {
            panic!("{finding}");
        }
    }
}

fn found(settings: Settings) -> Option<Oracle> {
    let mut room = Room::new(settings);
    let mut findings = SCRIPTS
        .into_iter()
        .filter_map(|script| room.run(script, 1).err());
    findings.next().map(|finding| finding.violation.oracle)
}

#[test]
fn a_disk_that_forgets_is_found() {
    let settings = Settings {
        sabotage: Sabotage::ForgetsRecord,
        ..Settings::default()
    };
    assert_eq!(found(settings), Some(Oracle::Recovery));
}

#[test]
fn a_restore_that_ignores_a_damaged_tail_is_found() {
    let settings = Settings {
        ignores_damage: true,
        ..Settings::default()
    };
    assert_eq!(found(settings), Some(Oracle::Recovery));
}
