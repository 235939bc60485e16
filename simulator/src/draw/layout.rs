//! Where everything of a picture stands, so that words do not stand on words.

use crate::draw::svg::{LEGEND_ITEMS, LEGEND_WIDTH, LOG_MAX, standing, term_colour};
use crate::draw::text::said;
use crate::draw::{Cause, Diagram, Kind, Row, State};

/// An area, in pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Box {
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) width: i32,
    pub(super) height: i32,
}

impl Box {
    fn overlap(&self, other: &Box) -> i32 {
        let width = (self.x + self.width).min(other.x + other.width) - self.x.max(other.x);
        let height = (self.y + self.height).min(other.y + other.height) - self.y.max(other.y);
        width.max(0) * height.max(0)
    }
}

/// A line of words.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) words: String,
    pub(super) colour: &'static str,
    pub(super) is_bold: bool,
    pub(super) is_centred: bool,
}

/// An arrow that does not arrive, for all receivers on one side.
#[derive(Clone, Debug)]
pub(super) struct Lost {
    pub(super) kind: Kind,
    pub(super) start: (i32, i32),
    pub(super) end: (i32, i32),
    row: usize,
    label: String,
    receivers: Vec<String>,
}

/// Where everything stands.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) width: i32,
    pub(super) height: i32,
    /// Where the lanes begin and end.
    pub(super) top: i32,
    pub(super) bottom: i32,
    /// Per lane its x.
    pub(super) lanes: Vec<i32>,
    /// Per row the y at which it begins: where arrows arrive.
    pub(super) rows: Vec<i32>,
    /// Per row the y at which arrows leave, below what is said of it.
    pub(super) outs: Vec<i32>,
    /// What is lost, drawn once for all receivers on one side.
    pub(super) lost: Vec<Lost>,
    pub(super) lines: Vec<(i32, i32, Line)>,
    pub(super) logs: Vec<(i32, i32, State)>,
    /// The contradiction, in lines.
    pub(super) ending: Vec<String>,
    taken: Vec<Box>,
}

/// Pixels of a row beside what is said of it.
const ROW: i32 = 25;
/// Pixels of a line of words.
const LINE: i32 = 15;
/// Pixels of a letter, about.
const LETTER: i32 = 7;
/// Pixels of a letter of the title, about.
const TITLE_LETTER: i32 = 10;
/// Pixels left of the first lane.
const LEFT: i32 = 100;

impl Layout {
    pub(super) fn of(diagram: &Diagram) -> Self {
        let lanes = diagram.lanes.len() as i32;
        let gap = match lanes {
            ..=3 => 250,
            4 | 5 => 205,
            _ => 190,
        };
        let title = 48 + TITLE_LETTER * diagram.title.chars().count() as i32;
        let width = (LEFT + lanes * gap).max(2 * LEGEND_WIDTH + 40).max(title);
        let mut layout = Layout {
            width,
            height: 0,
            top: 104,
            bottom: 0,
            lanes: (0..lanes).map(|lane| LEFT + lane * gap).collect(),
            rows: Vec::new(),
            outs: Vec::new(),
            lost: Vec::new(),
            lines: Vec::new(),
            logs: Vec::new(),
            ending: Vec::new(),
            taken: Vec::new(),
        };
        layout.place_rows(diagram);
        layout.place_messages(diagram);
        layout.place_end(diagram);
        layout
    }

    /// Rows that do not follow from each other stand at the same height.
    fn levels(diagram: &Diagram) -> Vec<usize> {
        let mut levels: Vec<usize> = Vec::new();
        let mut next = vec![0; diagram.lanes.len()];
        let (mut floor, mut top, mut micros) = (0, 0, None);
        for row in &diagram.rows {
            // What the world chooses stands below all that was before; what follows from it, not.
            let follows = matches!(row.cause, Cause::Receives(_) | Cause::Disk);
            let follows = follows || row.cause == Cause::Other(String::new());
            let is_world = matches!(row.cause, Cause::World(_));
            if micros != Some(row.micros) || !follows {
                micros = Some(row.micros);
                floor = top;
            }
            let mut level = next[row.lane].max(floor);
            if let Cause::Receives(message) = row.cause {
                let sent = diagram.messages[message].row;
                level = level.max(levels[sent] + 1);
            }
            levels.push(level);
            next[row.lane] = level + 1;
            top = top.max(level + 1);
            if is_world {
                floor = top;
            }
        }
        levels
    }

    /// How a node changed in a row: from what.
    fn befores(diagram: &Diagram) -> Vec<State> {
        let mut states = diagram.begins.clone();
        let befores = diagram.rows.iter().map(|row| match &row.state {
            Some(after) => std::mem::replace(&mut states[row.lane], after.clone()),
            None => states[row.lane].clone(),
        });
        befores.collect()
    }

