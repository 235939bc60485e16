//! A mutant as it is kept: a header in words, then a plain unified diff.
//!
//! ```text
//! Entries of earlier terms are committed by counting
//! Rule: only entries of the leader's own term count, [Ongaro14 §3.6.2]
//! Kind: safety
//! Expected: worlds, tests
//! Equivalent: (only of a mutant that changes nothing: the argument)
//!
//! --- a/raft-core/src/node/lead.rs
//! +++ b/raft-core/src/node/lead.rs
//! @@ -1,3 +1,3 @@
//!  context
//! -old
//! +new
//! ```

use std::fs;
use std::ops::Range;
use std::path::Path;

use anyhow::{Context as _, Result, bail, ensure};

/// What a mutant breaks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Kind {
    /// Agreement, or what was acknowledged.
    Safety,
    /// That the group goes on.
    Liveness,
    /// That no message harms a node.
    Hostile,
    /// The proof room itself.
    Harness,
}

impl Kind {
    const ALL: [(&'static str, Kind); 4] = [
        ("safety", Kind::Safety),
        ("liveness", Kind::Liveness),
        ("hostile", Kind::Hostile),
        ("harness", Kind::Harness),
    ];

    pub(crate) fn name(self) -> &'static str {
        let found = Kind::ALL.iter().find(|(_, kind)| *kind == self);
        found.map_or("", |(name, _)| name)
    }

    fn by_name(name: &str) -> Option<Self> {
        let found = Kind::ALL.iter().find(|(known, _)| *known == name);
        found.map(|(_, kind)| *kind)
    }
}

/// One mutant.
#[derive(Clone, Debug)]
pub(crate) struct Patch {
    /// The number that selects it, from the name of its file.
    pub(crate) number: u32,
    /// The name of its file.
    pub(crate) name: String,
    pub(crate) title: String,
    /// The rule that it removes.
    pub(crate) rule: String,
    pub(crate) kind: Kind,
    /// The checkers that are to notice.
    pub(crate) expected: Vec<String>,
    /// Why nobody can notice.
    pub(crate) equivalent: Option<String>,
    pub(crate) hunks: Vec<Hunk>,
    /// What the patch changes, as a text.
    pub(crate) diff: String,
}

/// One place of a patch.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Hunk {
    /// The file, from the root of the repository.
    pub(crate) file: String,
    /// Where it was when the patch was made, counted from 0.
    line: usize,
    lines: Vec<(Side, String)>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Side {
    Both,
    Old,
    New,
}

/// Lines of a file that give way to others.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Edit {
    pub(crate) old: Range<usize>,
    pub(crate) new: Vec<String>,
}

