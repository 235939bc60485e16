//! Adds up what the slices of a campaign reported.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::{fs, io};

use clap::Args;
use simulator::figures::Figures;

/// Options of `report`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// Directories of slices, as `cargo xtask campaign` leaves them.
    #[arg(required = true)]
    directories: Vec<PathBuf>,
}

/// One slice: a file whose lines before the output start with `# `.
struct Slice {
    file: String,
    head: BTreeMap<String, String>,
    figures: Figures,
}

impl Slice {
    fn parse(file: String, text: &str) -> Self {
        let lines = text.lines().map_while(|line| line.strip_prefix("# "));
        let head = lines.filter_map(|line| line.split_once(": "));
        let head = head.map(|(name, value)| (name.into(), value.into()));
        let head: BTreeMap<String, String> = head.collect();
        let mut figures = Figures::default();
        figures.merge(text);
        // One word may have several stations, whose rates are not one.
        if let Some(station) = head.get("station") {
            figures = figures.of(station);
        }
        Slice {
            file,
            head,
            figures,
        }
    }

    fn head(&self, name: &str) -> &str {
        self.head.get(name).map_or("", |value| value)
    }
}

/// Prints the report as Markdown; fails when a slice found something.
pub(crate) fn main(arguments: &Arguments) -> ExitCode {
    match read(&arguments.directories) {
        Ok(slices) => {
            let findings = print(&slices);
            if findings == 0 {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            eprintln!("cannot read the slices: {error}");
            ExitCode::from(2)
        }
    }
}

fn read(directories: &[PathBuf]) -> io::Result<Vec<Slice>> {
    let mut slices = Vec::new();
    for directory in directories {
        for entry in fs::read_dir(directory)? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == "txt") {
                let text = fs::read_to_string(&path)?;
                slices.push(Slice::parse(path.display().to_string(), &text));
            }
        }
    }
    slices.sort_by(|one, other| one.file.cmp(&other.file));
    Ok(slices)
}

fn print(slices: &[Slice]) -> usize {
    for name in ["commit", "machine"] {
        let mut values: Vec<_> = slices.iter().map(|slice| slice.head(name)).collect();
        values.sort_unstable();
        values.dedup();
        println!("- {name}: {}", values.join("; "));
    }
    let seconds = |slice: &Slice| slice.head("seconds").parse::<u64>().unwrap_or(0);
    let total: u64 = slices.iter().map(seconds).sum();
    println!(
        "- {} slices, {} h {:02} min on one core each\n",
        slices.len(),
        total / 3600,
        total / 60 % 60
    );
    table(slices);
    let found: Vec<_> = slices
        .iter()
        .filter(|slice| slice.head("status") != "sound")
        .collect();
    println!("\nFindings: {}", found.len());
    for slice in &found {
        println!(
            "- `{}` ended with {} ({})",
            slice.head("command"),
            slice.head("status"),
            slice.file
        );
    }
    found.len()
}

/// All figures: their sum, least or most over all slices, and how much of it in a second, the median of the slices.
fn table(slices: &[Slice]) {
    let mut sum = Figures::default();
    for slice in slices {
        sum.merge(&slice.figures.to_string());
    }
    println!("| station | figure | all slices | per second, median slice |");
    println!("|---|---|---:|---:|");
    for (word, name, value) in sum.iter() {
        let rate = rate(slices, word, name).map_or(String::new(), grouped);
        println!("| {word} | {name} | {} | {rate} |", grouped(value));
    }
}

/// The median over the slices of this figure per second. None for times themselves and for what does not add up.
fn rate(slices: &[Slice], word: &str, name: &str) -> Option<u64> {
    if name == "milliseconds" {
        return None;
    }
    let mut rates: Vec<u64> = Vec::new();
    for slice in slices {
        let value = slice.figures.sum(word, name);
        let time = slice.figures.value(word, "milliseconds");
        if let (Some(value), Some(time)) = (value, time)
            && time >= 1000
        {
            rates.push((u128::from(value) * 1000 / u128::from(time)) as u64);
        }
    }
    rates.sort_unstable();
    rates.get(rates.len() / 2).copied()
}

/// A number with its thousands apart.
fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const SLICE: &str = "# commit: abc\n# status: sound\n# seconds: 60\nfigure w events 5000 sum\nfigure w milliseconds 2000 sum\nfigure w worst 7 max\n";

    #[test]
    fn a_slice_has_a_head_and_figures() {
        let slice = Slice::parse("one.txt".into(), SLICE);
        assert_eq!(slice.head("commit"), "abc");
        assert_eq!(slice.head("status"), "sound");
        assert_eq!(slice.figures.value("w", "events"), Some(5000));
    }

    #[test]
    fn figures_are_those_of_their_station() {
        let text = format!("# station: v\n{SLICE}");
        let slice = Slice::parse(String::new(), &text);
        assert_eq!(slice.figures.value("v", "events"), Some(5000));
        assert_eq!(slice.figures.value("w", "events"), None);
    }

    #[test]
    fn rates_are_medians_and_only_of_what_adds_up() {
        let fast = SLICE.replace("5000", "9000");
        let slow = SLICE.replace("5000", "1000");
        let slices = [SLICE, &fast, &slow].map(|text| Slice::parse(String::new(), text));
        assert_eq!(rate(&slices, "w", "events"), Some(2500));
        assert_eq!(rate(&slices, "w", "worst"), None);
        assert_eq!(rate(&slices, "w", "milliseconds"), None);
    }

    #[test]
    fn a_slice_that_did_not_end_well_is_a_finding() {
        let found = SLICE.replace("sound", "exit 1");
        let slices = [SLICE, &found].map(|text| Slice::parse(String::new(), text));
        assert_eq!(print(&slices), 1);
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(1234567), "1,234,567");
    }
}
