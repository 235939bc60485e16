//! A diagram as a log for ShiViz and its relatives: each line a node, its vector clock, and what
//! happened, in the format of the regular expression `(?<host>\S*) (?<clock>{.*})\n(?<event>.*)`
//! (`[Beschastnikh16]`).

use crate::draw::text::{log, said, standing};
use crate::draw::{Cause, Diagram};

impl Diagram {
    /// The diagram as a log with vector clocks.
    pub fn shiviz(&self) -> String {
        let mut out = String::new();
        let lanes = self.lanes.len();
        let mut clocks = vec![vec![0_u64; lanes]; lanes];
        let mut stamps = vec![Vec::new(); self.messages.len()];
        let mut put = |clock: &[u64], lane: usize, words: &str| {
            let parts = self
                .lanes
                .iter()
                .zip(clock)
                .filter(|(_, count)| **count > 0);
            let parts: Vec<_> = parts.map(|(n, count)| format!("\"{n}\":{count}")).collect();
            let line = format!("{} {{{}}}\n{words}\n", self.lanes[lane], parts.join(", "));
            out.push_str(&line);
        };
        for (place, row) in self.rows.iter().enumerate() {
            let mut words = said(row);
            if let Cause::Receives(message) = row.cause {
                let stamp: &Vec<u64> = &stamps[message];
                for (mine, theirs) in clocks[row.lane].iter_mut().zip(stamp) {
                    *mine = (*mine).max(*theirs);
                }
                words.insert(0, format!("receives {}", self.messages[message].label));
            } else if let Cause::World(what) = &row.cause {
                words.insert(0, what.clone());
            }
            if let Some(state) = &row.state {
                words.push(standing(state));
                words.push(log(state));
            }
            clocks[row.lane][row.lane] += 1;
            words.retain(|words| !words.is_empty());
            if words.is_empty() {
                words.push("goes on".to_owned());
            }
            put(&clocks[row.lane], row.lane, &words.join("; "));
            let sent = self.messages.iter().zip(&mut stamps);
            for (message, stamp) in sent.filter(|(message, _)| message.row == place) {
                clocks[row.lane][row.lane] += 1;
                stamp.clone_from(&clocks[row.lane]);
                let to = self.lanes.get(message.to).map_or("?", String::as_str);
                let words = format!("sends {} to {to}", message.label);
                put(&clocks[row.lane], row.lane, &words);
            }
        }
        out
    }
}