    fn place_rows(&mut self, diagram: &Diagram) {
        let mut y = self.top + 8;
        for (lane, state) in diagram.begins.iter().enumerate() {
            if *state != State::default() {
                let x = self.lanes[lane] + 12;
                self.put(x, y, standing(state), term_colour(state.term), false);
                self.put_log(x, y + 6, state);
            }
        }
        y += 46;
        let levels = Layout::levels(diagram);
        let befores = Layout::befores(diagram);
        let count = levels.iter().max().map_or(0, |level| level + 1);
        let mut heights = vec![ROW; count];
        let mut rooms = Vec::new();
        for ((row, level), before) in diagram.rows.iter().zip(&levels).zip(&befores) {
            let room = Layout::room(row, before);
            rooms.push(room);
            heights[*level] = heights[*level].max(ROW + room);
        }
        let lost = diagram.messages.iter().filter(|m| m.arrivals.is_empty());
        for message in lost {
            let level = levels[message.row];
            heights[level] = heights[level].max(ROW + rooms[message.row] + 18);
        }
        let mut tops = Vec::new();
        for height in heights {
            tops.push(y);
            y += height;
        }
        self.rows = levels.iter().map(|level| tops[*level]).collect();
        let outs = self.rows.iter().zip(&rooms);
        self.outs = outs.map(|(y, room)| y + room).collect();
        self.bottom = y + 6;
        let mut micros = None;
        for (place, (row, before)) in diagram.rows.iter().zip(&befores).enumerate() {
            if micros != Some(row.micros) {
                micros = Some(row.micros);
                let time = format!("{}.{}", row.micros / 1000, row.micros % 1000 / 100);
                self.put(16, self.rows[place] + 4, time, "#666666", false);
            }
            self.place_row(row, before, self.rows[place]);
        }
    }

    /// Pixels between where arrows arrive and where they leave.
    fn room(row: &Row, before: &State) -> i32 {
        let words = Layout::words(row, before).len() as i32;
        let (changes, has_log) = Layout::said_of(row, before);
        let lines = words + i32::from(changes);
        let height = lines * LINE + i32::from(has_log) * (LINE + 4);
        match row.cause {
            _ if height == 0 => 0,
            // The first line stands beside the mark, unless an arrow arrives there.
            Cause::Receives(_) => height + 3,
            _ if lines == 0 => height,
            _ => height - 5,
        }
    }

    /// What is said of a row in words.
    fn words(row: &Row, before: &State) -> Vec<String> {
        let mut words = said(row);
        if row.cause == Cause::Disk && Layout::said_of(row, before).1 {
            // The boxes say it.
            words.remove(0);
        }
        words
    }

    fn said_of(row: &Row, before: &State) -> (bool, bool) {
        let after = row.state.as_ref();
        let (stands, has_log) =
            after.map_or((false, false), |after| Layout::changes(before, after));
        // What came back is worth seeing even if it is what was there.
        let came_back = after.is_some() && row.cause == Cause::Restart;
        (stands || came_back, has_log || came_back)
    }

    /// Whether standing, and whether the log is another.
    fn changes(before: &State, after: &State) -> (bool, bool) {
        let log = |state: &State| (state.base, state.last(), state.durable, state.commit);
        (
            (before.role, before.term) != (after.role, after.term),
            log(before) != log(after) || before.base == after.base && before.log != after.log,
        )
    }

    fn place_row(&mut self, row: &Row, before: &State, y: i32) {
        let x = self.lanes[row.lane] + 12;
        if let Cause::World(what) = &row.cause {
            self.put(LEFT + 14, y - 5, what.clone(), "#a00000", true);
        }
        let is_arrival = matches!(row.cause, Cause::Receives(_));
        let words = Layout::words(row, before);
        let (changes, has_log) = Layout::said_of(row, before);
        let mut line = match () {
            () if is_arrival => y + 14,
            () if words.is_empty() && !changes => y + 9,
            () => y + 4,
        };
        for words in words {
            let is_crash = matches!(row.cause, Cause::Crash(_));
            let colour = if is_crash { "#c00000" } else { "#222222" };
            self.put(x, line, words, colour, is_crash);
            line += LINE;
        }
        let Some(after) = &row.state else { return };
        if changes {
            let is_leader = after.role == crate::draw::Role::Leader;
            let colour = term_colour(after.term);
            self.put(x, line, standing(after), colour, is_leader);
            line += LINE;
        }
        if has_log {
            self.put_log(x, line - 9, after);
        }
    }

    fn put(&mut self, x: i32, y: i32, words: String, colour: &'static str, is_bold: bool) {
        let letter = if is_bold { LETTER + 1 } else { LETTER };
        self.taken.push(Box {
            x,
            y: y - 10,
            width: words.chars().count() as i32 * letter,
            height: 13,
        });
        let line = Line {
            words,
            colour,
            is_bold,
            is_centred: false,
        };
        self.lines.push((x, y, line));
    }

    fn put_log(&mut self, x: i32, y: i32, state: &State) {
        let count = state.log.len().min(LOG_MAX) as i32;
        self.taken.push(Box {
            x,
            y,
            width: count * 13 + 22,
            height: 17,
        });
        self.logs.push((x, y, state.clone()));
    }

