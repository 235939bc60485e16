//! `Tick32` against one division of unlimited precision.

use core::num::NonZeroU32;

use clocks::{Duration, Instant, Tick32};
use proptest::prelude::*;

fn clock(hertz: u32) -> Tick32 {
    Tick32::new(NonZeroU32::new(hertz).expect("a frequency"))
}

/// The time of a total count of ticks, rounded down.
fn exact(total: u64, hertz: u32) -> u64 {
    u64::try_from(u128::from(total) * 1_000_000 / u128::from(hertz))
        .expect("less than 584,000 years")
}

/// The low half of the count, as the hardware shows it.
fn shown(total: u64) -> u32 {
    (total & u64::from(u32::MAX)) as u32
}

fn hertz() -> impl Strategy<Value = u32> {
    prop_oneof![
        Just(1),
        Just(32_768),
        Just(1_000_000),
        Just(48_000_000),
        Just(u32::MAX),
        1..1_000u32,
        1..=u32::MAX,
    ]
}

#[test]
fn counter_that_has_not_moved_is_the_origin() {
    assert_eq!(clock(1_000).observe(0), Instant::ZERO);
}

#[test]
fn frequent_observation_does_not_drift() {
    // A tick is a third of a microsecond: rounding each one would stop the clock altogether.
    let mut clock = clock(3_000_000);
    let last = (0..=3_000_000).map(|ticks| clock.observe(ticks)).last();
    assert_eq!(last, Some(Instant::from_micros(1_000_000)));
}

#[test]
fn wrap_period_is_two_to_the_32_ticks() {
    assert_eq!(clock(1).wrap_period(), Duration::from_secs(1 << 32));
    assert_eq!(clock(32_768).wrap_period(), Duration::from_secs(131_072));
    assert_eq!(
        clock(1_000_000).wrap_period(),
        Duration::from_micros(1 << 32)
    );
    assert_eq!(
        clock(u32::MAX).wrap_period(),
        Duration::from_micros(1_000_000)
    );
}

#[test]
fn observation_once_per_wrap_period_is_enough() {
    let mut clock = clock(1_000_000);
    let step = u64::from(u32::MAX);
    for turn in 1..100 {
        assert_eq!(
            clock.observe(shown(turn * step)),
            Instant::from_micros(turn * step)
        );
    }
}

/// What the documentation warns of.
#[test]
fn wrap_that_nobody_observed_is_lost() {
    let mut clock = clock(1_000_000);
    assert_eq!(clock.observe(7), Instant::from_micros(7));
    assert_eq!(clock.observe(shown((1 << 32) + 7)), Instant::from_micros(7));
}

proptest! {
    #[test]
    fn time_is_the_exact_quotient_and_never_goes_back(
        hertz in hertz(),
        steps in prop::collection::vec(prop_oneof![0..100u32, any::<u32>(), Just(u32::MAX)], 1..200),
    ) {
        let mut clock = clock(hertz);
        let mut total = 0u64;
        let mut before = Instant::ZERO;
        for step in steps {
            total += u64::from(step);
            let now = clock.observe(shown(total));
            prop_assert_eq!(now.as_micros(), exact(total, hertz));
            prop_assert!(now >= before);
            before = now;
        }
    }

    #[test]
    fn time_does_not_depend_on_how_often_it_is_observed(
        hertz in hertz(),
        steps in prop::collection::vec(0..=u32::MAX / 16, 1..16),
    ) {
        let total: u32 = steps.iter().sum();
        let mut often = clock(hertz);
        let mut ticks = 0;
        for step in steps {
            ticks += step;
            often.observe(ticks);
        }
        let mut once = clock(hertz);
        once.observe(total);
        prop_assert_eq!(often, once);
    }

    #[test]
    fn wrap_period_is_rounded_down(hertz in hertz()) {
        prop_assert_eq!(clock(hertz).wrap_period().as_micros(), exact(1 << 32, hertz));
    }
}
