//! The gates: each is a word, a sentence and a function.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

use crate::museum;
use crate::style;
use crate::sysroot::{self, Sysroot};
use crate::tools::{self, Context, Scratch, skip};

/// One check of the repository.
pub(crate) struct Gate {
    pub(crate) word: &'static str,
    pub(crate) what: &'static str,
    pub(crate) run: fn(&Context) -> Result<()>,
}

/// Every gate, cheap ones first.
pub(crate) const GATES: &[Gate] = &[
    Gate {
        word: "fmt",
        what: "the code is formatted",
        run: fmt,
    },
    Gate {
        word: "style",
        what: "the rules that no other tool checks",
        run: style::gate,
    },
    Gate {
        word: "clippy",
        what: "no warnings, without and with all features",
        run: clippy,
    },
    Gate {
        word: "unit",
        what: "all tests, the core crates first without features",
        run: unit,
    },
    Gate {
        word: "doc",
        what: "the documentation builds without warnings",
        run: doc,
    },
    Gate {
        word: "bare-metal",
        what: "the core crates compile for boards, where there is no alloc",
        run: bare_metal,
    },
    Gate {
        word: "boards",
        what: "the firmware runs in QEMU",
        run: boards,
    },
    Gate {
        word: "simulate",
        what: "thousands of histories, forks, crash points, topologies, hostile inputs, small worlds",
        run: simulate,
    },
    Gate {
        word: "museum",
        what: "the checks notice the mutants that they noticed so far",
        run: museum::gate,
    },
    Gate {
        word: "loom",
        what: "the lock-free status in every interleaving",
        run: loom,
    },
    Gate {
        word: "fuzz",
        what: "the committed corpora, then some new inputs",
        run: fuzz,
    },
    Gate {
        word: "outside",
        what: "the quickstart compiles and runs as a stranger's crate",
        run: outside,
    },
];

/// The crates that promise `no_std`, no allocation, no panic and no unsafe code.
pub(crate) const CORE_CRATES: [&str; 3] = ["quorum", "clocks", "raft-core"];

/// Features whose symbols only a firmware's logger defines: a host binary that uses them does not link.
const UNLINKABLE_FEATURES: [&str; 1] = ["defmt"];

/// What the core crates must not do outside their tests: panic, or convert a number to a type that may not hold it.
/// An exception is `#[expect(clippy::name, reason = "...")]` where it stands.
const CORE_LINTS: [&str; 11] = [
    "clippy::allow_attributes_without_reason",
    "clippy::cast_possible_truncation",
    "clippy::cast_possible_wrap",
    "clippy::cast_sign_loss",
    "clippy::expect_used",
    "clippy::float_arithmetic",
    "clippy::indexing_slicing",
    "clippy::panic",
    "clippy::string_slice",
    "clippy::unreachable",
    "clippy::unwrap_used",
];

/// Workspaces of their own, in which cargo has to be called separately.
const OTHER_WORKSPACES: [&str; 2] = ["examples/firmware", "fuzz"];

const SIMULATOR_BINARY: &str = "simulator/src/main.rs";
/// A smoke of every kind of proof; a campaign runs the same words for hours.
const SIMULATE: &[&str] = &[
    "histories --seeds 10000",
    "explore --events 1000000 --seconds 600",
    "crash-points --seeds 6",
    "topologies",
    "hostile --inputs 10000000",
    "linear --histories 200000",
    "search --all --bound figure-8.terms=3 --bound unsynced.crashes=0 --bound reads.terms=1 \
     --bound membership.terms=1 --bound leases.members=2 --memory-mib 1024",
    "coverage --shapes --runs 20000 --least 8500 --seconds 600",
];
/// Words whose last line that begins with `hash` must be the same in a build with every assertion.
const DETERMINISM: &str = "determinism --seeds 2000";

const LOOM_TEST: &str = "raft-core/tests/loom_status.rs";
const LOOM: &[&str] = &[
    "test",
    "--release",
    "-p",
    "raft-core",
    "--features",
    "status",
    "--test",
    "loom_status",
];

const CORPUS_TEST: &str = "fuzz/tests/corpus.rs";
const CORPUS: &[&str] = &["test", "--manifest-path", "fuzz/Cargo.toml"];
/// Each input is a whole history of a group.
const FUZZ_RUNS: u32 = 3_000;

const README: &str = "raft-core/README.md";

