//! Instants, durations, timers, jitter and hardware ticks against numbers of unlimited size.

use core::num::NonZeroU32;

use clocks::{Duration, Instant, Jitter, Tick32, TimerKey, TimerTable};

use crate::bytes::Bytes;

const TIMERS: usize = 5;
const STEPS_MAX: usize = 200;

#[derive(Clone, Copy, PartialEq, Debug)]
struct Key(usize);

impl TimerKey for Key {
    const COUNT: usize = TIMERS;

    fn index(self) -> usize {
        self.0
    }

    fn from_index(index: usize) -> Option<Self> {
        (index < TIMERS).then_some(Key(index))
    }
}

/// Does what `data` says with clocks, and with their naive twins.
///
/// # Panics
///
/// When they differ.
pub fn clock_values(data: &[u8]) {
    let mut bytes = Bytes::new(data);
    arithmetic(&mut bytes);
    timers(&mut bytes);
    ticks(&mut bytes);
    jitter(&mut bytes);
}

fn clamp(exact: u128) -> u64 {
    u64::try_from(exact).unwrap_or(u64::MAX)
}

fn arithmetic(bytes: &mut Bytes<'_>) {
    let (a, b) = (bytes.number(1 << 40), bytes.number(1_000_000));
    let (wide_a, wide_b) = (u128::from(a), u128::from(b));
    let (one, other) = (Duration::from_micros(a), Duration::from_micros(b));
    let (sum, product) = (clamp(wide_a + wide_b), clamp(wide_a * wide_b));
    assert_eq!(one.saturating_add(other).as_micros(), sum);
    assert_eq!(one.saturating_sub(other).as_micros(), a.saturating_sub(b));
    assert_eq!(one.saturating_mul(b).as_micros(), product);
    // What a division by zero gives is the type's own business, but it gives something.
    let quotient = one.saturating_div(b).as_micros();
    assert!(b == 0 || quotient == a / b);
    assert_eq!(Duration::from_millis(a).as_micros(), clamp(wide_a * 1000));
    assert_eq!(
        Duration::from_secs(a).as_micros(),
        clamp(wide_a * 1_000_000)
    );
    assert_eq!(one.as_millis(), a / 1000);
    let now = Instant::from_micros(a);
    assert_eq!(now.saturating_add(other).as_micros(), sum);
    assert_eq!(now.saturating_sub(other).as_micros(), a.saturating_sub(b));
    assert_eq!(
        now.checked_add(other).map(Instant::as_micros),
        a.checked_add(b)
    );
    let earlier = Instant::from_micros(b);
    assert_eq!(
        now.saturating_since(earlier).as_micros(),
        a.saturating_sub(b)
    );
    assert_eq!(now.cmp(&earlier), a.cmp(&b));
}

fn timers(bytes: &mut Bytes<'_>) {
    let mut table = TimerTable::<Key, TIMERS>::new();
    let mut naive = [None::<u64>; TIMERS];
    let mut now = 1000;
    for _ in 0..bytes.below(64) {
        let key = Key(bytes.below(TIMERS));
        match bytes.below(4) {
            0 | 1 => {
                let deadline = bytes.number(now);
                table.set(key, Instant::from_micros(deadline));
                naive[key.0] = Some(deadline);
            }
            2 => {
                table.clear(key);
                naive[key.0] = None;
            }
            _ => {
                now = bytes.number(now);
                let due = (0..TIMERS)
                    .filter_map(|place| Some((naive[place]?, place)))
                    .filter(|(deadline, _)| *deadline <= now)
                    .min();
                let expired = table.pop_expired(Instant::from_micros(now));
                assert_eq!(expired.map(|key| key.0), due.map(|(_, place)| place));
                if let Some((_, place)) = due {
                    naive[place] = None;
                }
            }
        }
        let next = naive.iter().flatten().min().copied();
        assert_eq!(table.next().map(Instant::as_micros), next);
        assert_eq!(
            table.deadline(key).map(Instant::as_micros),
            naive[key.0],
            "{key:?}"
        );
        assert_eq!(table.is_set(key), naive[key.0].is_some());
    }
}

fn ticks(bytes: &mut Bytes<'_>) {
    let hertz = (bytes.number(32_768) & u64::from(u32::MAX)) as u32;
    let Some(hertz) = NonZeroU32::new(hertz) else {
        return;
    };
    let mut clock = Tick32::new(hertz);
    let (mut total, mut before) = (0_u128, Instant::ZERO);
    for _ in 0..bytes.below(STEPS_MAX) {
        // Less than one round of the counter.
        let step = bytes.number(u64::from(hertz.get())) & u64::from(u32::MAX);
        total += u128::from(step);
        let now = clock.observe((total & u128::from(u32::MAX)) as u32);
        let exact = total * 1_000_000 / u128::from(hertz.get());
        assert_eq!(now.as_micros(), clamp(exact));
        assert!(now >= before);
        before = now;
    }
    let period = (1_u128 << 32) * 1_000_000 / u128::from(hertz.get());
    assert_eq!(clock.wrap_period().as_micros(), clamp(period));
}

fn jitter(bytes: &mut Bytes<'_>) {
    let (seed, bound) = (bytes.number(1), bytes.number(100));
    let (mut one, mut other) = (Jitter::new(seed), Jitter::new(seed));
    let min = Duration::from_micros(bytes.number(100));
    let max = Duration::from_micros(bytes.number(200));
    for _ in 0..16 {
        let drawn = one.below(bound);
        assert!(drawn < bound.max(1));
        assert_eq!(drawn, other.below(bound));
        let between = one.between(min, max);
        assert!(between >= min && (between < max || between == min));
        assert_eq!(between, other.between(min, max));
    }
}