/// The patches of a directory, by number.
pub(crate) fn read_all(directory: &Path) -> Result<Vec<Patch>> {
    let mut patches = Vec::new();
    for entry in fs::read_dir(directory).with_context(|| format!("{}", directory.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.ends_with(".patch") {
            let text = fs::read_to_string(&path)?;
            patches.push(parse(&name, &text).with_context(|| name.to_string())?);
        }
    }
    patches.sort_by_key(|patch| patch.number);
    for pair in patches.windows(2) {
        ensure!(
            pair[0].number != pair[1].number,
            "{} and {} have the same number",
            pair[0].name,
            pair[1].name
        );
    }
    Ok(patches)
}

/// Reads one patch.
pub(crate) fn parse(name: &str, text: &str) -> Result<Patch> {
    let number = name
        .split('-')
        .next()
        .and_then(|digits| digits.parse().ok());
    let number: u32 = number.context("its name does not begin with a number")?;
    ensure!(number > 0, "number 0 is the code as it is");
    let (header, diff) = text
        .split_once("\n--- ")
        .context("there is no line that begins with `--- `")?;
    let title = header.lines().next().unwrap_or_default().to_owned();
    let field = |wanted: &str| {
        let mut value: Option<String> = None;
        let mut is_inside = false;
        for line in header.lines().skip(1) {
            if let Some(first) = line.strip_prefix(wanted) {
                (value, is_inside) = (Some(first.trim().to_owned()), true);
            } else if let (true, Some(more)) = (is_inside, line.strip_prefix("  ")) {
                let value = value.get_or_insert_default();
                value.push(' ');
                value.push_str(more.trim());
            } else {
                is_inside = false;
            }
        }
        value
    };
    let kind = field("Kind:").context("no Kind")?;
    Ok(Patch {
        number,
        name: name.to_owned(),
        title,
        rule: field("Rule:").context("no Rule")?,
        kind: Kind::by_name(&kind).with_context(|| format!("there is no kind {kind}"))?,
        expected: field("Expected:")
            .context("no Expected")?
            .split(',')
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .collect(),
        equivalent: field("Equivalent:"),
        hunks: hunks(&format!("--- {diff}"))?,
        diff: diff.to_owned(),
    })
}

/// The hunks of a unified diff.
pub(crate) fn hunks(diff: &str) -> Result<Vec<Hunk>> {
    let mut file = None;
    let mut hunks: Vec<Hunk> = Vec::new();
    let mut is_inside = false;
    for line in diff.lines() {
        if let Some(path) = line.strip_prefix("+++ ") {
            file = Some(path.strip_prefix("b/").unwrap_or(path).to_owned());
        } else if line.starts_with("--- ")
            || line.starts_with("diff ")
            || line.starts_with("index ")
        {
            is_inside = false;
        } else if let Some(place) = line.strip_prefix("@@ -") {
            let digits = place.split([',', ' ']).next().unwrap_or_default();
            let line: usize = digits.parse().context("a hunk without a line number")?;
            hunks.push(Hunk {
                file: file.clone().context("a hunk of no file")?,
                line: line.saturating_sub(1),
                lines: Vec::new(),
            });
            is_inside = true;
        } else if let (true, Some(hunk)) = (is_inside, hunks.last_mut()) {
            let side = match line.chars().next() {
                None | Some(' ') => Side::Both,
                Some('-') => Side::Old,
                Some('+') => Side::New,
                Some(_) => bail!("a line of a hunk begins with none of ` `, `-`, `+`: {line}"),
            };
            hunk.lines
                .push((side, line.get(1..).unwrap_or_default().to_owned()));
        }
    }
    ensure!(!hunks.is_empty(), "there is no hunk");
    Ok(hunks)
}

impl Hunk {
    /// What it changes in a file: the lines where it was made, or the nearest place that reads
    /// the same, so that a change elsewhere in the file does no harm.
    pub(crate) fn edits(&self, file: &[&str]) -> Result<Vec<Edit>> {
        let old: Vec<&str> = self
            .lines
            .iter()
            .filter(|(side, _)| *side != Side::New)
            .map(|(_, text)| text.as_str())
            .collect();
        let start = (0..(file.len() + 1).saturating_sub(old.len()))
            .filter(|start| file[*start..*start + old.len()] == old[..])
            .min_by_key(|start| start.abs_diff(self.line))
            .with_context(|| {
                format!(
                    "does not apply: {} has no place like line {}",
                    self.file,
                    self.line + 1
                )
            })?;
        let mut edits: Vec<Edit> = Vec::new();
        let mut at = start;
        for (side, text) in &self.lines {
            let is_next = edits.last().is_some_and(|edit| edit.old.end == at);
            match side {
                Side::Both => at += 1,
                Side::Old | Side::New if !is_next => edits.push(Edit {
                    old: at..at,
                    new: Vec::new(),
                }),
                Side::Old | Side::New => {}
            }
            let Some(edit) = edits.last_mut().filter(|_| *side != Side::Both) else {
                continue;
            };
            match side {
                Side::Old => {
                    at += 1;
                    edit.old.end = at;
                }
                Side::New => edit.new.push(text.clone()),
                Side::Both => {}
            }
        }
        ensure!(!edits.is_empty(), "a hunk that changes nothing");
        Ok(edits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = "\
Votes of anybody count
Rule: only votes of members count,
  [X §1]
Kind: safety
Expected: worlds, tests

--- a/c/src/lib.rs
+++ b/c/src/lib.rs
@@ -3,3 +3,4 @@ fn f()
 a
-b
+c
+d
 e
";

    #[test]
    fn a_patch_is_read() {
        let patch = parse("07-votes.patch", PATCH).unwrap();
        assert_eq!((patch.number, patch.kind), (7, Kind::Safety));
        assert_eq!(patch.title, "Votes of anybody count");
        assert_eq!(patch.rule, "only votes of members count, [X §1]");
        assert_eq!(patch.expected, ["worlds", "tests"]);
        assert_eq!(patch.equivalent, None);
        assert_eq!(patch.hunks.len(), 1);
        assert_eq!(patch.hunks[0].file, "c/src/lib.rs");
    }

    #[test]
    fn a_hunk_is_found_where_its_lines_went() {
        let patch = parse("7-votes.patch", PATCH).unwrap();
        let hunk = &patch.hunks[0];
        let edit = |at: usize| Edit {
            old: at..at + 1,
            new: vec!["c".into(), "d".into()],
        };
        assert_eq!(hunk.edits(&["x", "y", "a", "b", "e"]).unwrap(), [edit(3)]);
        assert_eq!(hunk.edits(&["a", "b", "e"]).unwrap(), [edit(1)]);
        let twice = ["a", "b", "e", "a", "b", "e"];
        assert_eq!(hunk.edits(&twice).unwrap(), [edit(4)]);
    }

    #[test]
    fn a_hunk_that_no_longer_applies_names_its_place() {
        let patch = parse("7-votes.patch", PATCH).unwrap();
        let error = patch.hunks[0].edits(&["a", "B", "e"]).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("does not apply") && text.contains("c/src/lib.rs"),
            "{text}"
        );
    }

    #[test]
    fn two_changes_with_a_line_between_are_two_edits() {
        let text = PATCH.replace(" a\n-b\n+c\n+d\n e\n", "-a\n+b\n c\n-d\n");
        let patch = parse("7-votes.patch", &text).unwrap();
        let edits = patch.hunks[0].edits(&["a", "c", "d"]).unwrap();
        let first = Edit {
            old: 0..1,
            new: vec!["b".into()],
        };
        let second = Edit {
            old: 2..3,
            new: Vec::new(),
        };
        assert_eq!(edits, [first, second]);
    }

    #[test]
    fn a_header_that_lacks_something_is_refused() {
        for missing in [
            "Kind: safety\n",
            "Rule: only votes of members count,\n",
            "@@ -3,3 +3,4 @@ fn f()\n",
        ] {
            assert!(
                parse("7-votes.patch", &PATCH.replace(missing, "")).is_err(),
                "{missing}"
            );
        }
        assert!(parse("votes.patch", PATCH).is_err());
        assert!(parse("0-votes.patch", PATCH).is_err());
    }
}
