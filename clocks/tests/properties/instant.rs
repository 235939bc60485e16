//! `Instant` and `Duration` against 128-bit arithmetic.

use clocks::{Duration, Instant};
use proptest::prelude::*;

/// All magnitudes alike, and the ends.
pub(crate) fn magnitude() -> impl Strategy<Value = u64> {
    prop_oneof![
        8 => (any::<u64>(), 0u32..64).prop_map(|(number, shift)| number >> shift),
        1 => Just(0),
        1 => (0u64..10).prop_map(|less| u64::MAX - less),
    ]
}

fn saturated(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

#[test]
fn constants_are_the_ends() {
    assert_eq!(Instant::default(), Instant::ZERO);
    assert_eq!(Instant::ZERO.as_micros(), 0);
    assert_eq!(Instant::MAX.as_micros(), u64::MAX);
    assert_eq!(Duration::default(), Duration::ZERO);
    assert_eq!(Duration::ZERO.as_micros(), 0);
    assert_eq!(Duration::MAX.as_micros(), u64::MAX);
}

#[test]
fn division_by_zero_gives_the_longest_duration() {
    assert_eq!(Duration::from_secs(1).saturating_div(0), Duration::MAX);
    assert_eq!(Duration::ZERO.saturating_div(0), Duration::MAX);
}

#[test]
fn longest_standard_duration_saturates() {
    assert_eq!(Duration::from(core::time::Duration::MAX), Duration::MAX);
}

proptest! {
    #[test]
    fn instants_saturate_at_both_ends(micros in magnitude(), length in magnitude()) {
        let (instant, duration) = (Instant::from_micros(micros), Duration::from_micros(length));
        let later = u128::from(micros) + u128::from(length);
        prop_assert_eq!(instant.saturating_add(duration).as_micros(), saturated(later));
        prop_assert_eq!(instant.checked_add(duration).map(Instant::as_micros), u64::try_from(later).ok());
        let earlier = i128::from(micros) - i128::from(length);
        prop_assert_eq!(i128::from(instant.saturating_sub(duration).as_micros()), earlier.max(0));
    }

    #[test]
    fn time_since_the_future_is_zero(a in magnitude(), b in magnitude()) {
        let since = Instant::from_micros(a).saturating_since(Instant::from_micros(b));
        prop_assert_eq!(i128::from(since.as_micros()), (i128::from(a) - i128::from(b)).max(0));
    }

    #[test]
    fn units_saturate(number in magnitude()) {
        let number_wide = u128::from(number);
        prop_assert_eq!(Duration::from_micros(number).as_micros(), number);
        prop_assert_eq!(Duration::from_millis(number).as_micros(), saturated(number_wide * 1_000));
        prop_assert_eq!(Duration::from_secs(number).as_micros(), saturated(number_wide * 1_000_000));
        prop_assert_eq!(Duration::from_micros(number).as_millis(), number / 1_000);
    }

    #[test]
    fn durations_saturate_at_both_ends(a in magnitude(), b in magnitude()) {
        let (duration, other) = (Duration::from_micros(a), Duration::from_micros(b));
        let (wide_a, wide_b) = (u128::from(a), u128::from(b));
        prop_assert_eq!(duration.saturating_add(other).as_micros(), saturated(wide_a + wide_b));
        prop_assert_eq!(duration.saturating_sub(other).as_micros(), saturated(wide_a.saturating_sub(wide_b)));
        prop_assert_eq!(duration.saturating_mul(b).as_micros(), saturated(wide_a * wide_b));
        if b != 0 {
            prop_assert_eq!(duration.saturating_div(b).as_micros(), a / b);
        }
    }

    #[test]
    fn conversion_to_the_standard_type_is_exact(micros in magnitude()) {
        let standard = core::time::Duration::from(Duration::from_micros(micros));
        prop_assert_eq!(standard.as_micros(), u128::from(micros));
        prop_assert_eq!(standard.subsec_nanos() % 1_000, 0);
        prop_assert_eq!(Duration::from(standard).as_micros(), micros);
    }

    #[test]
    fn conversion_from_the_standard_type_rounds_up(secs in magnitude(), nanos in 0u32..1_000_000_000) {
        let standard = core::time::Duration::new(secs, nanos);
        let expected = saturated(standard.as_nanos().div_ceil(1_000));
        prop_assert_eq!(Duration::from(standard).as_micros(), expected);
    }
}
