//! The system allocator, counting.
//!
//! The counters belong to a thread, so a cell counts only itself. Counting adds a few instructions to each call,
//! for every contender alike.

// A global allocator is an unsafe trait: this file, and no other, may implement it. Each method hands its
// arguments unchanged to the system allocator and returns what that returned.
#![allow(unsafe_code)]

use core::cell::Cell;
use std::alloc::{GlobalAlloc, Layout, System};

thread_local! {
    // Const and without a destructor: reading it never allocates, and it outlives everything else in the thread.
    static COUNTED: Cell<Allocations> = const { Cell::new(Allocations { calls: 0, bytes: 0 }) };
}

/// What a thread has asked of the allocator since it began.
#[derive(Clone, Copy)]
pub(crate) struct Allocations {
    /// Calls of `alloc`, `alloc_zeroed` and `realloc`.
    pub(crate) calls: u64,
    /// Bytes asked for in them.
    pub(crate) bytes: u64,
}

/// The counters of this thread.
pub(crate) fn allocations() -> Allocations {
    COUNTED.get()
}

fn count(bytes: usize) {
    let Allocations {
        calls,
        bytes: before,
    } = COUNTED.get();
    COUNTED.set(Allocations {
        calls: calls + 1,
        bytes: before + bytes as u64,
    });
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: the contract of each method is the system allocator's own; nothing is added to or kept from it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller promised what `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: as above.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}
