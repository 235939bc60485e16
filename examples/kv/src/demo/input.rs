//! The lines that are written: of a file, of the text files around, or of this program's own README.
//!
//! Write number n is line n of all lines, and once they are used up, the first line again in the next
//! round. Its key says file, line and round, so no two writes share a key and every one of them can be
//! read back. Its value is the number and the line, so that a value under the wrong key is noticed.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Longer lines are cut here.
const LINE_LEN_MAX: usize = 4096;

/// No more is read from the text files around.
const TEXT_LEN_MAX: usize = 4 * 1024 * 1024;

/// A larger input is refused: it is held in memory.
const INPUT_LEN_MAX: u64 = 256 * 1024 * 1024;

/// How deep below the current directory text files are looked for.
const DEPTH_MAX: usize = 4;

const README: &str = include_str!("../../README.md");

/// One line and where it is from.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    file: usize,
    number: usize,
    text: Box<[u8]>,
}

/// All lines, at least one.
#[derive(Clone, Debug)]
pub struct Input {
    files: Vec<String>,
    lines: Vec<Line>,
}

impl Input {
    /// The lines of `path`.
    ///
    /// # Errors
    /// The file cannot be read, is too large, or is empty.
    pub fn from_file(path: &Path) -> io::Result<Self> {
        let shown = path.display();
        let explain = |error: io::Error| io::Error::new(error.kind(), format!("{shown}: {error}"));
        let metadata = fs::metadata(path).map_err(explain)?;
        if metadata.len() > INPUT_LEN_MAX {
            let text = format!("{shown}: larger than {INPUT_LEN_MAX} bytes");
            return Err(io::Error::new(io::ErrorKind::FileTooLarge, text));
        }
        let text = fs::read(path).map_err(explain)?;
        let name = path.file_name().unwrap_or(path.as_os_str());
        let mut input = Self::empty();
        input.add(name.to_string_lossy().into_owned(), &text);
        if input.lines.is_empty() {
            let text = format!("{shown}: no line in it");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        Ok(input)
    }

    /// The lines of the Markdown files below `directory`, or of this program's README if there are none.
    /// What cannot be read is left out.
    pub fn from_texts(directory: &Path) -> Self {
        let mut paths = Vec::new();
        find_texts(directory, DEPTH_MAX, &mut paths);
        paths.sort();
        let mut input = Self::empty();
        let mut len = 0;
        for path in paths {
            let Ok(text) = fs::read(&path) else {
                continue;
            };
            len += text.len();
            if len > TEXT_LEN_MAX {
                break;
            }
            let name = path.strip_prefix(directory).unwrap_or(&path);
            input.add(name.to_string_lossy().into_owned(), &text);
        }
        if input.lines.is_empty() {
            input.add("README.md".into(), README.as_bytes());
        }
        input
    }

    fn empty() -> Self {
        let (files, lines) = (Vec::new(), Vec::new());
        Self { files, lines }
    }

    fn add(&mut self, name: String, text: &[u8]) {
        let file = self.files.len();
        self.files.push(name);
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        if text.is_empty() {
            return;
        }
        let lines = text.split(|byte| *byte == b'\n').zip(1..);
        self.lines.extend(lines.map(|(line, number)| Line {
            file,
            number,
            text: line.get(..LINE_LEN_MAX).unwrap_or(line).into(),
        }));
    }

    /// How many files the lines are from.
    pub fn files_len(&self) -> usize {
        self.files.len()
    }

    /// How many lines there are.
    pub fn lines_len(&self) -> usize {
        self.lines.len()
    }

    /// Puts the key of write `number` into `out`, in place of what was there.
    pub fn key(&self, number: usize, out: &mut Vec<u8>) {
        let (line, round) = self.line(number);
        let file = self.files.get(line.file).map_or("", String::as_str);
        out.clear();
        // Writing into a vector cannot fail.
        let _ = write!(out, "{file}:{}:{round}", line.number);
    }

    /// Puts the value of write `number` into `out`, in place of what was there.
    pub fn value(&self, number: usize, out: &mut Vec<u8>) {
        let (line, _) = self.line(number);
        out.clear();
        let _ = write!(out, "{number} ");
        out.extend_from_slice(&line.text);
    }

    fn line(&self, number: usize) -> (&Line, usize) {
        let len = self.lines.len();
        (&self.lines[number % len], number / len)
    }
}

/// Collects the Markdown files below a directory, without hidden directories and build products.
fn find_texts(directory: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let Ok(kind) = entry.file_type() else {
            continue;
        };
        if kind.is_file() && name.ends_with(".md") {
            found.push(path);
        } else if kind.is_dir() && depth > 0 && !name.starts_with('.') && name != "target" {
            find_texts(&path, depth - 1, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(input: &Input, number: usize) -> (String, String) {
        let (mut key, mut value) = (Vec::new(), Vec::new());
        input.key(number, &mut key);
        input.value(number, &mut value);
        (
            String::from_utf8(key).unwrap(),
            String::from_utf8(value).unwrap(),
        )
    }

    #[test]
    fn writes_are_keyed_by_file_line_and_round() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("b.md"), "third\r\n").unwrap();
        fs::create_dir(directory.path().join("a")).unwrap();
        fs::write(directory.path().join("a/x.md"), "first\n\n").unwrap();
        fs::write(directory.path().join("a/y.txt"), "no\n").unwrap();
        fs::create_dir(directory.path().join("target")).unwrap();
        fs::write(directory.path().join("target/z.md"), "no\n").unwrap();
        let input = Input::from_texts(directory.path());
        assert_eq!((input.files_len(), input.lines_len()), (2, 3));
        let check = |number, key: &str, value: &str| {
            assert_eq!(entry(&input, number), (key.into(), value.into()));
        };
        check(0, "a/x.md:1:0", "0 first");
        check(1, "a/x.md:2:0", "1 ");
        check(2, "b.md:1:0", "2 third\r");
        check(3, "a/x.md:1:1", "3 first");
    }

    #[test]
    fn without_text_files_the_readme_is_written() {
        let directory = tempfile::tempdir().unwrap();
        assert!(Input::from_texts(directory.path()).lines_len() > 5);
    }

    #[test]
    fn unreadable_and_empty_input_is_refused_by_name() {
        let directory = tempfile::tempdir().unwrap();
        let missing = directory.path().join("missing");
        let error = Input::from_file(&missing).unwrap_err();
        assert!(error.to_string().contains("missing: "), "{error}");
        fs::write(&missing, "\n").unwrap();
        assert!(Input::from_file(&missing).is_err());
        assert!(Input::from_file(directory.path()).is_err());
        fs::write(&missing, [b'x'; 5000]).unwrap();
        assert_eq!(
            entry(&Input::from_file(&missing).unwrap(), 1).1.len(),
            2 + LINE_LEN_MAX
        );
    }
}
