//! The copy of the workspace that holds all mutants, and what is built of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::compose::{compose, unconst};
use super::findings::{Subject, hash};
use super::patch::Patch;
use crate::gates::CORE_CRATES;
use crate::tools::{self, Context};

/// The variable by which a process learns which mutant it is.
pub(crate) const SELECTOR: &str = "MUSEUM_MUTANT";

/// What every crate with mutants gets. It reads the environment, which a core crate must not do:
/// it exists in the copy only.
const SELECTOR_MODULE: &str = r#"//! Made by `cargo xtask museum`: which mutant is in force.

extern crate std;

use core::sync::atomic::{AtomicU32, Ordering};

static SELECTED: AtomicU32 = AtomicU32::new(u32::MAX);

#[inline]
pub(crate) fn selected() -> u32 {
    match SELECTED.load(Ordering::Relaxed) {
        u32::MAX => read(),
        number => number,
    }
}

#[cold]
fn read() -> u32 {
    let number = std::env::var("MUSEUM_MUTANT").ok();
    let number = number.and_then(|digits| digits.parse().ok()).unwrap_or(0);
    SELECTED.store(number, Ordering::Relaxed);
    number
}
"#;

/// What is copied of the repository: the workspaces of their own are of no use here.
const LEFT_OUT: [&str; 3] = ["fuzz/", "examples/firmware/", ".ci/"];

/// Test programs that look at types and threads, not at the protocol.
const TESTS_LEFT_OUT: [&str; 3] = ["ui-", "loom_status-", "serde-"];

/// The copy.
pub(crate) struct Copy {
    home: PathBuf,
    source: PathBuf,
    target: PathBuf,
    subject: Subject,
}

impl Copy {
    /// Makes the copy, or brings it up to date: a file that stays the same is left alone, so that
    /// little has to be built again.
    pub(crate) fn make(context: &Context, name: &str, patches: &[Patch]) -> Result<Self> {
        let home = context.target.join(name);
        let mut copy = Copy {
            source: home.join("source"),
            // What is not of this workspace is built once for all copies.
            target: context.target.join("museum/build"),
            home,
            subject: Subject {
                protocol: 0,
                tests: 0,
            },
        };
        let mutated: BTreeSet<&str> = patches
            .iter()
            .flat_map(|patch| &patch.hunks)
            .map(|hunk| hunk.file.as_str())
            .collect();
        let crates: BTreeSet<&str> = mutated
            .iter()
            .filter_map(|path| path.split_once("/src/"))
            .map(|(name, _)| name)
            .collect();
        let mut kept = BTreeSet::new();
        let mut sources: BTreeMap<&str, BTreeMap<String, String>> = BTreeMap::new();
        let mut names: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        let (mut protocol, mut tests) = (Vec::new(), Vec::new());
        for path in tracked(context)? {
            // A file that was deleted and not committed yet.
            let Ok(bytes) = fs::read(context.root.join(&path)) else {
                continue;
            };
            let is_in = |folder| {
                let folders = CORE_CRATES.map(|name| format!("{name}/{folder}/"));
                folders.iter().any(|folder| path.starts_with(folder))
            };
            if is_in("src") {
                protocol.push(bytes.clone());
            }
            if is_in("tests") {
                tests.push(bytes.clone());
            }
            let owner = crates
                .iter()
                .find(|name| path.starts_with(&format!("{name}/src/")));
            let Some(owner) = owner else {
                copy.put(&path, &bytes, &mut kept)?;
                continue;
            };
            let text = String::from_utf8(bytes).with_context(|| path.clone())?;
            let mut composed = compose(&path, &text, patches)?;
            if path == format!("{owner}/src/lib.rs") {
                composed.text.push_str("\nmod museum_selector;\n");
            }
            names
                .entry(owner)
                .or_default()
                .append(&mut composed.unconst);
            sources
                .entry(owner)
                .or_default()
                .insert(path, composed.text);
        }
        for (owner, files) in &mut sources {
            unconst(files, names.remove(owner).unwrap_or_default());
            for (path, text) in files {
                copy.put(path, text.as_bytes(), &mut kept)?;
            }
        }
        for name in &crates {
            let path = format!("{name}/src/museum_selector.rs");
            copy.put(&path, SELECTOR_MODULE.as_bytes(), &mut kept)?;
        }
        for path in &mutated {
            ensure!(
                kept.contains(*path),
                "{path} has mutants and does not exist"
            );
        }
        remove_others(&copy.source, &copy.source, &kept)?;
        copy.subject = Subject {
            protocol: hash(&protocol),
            tests: hash(&tests),
        };
        Ok(copy)
    }

