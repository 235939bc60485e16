//! Where frames wait while a story is told: they arrive when a line says so, or at once on links
//! that are automatic.

use std::collections::VecDeque;

use crate::world::decision::{FrameName, Pattern};
use crate::world::happening::Names;
use crate::world::swarm::HOSTS_MAX;

/// A frame that was sent.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) bytes: Vec<u8>,
}

#[derive(Clone, Debug)]
struct Waiting {
    frame: Sent,
    arrivals: u32,
    is_lost: bool,
    /// The step of the story in which it was sent.
    origin: usize,
}

#[derive(Clone, Copy, Debug)]
struct Rule {
    pattern: Pattern,
    loses: bool,
}

/// All frames that were sent in a story.
#[derive(Clone, Debug, Default)]
pub struct Pool {
    frames: Vec<Waiting>,
    /// Places of frames that may arrive at once.
    fresh: VecDeque<u32>,
    rules: Vec<Rule>,
    /// Per sender, the receivers to which frames go at once.
    pub(super) links: [u64; HOSTS_MAX],
    /// Disks that do everything at once.
    pub(super) disks: u64,
    /// Which of them do not for now.
    pub(super) stalled: u64,
    /// The step of the story that is under way.
    pub(super) step: usize,
}

impl Pool {
    /// A frame leaves; says whether it can arrive.
    pub(crate) fn push(
        &mut self,
        (from, to): (usize, usize),
        (place, bytes): (u32, &[u8]),
        reaches: bool,
        names: Option<&Names>,
    ) -> bool {
        let name = names.and_then(|names| names.name(place));
        let fits = |rule: &Rule| name.is_some_and(|name| rule.pattern.fits(name));
        let rule = self.rules.iter().position(fits);
        let rule = rule.map(|place| self.rules.remove(place));
        let is_lost = !reaches || rule.is_some_and(|rule| rule.loses);
        let is_automatic = self.links[from] >> to & 1 == 1;
        if is_automatic && !is_lost && rule.is_none() {
            self.fresh.push_back(place);
        }
        self.frames.push(Waiting {
            frame: Sent {
                from,
                to,
                bytes: bytes.to_vec(),
            },
            arrivals: 0,
            is_lost,
            origin: self.step,
        });
        !is_lost
    }

    /// The next frame that fits is lost, or waits.
    pub(super) fn add_rule(&mut self, pattern: Pattern, loses: bool) {
        self.rules.push(Rule { pattern, loses });
    }

    /// The next frame that arrives by itself.
    pub(super) fn next_fresh(&mut self) -> Option<u32> {
        self.fresh.pop_front()
    }

    /// The frame that is meant, if it was sent and is not lost.
    pub(super) fn find(&self, pattern: &Pattern, names: &Names) -> Option<u32> {
        let is_there = |place: &u32| {
            let frame = self.frames.get(*place as usize);
            frame.is_some_and(|frame| !frame.is_lost)
        };
        if let Some(name) = pattern.name() {
            return names.find(&name).filter(is_there);
        }
        let fits = |(place, name): &(u32, &FrameName)| {
            let frame = self.frames.get(*place as usize);
            let arrives_anew = frame.is_some_and(|f| !f.is_lost && f.arrivals == 0);
            pattern.fits(name) && (arrives_anew || pattern.number.is_some() && is_there(place))
        };
        let places = (0..names.all().len() as u32).zip(names.all());
        let found = if pattern.is_newest {
            places.rev().find(fits)
        } else {
            { places }.find(fits)
        };
        found.map(|(place, _)| place)
    }

    /// Counts an arrival, and copies the frame: it may arrive again.
    pub(super) fn take(&mut self, place: u32) -> Option<Sent> {
        let waiting = self.frames.get_mut(place as usize)?;
        waiting.arrivals += 1;
        Some(waiting.frame.clone())
    }

    /// The step in which a frame was sent.
    pub(super) fn origin(&self, place: u32) -> Option<usize> {
        self.frames.get(place as usize).map(|frame| frame.origin)
    }
}