/// Nothing that runs in QEMU here takes seconds: this only guards against a hang.
const QEMU_HANG: Duration = Duration::from_secs(60);

fn fmt(context: &Context) -> Result<()> {
    context.run(&mut context.cargo(&["fmt", "--all", "--check"]))?;
    for workspace in OTHER_WORKSPACES {
        let manifest = format!("{workspace}/Cargo.toml");
        if context.root.join(&manifest).exists() {
            context.run(&mut context.cargo(&["fmt", "--check", "--manifest-path", &manifest]))?;
        }
    }
    Ok(())
}

fn clippy(context: &Context) -> Result<()> {
    for features in [&[][..], &["--all-features"]] {
        let mut cargo = context.cargo(&["clippy", "--all-targets"]);
        context.run(cargo.args(features).args(["--", "-D", "warnings"]))?;
    }
    let mut cargo = context.cargo(&["clippy", "--lib", "--all-features"]);
    cargo.args(packages()).args(["--", "-D", "warnings"]);
    context.run(cargo.args(CORE_LINTS.into_iter().flat_map(|lint| ["-D", lint])))
}

/// The first run is for the core crates alone: built together, other members would switch features on.
fn unit(context: &Context) -> Result<()> {
    let mut cargo = context.cargo(&["test"]);
    context.stream(cargo.args(packages()))?;
    context.stream(&mut context.cargo(&["test", "--features", &linkable_features(context)?]))
}

fn doc(context: &Context) -> Result<()> {
    let mut private = context.cargo(&[
        "doc",
        "--no-deps",
        "--all-features",
        "--document-private-items",
    ]);
    private.args(packages());
    // Last, so that what stays on disk is what a user would see.
    let mut public = context.cargo(&["doc", "--no-deps", "--all-features"]);
    for cargo in [&mut private, &mut public] {
        context.run(cargo.env("RUSTDOCFLAGS", "-D warnings"))?;
    }
    Ok(())
}

fn bare_metal(context: &Context) -> Result<()> {
    let sysroot = Sysroot::prepare(context)?;
    for target in sysroot::TARGETS {
        for features in [&[][..], &["--all-features"]] {
            let mut cargo = sysroot.cargo(context, &["build", "--target", target]);
            context.run(cargo.args(packages()).args(features))?;
        }
        println!(
            "   {target}: {} build without alloc",
            CORE_CRATES.join(", ")
        );
    }
    alloc_is_absent(context, &sysroot)
}

/// The negative control: unless a crate that wants `alloc` fails, the builds above prove nothing.
fn alloc_is_absent(context: &Context, sysroot: &Sysroot) -> Result<()> {
    let scratch = Scratch::new("wants-alloc")?;
    scratch.write(
        "Cargo.toml",
        "[package]\nname = \"wants-alloc\"\nedition = \"2024\"\n[workspace]\n",
    )?;
    scratch.write("src/lib.rs", "#![no_std]\nextern crate alloc;\n")?;
    for target in sysroot::TARGETS {
        let mut cargo = sysroot.cargo(context, &["build", "--target", target]);
        let (success, output) = tools::capture(cargo.current_dir(scratch.path()))?;
        ensure!(
            !success,
            "{target}: a crate that uses alloc compiles, so the gate is vacuous"
        );
        ensure!(
            output.contains("E0463"),
            "{target}: the negative control failed for another reason:\n{output}"
        );
    }
    println!("   negative control: `extern crate alloc` does not compile (E0463)");
    Ok(())
}

/// A board that QEMU emulates and the target its processor needs.
struct Board {
    machine: &'static str,
    target: &'static str,
}

const BOARDS: [Board; 2] = [
    Board {
        machine: "microbit",
        target: sysroot::CORTEX_M0,
    },
    Board {
        machine: "mps2-an386",
        target: sysroot::CORTEX_M4,
    },
];

