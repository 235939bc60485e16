//! Time passes: one call per timer that is due.

use clocks::{Instant, TimerKey};

use super::{Node, Timer};
use crate::error::Fault;
use crate::event::Event;

impl Node {
    #[inline]
    pub(crate) fn handle_timeout(&mut self, now: Instant) -> Result<(), Fault> {
        self.live()?;
        self.observe(now);
        // Every timer that fires is armed again, later than now, or stays silent until something
        // happens: one turn for each is enough, and at the end of time all there is.
        for _ in 0..Timer::COUNT {
            let Some(timer) = self.timers.pop_expired(self.now) else {
                break;
            };
            match timer {
                Timer::Election => self.on_election_timeout(),
                Timer::Heartbeat => self.on_heartbeat_timeout(),
                Timer::Quorum => self.on_quorum_timeout(),
                Timer::Disk => self.on_disk_timeout(),
                Timer::Read => self.on_read_timeout(),
                Timer::Transfer => self.on_transfer_timeout(),
            }
        }
        Ok(())
    }

    /// The medium does not complete its writes: a leader would block the group, because nobody
    /// replaces one that still sends heartbeats.
    pub(super) fn on_disk_timeout(&mut self) {
        let Some(since) = self.dirty_since else {
            return;
        };
        if self.now < since.saturating_add(self.config.persist_timeout) {
            return self.arm_disk();
        }
        self.is_stalled = true;
        self.events.push(Event::DiskStalled);
        if self.is_leader() {
            self.become_follower();
        }
    }
}
