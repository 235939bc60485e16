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
    /// Sees to it that there are at least so many places.
    pub fn reserve_with(&mut self, places: usize, make: impl Fn() -> T) {
        while self.places.len() < places {
            self.places.push(make());
        }
    }

    /// Puts one more at the end: `make` makes it, or else `fill` fills what once stood there.
    pub fn add_with(&mut self, make: impl FnOnce() -> T, fill: impl FnOnce(&mut T)) {
        match self.places.get_mut(self.len) {
            Some(place) => fill(place),
            None => self.places.push(make()),
        }
        self.len += 1;
    }

    /// Puts one more at the end. It still holds what once stood there: fill all of it.
    pub fn add(&mut self) -> &mut T
    where
        T: Default,
    {
        self.add_with(T::default, |_| {});
        &mut self.places[self.len - 1]
    }

    /// Takes the first away. It can be read until something is added.
    pub fn take_first(&mut self) -> Option<&mut T> {
        if self.len == 0 {
            return None;
        }
        self.places[..self.len].rotate_left(1);
        self.len -= 1;
        self.places.get_mut(self.len)
    }

    /// Keeps those for which `is_kept` says so, in their order.
    pub fn retain(&mut self, mut is_kept: impl FnMut(&T) -> bool) {
        let mut kept = 0;
        for place in 0..self.len {
            if is_kept(&self.places[place]) {
                self.places.swap(place, kept);
                kept += 1;
            }
        }
        self.len = kept;
    }

    /// Lets all go.
    pub fn clear(&mut self) {
        self.len = 0;
    }
}

impl<T> Deref for Shelf<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.places[..self.len]
    }
}

impl<T> DerefMut for Shelf<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.places[..self.len]
    }
}

impl<T: Clone> Clone for Shelf<T> {
    fn clone(&self) -> Self {
        Shelf {
            places: self.to_vec(),
            len: self.len,
        }
    }

    fn clone_from(&mut self, source: &Self) {
        self.clear();
        for item in source.iter() {
            self.add_with(|| item.clone(), |place| place.clone_from(item));
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