fn boards(context: &Context) -> Result<()> {
    context.needs_file("examples/firmware/Cargo.toml")?;
    let sysroot = Sysroot::prepare(context)?;
    tools::program("qemu-system-arm", "qemu-system-arm")?;
    tools::program("size", "binutils")?;
    for board in BOARDS {
        let mut cargo = sysroot.cargo(context, &["build", "--release", "--target", board.target]);
        context.run(cargo.current_dir(context.root.join("examples/firmware")))?;
        let firmware = context
            .target
            .join("bare-metal")
            .join(board.target)
            .join("release/firmware");

        let mut qemu = Command::new("qemu-system-arm");
        qemu.args([
            "-machine",
            board.machine,
            "-display",
            "none",
            "-monitor",
            "none",
            "-serial",
            "null",
        ]);
        qemu.args(["-semihosting-config", "enable=on,target=native", "-kernel"])
            .arg(&firmware);
        match tools::guarded(&mut qemu, QEMU_HANG)? {
            Some(0) => {}
            code => bail!("{}: the firmware ended with {code:?}, not 0", board.machine),
        }

        let (success, sizes) = tools::capture(Command::new("size").arg(&firmware))?;
        let bytes: Vec<u64> = sizes
            .lines()
            .nth(1)
            .into_iter()
            .flat_map(str::split_whitespace)
            .map_while(|word| word.parse().ok())
            .collect();
        let [text, data, bss, ..] = bytes[..] else {
            bail!("`size` cannot read the firmware (success: {success}): {sizes}");
        };
        println!(
            "   {} ({}): exit 0; {} bytes of flash (text + data), {} bytes of static RAM (data + bss)",
            board.machine,
            board.target,
            text + data,
            data + bss
        );
    }
    Ok(())
}

fn simulate(context: &Context) -> Result<()> {
    context.needs_file(SIMULATOR_BINARY)?;
    context.run(&mut context.cargo(&["build", "--release", "-p", "simulator"]))?;
    context.run(&mut context.cargo(&["build", "-p", "simulator"]))?;
    let command = |profile: &str, words: &str| {
        let mut command = Command::new(context.target.join(profile).join("simulator"));
        command.args(words.split(' ')).current_dir(&context.root);
        command
    };
    for words in SIMULATE {
        context.stream(&mut command("release", words))?;
    }
    let mut hashes = Vec::new();
    for profile in ["release", "debug"] {
        let (success, output) = tools::capture(&mut command(profile, DETERMINISM))?;
        ensure!(success, "{DETERMINISM} failed:\n{output}");
        let hash = output.lines().rev().find(|line| line.starts_with("hash"));
        hashes.push(hash.map(str::to_owned));
    }
    ensure!(
        hashes[0].is_some() && hashes[0] == hashes[1],
        "released and debug builds tell different histories: {hashes:?}"
    );
    println!("   released and debug builds tell the same 2000 histories");
    Ok(())
}

/// Its own target directory, since the flag rebuilds every dependency.
fn loom(context: &Context) -> Result<()> {
    context.needs_file(LOOM_TEST)?;
    let mut cargo = context.cargo(LOOM);
    cargo
        .env("RUSTFLAGS", "--cfg loom")
        .env("CARGO_TARGET_DIR", context.target.join("loom"));
    context.stream(&mut cargo)
}

/// The corpora run as ordinary tests; new inputs need a nightly compiler and cargo-fuzz.
fn fuzz(context: &Context) -> Result<()> {
    context.needs_file(CORPUS_TEST)?;
    context.stream(&mut context.cargo(CORPUS))?;

    context.needs_file("fuzz/Cargo.toml")?;
    let nightly = |arguments: &[&str]| {
        let mut command = Command::new("rustup");
        command
            .args(["run", "nightly", "cargo"])
            .args(arguments)
            .current_dir(&context.root);
        command
    };
    if !tools::succeeds(&mut nightly(&["--version"])) {
        return skip(
            "corpora replayed, but new inputs need a nightly compiler; rustup toolchain install nightly",
        );
    }
    if !tools::succeeds(&mut nightly(&["fuzz", "--version"])) {
        println!("   installing cargo-fuzz");
        if !tools::succeeds(&mut context.cargo(&["install", "cargo-fuzz", "--locked"])) {
            return skip(
                "corpora replayed, but new inputs need cargo-fuzz; cargo install cargo-fuzz --locked",
            );
        }
    }
    let (success, targets) = tools::capture(&mut nightly(&["fuzz", "list"]))?;
    ensure!(
        success && !targets.trim().is_empty(),
        "no fuzz targets: {targets}"
    );
    for target in targets.split_whitespace() {
        // What is found goes to a directory that git ignores, empty at first, so that every run is the same run;
        // the committed corpus is only read.
        let found = format!("fuzz/corpus-work/{target}");
        if context.root.join(&found).exists() {
            fs::remove_dir_all(context.root.join(&found))?;
        }
        fs::create_dir_all(context.root.join(&found))?;
        let mut cargo = nightly(&["fuzz", "run", target, &found]);
        let committed = format!("fuzz/corpus/{target}");
        if context.root.join(&committed).exists() {
            cargo.arg(committed);
        }
        context.run(cargo.args(["--", &format!("-runs={FUZZ_RUNS}"), "-seed=1"]))?;
        println!("   {target}: {FUZZ_RUNS} inputs");
    }
    Ok(())
}

