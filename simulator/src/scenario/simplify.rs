//! Making single lines and options of a story simpler, see [`shrink`](crate::scenario::shrink).

use crate::scenario::minimise::Minimiser;
use crate::scenario::{Knobs, Scenario};
use crate::world::decision::{Decision, Left};

/// Times are left out: all of them, or one by one from the end.
pub(super) fn times(minimiser: &mut Minimiser) {
    let mut candidate = minimiser.best().clone();
    if candidate.steps.iter().all(|step| step.at.is_none()) {
        return;
    }
    for step in &mut candidate.steps {
        step.at = None;
    }
    if minimiser.attempt(candidate) {
        return;
    }
    each_line(minimiser, |scenario, place| {
        scenario.steps[place].at.take().is_some()
    });
}

/// Tries a change of each line, from the end; `change` says whether there is one.
fn each_line(minimiser: &mut Minimiser, change: impl Fn(&mut Scenario, usize) -> bool) {
    let mut place = minimiser.best().events();
    while place > 0 {
        place = (place - 1).min(minimiser.best().events().saturating_sub(1));
        let mut candidate = minimiser.best().clone();
        if place < candidate.events() && change(&mut candidate, place) {
            minimiser.attempt(candidate);
        }
    }
}

/// A crash leaves nothing, a failed write too, a proposal is one small command, and one member is
/// changed and not several.
pub(super) fn crashes_and_sizes(minimiser: &mut Minimiser) {
    each_line(minimiser, |scenario, place| {
        let decision = &mut scenario.steps[place].decision;
        let simpler = match *decision {
            Decision::Crash(host, left) if left != Left::default() => {
                Decision::Crash(host, Left::default())
            }
            Decision::Fail(host, 1..) => Decision::Fail(host, 0),
            Decision::Propose(host, count, bytes) if (count, bytes) != (1, 8) => {
                Decision::Propose(host, 1, 8)
            }
            _ => return false,
        };
        *decision = simpler;
        true
    });
    for nth in (0..7).rev() {
        each_line(minimiser, |scenario, place| {
            match &mut scenario.steps[place].decision {
                Decision::Reconfigure(_, all) if all.len() > 1 && nth < all.len() => {
                    all.remove(nth);
                    true
                }
                _ => false,
            }
        });
    }
    each_line(minimiser, |scenario, place| {
        match &mut scenario.steps[place].decision {
            Decision::Propose(_, _, bytes) if *bytes != 8 => {
                *bytes = 8;
                true
            }
            _ => false,
        }
    });
}

/// Options become the usual ones, and hosts that nobody names go.
pub(super) fn knobs(minimiser: &mut Minimiser) {
    let usual = Knobs::default();
    let steps = minimiser.best().steps.iter();
    let named = steps.flat_map(|step| step.decision.hosts()).max();
    let hosts = named.map_or(1, |host| host + 1);
    let all: [fn(&mut Knobs, &Knobs); 14] = [
        |knobs, usual| {
            knobs.election_timeout = usual.election_timeout;
            knobs.heartbeat = usual.heartbeat;
            knobs.persist_timeout = usual.persist_timeout;
        },
        |knobs, usual| knobs.clock_rate = usual.clock_rate,
        |knobs, usual| knobs.lease = usual.lease,
        |knobs, usual| knobs.is_shared = usual.is_shared,
        |knobs, usual| knobs.quiet = usual.quiet,
        |knobs, usual| knobs.never_quiet = usual.never_quiet,
        |knobs, usual| knobs.lags = usual.lags,
        |knobs, usual| knobs.flow = usual.flow,
        |knobs, usual| knobs.padding = usual.padding,
        |knobs, usual| knobs.compact = usual.compact,
        |knobs, usual| knobs.window = usual.window,
        |knobs, usual| knobs.frame = usual.frame,
        |knobs, usual| knobs.heartbeat = usual.heartbeat,
        |knobs, usual| knobs.persist_timeout = usual.persist_timeout,
    ];
    for change in all {
        let mut candidate = minimiser.best().clone();
        change(&mut candidate.knobs, &usual);
        if candidate.knobs != minimiser.best().knobs {
            minimiser.attempt(candidate);
        }
    }
    for count in hosts..minimiser.best().knobs.hosts {
        let mut candidate = minimiser.best().clone();
        candidate.knobs.hosts = count;
        candidate.knobs.members &= (1 << count) - 1;
        if minimiser.attempt(candidate) {
            break;
        }
    }
    for rot in [1, 2, 5, 10, 20, 50, 100, 200] {
        let mut candidate = minimiser.best().clone();
        candidate.knobs.rot = rot;
        let is_used = candidate.knobs.sabotage == crate::Sabotage::RotsMemory;
        if is_used && rot < minimiser.best().knobs.rot && minimiser.attempt(candidate) {
            break;
        }
    }
}

/// What a name may leave open, the most first: its term, and whether the newest is meant.
const OPEN: [(bool, bool); 4] = [(false, true), (false, false), (true, true), (true, false)];

/// Names leave open what is not needed, so that more lines can go.
pub(super) fn names(minimiser: &mut Minimiser) {
    if !all_names(minimiser) {
        each_line(minimiser, |scenario, place| {
            open_line(scenario, place, false, true)
        });
        each_line(minimiser, |scenario, place| {
            open_line(scenario, place, false, false)
        });
    }
}

/// Leaves open, for all frames at once, which of several of one kind is meant; says whether that
/// is so now.
pub(super) fn all_names(minimiser: &mut Minimiser) -> bool {
    let is_open = |scenario: &Scenario| {
        let exact = |d: &Decision| matches!(d, Decision::Deliver(p) if p.number.is_some());
        !scenario.steps.iter().any(|step| exact(&step.decision))
    };
    is_open(minimiser.best())
        || OPEN.into_iter().any(|(has_term, is_newest)| {
            let mut candidate = minimiser.best().clone();
            for place in 0..candidate.events() {
                open_line(&mut candidate, place, has_term, is_newest);
            }
            minimiser.attempt(candidate)
        })
}

fn open_line(scenario: &mut Scenario, place: usize, has_term: bool, is_newest: bool) -> bool {
    let Decision::Deliver(pattern) = &mut scenario.steps[place].decision else {
        return false;
    };
    if pattern.number.take().is_none() {
        return false;
    }
    pattern.is_newest = is_newest;
    pattern.detail = None;
    if !has_term {
        pattern.term = None;
    }
    true
}

/// The story with names that leave everything open.
pub(super) fn open(scenario: &Scenario) -> Scenario {
    let mut open = scenario.clone();
    for place in 0..open.events() {
        open_line(&mut open, place, false, true);
    }
    open
}
