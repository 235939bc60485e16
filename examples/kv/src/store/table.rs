//! The keys and their values, which can be frozen while they are being saved.
//!
//! Saving a large map takes seconds, in which writes go on. Copying it first would stop the node and
//! double its memory. Instead the map is split: a base that does not change, shared with whoever saves it,
//! and a delta in front of it that takes the changes. When the saving is done the delta is merged into
//! the base. Memory: what changed meanwhile; time of the merge: in proportion to that.

use std::collections::HashMap;
use std::sync::Arc;

use super::Entry;

/// A map with the keys that a base has and a delta in front of it changes.
pub(super) type Base = HashMap<Box<[u8]>, Entry>;

#[derive(Clone, Debug)]
pub(super) struct Table(State);

#[derive(Clone, Debug)]
enum State {
    Whole(Base),
    Split {
        base: Arc<Base>,
        /// `None` in place of a key that was removed.
        delta: HashMap<Box<[u8]>, Option<Entry>>,
        /// Everything in the base was removed.
        is_base_hidden: bool,
        len: usize,
    },
}

impl Default for Table {
    fn default() -> Self {
        Self::new(Base::default())
    }
}

impl Table {
    pub(super) fn new(entries: Base) -> Self {
        Self(State::Whole(entries))
    }

    pub(super) fn len(&self) -> usize {
        match &self.0 {
            State::Whole(entries) => entries.len(),
            State::Split { len, .. } => *len,
        }
    }

    pub(super) fn find(&self, key: &[u8]) -> Option<&Entry> {
        match &self.0 {
            State::Whole(entries) => entries.get(key),
            State::Split {
                base,
                delta,
                is_base_hidden,
                ..
            } => match delta.get(key) {
                Some(changed) => changed.as_ref(),
                None if *is_base_hidden => None,
                None => base.get(key),
            },
        }
    }

    /// Gives the entry of a key to `change`, if there is one; says whether there is.
    pub(super) fn change(&mut self, key: &[u8], change: impl FnOnce(&mut Entry)) -> bool {
        match &mut self.0 {
            State::Whole(entries) => match entries.get_mut(key) {
                Some(entry) => change(entry),
                None => return false,
            },
            State::Split {
                base,
                delta,
                is_base_hidden,
                ..
            } => match delta.get_mut(key) {
                Some(Some(entry)) => change(entry),
                Some(None) => return false,
                None => {
                    let Some(entry) = base.get(key).filter(|_| !*is_base_hidden) else {
                        return false;
                    };
                    let mut entry = entry.clone();
                    change(&mut entry);
                    delta.insert(key.into(), Some(entry));
                }
            },
        }
        true
    }

    /// Adds a key that is not there.
    pub(super) fn insert(&mut self, key: &[u8], entry: Entry) {
        match &mut self.0 {
            State::Whole(entries) => {
                entries.insert(key.into(), entry);
            }
            State::Split { delta, len, .. } => {
                delta.insert(key.into(), Some(entry));
                *len += 1;
            }
        }
    }

    pub(super) fn remove(&mut self, key: &[u8]) -> Option<Entry> {
        match &mut self.0 {
            State::Whole(entries) => entries.remove(key),
            State::Split {
                base,
                delta,
                is_base_hidden,
                len,
            } => {
                let in_base = base.get(key).filter(|_| !*is_base_hidden);
                let removed = match delta.remove(key) {
                    Some(changed) => changed,
                    None => in_base.cloned(),
                };
                if in_base.is_some() {
                    delta.insert(key.into(), None);
                }
                *len -= usize::from(removed.is_some());
                removed
            }
        }
    }

    pub(super) fn clear(&mut self) {
        match &mut self.0 {
            State::Whole(entries) => entries.clear(),
            State::Split {
                delta,
                is_base_hidden,
                len,
                ..
            } => {
                delta.clear();
                (*is_base_hidden, *len) = (true, 0);
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &Entry)> {
        let (whole, split) = match &self.0 {
            State::Whole(entries) => (Some(entries), None),
            State::Split {
                base,
                delta,
                is_base_hidden,
                ..
            } => (None, Some((base, delta, *is_base_hidden))),
        };
        let split = split.into_iter().flat_map(|(base, delta, is_hidden)| {
            let kept = base.iter();
            let kept = kept.filter(move |(key, _)| !is_hidden && !delta.contains_key(*key));
            let changed = delta.iter();
            kept.chain(changed.filter_map(|(key, entry)| Some((key, entry.as_ref()?))))
        });
        let all = whole.into_iter().flatten().chain(split);
        all.map(|(key, entry)| (&**key, entry))
    }

    /// Lets changes leave what is there now alone, and shares that. Nothing is copied unless it was frozen
    /// already.
    pub(super) fn freeze(&mut self) -> Arc<Base> {
        self.thaw();
        let entries = match &mut self.0 {
            State::Whole(entries) => core::mem::take(entries),
            State::Split { .. } => return Arc::default(),
        };
        let base = Arc::new(entries);
        self.0 = State::Split {
            len: base.len(),
            delta: HashMap::new(),
            is_base_hidden: false,
            base: Arc::clone(&base),
        };
        base
    }

    /// Merges the changes since [`Table::freeze`]. Copies everything if somebody still shares it.
    pub(super) fn thaw(&mut self) {
        let State::Split {
            base,
            delta,
            is_base_hidden,
            ..
        } = &mut self.0
        else {
            return;
        };
        let (base, delta) = (core::mem::take(base), core::mem::take(delta));
        let mut entries = match *is_base_hidden {
            true => Base::default(),
            false => Arc::unwrap_or_clone(base),
        };
        for (key, changed) in delta {
            match changed {
                Some(entry) => drop(entries.insert(key, entry)),
                None => drop(entries.remove(&key)),
            }
        }
        self.0 = State::Whole(entries);
    }
}

impl PartialEq for Table {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self
                .iter()
                .all(|(key, entry)| other.find(key) == Some(entry))
    }
}

impl Eq for Table {}
