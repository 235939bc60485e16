//! Firmware that exits with 0 when the core crates do their work on a microcontroller.
//!
//! Run it in QEMU with `cargo run --release`, or `cargo run --release --target thumbv6m-none-eabi` for a Cortex-M0.
#![no_std]
#![no_main]

use core::panic::PanicInfo;

// Linked for their symbols: the critical section of a single core, and the members of the family.
use {clocks as _, cortex_m as _, quorum as _};

use cortex_m_rt::entry;
use cortex_m_semihosting::debug::{EXIT_FAILURE, EXIT_SUCCESS, exit};
use cortex_m_semihosting::hprintln;

#[entry]
fn main() -> ! {
    hprintln!("   firmware on {}: up", env!("BOARD"));
    halt(EXIT_SUCCESS)
}

/// Ends the emulation with this status; on a board without a debugger it stops here.
fn halt(status: cortex_m_semihosting::debug::ExitStatus) -> ! {
    loop {
        exit(status);
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    hprintln!("   firmware on {}: {}", env!("BOARD"), info);
    halt(EXIT_FAILURE)
}
