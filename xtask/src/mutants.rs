//! Generic mutants of the protocol: `cargo xtask mutants [--shard I/N]`.
//!
//! cargo-mutants replaces each body and each operator by another one and runs the tests: a mutant that no test notices
//! says what the tests do not look at. Building the tests anew for each of a thousand mutants takes a day here, so only
//! its list is taken. The mutants are composed behind one selector, as those of the [museum](crate::museum), and
//! built once; then one takes as long as the tests run. Mutants that do not compile are found by the compiler's
//! errors and left out, as cargo-mutants does.
//!
//! What is known is kept between runs; shards are every N-th mutant. Survivors are explained in docs/mutants.md, and one
//! that is not fails the run.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use anyhow::{Context as _, Result, bail, ensure};

use crate::museum::{Arms, Copy, Findings, Kind, Patch, TESTS, Trial, hash, hunks};
use crate::tools::{self, Context};

const USAGE: &str = "cargo xtask mutants [--shard I/N] [--only TEXT]... [--list]";
const PAGE: &str = "docs/mutants.md";

/// What is mutated: the modules that decide.
const FILES: [&str; 18] = [
    "quorum/src/joint.rs",
    "quorum/src/majority.rs",
    "quorum/src/outcome.rs",
    "clocks/src/timer.rs",
    "raft-core/src/durable.rs",
    "raft-core/src/slot.rs",
    "raft-core/src/window.rs",
    "raft-core/src/window/search.rs",
    "raft-core/src/node/command.rs",
    "raft-core/src/node/election.rs",
    "raft-core/src/node/follow.rs",
    "raft-core/src/node/handle.rs",
    "raft-core/src/node/lead.rs",
    "raft-core/src/node/membership.rs",
    "raft-core/src/node/poll.rs",
    "raft-core/src/node/restore.rs",
    "raft-core/src/node/snapshot.rs",
    "raft-core/src/node/timeout.rs",
];

/// How often mutants that do not compile may be taken out before something else must be wrong.
const ROUNDS: u32 = 20;

/// The command.
pub(crate) fn main(context: &Context, words: &[String]) -> Result<()> {
    let (mut shard, mut lists, mut only) = ((0, 1), false, Vec::new());
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let mut value = || {
            words
                .next()
                .with_context(|| format!("{word} wants a value; {USAGE}"))
        };
        match word.as_str() {
            "--shard" => shard = tools::shard(value()?)?,
            "--only" => only.push(value()?),
            "--list" => lists = true,
            _ => bail!("{word}? {USAGE}"),
        }
    }
    let mut patches = list(context)?;
    // Those alone whose title has one of these in it: a few are built soon.
    if !only.is_empty() {
        let is_meant = |title: &str| only.iter().any(|text| title.contains(text.as_str()));
        patches.retain(|patch| is_meant(&without_place(&patch.title)));
        ensure!(!patches.is_empty(), "no mutant is called {only:?}");
    }
    if lists {
        for patch in &patches {
            println!("{:>5}  {}", patch.number, patch.title);
        }
        return Ok(());
    }
    let all = patches.len();
    let copy = viable(context, &mut patches)?;
    println!("   {all} mutants, of which {} compile", patches.len());
    let arms = Arms {
        simulator: "no-simulator".into(),
        tests: copy.tests()?,
    };
    let findings = Findings::read(copy.home().join("findings.txt"), copy.subject());
    let mine = patches
        .iter()
        .filter(|patch| u64::from(patch.number) % shard.1 == shard.0);
    judge(context, &arms, findings, mine)
}

fn judge<'p>(
    context: &Context,
    arms: &Arms,
    mut findings: Findings,
    patches: impl Iterator<Item = &'p Patch>,
) -> Result<()> {
    let explained = fs::read_to_string(context.root.join(PAGE)).unwrap_or_default();
    let mut counts: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    let mut unexplained = 0;
    for patch in patches {
        let trial = Trial {
            mutant: patch.number,
            checker: TESTS,
            number: 0,
            seconds: 0,
            dropped: &[],
        };
        let identity = hash([&patch.title, &patch.diff]);
        let finding = match findings.find(identity, &trial) {
            Some(finding) => finding,
            None => {
                let finding = arms.hunt(&trial)?;
                findings.add(identity, &trial, &finding)?;
                finding
            }
        };
        let file = patch.hunks.first().map_or("", |hunk| &hunk.file);
        let count = counts.entry(file).or_default();
        count.0 += 1;
        if finding.by.is_none() {
            count.1 += 1;
            let is_explained = explained.contains(&format!("`{}`", without_place(&patch.title)));
            unexplained += u32::from(!is_explained);
            let remark = if is_explained {
                "explained"
            } else {
                "UNEXPLAINED"
            };
            println!("   survives ({remark}): {}", patch.title);
        }
    }
    println!("\n   noticed  survived  file");
    for (file, (ran, survived)) in &counts {
        println!("   {:>7}  {survived:>8}  {file}", ran - survived);
    }
    let ran: u32 = counts.values().map(|(ran, _)| ran).sum();
    let survived: u32 = counts.values().map(|(_, survived)| survived).sum();
    println!("   {:>7}  {survived:>8}  together", ran - survived);
    ensure!(
        unexplained == 0,
        "{unexplained} survivors that {PAGE} does not explain"
    );
    Ok(())
}

/// `file:line:column: what` without line and column, which move.
fn without_place(title: &str) -> String {
    let mut parts = title.splitn(4, ':');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(file), Some(_), Some(_), Some(what)) => format!("{file}:{what}"),
        _ => title.to_owned(),
    }
}

