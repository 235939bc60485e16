//! A diagram for the terminal: a column for each node, time downwards.

use crate::draw::{Cause, Diagram, Role, Row, State};

impl Diagram {
    /// The diagram as text.
    pub fn text(&self) -> String {
        let mut sheet = Sheet::new(self);
        for place in 0..self.rows.len() {
            sheet.row(place);
        }
        sheet.ending();
        sheet.out
    }
}

/// The columns that times take.
const MARGIN: usize = 11;

struct Sheet<'d> {
    diagram: &'d Diagram,
    out: String,
    width: usize,
    states: Vec<State>,
    is_down: Vec<bool>,
    micros: Option<u64>,
}

impl<'d> Sheet<'d> {
    fn new(diagram: &'d Diagram) -> Self {
        let lanes = diagram.lanes.len();
        let mut sheet = Sheet {
            diagram,
            out: String::new(),
            width: (132 / lanes.max(1)).clamp(20, 30),
            states: diagram.begins.clone(),
            is_down: vec![false; lanes],
            micros: None,
        };
        let mut head = sheet.blank();
        for (lane, name) in diagram.lanes.iter().enumerate() {
            let at = sheet.at(lane);
            write(&mut head, at, name);
        }
        sheet.line("ms", &head);
        let begins = diagram.begins.iter().enumerate();
        let has_begun = |state: &State| *state != State::default();
        if diagram.begins.iter().any(has_begun) {
            let words: Vec<_> = begins
                .map(|(lane, state)| (lane, [standing(state), log(state)]))
                .collect();
            for part in 0..2 {
                let mut line = sheet.lanes();
                for (lane, words) in &words {
                    sheet.beside(&mut line, *lane, &words[part]);
                }
                sheet.line("", &line);
            }
        }
        sheet
    }

    fn at(&self, lane: usize) -> usize {
        lane * self.width + 1
    }

    fn blank(&self) -> Vec<char> {
        vec![' '; self.diagram.lanes.len() * self.width]
    }

    /// A line with nothing but the lanes.
    fn lanes(&self) -> Vec<char> {
        let mut line = self.blank();
        for (lane, state) in self.states.iter().enumerate() {
            let at = self.at(lane);
            line[at] = match state.role {
                _ if self.is_down[lane] => '┊',
                Role::Leader => '║',
                Role::Follower | Role::Candidate => '│',
            };
        }
        line
    }

    fn beside(&self, line: &mut [char], lane: usize, words: &str) {
        let room = self.width - 3;
        let words: String = words.chars().take(room).collect();
        write(line, self.at(lane) + 2, &words);
    }

    fn line(&mut self, margin: &str, line: &[char]) {
        let line: String = line.iter().collect();
        let line = format!("{margin:>width$} {line}", width = MARGIN - 1);
        self.out.push_str(line.trim_end());
        self.out.push('\n');
    }

    fn row(&mut self, place: usize) {
        let row = &self.diagram.rows[place];
        let mut words = said(row);
        let before = self.states[row.lane].clone();
        match row.cause {
            Cause::Crash(_) => self.is_down[row.lane] = true,
            Cause::Restart => self.is_down[row.lane] = false,
            _ => {}
        }
        if let Some(state) = &row.state {
            words.extend(changes(&before, state));
            self.states[row.lane].clone_from(state);
        }
        let mut margin = String::new();
        if self.micros != Some(row.micros) {
            self.micros = Some(row.micros);
            margin = format!("{}.{:03}", row.micros / 1000, row.micros % 1000);
        }
        let mut line = self.lanes();
        let mut mark = mark(&row.cause);
        if let Cause::Receives(message) = row.cause {
            self.arrow(&mut line, message, row.lane);
        } else if let Cause::World(what) = &row.cause {
            line = vec!['╌'; line.len()];
            write(&mut line, 2, &format!(" {what} "));
            mark = '╌';
        } else if !words.is_empty() {
            self.beside(&mut line, row.lane, &words.remove(0));
        }
        let at = self.at(row.lane);
        line[at] = mark;
        if mark != '·' || line.iter().any(|c| c.is_alphanumeric()) {
            self.line(&margin, &line);
        }
        for words in words {
            let mut line = self.lanes();
            self.beside(&mut line, row.lane, &words);
            self.line("", &line);
        }
        self.lost(place);
    }

