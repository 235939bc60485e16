//! The options of a world in words.

use core::fmt;

use clocks::Duration;

use super::Swarm;

fn ms(duration: Duration) -> String {
    let micros = duration.as_micros();
    if micros.is_multiple_of(1000) {
        format!("{}ms", micros / 1000)
    } else {
        format!("{micros}us")
    }
}

impl fmt::Display for Swarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "  time     election_timeout={}..{} heartbeat={} persist_timeout={} calm_delay={}..{}",
            ms(self.election_timeout.0),
            ms(self.election_timeout.1),
            ms(self.heartbeat),
            ms(self.persist_timeout),
            ms(self.calm_delay.0),
            ms(self.calm_delay.1),
        )?;
        writeln!(
            f,
            "  group    hosts={} founders={} storm={} frozen_minority={} falls_apart={} reconfigure={} wipes={}",
            self.hosts,
            self.founders,
            ms(self.storm),
            self.has_frozen_minority,
            self.falls_apart,
            self.reconfigure_interval.map_or("never".into(), ms),
            self.has_wipes,
        )?;
        writeln!(
            f,
            "  network  loss={} duplication={} up to {} delay={}..{} tail={} up to {} ordered={} busy={} for {} damaged={} shared={}",
            self.loss,
            self.duplication,
            ms(self.duplicate_delay),
            ms(self.delay.0),
            ms(self.delay.1),
            self.tail,
            ms(self.tail_delay),
            self.is_ordered,
            self.busy,
            ms(self.busy_time),
            self.corruption,
            self.is_shared,
        )?;
        writeln!(
            f,
            "  disk     write={}..{} slow={:?} failure={} torn={} kept={}",
            ms(self.write.0),
            ms(self.write.1),
            self.slow_disk,
            self.write_failure,
            self.has_torn_writes,
            self.has_kept_writes,
        )?;
        writeln!(
            f,
            "  work     propose={} quiet_after={} but {:#b} lags={:?} burst={} payload={} compact_after={} snapshot_padding={} window={} frame={}",
            ms(self.propose_interval),
            self.quiet.after.map_or("never".into(), ms),
            self.quiet.never,
            self.lags,
            self.burst,
            self.payload_bytes_max,
            self.compact_after,
            self.snapshot_padding,
            self.window_bytes,
            self.frame_bytes,
        )?;
        writeln!(f, "{}", self.flow)?;
        write!(
            f,
            "  faults   every {} clock_rate={}ppm {:?}",
            ms(self.fault_interval),
            self.clock_rate_ppm,
            self.weights,
        )
    }
}
