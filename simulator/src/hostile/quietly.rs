//! Panics of the subject: caught, kept off the terminal, and put into words with their place.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

/// What `run` returns, or in words where and why it panicked.
///
/// # Errors
///
/// The panic.
pub fn catch<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    install();
    IS_CAUGHT.with(|flag| flag.set(true));
    let ended = panic::catch_unwind(AssertUnwindSafe(run));
    IS_CAUGHT.with(|flag| flag.set(false));
    ended.map_err(|payload| words(payload.as_ref()))
}

thread_local! {
    static IS_CAUGHT: Cell<bool> = const { Cell::new(false) };
    static PANICKED: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Keeps panics that are caught here off the terminal, and notes where they were.
fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if IS_CAUGHT.with(Cell::get) {
                let place = info.location().map(|it| it.to_string());
                PANICKED.with(|text| *text.borrow_mut() = place.unwrap_or_default());
            } else {
                before(info);
            }
        }));
    });
}

fn words(payload: &(dyn Any + Send)) -> String {
    let text = match payload.downcast_ref::<String>() {
        Some(text) => text.as_str(),
        None => payload.downcast_ref::<&str>().copied().unwrap_or("a panic"),
    };
    PANICKED.with(|place| format!("{text} at {}", place.borrow()))
}
