//! Places that are used again: a world that has run for a while asks for no more memory, and one
//! world becomes a copy of another by filling what is there.

use core::ops::{Deref, DerefMut};

/// `Clone` whose `clone_from` copies field by field into what is there, so that buffers stay.
macro_rules! copies_in_place {
    ($name:ty { $($field:ident),* $(,)? }) => {
        impl Clone for $name {
            fn clone(&self) -> Self {
                Self { $($field: self.$field.clone(),)* }
            }

            fn clone_from(&mut self, source: &Self) {
                $(self.$field.clone_from(&source.$field);)*
            }
        }
    };
}

pub(crate) use copies_in_place;

/// A list that keeps the buffers of what it lets go.
#[derive(Debug)]
pub struct Shelf<T> {
    items: Vec<T>,
    spare: Vec<T>,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Shelf {
            items: Vec::new(),
            spare: Vec::new(),
        }
    }
}

impl<T> Shelf<T> {
    /// Sees to it that so many can stand here without asking for memory.
    pub fn reserve_with(&mut self, places: usize, make: impl Fn() -> T) {
        let more = places.saturating_sub(self.items.len());
        self.items.reserve(more);
        while self.spare.len() < more {
            self.spare.push(make());
        }
        self.spare.reserve(places);
    }

    /// Puts one more at the end. It still holds what it once held: fill all of it.
    pub fn add(&mut self) -> &mut T
    where
        T: Default,
    {
        let item = self.spare.pop().unwrap_or_default();
        self.items.push(item);
        let last = self.items.len() - 1;
        &mut self.items[last]
    }

    /// Takes the first away. It can be read until something is added.
    pub fn take_first(&mut self) -> Option<&mut T> {
        if self.items.is_empty() {
            return None;
        }
        let first = self.items.remove(0);
        self.spare.push(first);
        self.spare.last_mut()
    }

    /// Keeps those for which `is_kept` says so, in their order.
    pub fn retain(&mut self, mut is_kept: impl FnMut(&T) -> bool) {
        let mut place = 0;
        while place < self.items.len() {
            if is_kept(&self.items[place]) {
                place += 1;
            } else {
                let item = self.items.remove(place);
                self.spare.push(item);
            }
        }
    }

    /// Lets the last go, or adds some that still hold what they once held, until there are `len`.
    pub fn set_len(&mut self, len: usize)
    where
        T: Default,
    {
        while self.items.len() < len {
            self.add();
        }
        let rest = len.min(self.items.len());
        self.spare.extend(self.items.drain(rest..));
    }

    /// Lets all go.
    pub fn clear(&mut self) {
        self.spare.append(&mut self.items);
    }
}

impl<T> Deref for Shelf<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        &self.items
    }
}

impl<T> DerefMut for Shelf<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.items
    }
}

impl<T: Clone + Default> Clone for Shelf<T> {
    fn clone(&self) -> Self {
        Shelf {
            items: self.items.clone(),
            spare: Vec::new(),
        }
    }

    fn clone_from(&mut self, source: &Self) {
        self.set_len(source.items.len());
        for (item, other) in self.items.iter_mut().zip(&source.items) {
            item.clone_from(other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(shelf: &Shelf<Vec<u8>>) -> Vec<u8> {
        shelf.iter().map(|item| item[0]).collect()
    }

    #[test]
    fn a_shelf_is_a_list() {
        let mut shelf = Shelf::default();
        for number in 0..6 {
            let place: &mut Vec<u8> = shelf.add();
            place.clear();
            place.push(number);
        }
        assert_eq!(shelf.take_first().map(|item| item[0]), Some(0));
        shelf.retain(|item| item[0] % 2 == 1);
        assert_eq!(numbers(&shelf), [1, 3, 5]);
        let mut other: Shelf<Vec<u8>> = Shelf::default();
        other.add().push(9);
        other.clone_from(&shelf);
        assert_eq!(numbers(&other), [1, 3, 5]);
        assert_eq!(numbers(&other.clone()), [1, 3, 5]);
        shelf.clear();
        assert!(shelf.take_first().is_none());
        assert!(!shelf.add().is_empty(), "the buffer was kept");
    }
}
