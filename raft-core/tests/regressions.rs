//! Bugs of this crate that were found and fixed, each under the name of its cause.

mod support;

use clocks::Instant;
use support::past::Past;

/// At the end of time every timer was due again as soon as it was set, and the call never ended.
#[test]
fn timers_at_the_end_of_time_fired_for_ever() {
    for past in [Past::new(1), Past::new(1).voters(&[1])] {
        let mut solo = past.establish();
        for _ in 0..3 {
            solo.now = Instant::from_micros(u64::MAX);
            solo.raft.handle_timeout(solo.now).unwrap();
            solo.drain();
        }
    }
}
