//! The rules of the repository that neither the compiler nor clippy checks.
//!
//! A finding in code can be answered where it stands: a comment `// style: why` on the same line or the line above
//! accepts it, and the reader learns the reason.

use std::fs;

use anyhow::{Result, bail};

use crate::gates::CORE_CRATES;
use crate::source;
use crate::tools::Context;

const FILE_LINES_MAX: usize = 500;
const README_LINES_MAX: usize = 150;
const BIBLIOGRAPHY: &str = "docs/papers.md";

/// What a core crate must state at its root.
const CORE_ATTRIBUTES: [&str; 2] = ["#![forbid(unsafe_code)]", "#![no_std]"];

/// What code of a core crate must not say outside its tests, and why. Conversions are clippy's affair, which knows types.
const BANNED: [(&str, &str); 15] = [
    (".unwrap(", "can panic"),
    ("::unwrap", "can panic"),
    (".expect(", "can panic"),
    ("::expect", "can panic"),
    ("panic!", "panics"),
    ("todo!", "panics"),
    ("unimplemented!", "panics"),
    ("unreachable!", "can panic"),
    ("std::", "the core crates are no_std"),
    ("alloc::", "the core crates do not allocate"),
    (
        "extern crate",
        "the core crates are no_std and do not allocate",
    ),
    ("HashMap", "its order differs between runs"),
    ("HashSet", "its order differs between runs"),
    ("f32", "floats differ between processors"),
    ("f64", "floats differ between processors"),
];

/// Directories that belong to somebody's machine. In halves, so that this file does not break its own rule.
const MACHINE_PATHS: [&str; 5] = [
    concat!("/ho", "me/"),
    concat!("/ro", "ot/"),
    concat!("/Us", "ers/"),
    concat!("/wo", "rk/"),
    concat!("/fa", "rm/"),
];

/// A text file of the repository, its path relative to the root.
struct File {
    path: String,
    text: String,
}

pub(crate) fn gate(context: &Context) -> Result<()> {
    let mut files = Vec::new();
    for path in context.files()? {
        // Binary files, and files deleted but not yet committed, have no text to check.
        if let Ok(text) = fs::read_to_string(context.root.join(&path)) {
            files.push(File { path, text });
        }
    }
    let findings = check(&files);
    for finding in &findings {
        println!("   {finding}");
    }
    if !findings.is_empty() {
        bail!("{} findings", findings.len());
    }
    println!("   {} files", files.len());
    Ok(())
}

fn check(files: &[File]) -> Vec<String> {
    let mut findings = Vec::new();
    for file in files {
        length(file, &mut findings);
        machine_paths(file, &mut findings);
    }
    core_attributes(files, &mut findings);
    banned_words(files, &mut findings);
    citations(files, &mut findings);
    findings
}

fn length(file: &File, findings: &mut Vec<String>) {
    let lines = file.text.lines().count();
    let lines_max = match file.path.as_str() {
        "README.md" => README_LINES_MAX,
        path if path.ends_with(".rs") => FILE_LINES_MAX,
        _ => return,
    };
    if lines > lines_max {
        findings.push(format!("{}: {lines} lines, at most {lines_max}", file.path));
    }
}

fn machine_paths(file: &File, findings: &mut Vec<String>) {
    for (number, line) in numbered(&file.text) {
        for path in MACHINE_PATHS {
            // In `docs/home/page.md` the directory is the repository's own.
            let starts = |at: usize| {
                !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-})".contains(c))
            };
            if line.match_indices(path).any(|(at, _)| starts(at)) {
                findings.push(format!(
                    "{}:{number}: {path} is a path of one machine",
                    file.path
                ));
            }
        }
    }
}

fn core_attributes(files: &[File], findings: &mut Vec<String>) {
    for name in CORE_CRATES {
        let path = format!("{name}/src/lib.rs");
        let text = files
            .iter()
            .find(|file| file.path == path)
            .map_or("", |file| &file.text);
        for attribute in CORE_ATTRIBUTES {
            if !text.lines().any(|line| line.trim() == attribute) {
                findings.push(format!("{path}: {attribute} is missing"));
            }
        }
    }
}

fn banned_words(files: &[File], findings: &mut Vec<String>) {
    for name in CORE_CRATES {
        let directory = format!("{name}/src/");
        let sources: Vec<&File> = files
            .iter()
            .filter(|file| file.path.starts_with(&directory) && file.path.ends_with(".rs"))
            .collect();
        let test_modules: Vec<String> = sources
            .iter()
            .flat_map(|file| {
                source::test_modules(&file.text)
                    .into_iter()
                    .map(|module| module_path(&file.path, module))
            })
            .collect();
        for file in sources {
            let is_test = test_modules.iter().any(|module| {
                file.path == format!("{module}.rs") || file.path.starts_with(&format!("{module}/"))
            });
            if !is_test {
                banned_words_in(file, findings);
            }
        }
    }
}