/// The mutants that cargo-mutants would make.
fn list(context: &Context) -> Result<Vec<Patch>> {
    if !tools::succeeds(&mut context.cargo(&["mutants", "--version"])) {
        println!("   installing cargo-mutants");
        context.run(&mut context.cargo(&["install", "cargo-mutants", "--locked"]))?;
    }
    let mut cargo = context.cargo(&[
        "mutants",
        "--workspace",
        "--list",
        "--diff",
        "--colors=never",
    ]);
    for file in FILES {
        cargo.args(["--file", file]);
    }
    let (success, output) = tools::capture(&mut cargo)?;
    ensure!(success, "cargo-mutants makes no list:\n{output}");
    parse(&output)
}

/// Reads a list with differences: a title, then a diff whose second line is no file but the title again.
fn parse(output: &str) -> Result<Vec<Patch>> {
    let lines: Vec<&str> = output.lines().collect();
    let begins = |at: usize| {
        lines[at].starts_with("--- ")
            && lines
                .get(at + 1)
                .is_some_and(|next| next.starts_with("+++ "))
    };
    let starts: Vec<usize> = (1..lines.len()).filter(|at| begins(*at)).collect();
    let mut patches = Vec::new();
    for (place, start) in starts.iter().enumerate() {
        // The last line before the next difference is the next title.
        let end = starts.get(place + 1).map_or(lines.len(), |next| next - 1);
        let file = lines[*start].trim_start_matches("--- ");
        let mut diff = format!("--- {file}\n+++ b/{file}\n");
        for line in &lines[start + 2..end] {
            diff.push_str(line);
            diff.push('\n');
        }
        // What stands between two differences; an empty line of a file begins with a blank.
        diff.truncate(diff.trim_end_matches('\n').len());
        let title = lines[start - 1].to_owned();
        patches.push(Patch {
            number: u32::try_from(place)? + 1,
            name: title.clone(),
            rule: String::new(),
            kind: Kind::Safety,
            expected: Vec::new(),
            equivalent: None,
            hunks: hunks(&diff).with_context(|| title.clone())?,
            title,
            diff,
        });
    }
    ensure!(!patches.is_empty(), "no mutants in:\n{output}");
    Ok(patches)
}

/// A copy with the mutants that compile; the others are taken out.
fn viable(context: &Context, patches: &mut Vec<Patch>) -> Result<Copy> {
    // What stands outside of a function cannot be selected.
    patches.retain(|patch| Copy::can_hold(context, patch));
    for _ in 0..ROUNDS {
        let copy = Copy::make(context, "mutants", patches)?;
        let (success, output) = tools::capture(&mut copy.check())?;
        if success {
            return Ok(copy);
        }
        let wrong = wrong_mutants(&copy, &output)?;
        ensure!(!wrong.is_empty(), "the copy does not compile:\n{output}");
        patches.retain(|patch| !wrong.contains(&patch.number));
    }
    bail!("mutants that do not compile after {ROUNDS} rounds")
}

/// The mutants in whose arms the compiler found errors: `file:line:column: error...`.
fn wrong_mutants(copy: &Copy, output: &str) -> Result<BTreeSet<u32>> {
    let mut wrong = BTreeSet::new();
    for line in output.lines() {
        let mut parts = line.splitn(4, ':');
        let (Some(path), Some(number), Some(_), Some(what)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let (Ok(number), true) = (
            number.parse::<usize>(),
            what.trim_start().starts_with("error"),
        ) else {
            continue;
        };
        let text = fs::read_to_string(copy.source().join(path)).with_context(|| path.to_owned())?;
        wrong.extend(arm_at(&text, number));
    }
    Ok(wrong)
}

/// The number of the arm that holds a line, counted from 1.
fn arm_at(text: &str, line: usize) -> Option<u32> {
    let before: Vec<&str> = text.lines().take(line).collect();
    before.iter().rev().find_map(|line| {
        let pattern = line.strip_suffix(" => {")?;
        // The arm of the code as it is ends the search: the error is not a mutant's.
        (pattern == "_")
            .then_some(None)
            .or_else(|| pattern.parse().ok().map(Some))
    })?
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "\
q/src/a.rs:2:5: replace size -> usize with 0
--- q/src/a.rs
+++ replace size -> usize with 0
@@ -1,3 +1,3 @@
 fn size() -> usize {
-    7
+    0 /* changed */
 }

q/src/a.rs:9:7: replace + with -
--- q/src/a.rs
+++ replace + with -
@@ -9,1 +9,1 @@
-    a + b
+    a - b

";

    #[test]
    fn the_list_is_read() {
        let patches = parse(LIST).unwrap();
        assert_eq!(patches.len(), 2);
        assert_eq!(
            patches[0].title,
            "q/src/a.rs:2:5: replace size -> usize with 0"
        );
        assert_eq!(
            (patches[1].number, patches[1].hunks[0].file.as_str()),
            (2, "q/src/a.rs")
        );
        let edits = patches[1].hunks[0].edits(&["    a + b"]).unwrap();
        assert_eq!(edits.len(), 1);
        assert!(parse("nothing\n").is_err());
    }

    #[test]
    fn an_error_belongs_to_the_arm_around_it() {
        let text = "fn f() {\nmatch s() {\n7 => {\n x\n}\n12 => {\n y\n}\n_ => {\n z\n}\n}\n}\n";
        assert_eq!(arm_at(text, 4), Some(7));
        assert_eq!(arm_at(text, 7), Some(12));
        assert_eq!(arm_at(text, 10), None);
        assert_eq!(arm_at(text, 1), None);
    }

    #[test]
    fn a_title_without_its_place_stays_the_same_when_lines_move() {
        assert_eq!(without_place("a.rs:2:5: replace x"), "a.rs: replace x");
    }
}
