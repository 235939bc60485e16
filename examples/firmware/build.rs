//! Gives the linker the memory of the board that belongs to the target.

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    let target = env::var("TARGET").expect("cargo sets TARGET");
    let (board, memory) = match target.as_str() {
        "thumbv6m-none-eabi" => ("microbit", include_str!("memory/microbit.x")),
        "thumbv7em-none-eabihf" => ("mps2-an386", include_str!("memory/mps2-an386.x")),
        _ => panic!("no board for {target}: add its memory to build.rs"),
    };
    let directory = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    fs::write(directory.join("memory.x"), memory).expect("OUT_DIR can be written");
    println!("cargo::rustc-env=BOARD={board}");
    println!("cargo::rustc-link-search={}", directory.display());
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    // Without it sections start at multiples of 64 KiB, beyond what a small board has.
    println!("cargo::rustc-link-arg-bins=--nmagic");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=memory");
}