fn banned_words_in(file: &File, findings: &mut Vec<String>) {
    let code = source::without_tests(&source::without_text(&file.text));
    let mut accepted_above = false;
    for ((number, line), original) in numbered(&code).zip(file.text.lines()) {
        let accepted = original.contains("// style: ");
        if !accepted && !accepted_above {
            for (word, reason) in BANNED {
                if contains_word(line, word) {
                    findings.push(format!(
                        "{}:{number}: `{}`: {reason}",
                        file.path,
                        word.trim()
                    ));
                }
            }
        }
        accepted_above = accepted && original.trim_start().starts_with("//");
    }
}

/// The path without extension of a module declared in a file: `a/lib.rs` and `b` give `a/b`, `a/c.rs` gives `a/c/b`.
fn module_path(file: &str, module: &str) -> String {
    let stem = file.strip_suffix(".rs").unwrap_or(file);
    let directory = stem
        .strip_suffix("/lib")
        .or_else(|| stem.strip_suffix("/mod"))
        .unwrap_or(stem);
    format!("{directory}/{module}")
}

fn citations(files: &[File], findings: &mut Vec<String>) {
    let bibliography = files
        .iter()
        .find(|file| file.path == BIBLIOGRAPHY)
        .map_or("", |file| &file.text);
    // The tests of this module cite what does not exist.
    let cites = |file: &&File| {
        file.path.ends_with(".md")
            || (file.path.ends_with(".rs") && !file.path.starts_with("xtask/"))
    };
    for file in files.iter().filter(cites) {
        for (number, line) in numbered(&file.text) {
            for key in cited_keys(line) {
                if !contains_word(bibliography, key) {
                    findings.push(format!(
                        "{}:{number}: [{key}] is not in {BIBLIOGRAPHY}",
                        file.path
                    ));
                }
            }
        }
    }
}

/// The keys of citations of the form `[Key §section]`.
fn cited_keys(line: &str) -> impl Iterator<Item = &str> {
    line.split('[').skip(1).filter_map(|rest| {
        let (key, _) = rest.split_once(" §")?;
        (!key.is_empty() && key.chars().all(char::is_alphanumeric)).then_some(key)
    })
}

/// Whether a word occurs with no letter, digit or underscore going on at an end that is itself one.
fn contains_word(line: &str, word: &str) -> bool {
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let cut_before = word.starts_with(is_name) && line[..at].ends_with(is_name);
        let cut_after = word.ends_with(is_name) && line[at + word.len()..].starts_with(is_name);
        !cut_before && !cut_after
    })
}

fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD_ROOT: &str = "#![no_std]\n#![forbid(unsafe_code)]\n//! A crate [Ongaro14 §3.8].\n";

    /// A repository without findings.
    fn good() -> Vec<File> {
        let mut files = vec![
            file("docs/papers.md", "## Ongaro14\n"),
            file("README.md", "# Title\n"),
        ];
        files.extend(CORE_CRATES.map(|name| file(&format!("{name}/src/lib.rs"), GOOD_ROOT)));
        files
    }

    fn file(path: &str, text: &str) -> File {
        File {
            path: path.to_owned(),
            text: text.to_owned(),
        }
    }

    /// The findings of the good repository plus one file.
    fn with(path: &str, text: &str) -> Vec<String> {
        let mut files = good();
        files.retain(|file| file.path != path);
        files.push(file(path, text));
        check(&files)
    }

    #[test]
    fn good_repository_has_no_findings() {
        assert_eq!(check(&good()), [""; 0]);
    }

    #[test]
    fn long_file_is_found() {
        assert_eq!(with("bench/src/a.rs", &"\n".repeat(500)), [""; 0]);
        assert_eq!(
            with("bench/src/a.rs", &"\n".repeat(501)),
            ["bench/src/a.rs: 501 lines, at most 500"]
        );
    }

    #[test]
    fn long_readme_is_found() {
        assert_eq!(
            with("README.md", &"\n".repeat(151)),
            ["README.md: 151 lines, at most 150"]
        );
    }

    #[test]
    fn missing_core_attribute_is_found() {
        let findings = with("clocks/src/lib.rs", "#![no_std]\n");
        assert_eq!(
            findings,
            ["clocks/src/lib.rs: #![forbid(unsafe_code)] is missing"]
        );
        let findings = with(
            "clocks/src/lib.rs",
            "#![cfg_attr(not(test), no_std)]\n#![forbid(unsafe_code)]\n",
        );
        assert_eq!(findings, ["clocks/src/lib.rs: #![no_std] is missing"]);
    }

    #[test]
    fn every_banned_word_is_found() {
        for (word, reason) in BANNED {
            let findings = with(
                "quorum/src/a.rs",
                &format!("fn f() {{\n    x{word}; {word}\n}}\n"),
            );
            assert_eq!(
                findings,
                [format!("quorum/src/a.rs:2: `{}`: {reason}", word.trim())]
            );
        }
    }

    #[test]
    fn banned_word_is_free_in_text_tests_and_other_crates() {
        assert_eq!(
            with(
                "quorum/src/a.rs",
                "// panic!\nconst A: &str = \"std::\";\n/* todo! */\n"
            ),
            [""; 0]
        );
        assert_eq!(
            with(
                "quorum/src/a.rs",
                "#[cfg(test)]\nmod tests {\n    fn f() { panic!() }\n}\n"
            ),
            [""; 0]
        );
        assert_eq!(with("quorum/tests/a.rs", "fn f() { panic!() }\n"), [""; 0]);
        assert_eq!(with("bench/src/a.rs", "fn f() { panic!() }\n"), [""; 0]);
    }

    #[test]
    fn banned_word_after_a_test_module_is_found() {
        let code = "#[cfg(test)]\nmod tests {\n    fn f() { panic!() }\n}\nfn g() { panic!() }\n";
        assert_eq!(
            with("quorum/src/a.rs", code),
            ["quorum/src/a.rs:5: `panic!`: panics"]
        );
    }

    #[test]
    fn test_module_in_a_file_of_its_own_is_free() {
        let mut files = good();
        files.push(file("quorum/src/a.rs", "#[cfg(test)]\nmod model;\n"));
        files.push(file("quorum/src/a/model.rs", "fn f() { panic!() }\n"));
        assert_eq!(check(&files), [""; 0]);
        files.push(file("quorum/src/model.rs", "fn f() { panic!() }\n"));
        assert_eq!(check(&files), ["quorum/src/model.rs:1: `panic!`: panics"]);
    }

    #[test]
    fn banned_word_can_be_accepted_with_a_reason() {
        assert_eq!(
            with(
                "quorum/src/a.rs",
                "const N: T = f32::MAX; // style: a test\n"
            ),
            [""; 0]
        );
        assert_eq!(
            with(
                "quorum/src/a.rs",
                "// style: a test\nconst N: T = f32::MAX;\n"
            ),
            [""; 0]
        );
        let two = "const N: T = f32::MAX; // style: a test\nconst O: T = f32::MAX;\n";
        assert_eq!(
            with("quorum/src/a.rs", two),
            ["quorum/src/a.rs:2: `f32`: floats differ between processors"]
        );
    }

    #[test]
    fn longer_names_are_not_the_banned_word() {
        assert_eq!(
            with(
                "quorum/src/a.rs",
                "fn f() { x.unwrap_or(0); my_std::f(); dont_panic!(); }\n"
            ),
            [""; 0]
        );
        assert_eq!(
            with(
                "quorum/src/a.rs",
                "#[expect(dead_code)]\nfn f(xf32: u8) {}\n"
            ),
            [""; 0]
        );
    }

    #[test]
    fn unknown_citation_is_found() {
        let findings = with(
            "bench/src/a.rs",
            "//! [Ongaro14 §3.8] and [Lamport98 §2.1]\n",
        );
        assert_eq!(
            findings,
            ["bench/src/a.rs:1: [Lamport98] is not in docs/papers.md"]
        );
        assert_eq!(
            with("CHANGELOG.md", "[Ongaro1 §3]\n"),
            ["CHANGELOG.md:1: [Ongaro1] is not in docs/papers.md"]
        );
    }

    #[test]
    fn machine_path_is_found() {
        for path in MACHINE_PATHS {
            let findings = with(
                "CHANGELOG.md",
                &format!("Run {path}x or see docs{path}page.md.\n"),
            );
            assert_eq!(
                findings,
                [format!("CHANGELOG.md:1: {path} is a path of one machine")]
            );
        }
        assert_eq!(
            with(
                "CHANGELOG.md",
                &format!("see docs{}page.md\n", MACHINE_PATHS[0])
            ),
            [""; 0]
        );
    }
}
