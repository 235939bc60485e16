//! A sysroot for bare-metal targets that holds `core` and nothing else.
//!
//! A crate that says `extern crate alloc` does not compile against it (E0463), nor does any crate that depends on
//! such a crate: an exact proof that nothing allocates, which needs no linking. `core` comes from the targets of
//! the compiler in use; if it has none, `rustup target add` is tried; if that fails too, it is compiled from the
//! source that Debian packages with its newest compiler.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use crate::tools::{self, Context, Scratch, skip};

pub(crate) const CORTEX_M0: &str = "thumbv6m-none-eabi";
pub(crate) const CORTEX_M4: &str = "thumbv7em-none-eabihf";
pub(crate) const RISC_V: &str = "riscv32imc-unknown-none-elf";
pub(crate) const TARGETS: [&str; 3] = [CORTEX_M0, CORTEX_M4, RISC_V];

const LIBRARIES: [&str; 2] = ["core", "compiler_builtins"];
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_SOURCE: &str = "/usr/lib/rustlib/src/rust/library/core";
const DEBIAN_PACKAGES: [&str; 5] = [
    "rustc-web",
    "libstd-rust-web-dev",
    "rust-web-src",
    "rust-web-llvm",
    "lld-22",
];

/// A compiler and the sysroot made for it.
pub(crate) struct Sysroot {
    rustc: PathBuf,
    directory: PathBuf,
}

impl Sysroot {
    /// Finds a compiler that can build for every target and makes the sysroot, unless it is there already.
    pub(crate) fn prepare(context: &Context) -> Result<Self> {
        let directory = context.root.join(".toolchain");
        let mut libraries = installed_libraries()?;
        if libraries.is_none()
            && tools::succeeds(Command::new("rustup").args(["target", "add"]).args(TARGETS))
        {
            libraries = installed_libraries()?;
        }
        let Some(libraries) = libraries else {
            return Self::from_debian(directory);
        };
        let sysroot = Self {
            rustc: "rustc".into(),
            directory,
        };
        sysroot.fill_once(|sysroot| {
            TARGETS
                .iter()
                .try_for_each(|target| sysroot.copy(target, &libraries.join(target).join("lib")))
        })?;
        Ok(sysroot)
    }

    fn from_debian(directory: PathBuf) -> Result<Self> {
        if !Path::new(DEBIAN_RUSTC).exists()
            || !Path::new(DEBIAN_SOURCE).exists()
            || !tools::found("lld-22")
        {
            let targets = TARGETS.join(" ");
            tools::debian(&DEBIAN_PACKAGES)
                .or_else(|missing| skip(format!("{missing}, or rustup target add {targets}")))?;
        }
        let sysroot = Self {
            rustc: DEBIAN_RUSTC.into(),
            directory,
        };
        sysroot.fill_once(Self::compile_core)?;
        Ok(sysroot)
    }

    /// `cargo` that builds for bare metal: the caller adds `--target`, without which the sysroot has no effect.
    pub(crate) fn cargo(&self, context: &Context, arguments: &[&str]) -> Command {
        let mut flags = OsString::from("--sysroot\u{1f}");
        flags.push(&self.directory);
        let mut command = context.cargo(arguments);
        command
            .env("RUSTC", &self.rustc)
            .env("CARGO_ENCODED_RUSTFLAGS", flags);
        command.env("CARGO_TARGET_DIR", context.target.join("bare-metal"));
        command
    }

    /// Fills the directory anew when the compiler or the targets are others than last time.
    fn fill_once(&self, fill: impl Fn(&Self) -> Result<()>) -> Result<()> {
        let (success, version) = tools::capture(Command::new(&self.rustc).arg("-vV"))?;
        ensure!(success, "{} does not run: {version}", self.rustc.display());
        let stamp = format!("{}\n{version}{}\n", self.rustc.display(), TARGETS.join(" "));
        let stamp_path = self.directory.join("made-for");
        if fs::read_to_string(&stamp_path).is_ok_and(|made_for| made_for == stamp) {
            return Ok(());
        }
        if self.directory.exists() {
            fs::remove_dir_all(&self.directory)?;
        }
        fill(self)?;
        Ok(fs::write(stamp_path, stamp)?)
    }

    /// Compiles `core` for every target with the compiler and the source that Debian packages.
    fn compile_core(&self) -> Result<()> {
        println!(
            "   compiling core for {} (once per compiler)",
            TARGETS.join(", ")
        );
        let scratch = Scratch::new("bare-metal-core")?;
        scratch.write(
            "Cargo.toml",
            "[package]\nname = \"empty\"\nedition = \"2024\"\n[workspace]\n",
        )?;
        scratch.write("src/lib.rs", "#![no_std]\n")?;
        let mut cargo = Command::new("cargo");
        cargo
            .args(["build", "--release", "-Zbuild-std=core"])
            .current_dir(scratch.path());
        for target in TARGETS {
            cargo.args(["--target", target]);
        }
        // The source of `core` belongs to one compiler, which has to be told that it may compile it.
        cargo.env("RUSTC", &self.rustc).env("RUSTC_BOOTSTRAP", "1");
        cargo
            .env("CARGO_ENCODED_RUSTFLAGS", "-Cembed-bitcode=yes")
            .env("CARGO_TARGET_DIR", scratch.path().join("target"));
        let (success, output) = tools::capture(&mut cargo)?;
        ensure!(success, "core does not compile:\n{output}");
        TARGETS.iter().try_for_each(|target| {
            self.copy(
                target,
                &scratch
                    .path()
                    .join("target")
                    .join(target)
                    .join("release/deps"),
            )
        })
    }

    /// Copies the wanted libraries of one target into the sysroot.
    fn copy(&self, target: &str, from: &Path) -> Result<()> {
        let to = self.directory.join("lib/rustlib").join(target).join("lib");
        fs::create_dir_all(&to)?;
        for library in LIBRARIES {
            let files = library_files(from, library);
            ensure!(!files.is_empty(), "{target} has no lib{library}");
            for file in files {
                fs::copy(from.join(&file), to.join(&file))?;
            }
        }
        Ok(())
    }
}

/// Where the compiler in use keeps the libraries of its targets, if it has `core` for every target.
fn installed_libraries() -> Result<Option<PathBuf>> {
    let (success, sysroot) = tools::capture(Command::new("rustc").args(["--print", "sysroot"]))?;
    ensure!(success, "rustc does not run: {sysroot}");
    // Before it, rustup may say what it is doing.
    let libraries = Path::new(sysroot.lines().last().unwrap_or("")).join("lib/rustlib");
    let complete = TARGETS
        .iter()
        .all(|target| !library_files(&libraries.join(target).join("lib"), "core").is_empty());
    Ok(complete.then_some(libraries))
}

/// The files of one library: the code, and what describes it to the compiler where that is a file of its own.
fn library_files(directory: &Path, library: &str) -> Vec<OsString> {
    let prefix = format!("lib{library}-");
    let is_library = |name: &OsString| {
        let name = name.to_string_lossy();
        name.starts_with(&prefix) && (name.ends_with(".rlib") || name.ends_with(".rmeta"))
    };
    let entries = fs::read_dir(directory).into_iter().flatten();
    entries
        .filter_map(|entry| Some(entry.ok()?.file_name()))
        .filter(is_library)
        .collect()
}
