//! Many mutants in one build: a function that mutants change asks which of them is selected.
//!
//! ```text
//! fn f() -> u8 {                    fn f() -> u8 {
//!     1                                 match crate::museum_selector::selected() {
//! }                                         7 => { 2 }
//!                                           _ => { 1 }
//!                                       }
//!                                   }
//! ```
//!
//! The sources are rustfmt's, so a function begins with a line that has `fn` in it and ends with a
//! brace at the same depth. A change outside a function cannot be selected and is refused. A
//! function that asks is not `const` any more, and so are those that call it: [`unconst`].

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use anyhow::{Context as _, Result, ensure};

use super::patch::{Edit, Patch};

/// A file in which mutants can be selected.
#[derive(Debug)]
pub(crate) struct Composed {
    pub(crate) text: String,
    /// Functions that ask which mutant is selected and were `const` before.
    pub(crate) unconst: BTreeSet<String>,
}

/// Where a function stands: its first line, the line that opens its body, the line that closes it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Function {
    head: usize,
    open: usize,
    close: usize,
}

/// The text of a file in which every mutant of `patches` that concerns it can be selected.
pub(crate) fn compose(path: &str, text: &str, patches: &[Patch]) -> Result<Composed> {
    let lines: Vec<&str> = text.lines().collect();
    let mut functions: BTreeMap<Function, BTreeMap<u32, Vec<Edit>>> = BTreeMap::new();
    for patch in patches {
        for hunk in patch.hunks.iter().filter(|hunk| hunk.file == path) {
            let edits = hunk.edits(&lines).with_context(|| patch.name.clone())?;
            for edit in edits {
                let function = enclosing(&lines, &edit.old).with_context(|| {
                    format!("{}: changes {path} outside of a function", patch.name)
                })?;
                let mutants = functions.entry(function).or_default();
                mutants.entry(patch.number).or_default().push(edit);
            }
        }
    }
    let mut composed = String::with_capacity(text.len() * 2);
    let mut unconst = BTreeSet::new();
    let mut at = 0;
    for (function, mutants) in &functions {
        ensure!(
            function.head >= at,
            "{path}: mutants change a function and one inside it, at line {}",
            function.head + 1
        );
        push(&mut composed, &lines[at..function.head]);
        unconst.extend(const_name(lines[function.head]).map(str::to_owned));
        push(&mut composed, &[&without_const(lines[function.head])]);
        push(&mut composed, &lines[function.head + 1..=function.open]);
        composed.push_str("match crate::museum_selector::selected() {\n");
        let body = function.open + 1..function.close;
        for (number, edits) in mutants {
            composed.push_str(&format!("{number} => {{\n"));
            push_edited(&mut composed, &lines, body.clone(), edits);
            composed.push_str("}\n");
        }
        composed.push_str("_ => {\n");
        push(&mut composed, &lines[body]);
        composed.push_str("}\n}\n");
        at = function.close;
    }
    push(&mut composed, &lines[at..]);
    Ok(Composed {
        text: composed,
        unconst,
    })
}

/// Takes `const` from every function of a crate that calls one of `names`, and from those that
/// call these. By name alone: one `const` too many lost does no harm in a copy.
pub(crate) fn unconst(files: &mut BTreeMap<String, String>, mut names: BTreeSet<String>) {
    while !names.is_empty() {
        let calls: Vec<String> = names.iter().map(|name| format!("{name}(")).collect();
        let mut more = BTreeSet::new();
        for text in files.values_mut() {
            let lines: Vec<&str> = text.lines().collect();
            let callers: BTreeSet<usize> = (0..lines.len())
                .filter(|at| const_name(lines[*at]).is_some())
                .filter_map(|head| function_at(&lines, head))
                .filter(|function| {
                    let mut body = lines[function.open + 1..function.close].iter();
                    body.any(|line| calls.iter().any(|call| has_call(line, call)))
                })
                .map(|function| function.head)
                .collect();
            if callers.is_empty() {
                continue;
            }
            more.extend(
                callers
                    .iter()
                    .filter_map(|head| const_name(lines[*head]))
                    .map(str::to_owned),
            );
            let mut changed = String::with_capacity(text.len());
            for (at, line) in lines.iter().enumerate() {
                if callers.contains(&at) {
                    push(&mut changed, &[&without_const(line)]);
                } else {
                    push(&mut changed, &[line]);
                }
            }
            *text = changed;
        }
        names = more;
    }
}

/// Whether `line` calls the function that `call` (`name(`) names, and no longer name.
fn has_call(line: &str, call: &str) -> bool {
    line.match_indices(call).any(|(at, _)| {
        !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_')
            && !line[..at].ends_with("fn ")
    })
}

/// The name of the `const fn` that begins with this line.
fn const_name(line: &str) -> Option<&str> {
    let (before, after) = line.split_once("const fn ")?;
    let is_head = before.trim().is_empty() || before.trim_start().starts_with("pub");
    let name = after
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .next()?;
    is_head.then_some(name)
}

fn without_const(line: &str) -> String {
    line.replacen("const fn ", "fn ", 1)
}

fn push(text: &mut String, lines: &[&str]) {
    for line in lines {
        text.push_str(line);
        text.push('\n');
    }
}

fn push_edited(text: &mut String, lines: &[&str], body: Range<usize>, edits: &[Edit]) {
    let mut edits: Vec<&Edit> = edits.iter().collect();
    edits.sort_by_key(|edit| edit.old.start);
    let mut at = body.start;
    for edit in edits {
        push(text, &lines[at..edit.old.start]);
        for line in &edit.new {
            push(text, &[line]);
        }
        at = edit.old.end;
    }
    push(text, &lines[at..body.end]);
}

fn depth(line: &str) -> usize {
    line.len() - line.trim_start().len()
}