/// Compiles the quickstart exactly as it stands in the README, in a crate that is not part of the workspace.
fn outside(context: &Context) -> Result<()> {
    context.needs_file(README)?;
    let readme = fs::read_to_string(context.root.join(README))?;
    let code = quickstart(&readme).with_context(|| format!("{README} has no Rust code"))?;

    let scratch = Scratch::new("outside")?;
    let mut manifest = String::from(
        "[package]\nname = \"outside\"\nedition = \"2024\"\n[workspace]\n[dependencies]\n",
    );
    for name in CORE_CRATES {
        manifest += &format!("{name} = {{ path = {:?} }}\n", context.root.join(name));
    }
    scratch.write("Cargo.toml", &manifest)?;
    scratch.write("src/main.rs", &code)?;
    // The versions that everything else was tested with.
    fs::copy(
        context.root.join("Cargo.lock"),
        scratch.path().join("Cargo.lock"),
    )?;

    let mut cargo = context.cargo(&["run"]);
    cargo
        .current_dir(scratch.path())
        .env("CARGO_TARGET_DIR", context.target.join("outside"));
    context.run(&mut cargo)
}

/// The first block of Rust code, as a program.
fn quickstart(readme: &str) -> Option<String> {
    let block = readme
        .lines()
        .skip_while(|line| !line.starts_with("```rust"))
        .skip(1);
    let lines: Vec<&str> = block.take_while(|line| !line.starts_with("```")).collect();
    if lines.is_empty() {
        return None;
    }
    // rustdoc hides lines that start with "# "; a program needs them.
    let lines = lines
        .into_iter()
        .map(|line| line.strip_prefix("# ").unwrap_or(line));
    let code = lines.collect::<Vec<_>>().join("\n");
    Some(if code.contains("fn main(") {
        code
    } else {
        format!("fn main() {{\n{code}\n}}\n")
    })
}

/// `-p quorum -p clocks ...`
fn packages() -> impl Iterator<Item = &'static str> {
    CORE_CRATES.into_iter().flat_map(|name| ["-p", name])
}

/// `quorum/serde,raft-core/status,...`: every feature of the core crates with which a host binary links.
fn linkable_features(context: &Context) -> Result<String> {
    let mut features = Vec::new();
    for name in CORE_CRATES {
        let manifest = fs::read_to_string(context.root.join(name).join("Cargo.toml"))?;
        features.extend(feature_names(&manifest).map(|feature| format!("{name}/{feature}")));
    }
    Ok(features.join(","))
}

fn feature_names(manifest: &str) -> impl Iterator<Item = &str> {
    let section = manifest
        .lines()
        .skip_while(|line| line.trim() != "[features]")
        .skip(1);
    let names = section
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| line.split_once(" = "));
    let names = names
        .map(|(name, _)| name.trim())
        .filter(|name| !name.starts_with('#'));
    names.filter(|name| *name != "default" && !UNLINKABLE_FEATURES.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_read_from_the_manifest_except_those_that_do_not_link() {
        let manifest = "[features]\ndefault = []\n# A = comment\nstatus = []\ndefmt = [\"dep:defmt\"]\n\n[dependencies]\nheapless = \"1\"\n";
        assert_eq!(feature_names(manifest).collect::<Vec<_>>(), ["status"]);
    }

    #[test]
    fn quickstart_is_the_first_rust_block() {
        let readme = "# A\n```toml\nx = 1\n```\n```rust\nright();\n# hidden();\n```\n```rust\nlate();\n```\n";
        let program = "fn main() {\nright();\nhidden();\n}\n";
        assert_eq!(quickstart(readme).as_deref(), Some(program));
    }

    #[test]
    fn quickstart_with_a_main_is_taken_as_it_stands() {
        let readme = "```rust\nfn main() {}\n```\n";
        assert_eq!(quickstart(readme).as_deref(), Some("fn main() {}"));
    }

    #[test]
    fn readme_without_rust_code_has_no_quickstart() {
        assert_eq!(quickstart("# Title\n```sh\nls\n```\n"), None);
    }
}
