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

/// A list that keeps the buffers of what it lets go: they stand behind its end. Nothing is moved
/// where one thing comes and goes.
#[derive(Debug)]
pub struct Shelf<T> {
    places: Vec<T>,
    len: usize,
}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Shelf {
            places: Vec::new(),
            len: 0,
        }
    }
}

impl<T> Shelf<T> {
    /// Sees to it that so many can stand here without asking for memory.
    pub fn reserve_with(&mut self, places: usize, make: impl Fn() -> T) {
        if self.places.len() < places {
            self.places.resize_with(places, make);
        }
    }

    /// Puts one more at the end. It still holds what it once held: fill all of it.
    #[inline]
    pub fn add(&mut self) -> &mut T
    where
        T: Default,
    {
        if self.len == self.places.len() {
            self.places.push(T::default());
        }
        self.len += 1;
        &mut self.places[self.len - 1]
    }

    /// Takes the first away. It can be read until something is added.
    #[inline]
    pub fn take_first(&mut self) -> Option<&mut T> {
        self.len = self.len.checked_sub(1)?;
        if self.len > 0 {
            self.places[..=self.len].rotate_left(1);
        }
        self.places.get_mut(self.len)
    }

    /// Keeps those for which `is_kept` says so, in their order.
    pub fn retain(&mut self, mut is_kept: impl FnMut(&T) -> bool) {
        let mut kept = 0;
        for place in 0..self.len {
            if is_kept(&self.places[place]) {
                self.places.swap(kept, place);
                kept += 1;
            }
        }
        self.len = kept;
    }

    /// Lets the last go, or adds some that still hold what they once held, until there are `len`.
    pub fn set_len(&mut self, len: usize)
    where
        T: Default,
    {
        self.reserve_with(len, T::default);
        self.len = len;
    }

    /// Lets all go.
    pub fn clear(&mut self) {
        self.len = 0;
    }
}

impl<T> Deref for Shelf<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        &self.places[..self.len]
    }
}

impl<T> DerefMut for Shelf<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.places[..self.len]
    }
}

impl<T: Clone + Default> Clone for Shelf<T> {
    fn clone(&self) -> Self {
        Shelf {
            places: self.to_vec(),
            len: self.len,
        }
    }

    fn clone_from(&mut self, source: &Self) {
        self.set_len(source.len);
        for (item, other) in self.iter_mut().zip(&source[..]) {
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