    /// What was sent in a row and never arrives.
    fn lost(&mut self, row: usize) {
        let diagram = self.diagram;
        for message in diagram.messages.iter().filter(|m| m.row == row) {
            if message.arrivals.is_empty() {
                let lane = diagram.rows[row].lane;
                let to = diagram.lanes.get(message.to).map_or("?", String::as_str);
                let mut line = self.lanes();
                self.beside(&mut line, lane, &format!("╌✗ {} to {to}", message.label));
                self.line("", &line);
            }
        }
    }

    fn arrow(&self, line: &mut [char], message: usize, to: usize) {
        let message = &self.diagram.messages[message];
        let from = self.diagram.rows[message.row].lane;
        let (start, end) = (self.at(from), self.at(to));
        let (low, high) = (start.min(end), start.max(end));
        for place in &mut line[low + 1..high] {
            *place = if *place == ' ' { '─' } else { '┼' };
        }
        line[start] = '○';
        // The label stands in the gap beside the receiver.
        let gap = if to > from { end - self.width } else { end };
        let room = self.width.saturating_sub(5);
        let label: String = message.label.chars().take(room).collect();
        let len = label.chars().count() + 2;
        write(
            line,
            gap + 1 + (self.width - 1 - len) / 2,
            &format!(" {label} "),
        );
        if to > from {
            line[end - 1] = '►';
        } else {
            line[end + 1] = '◄';
        }
    }

    fn ending(&mut self) {
        let diagram = self.diagram;
        let line = self.lanes();
        self.line("", &line);
        let Some(ending) = &diagram.ending else {
            self.out.push_str("ends sound\n");
            return;
        };
        self.out
            .push_str(&format!("✖ {}: {}\n", ending.oracle, ending.what));
        for lane in &ending.lanes {
            if let (Some(name), Some(state)) = (diagram.lanes.get(*lane), self.states.get(*lane)) {
                let down = if self.is_down[*lane] { "down, " } else { "" };
                let words = format!("    {name}: {down}{}, {}\n", standing(state), log(state));
                self.out.push_str(&words);
            }
        }
    }
}

fn write(line: &mut [char], at: usize, words: &str) {
    for (place, c) in line.iter_mut().skip(at).zip(words.chars()) {
        *place = c;
    }
}

fn mark(cause: &Cause) -> char {
    match cause {
        Cause::Receives(_) => '●',
        Cause::Timeout => '◷',
        Cause::Disk => '▪',
        Cause::Asked(_) => '◆',
        Cause::Crash(_) => '✖',
        Cause::Restart => '↻',
        Cause::World(_) => '╌',
        Cause::Other(_) => '·',
    }
}

/// What is said of a row beside how the node changed.
pub(super) fn said(row: &Row) -> Vec<String> {
    let mut words = Vec::new();
    match &row.cause {
        Cause::Receives(_) | Cause::World(_) => {}
        Cause::Timeout => words.push("timeout".to_owned()),
        Cause::Disk => words.push("stored".to_owned()),
        Cause::Asked(what) => words.push(what.clone()),
        Cause::Crash(left) if left.is_empty() => words.push("CRASH".to_owned()),
        Cause::Crash(left) => words.push(format!("CRASH, {left}")),
        Cause::Restart => words.push("restart".to_owned()),
        Cause::Other(what) if what.is_empty() => {}
        Cause::Other(what) => words.push(what.clone()),
    }
    words.extend(row.notes.iter().cloned());
    words
}

/// Role and term.
pub(super) fn standing(state: &State) -> String {
    match state.role {
        Role::Leader => format!("LEADER of term {}", state.term),
        Role::Candidate => format!("candidate, term {}", state.term),
        Role::Follower => format!("follower, term {}", state.term),
    }
}

/// How long the log is, and how much of it is on disk.
pub(super) fn log(state: &State) -> String {
    let last = state.last();
    if state.durable >= last {
        format!("log {last} on disk")
    } else {
        format!("log {last}, {} on disk", state.durable)
    }
}

fn changes(before: &State, after: &State) -> Vec<String> {
    let mut words = Vec::new();
    if before.role != after.role {
        words.push(standing(after));
    } else if before.term != after.term {
        words.push(format!("term {}", after.term));
    }
    if before.last() != after.last()
        || before.log != after.log && before.base == after.base
        || before.durable != after.durable
    {
        words.push(log(after));
    }
    if before.commit != after.commit {
        words.push(format!("commit {}", after.commit));
    }
    words
}
