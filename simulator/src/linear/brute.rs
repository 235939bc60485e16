//! Every order of every set of operations that could have happened: what the search must agree
//! with on tiny histories. Deliberately naive, and of all registers at once.

use super::Operation;

/// The most operations that it takes on.
pub const OPERATIONS_MAX: usize = 8;

/// Whether some order explains the history, of at most [`OPERATIONS_MAX`] operations on registers
/// below [`OPERATIONS_MAX`].
pub fn is_linearizable(history: &[Operation]) -> bool {
    assert!(history.len() <= OPERATIONS_MAX, "too long for this");
    let mut places = [0; OPERATIONS_MAX];
    for (place, slot) in places.iter_mut().enumerate() {
        *slot = place;
    }
    // Of those without an end any may be missing.
    (0..1_u32 << history.len()).any(|missing| {
        let may_miss = |place: usize| missing >> place & 1 == 0 || history[place].end.is_none();
        let mut chosen = [0; OPERATIONS_MAX];
        let mut len = 0;
        for place in 0..history.len() {
            if missing >> place & 1 == 0 {
                chosen[len] = place;
                len += 1;
            }
        }
        (0..history.len()).all(may_miss) && some_order(history, &mut chosen[..len], 0)
    })
}

/// Tries every order of the places from `fixed` on.
fn some_order(history: &[Operation], places: &mut [usize], fixed: usize) -> bool {
    if fixed == places.len() {
        return explains(history, places);
    }
    for other in fixed..places.len() {
        places.swap(fixed, other);
        let found = some_order(history, places, fixed + 1);
        places.swap(fixed, other);
        if found {
            return true;
        }
    }
    false
}

/// Whether this order keeps to time and to what each operation saw.
fn explains(history: &[Operation], order: &[usize]) -> bool {
    let mut values = [0; OPERATIONS_MAX];
    for (at, place) in order.iter().enumerate() {
        let operation = &history[*place];
        let later = &order[at + 1..];
        if later
            .iter()
            .any(|other| history[*other].is_before(operation))
        {
            return false;
        }
        let value = &mut values[operation.key as usize];
        match operation.action.apply(*value) {
            Some(after) => *value = after,
            None => return false,
        }
    }
    true
}
