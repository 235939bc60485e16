//! Links that fail: partitions of every shape.

use crate::world::World;
use crate::world::queue::Due;
use crate::world::stats::Count;

impl World {
    fn heal_later(&mut self) {
        let time = self.fault_time(50, 900);
        self.queue.push(self.now.plus(time), Due::Heal);
    }

    pub(super) fn isolate(&mut self, host: usize) {
        self.stats.add(Count::Isolate);
        self.trace.say(self.now, host, || "IS CUT OFF".into());
        for other in (0..self.hosts.len()).filter(|other| *other != host) {
            self.network.cut(host, other);
            self.network.cut(other, host);
        }
        self.heal_later();
    }

    /// Two parts; `bridge` reaches both.
    pub(super) fn split(&mut self, bridge: Option<usize>) {
        self.stats.add(if bridge.is_some() {
            Count::Bridge
        } else {
            Count::Split
        });
        let sides = self.fault_random.next_u64();
        self.trace.say(self.now, bridge.unwrap_or(0), || {
            format!("SPLIT {sides:07b}", sides = sides & 127)
        });
        for from in 0..self.hosts.len() {
            for to in 0..self.hosts.len() {
                let apart = (sides >> from ^ sides >> to) & 1 == 1;
                if apart && bridge != Some(from) && bridge != Some(to) {
                    self.network.cut(from, to);
                }
            }
        }
        self.heal_later();
    }

    pub(super) fn one_way(&mut self) {
        self.stats.add(Count::OneWay);
        let host = self.any_host();
        let hears = self.fault_random.chance(500);
        self.trace.say(self.now, host, || {
            if hears {
                "IS NOT HEARD"
            } else {
                "HEARS NOTHING"
            }
            .into()
        });
        for other in (0..self.hosts.len()).filter(|other| *other != host) {
            if hears {
                self.network.cut(host, other);
            } else {
                self.network.cut(other, host);
            }
        }
        self.heal_later();
    }

    /// Every host reaches its two neighbours.
    pub(super) fn ring(&mut self) {
        self.stats.add(Count::Ring);
        self.trace.say(self.now, 0, || "ONLY A RING IS LEFT".into());
        let count = self.hosts.len();
        for from in 0..count {
            for to in 0..count {
                let apart = (from + count - to) % count;
                if apart > 1 && apart < count - 1 {
                    self.network.cut(from, to);
                }
            }
        }
        self.heal_later();
    }

    /// Each link, in each direction, fails or not.
    pub(super) fn any_links(&mut self) {
        self.stats.add(Count::AnyLinks);
        self.trace
            .say(self.now, 0, || "LINKS FAIL AT RANDOM".into());
        for from in 0..self.hosts.len() {
            for to in 0..self.hosts.len() {
                if self.fault_random.chance(350) {
                    self.network.cut(from, to);
                }
            }
        }
        self.heal_later();
    }

    /// The links of one host fail, for a time of their own: several hosts, clogged one after the
    /// other, come back in another order.
    pub(super) fn clog(&mut self) {
        self.stats.add(Count::Clog);
        let host = self.any_host();
        self.trace.say(self.now, host, || "IS CLOGGED".into());
        self.network.cut_off(host);
        let time = self.fault_time(20, 500);
        self.queue.push(self.now.plus(time), Due::Relieve(host));
    }
}
