//! What is shown while the demonstration runs: bars in a terminal, plain lines elsewhere.

use core::time::Duration;
use std::time::Instant;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::group::Node;
use super::table::grouped;
use super::view::View;

/// Steps of the bar.
const STEPS: u64 = 1000;

/// The bars and when they began.
#[derive(Debug)]
pub struct Screen {
    bars: MultiProgress,
    progress: ProgressBar,
    nodes: Vec<ProgressBar>,
    start: Instant,
}

impl Screen {
    /// A screen for so many nodes.
    pub fn new(nodes: usize) -> Self {
        let bars = MultiProgress::new();
        // The templates are constants; a wrong one shows the default instead.
        let style = |template: &str| {
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
        };
        let progress = ProgressBar::new(STEPS).with_style(style("{prefix:10} {bar:36} {msg}"));
        let progress = bars.add(progress);
        let nodes = (0..nodes).map(|_| {
            let line = ProgressBar::new(1).with_style(style("{prefix:10} {msg}"));
            bars.add(line)
        });
        Self {
            nodes: nodes.collect(),
            progress,
            bars,
            start: Instant::now(),
        }
    }

    /// Reports something that happened, for good.
    pub fn say(&self, text: &str) {
        let seconds = self.start.elapsed().as_secs_f64();
        let line = format!("{seconds:6.2} s  {text}");
        // Bars that are not drawn swallow lines.
        if self.bars.is_hidden() {
            eprintln!("{line}");
        } else {
            let _ = self.bars.println(line);
        }
    }

    /// Shows how far something is.
    pub fn show(&self, what: &str, part: f64, text: String) {
        self.progress.set_prefix(what.to_owned());
        let steps = Duration::from_secs(STEPS).mul_f64(part.clamp(0.0, 1.0));
        self.progress.set_position(steps.as_secs());
        self.progress.set_message(text);
    }

    /// Shows what each node says about itself.
    pub fn show_nodes(&self, nodes: &[Node], views: &[Option<View>]) {
        let commit = views.iter().flatten().map(|view| view.commit).max();
        for ((bar, node), view) in self.nodes.iter().zip(nodes).zip(views) {
            bar.set_prefix(format!("n{}", node.id));
            bar.set_message(match view {
                None => "down".to_owned(),
                Some(view) => {
                    let View {
                        role,
                        term,
                        applied,
                        ..
                    } = view;
                    let behind = grouped(view.behind(commit.unwrap_or(0)));
                    let applied = grouped(applied);
                    format!("{role:<10} term {term:<4} applied {applied:>12}  behind {behind:>10}")
                }
            });
        }
    }

    /// Takes the bars away; lines stay.
    pub fn clear(&self) {
        // A terminal that cannot be written to shows no bars either.
        let _ = self.bars.clear();
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.clear();
    }
}