    /// Arrows that do not arrive: one for all receivers on one side.
    fn place_lost(&mut self, diagram: &Diagram) {
        for message in diagram.messages.iter().filter(|m| m.arrivals.is_empty()) {
            let lane = diagram.rows[message.row].lane;
            let to = message.to.min(self.lanes.len() - 1);
            let side = if to < lane { -1 } else { 1 };
            let start = (self.lanes[lane], self.outs[message.row]);
            // A node at the edge has room on its outer side for words only.
            let end = (start.0 + side * 40, start.1 + 24);
            let receiver = diagram.lanes[to].clone();
            let same = self.lost.iter_mut().find(|lost| {
                lost.row == message.row && lost.end == end && lost.label == message.label
            });
            match same {
                Some(lost) => lost.receivers.push(receiver),
                None => self.lost.push(Lost {
                    kind: message.kind,
                    start,
                    end,
                    row: message.row,
                    label: message.label.clone(),
                    receivers: vec![receiver],
                }),
            }
        }
        for lost in self.lost.clone() {
            let words = format!("{} to {}", lost.label, lost.receivers.join(" "));
            let width = words.chars().count() as i32 * 65 / 10;
            let (x, y) = lost.end;
            let beyond = if x > lost.start.0 {
                x + 9
            } else {
                x - 9 - width
            };
            let places = [
                (beyond, y + 4),
                (x - width / 2, y + 17),
                (x - width / 2, y - 8),
            ];
            self.put_label(words, width, &places);
        }
    }

    /// Puts words where they cover the least of what stands there already.
    fn put_label(&mut self, words: String, width: i32, places: &[(i32, i32)]) {
        let areas = places.iter().map(|(x, y)| Box {
            x: *x,
            y: y - 10,
            width,
            height: 13,
        });
        let cost = |area: &Box| -> i32 {
            let lanes = self.lanes.iter().map(|x| Box {
                x: x - 6,
                y: area.y,
                width: 12,
                height: area.height,
            });
            let taken = self.taken.iter().copied().chain(lanes);
            let beyond = (-area.x).max(area.x + area.width - self.width).max(0) * 99;
            beyond + taken.map(|other| area.overlap(&other)).sum::<i32>()
        };
        let Some(area) = areas.min_by_key(cost) else {
            return;
        };
        self.taken.push(area);
        let line = Line {
            words,
            colour: "#333333",
            is_bold: false,
            is_centred: true,
        };
        self.lines.push((area.x + width / 2, area.y + 10, line));
    }

    /// Each label stands on its arrow where it covers the least.
    fn place_messages(&mut self, diagram: &Diagram) {
        // Marks are no place for words either.
        for (row, y) in diagram.rows.iter().zip(&self.rows) {
            self.taken.push(Box {
                x: self.lanes[row.lane] - 8,
                y: y - 7,
                width: 16,
                height: 14,
            });
        }
        self.place_lost(diagram);
        for message in &diagram.messages {
            let lane = diagram.rows[message.row].lane;
            let start = (self.lanes[lane], self.outs[message.row]);
            let to = self.lanes[message.to.min(self.lanes.len() - 1)];
            let Some(arrival) = message.arrivals.first() else {
                continue;
            };
            let end = (to, self.rows[*arrival]);
            let width = message.label.chars().count() as i32 * 65 / 10;
            // Best in the gap beside the receiver, then beside the sender: those of one round of
            // questions differ there, and those of the answers here.
            let gap = self.lanes.get(1).map_or(1, |second| second - self.lanes[0]);
            let half = 50 * gap / (end.0 - start.0).abs().max(1);
            let (here, there) = (100 - half, half);
            let near = [here, there, here - 5, here + 5, there - 5, there + 5];
            let parts = near.into_iter().chain([50, 42, 58, 34, 66, 26, 74, 20, 80]);
            let places = parts.map(|part| {
                let x = start.0 + (end.0 - start.0) * part / 100;
                let y = start.1 + (end.1 - start.1) * part / 100;
                (x - width / 2, y - 4)
            });
            let places: Vec<_> = places.collect();
            self.put_label(message.label.clone(), width, &places);
        }
    }

    fn place_end(&mut self, diagram: &Diagram) {
        let mut height = self.bottom + 14;
        if let Some(ending) = &diagram.ending {
            let room = ((self.width - 80) / LETTER) as usize;
            self.ending = wrap(&ending.what, room);
            let facts = i32::from(!ending.lanes.is_empty()) * 44;
            height += 34 + self.ending.len() as i32 * 16 + facts;
        }
        let columns = ((self.width - 28) / LEGEND_WIDTH).max(1);
        let rows = (LEGEND_ITEMS + columns - 1) / columns;
        self.height = height + 24 + rows * 22;
    }
}

fn wrap(words: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in words.split_whitespace() {
        let last = lines.last().map_or(0, |line| line.chars().count());
        if last > 0 && last + 1 + word.chars().count() > room {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}
