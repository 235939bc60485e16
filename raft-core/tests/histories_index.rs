//! `docs/histories.md`, `docs/features.md` and the tests speak of each other: what one names, the other has.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The rows of a page's tables.
fn page(name: &str) -> String {
    let page = fs::read_to_string(root().join("docs").join(name)).expect("the page");
    let rows = page.lines().filter(|line| line.starts_with("| "));
    rows.map(|row| row.to_owned() + "\n").collect()
}

/// What stands between backticks and names a test.
fn named(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted.filter_map(|name| name.rsplit_once("::"))
}

/// The file that is meant: one of these tests unless it has a path.
fn file(name: &str) -> PathBuf {
    if name.contains('/') {
        root().join(name)
    } else {
        root()
            .join("raft-core/tests")
            .join(name)
            .with_extension("rs")
    }
}

#[test]
fn every_test_that_the_pages_name_exists() {
    let page = page("histories.md") + &page("features.md");
    let mut count = 0;
    for (file_name, test) in named(&page) {
        let path = file(file_name);
        let text = fs::read_to_string(&path).unwrap_or_else(|_| panic!("no {}", path.display()));
        let is_test = text.match_indices(&format!("fn {test}()")).any(|(at, _)| {
            let before = text[..at].trim_end();
            before.ends_with("#[test]")
        });
        assert!(is_test, "{file_name} has no test {test}");
        count += 1;
    }
    assert!(count > 150, "only {count} names were found");
}

/// The numbers with which a doc comment begins: `C-44, C-47: ...`.
fn numbers(comment: &str) -> Vec<&str> {
    let Some((list, _)) = comment.split_once(':') else {
        return Vec::new();
    };
    let is_number = |word: &&str| {
        let (letter, number) = word.split_once('-').unwrap_or_default();
        letter.len() == 1 && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
    };
    let words: Vec<_> = list.split(", ").collect();
    if words.iter().all(is_number) {
        words
    } else {
        Vec::new()
    }
}

#[test]
fn every_test_with_a_number_stands_in_its_row() {
    let page = page("histories.md");
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(root().join("raft-core/tests")).expect("the tests") {
        let path = entry.expect("readable").path();
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        let stem = path
            .file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned();
        let mut wanted = Vec::new();
        for line in text.lines() {
            let line = line.trim();
            if let Some(comment) = line.strip_prefix("/// ") {
                wanted.extend(numbers(comment));
            } else if let Some(test) = line.strip_prefix("fn ") {
                let test = test.split('(').next().unwrap_or_default();
                for number in wanted.drain(..) {
                    let row = page
                        .lines()
                        .find(|row| row.starts_with(&format!("| {number} ")));
                    let row = row.unwrap_or_else(|| panic!("no row {number}"));
                    let is_there = named(row).any(|name| name == (&stem, test));
                    assert!(is_there, "{number}: {stem}::{test} is missing");
                    found.insert(number.to_owned());
                }
            }
        }
    }
    assert!(found.len() > 50, "only {} numbers were found", found.len());
}
