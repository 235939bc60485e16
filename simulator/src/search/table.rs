//! A map from words to small numbers with open addressing, for what is looked up at every step.

use crate::search::space::mix;

/// Keys are never [`Table::NO_KEY`].
#[derive(Clone, Debug)]
pub(crate) struct Table {
    places: Vec<(u64, u32)>,
    len: usize,
}

impl Table {
    const NO_KEY: u64 = u64::MAX;

    pub(crate) fn new() -> Self {
        Table {
            places: vec![(Table::NO_KEY, 0); 1024],
            len: 0,
        }
    }

    #[inline]
    pub(crate) fn get(&self, key: u64) -> Option<u32> {
        let (found, value) = self.places[self.place(key)];
        (found == key).then_some(value)
    }

    pub(crate) fn insert(&mut self, key: u64, value: u32) {
        if self.len * 4 >= self.places.len() * 3 {
            let places = vec![(Table::NO_KEY, 0); self.places.len() * 2];
            for (key, value) in std::mem::replace(&mut self.places, places) {
                if key != Table::NO_KEY {
                    let place = self.place(key);
                    self.places[place] = (key, value);
                }
            }
        }
        let place = self.place(key);
        self.len += usize::from(self.places[place].0 == Table::NO_KEY);
        self.places[place] = (key, value);
    }

    #[inline]
    fn place(&self, key: u64) -> usize {
        let mask = self.places.len() - 1;
        let mut place = mix(key) as usize & mask;
        while self.places[place].0 != Table::NO_KEY && self.places[place].0 != key {
            place = (place + 1) & mask;
        }
        place
    }
}
