//! `Jitter`: reference output, ranges, evenness, and the reason for it all: that members differ.

use std::collections::BTreeSet;

use clocks::{Duration, Jitter};
use proptest::prelude::*;

use crate::instant::magnitude;

/// Output of `splitmix64.c` for the seeds 1234567 and 0.
#[test]
fn output_is_that_of_the_reference_implementation() {
    let mut jitter = Jitter::new(1_234_567);
    let expected = [
        6_457_827_717_110_365_317,
        3_203_168_211_198_807_973,
        9_817_491_932_198_370_423,
        4_593_380_528_125_082_431,
        16_408_922_859_458_223_821,
    ];
    assert_eq!(expected.map(|_| jitter.next_u64()), expected);
    assert_eq!(Jitter::new(0).next_u64(), 0xe220_a839_7b1d_cdaf);
}

#[test]
fn nothing_is_drawn_where_there_is_no_choice() {
    let mut jitter = Jitter::new(3);
    assert_eq!(jitter.below(0), 0);
    assert_eq!(jitter.below(1), 0);
    let (short, long) = (Duration::from_millis(1), Duration::from_millis(2));
    assert_eq!(jitter.between(long, long), long);
    assert_eq!(jitter.between(long, short), long);
    assert_eq!(jitter, Jitter::new(3));
}

#[test]
fn power_of_two_takes_a_single_draw() {
    for exponent in 1..64 {
        let (mut bounded, mut free) = (Jitter::new(exponent), Jitter::new(exponent));
        let bound = 1 << exponent;
        assert_eq!(bounded.below(bound), free.next_u64() % bound);
        assert_eq!(bounded, free);
    }
}

/// For each bound a chi-squared statistic with `bound - 1` degrees of freedom: its mean is that number, and ten
/// standard deviations above it there is nothing that chance puts there.
#[test]
fn numbers_below_a_bound_are_even() {
    let draws_per_value = 1_000;
    for bound in [2u64, 3, 5, 7, 10, 64, 100, 129] {
        let mut counts = vec![0i64; bound as usize];
        let mut jitter = Jitter::new(bound);
        for _ in 0..bound as i64 * draws_per_value {
            counts[jitter.below(bound) as usize] += 1;
        }
        let squares: i64 = counts
            .iter()
            .map(|count| (count - draws_per_value).pow(2))
            .sum();
        let chi_squared = squares as f64 / draws_per_value as f64;
        let freedom = (bound - 1) as f64;
        assert!(
            chi_squared < freedom + 10.0 * (2.0 * freedom).sqrt(),
            "{bound}: {counts:?}"
        );
    }
}

/// A remainder of the division by the bound would take the lower third twice as often as the others.
#[test]
fn numbers_below_a_large_bound_are_even() {
    let bound = u64::MAX / 4 * 3;
    let mut jitter = Jitter::new(9);
    let low = (0..30_000)
        .filter(|_| jitter.below(bound) < bound / 3)
        .count();
    assert!((9_500..10_500).contains(&low), "{low}");
}

/// The history behind this: timeouts drawn as milliseconds modulo a small base were the same in all members.
#[test]
fn members_with_neighbouring_seeds_differ_in_a_range_of_one_millisecond() {
    let (min, max) = (Duration::from_millis(150), Duration::from_millis(151));
    for first_seed in (0..100_000).step_by(5) {
        let draw = |seed| Jitter::new(seed).between(min, max);
        let drawn: BTreeSet<_> = (first_seed..first_seed + 5).map(draw).collect();
        assert!(
            drawn.len() >= 3,
            "five members that start from seed {first_seed} draw {drawn:?}"
        );
    }
}

#[test]
fn two_members_part_within_a_few_draws_even_in_a_range_of_two_microseconds() {
    let (min, max) = (Duration::from_micros(7), Duration::from_micros(9));
    for seed in 0..1_000 {
        let (mut one, mut other) = (Jitter::new(seed), Jitter::new(seed + 1));
        let together = (0..64)
            .take_while(|_| one.between(min, max) == other.between(min, max))
            .count();
        assert!(together < 32, "seeds {seed} and {}", seed + 1);
    }
}

proptest! {
    #[test]
    fn equal_seeds_draw_equal_numbers(seed: u64, bounds in prop::collection::vec(magnitude(), 1..20)) {
        let (mut one, mut other) = (Jitter::new(seed), Jitter::new(seed));
        for bound in bounds {
            prop_assert_eq!(one.below(bound), other.below(bound));
        }
        prop_assert_eq!(one, other);
    }

    #[test]
    fn number_stays_below_its_bound(seed: u64, bound in magnitude()) {
        let drawn = Jitter::new(seed).below(bound);
        prop_assert!(drawn < bound || (bound == 0 && drawn == 0));
    }

    #[test]
    fn duration_stays_in_its_half_open_range(seed: u64, a in magnitude(), b in magnitude()) {
        let (min, max) = (Duration::from_micros(a), Duration::from_micros(b));
        let drawn = Jitter::new(seed).between(min, max);
        prop_assert!(drawn >= min && drawn < max || max <= min && drawn == min);
    }

    #[test]
    fn each_number_of_a_small_range_is_drawn(seed: u64, bound in 1u64..6) {
        let mut jitter = Jitter::new(seed);
        let drawn: BTreeSet<_> = (0..400).map(|_| jitter.below(bound)).collect();
        prop_assert!(drawn.into_iter().eq(0..bound));
    }
}
