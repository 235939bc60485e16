//! Three Raft nodes on one microcontroller: they elect a leader, lose it, elect another and agree on a command.
//!
//! The exit code is 0 when all three applied the command. Run it in QEMU with `cargo run --release`, or with
//! `cargo run --release --target thumbv6m-none-eabi` for a Cortex-M0.
#![no_std]
#![no_main]

mod group;

use core::panic::PanicInfo;

use cortex_m_rt::entry;
use cortex_m_semihosting::debug::{EXIT_FAILURE, EXIT_SUCCESS, ExitStatus, exit};
use cortex_m_semihosting::hprintln;

// Linked for its critical section of a single core.
use cortex_m as _;

const BOARD: &str = env!("BOARD");

#[entry]
fn main() -> ! {
    // `entry` lends these to us for as long as the program runs, and to nobody else.
    static mut WINDOWS: group::Windows = [[0; group::WINDOW_BYTES]; group::NODES];
    static mut NODES: group::Nodes = group::Nodes::new();
    match group::run(NODES, WINDOWS) {
        Ok(agreed) => {
            hprintln!(
                "   {}: {} nodes applied entry {} of term {}; {} bytes per node, {} of them log window",
                BOARD,
                group::NODES,
                agreed.index,
                agreed.term,
                group::NODE_BYTES,
                group::WINDOW_BYTES
            );
            halt(EXIT_SUCCESS)
        }
        Err(reason) => {
            hprintln!("   {}: {}", BOARD, reason);
            halt(EXIT_FAILURE)
        }
    }
}

/// Ends the emulation with this status; on a board without a debugger it stops here.
fn halt(status: ExitStatus) -> ! {
    loop {
        exit(status);
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    hprintln!("   {}: {}", BOARD, info);
    halt(EXIT_FAILURE)
}
