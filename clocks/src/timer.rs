//! The timers of a machine in one table, which also knows when the machine wants to be woken.
//!
//! # The problem
//!
//! A machine has a handful of timers. With a field for each, every place that asks "what is next?" must name them all,
//! and the one that is forgotten never fires. Here a timer is a key of an enum, and the table that answers
//! [`deadline`](TimerTable::deadline) is the same one that answers [`next`](TimerTable::next).
//!
//! # The idea
//!
//! The question asked most often is whether anything is due, and the answer is mostly no. So the earliest deadline is
//! kept beside the table: asking is one load, and the table is searched only when the earliest timer itself moves
//! back or goes away. A heap would make that search logarithmic; for the dozen timers of a machine a scan is smaller.
//!
//! # Bounds
//!
//! At most 32 timers; `8 * COUNT + 16` bytes (a test says so). [`next`](TimerTable::next),
//! [`deadline`](TimerTable::deadline) and a [`pop_expired`](TimerTable::pop_expired) with nothing due are constant
//! time; whatever moves the earliest deadline back is `COUNT` steps.

use core::fmt;
use core::hash::{Hash, Hasher};
use core::marker::PhantomData;

use crate::Instant;

/// The timers of one machine: an enum without fields, numbered from 0.
///
/// [`index`](TimerKey::index) and [`from_index`](TimerKey::from_index) must be inverse to each other for the indexes
/// `0..COUNT`. An implementation that breaks this loses timers; it cannot cause a panic or an endless loop.
///
/// ```
/// use clocks::TimerKey;
///
/// #[derive(Clone, Copy, PartialEq, Debug)]
/// enum Timer {
///     Election,
///     Heartbeat,
/// }
///
/// impl TimerKey for Timer {
///     const COUNT: usize = 2;
///
///     fn index(self) -> usize {
///         match self {
///             Timer::Election => 0,
///             Timer::Heartbeat => 1,
///         }
///     }
///
///     fn from_index(index: usize) -> Option<Self> {
///         [Timer::Election, Timer::Heartbeat].get(index).copied()
///     }
/// }
///
/// assert_eq!(Timer::from_index(Timer::Heartbeat.index()), Some(Timer::Heartbeat));
/// ```
pub trait TimerKey: Copy {
    /// How many timers there are.
    const COUNT: usize;

    /// The number of this timer, below [`TimerKey::COUNT`]. Among timers with the same deadline the lower number
    /// goes first.
    fn index(self) -> usize;

    /// The timer whose number is `index`, or `None` if `index` is not below [`TimerKey::COUNT`].
    fn from_index(index: usize) -> Option<Self>;
}

/// A deadline, or none, for each of the `COUNT` timers of `K`.
///
/// `COUNT` is written out because a constant of a trait cannot be an array length yet; that it is `K::COUNT` is
/// checked when the program is built.
///
/// Equality, hash and debug output are about which timers are set to what.
///
/// ```
/// use clocks::{Duration, Instant, TimerKey, TimerTable};
/// # #[derive(Clone, Copy, PartialEq, Debug)]
/// # enum Timer { Election, Heartbeat }
/// # impl TimerKey for Timer {
/// #     const COUNT: usize = 2;
/// #     fn index(self) -> usize { self as usize }
/// #     fn from_index(index: usize) -> Option<Self> { [Timer::Election, Timer::Heartbeat].get(index).copied() }
/// # }
///
/// let mut timers = TimerTable::<Timer, { Timer::COUNT }>::new();
/// let mut now = Instant::ZERO;
/// timers.set(Timer::Election, now.saturating_add(Duration::from_millis(150)));
/// timers.set(Timer::Heartbeat, now.saturating_add(Duration::from_millis(50)));
///
/// // Sleep until the next deadline, then take what is due.
/// now = timers.next().unwrap();
/// assert_eq!(timers.pop_expired(now), Some(Timer::Heartbeat));
/// assert_eq!(timers.pop_expired(now), None);
/// ```
///
/// A table of another size does not build:
///
/// ```compile_fail,E0080
/// # use clocks::{TimerKey, TimerTable};
/// # #[derive(Clone, Copy)]
/// # struct Only;
/// # impl TimerKey for Only {
/// #     const COUNT: usize = 1;
/// #     fn index(self) -> usize { 0 }
/// #     fn from_index(index: usize) -> Option<Self> { (index == 0).then_some(Only) }
/// # }
/// let timers = TimerTable::<Only, 2>::new();
/// ```
pub struct TimerTable<K, const COUNT: usize> {
    /// Zero where no timer is set. A place for each, and one bit that says so: an `Option` would take twice as much.
    deadlines: [Instant; COUNT],
    set: u32,
    /// The set timer with the smallest deadline, the lowest among equal ones, and that deadline. Always exact; of no
    /// meaning if none is set.
    earliest: u8,
    earliest_deadline: Instant,
    keys: PhantomData<fn() -> K>,
}

