//! Draws a story, or the history of a seed.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use simulator::draw::Diagram;
use simulator::scenario::{Scenario, record, shrink};
use simulator::{Options, Sabotage};

use crate::command::histories::sabotage;

/// How a diagram is written.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// For the terminal.
    Text,
    /// For a page or a talk.
    Svg,
    /// A log with vector clocks.
    Shiviz,
}

/// Options of `draw`.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// A story.
    #[arg(required_unless_present = "seed", conflicts_with = "seed")]
    file: Option<PathBuf>,
    /// A seed instead; if it fails, its history is made short first.
    #[arg(long)]
    seed: Option<u64>,
    /// With a seed: the whole history.
    #[arg(long)]
    whole: bool,
    /// With a seed: break the harness on purpose.
    #[arg(long, value_name = "NAME", default_value = "none", value_parser = sabotage)]
    sabotage: Sabotage,
    /// How.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Where to; to the terminal otherwise.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

/// Draws it.
pub(crate) fn main(arguments: &Arguments) -> ExitCode {
    match draw(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("{what}");
            ExitCode::from(2)
        }
    }
}

fn draw(arguments: &Arguments) -> Result<(), String> {
    let scenario = match (&arguments.file, arguments.seed) {
        (Some(file), _) => read(file)?,
        (None, Some(seed)) => of_seed(arguments, seed)?,
        (None, None) => return Err("a file, or --seed".into()),
    };
    let played = scenario.play();
    let diagram = Diagram::of(&scenario, &played);
    let drawn = match arguments.format {
        Format::Text => diagram.text(),
        Format::Svg => diagram.svg(),
        Format::Shiviz => diagram.shiviz(),
    };
    match &arguments.output {
        Some(path) => fs::write(path, drawn).map_err(|e| format!("{}: {e}", path.display())),
        None => {
            print!("{drawn}");
            Ok(())
        }
    }
}

/// Reads a story.
pub(crate) fn read(file: &PathBuf) -> Result<Scenario, String> {
    let text = fs::read_to_string(file).map_err(|e| format!("{}: {e}", file.display()))?;
    Scenario::parse(&text).map_err(|error| format!("{}: {error}", file.display()))
}

fn of_seed(arguments: &Arguments, seed: u64) -> Result<Scenario, String> {
    let options = Options {
        sabotage: arguments.sabotage,
        ..Options::default()
    };
    if !arguments.whole
        && let Some(shrunk) = shrink(seed, options)
    {
        return Ok(shrunk.scenario);
    }
    let recorded = record(seed, options).map_err(|violation| violation.to_string())?;
    Ok(recorded.scenario)
}
