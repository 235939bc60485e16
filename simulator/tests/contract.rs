//! The storage contract tester: it passes a sound driver, and finds each of the drivers that do
//! one thing wrong.

use simulator::contract::{
    Breach, Driver, Duty, Files, Flaw, Journal, Options, Report, examine, replay,
};

const QUICK: Options = Options {
    histories: 3,
    first: 1,
    exact_bytes_max: 8,
    stride: 1,
    fates_max: 12,
    decays_max: 200,
    seconds: None,
};

fn rig(flaw: Flaw, reorders: bool) -> Driver<Journal> {
    Driver::flawed(Journal::flawed(Files::new(reorders), flaw), flaw)
}

fn examined(flaw: Flaw, reorders: bool) -> Result<Report, Breach> {
    examine(&mut rig(flaw, reorders), &QUICK)
}

#[test]
fn a_sound_journal_passes() {
    for reorders in [false, true] {
        match examined(Flaw::None, reorders) {
            Ok(report) => println!("{report:?}"),
            Err(breach) => panic!("{breach}"),
        }
    }
}

#[test]
fn every_flaw_is_found_and_its_duty_is_named() {
    let mut wrong = Vec::new();
    for flaw in Flaw::ALL {
        let expected: &[Duty] = match flaw {
            Flaw::None => &[],
            Flaw::SendsBeforeStoring | Flaw::AcknowledgesBeforeSync => &[Duty::StoreBeforeSending],
            Flaw::SplitsTermAndVote => &[Duty::KeepVote],
            Flaw::IgnoresFailures => &[Duty::HeedFailures],
            Flaw::ReplaysTornRecord => &[Duty::DropTorn],
            Flaw::ForgetsTruncation => &[Duty::KeepTruncation],
            Flaw::KeepsOldJournal => &[Duty::KeepEntries, Duty::KeepTerm],
            Flaw::NamesSnapshotFirst => &[Duty::SnapshotFirst],
            Flaw::AppliesNothingAgain => &[Duty::ApplyCommands],
            Flaw::DropsDamage | Flaw::TrustsSnapshots => &[Duty::RefuseDamage],
            Flaw::ForgetsNames => &[Duty::KeepName],
        };
        let mut rig = rig(flaw, false);
        match examine(&mut rig, &QUICK) {
            Ok(report) => wrong.push(format!("{flaw:?} is not found: {report:?}")),
            Err(breach) => {
                println!("{flaw:?}: {breach}");
                if !expected.contains(&breach.duty) {
                    wrong.push(format!("{flaw:?}: {breach}"));
                }
                // A breach says how to see it again.
                assert!(replay(&mut rig, breach.point).is_err(), "{flaw:?} replays");
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
