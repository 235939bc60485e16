//! A journal on NOR flash, as an embedder on a microcontroller may write it, examined; and with
//! one mistake each, which the examination finds.

mod flash_journal;

use clocks::Instant;
use flash_journal::{Journal, Mistake};
use quorum::NodeId;
use simulator::contract::{
    Begin, Breach, Driver, Duty, Flash, Options, Report, Rig, Store, examine, replay,
};

const QUICK: Options = Options {
    histories: 1,
    first: 1,
    exact_bytes_max: 8,
    stride: 1,
    fates_max: 12,
    decays_max: 100,
    seconds: None,
};

fn examined<const WORD: usize, const PAGE: usize>(
    mistake: Mistake,
    options: &Options,
) -> Result<Report, Breach> {
    let journal = Journal::new(Flash::<WORD, PAGE>::new(48 * 1024 / PAGE), mistake);
    let mut rig = Driver::new(journal);
    let report = examine(&mut rig, options);
    if let Err(breach) = &report {
        // A breach says how to see it again.
        assert!(replay(&mut rig, breach.point).is_err());
    }
    report
}

#[test]
fn a_sound_journal_on_flash_passes() {
    match examined::<8, 16384>(Mistake::None, &QUICK) {
        Ok(report) => println!("{report:?}"),
        Err(breach) => panic!("{breach}"),
    }
}

#[test]
fn small_words_and_pages_make_no_difference() {
    let options = Options {
        stride: 7,
        decays_max: 20,
        ..QUICK
    };
    match examined::<4, 4096>(Mistake::None, &options) {
        Ok(report) => println!("{report:?}"),
        Err(breach) => panic!("{breach}"),
    }
}

#[test]
fn every_mistake_on_flash_is_found_and_its_duty_is_named() {
    let mut wrong = Vec::new();
    for (mistake, duty) in [
        (Mistake::ErasesFirst, Duty::KeepName),
        (Mistake::HeaderFirst, Duty::KeepName),
        (Mistake::TrustsLength, Duty::DropTorn),
        (Mistake::StaysPut, Duty::KeepName),
        (Mistake::BelievesInBlank, Duty::RespectMedium),
        (Mistake::TwoAreas, Duty::KeepName),
        (Mistake::OneHeader, Duty::RefuseDamage),
    ] {
        match examined::<8, 16384>(mistake, &QUICK) {
            Ok(report) => wrong.push(format!("{mistake:?} is not found: {report:?}")),
            Err(breach) if breach.duty == duty => println!("{mistake:?}: {breach}"),
            Err(breach) => wrong.push(format!("{mistake:?}: {breach}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_page_is_erased_as_often_as_the_others() {
    let flash = Flash::<8, 4096>::new(12);
    let mut rig = Driver::new(Journal::new(flash.clone(), Mistake::None));
    let (node, group) = (NodeId::new(1), None);
    let begin = Begin {
        node,
        group,
        seed: 1,
    };
    rig.begin(begin, Instant::ZERO).unwrap();
    for seed in 2..40 {
        rig.restart(seed, Instant::ZERO).unwrap();
    }
    let erases = flash.erases();
    let (least, most) = (erases.iter().min(), erases.iter().max());
    assert!(most.unwrap() - least.unwrap() <= 1, "{erases:?}");
    assert_eq!(rig.store().medium().misuse(), None);
}
