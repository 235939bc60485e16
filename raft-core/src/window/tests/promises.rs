//! What a window says of itself: how little memory it takes, what fits, and when two are equal.

use std::vec;

use super::*;

/// Every memory from the smallest on has a reserve, and takes an entry as large as it says when it is empty.
#[test]
fn every_window_keeps_its_promises_when_empty() {
    for members in [1, 2, 3, 5, 7, 16, 17, 33, 64] {
        let smallest = Window::bytes_min(members);
        assert_eq!(Window::new(smallest - 1, members).err(), Some(smallest));
        for memory_len in (smallest..smallest * 4).step_by(7) {
            let window = Window::new(memory_len, members).expect("large enough");
            let end = window.data_start as usize + window.data_len as usize;
            assert_eq!(end, memory_len, "all of the memory is used");
            let largest = window.entry_bytes_max();
            assert!(
                largest >= ENTRY_HEADER_BYTES + configuration_bytes_max(members),
                "{memory_len}: {largest}"
            );
            assert!(window.has_room_for_proposal(largest));
            assert!(!window.has_room_for_proposal(largest + 1));
        }
    }
}

/// A configuration is kept apart from the entries, so that compaction cannot lose it.
#[test]
fn configurations_are_kept_beside_the_entries() {
    let mut memory = vec![0; Window::bytes_min(MEMBERS) + 100];
    let mut window = Window::new(memory.len(), MEMBERS).expect("large enough");
    let longest = vec![5; configuration_bytes_max(MEMBERS)];
    window
        .set_base_configuration(&mut memory, &[1, 2, 3])
        .expect("fits");
    assert_eq!(window.base_configuration(&memory), [1, 2, 3]);
    let kind = EntryKind::Configuration;
    window
        .append(&mut memory, Term::new(1), kind, &longest)
        .expect("fits");
    window
        .keep_configuration(&mut memory, LogIndex::new(1))
        .expect("it is there");
    window
        .compact(&memory, LogIndex::new(1))
        .expect("in the log");
    assert_eq!(window.base_configuration(&memory), longest);
    window
        .stage_configuration(&mut memory, &[4, 5])
        .expect("fits");
    assert_eq!(
        window.base_configuration(&memory),
        longest,
        "staged is not in force"
    );
    let base = EntryId::new(LogIndex::new(50), Term::new(3));
    window.install(&mut memory, base).expect("staged");
    assert_eq!(window.base_configuration(&memory), [4, 5]);
    assert_eq!((window.base(), window.last()), (base, base));
    let too_long = vec![5; longest.len() + 1];
    assert_eq!(
        window.set_base_configuration(&mut memory, &too_long),
        Err(NoRoom)
    );
    assert_eq!(
        window.stage_configuration(&mut memory, &too_long),
        Err(NoRoom)
    );
}

/// The smallest memory is that: the reserve twice, the fewest places, and not a byte more.
#[test]
fn the_smallest_window_has_nothing_to_spare() {
    for members in [1, 5, 64] {
        let smallest = Window::bytes_min(members);
        let window = Window::new(smallest, members).expect("large enough");
        assert_eq!(window.data_len, 2 * window.reserve);
        assert_eq!(window.offsets, 32);
    }
}

/// What a leader needs first fits when the window says so, and not if a byte less is free.
#[test]
fn room_for_office_is_exact_in_a_window_that_has_not_come_round() {
    let longest = vec![3; configuration_bytes_max(MEMBERS)];
    let (mut has_room, mut has_none) = (0, 0);
    for less in 0..100 {
        let mut pair = Pair::new(Window::bytes_min(MEMBERS));
        let reached = Reached::default();
        pair.operate(&Operation::Fill(less), &reached);
        let (mut window, mut memory) = (pair.window, pair.memory);
        let said = window.has_room_for_office();
        let term = Term::new(1);
        let fits = window
            .append(&mut memory, term, EntryKind::NoOp, &[])
            .and_then(|()| window.append(&mut memory, term, EntryKind::Configuration, &longest))
            .is_ok();
        assert_eq!(said, fits, "{less} bytes are free");
        (has_room, has_none) = (has_room + u32::from(said), has_none + u32::from(!said));
    }
    assert!(has_room > 0 && has_none > 0);
    // Places run out as bytes do.
    let mut pair = Pair::new(Window::bytes_min(MEMBERS));
    for used in 1..=pair.window.offsets {
        let entry = (Term::new(1), EntryKind::NoOp, Vec::new());
        pair.append(entry, false).expect("there is room");
        let places = pair.window.offsets - used;
        assert_eq!(pair.window.has_room_for_office(), places >= 2, "{places}");
    }
}

/// Windows with the same ends are equal and have equal hashes; others differ in both.
#[test]
fn windows_are_compared_by_their_ends() {
    use core::hash::BuildHasher as _;
    let hash = std::hash::BuildHasherDefault::<std::hash::DefaultHasher>::default();
    let mut window = Window::new(Window::bytes_min(MEMBERS), MEMBERS).expect("large enough");
    let fresh = window.clone();
    let empty = hash.hash_one(&window);
    let mut memory = vec![0; Window::bytes_min(MEMBERS)];
    window
        .append(&mut memory, Term::new(1), EntryKind::NoOp, &[])
        .expect("there is room");
    let one = hash.hash_one(&window);
    assert_ne!(one, empty);
    assert_ne!(window, fresh);
    window
        .compact(&memory, LogIndex::new(1))
        .expect("in the log");
    assert_ne!(hash.hash_one(&window), one);
    window.reset(EntryId::ZERO);
    assert_eq!(hash.hash_one(&window), empty);
    assert_eq!(window, fresh);
}