impl<K: TimerKey, const COUNT: usize> TimerTable<K, COUNT> {
    /// A table in which no timer is set.
    #[must_use]
    pub const fn new() -> Self {
        const {
            assert!(
                K::COUNT == COUNT && COUNT <= 32,
                "the length of a timer table is the COUNT of its keys, at most 32"
            )
        };
        Self {
            deadlines: [Instant::ZERO; COUNT],
            set: 0,
            earliest: 0,
            earliest_deadline: Instant::ZERO,
            keys: PhantomData,
        }
    }

    /// Sets the timer, or moves it if it is set already, earlier or later.
    pub fn set(&mut self, key: K, deadline: Instant) {
        let index = key.index();
        let Some(slot) = self.deadlines.get_mut(index) else {
            return;
        };
        *slot = deadline;
        let was_empty = self.set == 0;
        self.set |= bit(index);
        let earliest = (self.earliest_deadline, usize::from(self.earliest));
        if was_empty || (deadline, index) <= earliest {
            self.note_earliest(index, deadline);
        } else if index == earliest.1 {
            self.search();
        }
    }

    /// Makes sure that the timer is not set.
    pub fn clear(&mut self, key: K) {
        self.clear_index(key.index());
    }

    /// Clears and returns a timer whose deadline is `now` or earlier: the one with the earliest deadline, among equal
    /// ones the one with the lowest index. `None` if nothing is due, which costs one comparison.
    ///
    /// To be called until it gives `None`; a timer that is set again meanwhile, to `now` or earlier, comes again.
    #[inline]
    pub fn pop_expired(&mut self, now: Instant) -> Option<K> {
        while self.set != 0 && self.earliest_deadline <= now {
            let index = usize::from(self.earliest);
            self.clear_index(index);
            if let Some(key) = K::from_index(index) {
                return Some(key);
            }
        }
        None
    }

    /// The earliest deadline of all timers, `None` if none is set. Two loads.
    #[inline]
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        (self.set != 0).then_some(self.earliest_deadline)
    }

    /// The deadline of the timer, `None` if it is not set.
    #[inline]
    #[must_use]
    pub fn deadline(&self, key: K) -> Option<Instant> {
        let deadline = self.deadlines.get(key.index())?;
        self.is_set(key).then_some(*deadline)
    }

    /// Whether the timer is set.
    #[inline]
    #[must_use]
    pub fn is_set(&self, key: K) -> bool {
        self.set & bit(key.index()) != 0
    }

    fn clear_index(&mut self, index: usize) {
        if let Some(slot) = self.deadlines.get_mut(index) {
            *slot = Instant::ZERO;
            self.set &= !bit(index);
            if index == usize::from(self.earliest) {
                self.search();
            }
        }
    }

    /// Finds the earliest anew.
    fn search(&mut self) {
        let mut earliest: Option<(usize, Instant)> = None;
        for (index, deadline) in self.deadlines.iter().enumerate() {
            // Strictly earlier: among equal deadlines the lowest index stays.
            if self.set & bit(index) != 0
                && earliest.is_none_or(|(_, earliest)| *deadline < earliest)
            {
                earliest = Some((index, *deadline));
            }
        }
        let (index, deadline) = earliest.unwrap_or((0, Instant::ZERO));
        self.note_earliest(index, deadline);
    }

    fn note_earliest(&mut self, index: usize, deadline: Instant) {
        // Below COUNT, so below 32.
        self.earliest = u8::try_from(index).unwrap_or(0);
        self.earliest_deadline = deadline;
    }
}

/// The bit of a timer; none beyond the last that there can be.
#[inline]
const fn bit(index: usize) -> u32 {
    if index < 32 { 1 << index } else { 0 }
}

impl<K: TimerKey, const COUNT: usize> Default for TimerTable<K, COUNT> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, const COUNT: usize> Clone for TimerTable<K, COUNT> {
    fn clone(&self) -> Self {
        Self {
            deadlines: self.deadlines,
            set: self.set,
            earliest: self.earliest,
            earliest_deadline: self.earliest_deadline,
            keys: PhantomData,
        }
    }
}

impl<K, const COUNT: usize> PartialEq for TimerTable<K, COUNT> {
    fn eq(&self, other: &Self) -> bool {
        (self.set, self.deadlines) == (other.set, other.deadlines)
    }
}

impl<K, const COUNT: usize> Eq for TimerTable<K, COUNT> {}

impl<K, const COUNT: usize> Hash for TimerTable<K, COUNT> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.set.hash(state);
        self.deadlines.hash(state);
    }
}

/// Prints the timers that are set: `{Heartbeat: Instant { micros: 50000 }}`.
impl<K: TimerKey + fmt::Debug, const COUNT: usize> fmt::Debug for TimerTable<K, COUNT> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut map = f.debug_map();
        for (index, deadline) in self.deadlines.iter().enumerate() {
            if let Some(key) = K::from_index(index).filter(|_| self.set & bit(index) != 0) {
                map.entry(&key, deadline);
            }
        }
        map.finish()
    }
}