    /// Whether each change of a mutant lies in a function.
    pub(crate) fn can_hold(context: &Context, patch: &Patch) -> bool {
        patch.hunks.iter().all(|hunk| {
            let text = fs::read_to_string(context.root.join(&hunk.file));
            text.is_ok_and(|text| compose(&hunk.file, &text, std::slice::from_ref(patch)).is_ok())
        })
    }

    /// Where its sources stand.
    pub(crate) fn source(&self) -> &Path {
        &self.source
    }

    /// Looks whether the core crates compile; errors take one line each.
    pub(crate) fn check(&self) -> Command {
        let mut cargo = self.cargo(&[
            "check",
            "--release",
            "--message-format=short",
            "--keep-going",
        ]);
        cargo.args(CORE_CRATES.into_iter().flat_map(|name| ["-p", name]));
        cargo
    }

    /// Where the copy and what is known of its mutants stands.
    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    /// What findings in it are about.
    pub(crate) const fn subject(&self) -> Subject {
        self.subject
    }

    fn put(&self, path: &str, bytes: &[u8], kept: &mut BTreeSet<String>) -> Result<()> {
        let to = self.source.join(path);
        kept.insert(path.to_owned());
        if fs::read(&to).is_ok_and(|old| old == bytes) {
            return Ok(());
        }
        if let Some(directory) = to.parent() {
            fs::create_dir_all(directory)?;
        }
        Ok(fs::write(&to, bytes)?)
    }

    fn cargo(&self, arguments: &[&str]) -> Command {
        let mut cargo = Command::new("cargo");
        cargo
            .args(arguments)
            .current_dir(&self.source)
            .env("CARGO_TARGET_DIR", &self.target)
            // Quick to build, with every check on.
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
            .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
            .env("CARGO_PROFILE_RELEASE_DEBUG_ASSERTIONS", "true")
            .env("CARGO_PROFILE_RELEASE_OVERFLOW_CHECKS", "true")
            .env("RUSTFLAGS", "-Awarnings");
        cargo
    }

    /// Builds the simulator with all mutants in it.
    pub(crate) fn simulator(&self, context: &Context) -> Result<PathBuf> {
        context.run(&mut self.cargo(&["build", "--release", "-p", "simulator"]))?;
        Ok(self.built_simulator())
    }

    /// Where that is, once it was built.
    pub(crate) fn built_simulator(&self) -> PathBuf {
        self.target.join("release/simulator")
    }

    /// Builds the tests of the core crates, and names their programs.
    pub(crate) fn tests(&self) -> Result<Vec<PathBuf>> {
        let mut cargo = self.cargo(&["test", "--release", "--no-run", "--lib", "--tests"]);
        cargo.args(CORE_CRATES.into_iter().flat_map(|name| ["-p", name]));
        let (success, output) = tools::capture(&mut cargo)?;
        ensure!(success, "the tests of the copy do not build:\n{output}");
        let programs = output
            .lines()
            .filter(|line| line.trim_start().starts_with("Executable "))
            .filter_map(|line| line.rsplit_once('(')?.1.strip_suffix(')'))
            .map(|path| self.source.join(path))
            .filter(|path| {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                !TESTS_LEFT_OUT
                    .iter()
                    .any(|left_out| name.starts_with(left_out))
            });
        let programs: Vec<PathBuf> = programs.collect();
        ensure!(!programs.is_empty(), "no test programs:\n{output}");
        Ok(programs)
    }
}

/// Every file of the repository that git knows or would add.
fn tracked(context: &Context) -> Result<Vec<String>> {
    let paths = context.files()?;
    let is_in = |path: &String| !LEFT_OUT.iter().any(|left_out| path.starts_with(left_out));
    Ok(paths.into_iter().filter(is_in).collect())
}

/// Removes files that an earlier copy had.
fn remove_others(root: &Path, directory: &Path, kept: &BTreeSet<String>) -> Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            remove_others(root, &path, kept)?;
        } else {
            let relative = path.strip_prefix(root)?.to_string_lossy().into_owned();
            if !kept.contains(&relative) {
                fs::remove_file(&path)?;
            }
        }
    }
    Ok(())
}