/// Whether a function begins with this line.
fn begins_function(line: &str) -> bool {
    let mut rest = line.trim_start();
    if let Some(public) = rest.strip_prefix("pub") {
        rest = match public.strip_prefix('(') {
            Some(inside) => inside.split_once(") ").map_or("", |(_, rest)| rest),
            None => public.trim_start(),
        };
    }
    while let Some(after) = rest
        .strip_prefix("const ")
        .or_else(|| rest.strip_prefix("async "))
    {
        rest = after;
    }
    rest.starts_with("fn ")
}

/// The function that begins at `head`, if it has a body of lines of its own.
fn function_at(lines: &[&str], head: usize) -> Option<Function> {
    let own = depth(lines[head]);
    let open = (head..lines.len()).find(|at| {
        depth(lines[*at]) == own && (lines[*at].ends_with('{') || lines[*at].ends_with(['}', ';']))
    })?;
    if !lines[open].ends_with('{') {
        return None;
    }
    let close =
        (open + 1..lines.len()).find(|at| depth(lines[*at]) == own && lines[*at].trim() == "}")?;
    Some(Function { head, open, close })
}

/// The innermost function whose body holds all of `changed`.
fn enclosing(lines: &[&str], changed: &Range<usize>) -> Option<Function> {
    let heads = (0..changed.start)
        .rev()
        .filter(|at| begins_function(lines[*at]));
    heads
        .filter_map(|head| function_at(lines, head))
        .find(|function| function.open < changed.start && changed.end <= function.close)
}

#[cfg(test)]
mod tests {
    use super::super::patch::parse;
    use super::*;

    const SOURCE: &str = "\
use a::b;

impl X {
    pub(crate) const fn size(&self) -> usize {
        self.0 / 2 + 1
    }

    fn long(
        &self,
        other: u8,
    ) -> Option<u8> {
        let inner = |x| {
            x + 1
        };
        Some(inner(other))
    }
}

fn after() {}
";

    fn patch(number: u32, old: &str, new: &str) -> Patch {
        let text = format!(
            "T\nRule: r\nKind: safety\nExpected: worlds\n\n--- a/f.rs\n+++ b/f.rs\n@@ -1,1 +1,1 @@\n-{old}\n+{new}\n"
        );
        parse(&format!("{number}-x.patch"), &text).unwrap()
    }

    #[test]
    fn mutants_of_one_function_stand_side_by_side() {
        let patches = [
            patch(1, "        self.0 / 2 + 1", "        self.0 / 2"),
            patch(2, "        self.0 / 2 + 1", "        self.0"),
        ];
        let composed = compose("f.rs", SOURCE, &patches).unwrap().text;
        let expected = "    pub(crate) fn size(&self) -> usize {
match crate::museum_selector::selected() {
1 => {
        self.0 / 2
}
2 => {
        self.0
}
_ => {
        self.0 / 2 + 1
}
}
    }
";
        assert!(composed.contains(expected), "{composed}");
        assert!(composed.starts_with("use a::b;\n") && composed.ends_with("fn after() {}\n"));
    }

    #[test]
    fn a_long_signature_and_an_inner_block_are_passed_over() {
        let patches = [patch(3, "            x + 1", "            x")];
        let composed = compose("f.rs", SOURCE, &patches).unwrap().text;
        let body = composed.split("Option<u8> {\n").nth(1).unwrap();
        assert!(
            body.starts_with(
                "match crate::museum_selector::selected() {\n3 => {\n        let inner"
            )
        );
        assert_eq!(composed.matches("Some(inner(other))").count(), 2);
    }

    #[test]
    fn const_goes_from_whoever_calls_what_asks() {
        let source = "impl X {
    const fn a(self) -> u8 {
        self.size() + 1
    }

    pub const fn b(self) -> u8 {
        self.a()
    }

    const fn c(self) -> u8 {
        self.resize()
    }
}
";
        let patches = [patch(1, "        self.0 / 2 + 1", "        self.0 / 2")];
        let composed = compose("f.rs", SOURCE, &patches).unwrap();
        assert_eq!(composed.unconst, ["size".to_owned()].into());
        let mut files: BTreeMap<String, String> = [("g.rs".into(), source.into())].into();
        unconst(&mut files, composed.unconst);
        let expected = source
            .replace("const fn a", "fn a")
            .replace("const fn b", "fn b");
        assert_eq!(files["g.rs"], expected);
    }

    #[test]
    fn a_file_without_mutants_stays_as_it_is() {
        let patches = [patch(1, "x", "y")];
        assert_eq!(compose("other.rs", SOURCE, &patches).unwrap().text, SOURCE);
    }

    #[test]
    fn a_change_outside_of_a_function_names_the_patch() {
        let error = compose("f.rs", SOURCE, &[patch(9, "use a::b;", "use a::c;")]).unwrap_err();
        assert!(format!("{error:#}").contains("9-x.patch"), "{error:#}");
        let error = compose("f.rs", SOURCE, &[patch(9, "fn after() {}", "")]).unwrap_err();
        assert!(
            format!("{error:#}").contains("outside of a function"),
            "{error:#}"
        );
    }

    #[test]
    fn a_patch_that_no_longer_applies_is_named() {
        let error = compose("f.rs", SOURCE, &[patch(8, "        gone", "")]).unwrap_err();
        let text = format!("{error:#}");
        assert!(
            text.contains("8-x.patch") && text.contains("does not apply"),
            "{text}"
        );
    }

    #[test]
    fn a_signature_belongs_to_no_body() {
        let error = compose(
            "f.rs",
            SOURCE,
            &[patch(4, "        other: u8,", "        other: u16,")],
        );
        assert!(error.is_err());
    }
}
