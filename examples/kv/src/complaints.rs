//! Lines in the log about strangers: each is said once, then at most once a minute.
//!
//! Whoever is refused tries again, twice a second if it is a node, and as often as it likes if it is something
//! else. A log full of that hides what matters, and fills a disk. So a line is not repeated before its time, and
//! there are at most so many of them at a time. What the system does to this process is told as rarely.

use core::time::Duration;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;

use tracing::{debug, warn};

/// How long a line is not repeated.
const QUIET_TIME: Duration = Duration::from_secs(60);
/// The most lines in that time.
const LINES_MAX: usize = 64;

/// What was said lately.
#[derive(Debug, Default)]
pub struct Complaints(RefCell<BTreeMap<(Option<IpAddr>, String), Instant>>);

impl Complaints {
    /// Warns of what a stranger did, unless that was done just now.
    pub fn warn(&self, address: IpAddr, text: String) {
        match self.is_news(Some(address), &text, Instant::now()) {
            true => warn!("refused {address}: {text}"),
            false => debug!("refused {address}: {text}"),
        }
    }

    /// Warns of what nobody in particular did, unless that was done just now. There are few such texts.
    pub fn report(&self, text: String) {
        match self.is_news(None, &text, Instant::now()) {
            true => warn!("{text}"),
            false => debug!("{text}"),
        }
    }

    fn is_news(&self, address: Option<IpAddr>, text: &str, now: Instant) -> bool {
        let mut said = self.0.borrow_mut();
        said.retain(|_, at| now.duration_since(*at) < QUIET_TIME);
        let line = (address, text.to_owned());
        // No stranger can hide what the system does.
        let is_too_much = address.is_some() && said.len() >= LINES_MAX;
        if said.contains_key(&line) || is_too_much {
            return false;
        }
        said.insert(line, now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn a_line_is_said_again_only_after_its_time_and_there_are_not_too_many() {
        let complaints = Complaints::default();
        let here = Some(IpAddr::from(Ipv4Addr::LOCALHOST));
        let start = Instant::now();
        assert!(complaints.is_news(here, "a", start));
        assert!(!complaints.is_news(here, "a", start));
        assert!(complaints.is_news(here, "b", start));
        assert!(complaints.is_news(Some(Ipv4Addr::BROADCAST.into()), "a", start));
        let later = start + QUIET_TIME;
        assert!(!complaints.is_news(here, "a", later - Duration::from_millis(1)));
        assert!(complaints.is_news(here, "a", later));
        let news = (0..1000).filter(|number| complaints.is_news(here, &number.to_string(), later));
        assert_eq!(news.count(), LINES_MAX - 1);
        assert_eq!(complaints.0.borrow().len(), LINES_MAX);
        assert!(complaints.is_news(None, "a", later));
        assert!(!complaints.is_news(None, "a", later));
    }
}
