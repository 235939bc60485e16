//! A diagram as SVG: lanes tinted by term, slanted arrows, the log of a node as boxes.
//!
//! All sizes are whole numbers, so that the same history gives the same bytes everywhere. Colours
//! are those of Okabe and Ito, which people with any colour sight can tell apart; nothing is said
//! by colour alone.

use std::fmt::Write as _;

use crate::draw::layout::{Box, Layout, Line};
use crate::draw::{Cause, Diagram, Kind, Role, State};

/// Strong and light colour of a term; the eighth looks like the first.
const TERMS: [(&str, &str); 7] = [
    ("#0072b2", "#cfe3f0"),
    ("#b36b00", "#fbe3bd"),
    ("#00795a", "#cdeadf"),
    ("#a3487c", "#f2d9e7"),
    ("#6f6300", "#f5efb3"),
    ("#b04a00", "#f8d8c4"),
    ("#2f7ea8", "#d9eef9"),
];

/// Colour, width in tenths of a pixel, and dashes of an arrow.
const fn stroke(kind: Kind) -> (&'static str, u32, &'static str) {
    match kind {
        Kind::Election => ("#6a2c91", 20, ""),
        Kind::PreVote => ("#6a2c91", 13, "5 4"),
        Kind::Append => ("#222222", 17, ""),
        Kind::Ack => ("#555555", 12, "2 3"),
        Kind::Snapshot => ("#8a4b12", 32, ""),
    }
}

fn term_colours(term: u64) -> (&'static str, &'static str) {
    if term == 0 {
        return ("#777777", "#e8e8e8");
    }
    TERMS[((term - 1) % TERMS.len() as u64) as usize]
}

impl Diagram {
    /// The diagram as SVG.
    pub fn svg(&self) -> String {
        let layout = Layout::of(self);
        let mut sheet = Sheet::default();
        sheet.head(&layout);
        sheet.defs();
        sheet.text(24, 34, 17, "bold", "#111", &self.title);
        sheet.bands(self, &layout);
        sheet.worlds(self, &layout);
        sheet.arrows(self, &layout);
        sheet.headers(self, &layout);
        sheet.marks(self, &layout);
        sheet.labels(&layout);
        let end = sheet.ending(self, &layout);
        sheet.legend(&layout, end);
        sheet.out.push_str("</svg>\n");
        sheet.out
    }
}

/// How an arrow is drawn.
fn pen(kind: Kind) -> String {
    let (colour, width, dashes) = stroke(kind);
    format!(
        "stroke=\"{colour}\" stroke-width=\"{}.{}\" stroke-dasharray=\"{dashes}\"",
        width / 10,
        width % 10
    )
}

fn escape(words: &str) -> String {
    let words = words.replace('&', "&amp;").replace('<', "&lt;");
    words.replace('>', "&gt;")
}

#[derive(Default)]
struct Sheet {
    out: String,
}

impl Sheet {
    fn put(&mut self, words: core::fmt::Arguments<'_>) {
        // Writing to a string does not fail.
        let _ = writeln!(self.out, "{words}");
    }

    fn head(&mut self, layout: &Layout) {
        let (width, height) = (layout.width, layout.height);
        self.put(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" height=\"{height}\" font-family=\"DejaVu Sans, Verdana, \
             Helvetica, Arial, sans-serif\">"
        ));
        self.put(format_args!(
            "<rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>"
        ));
    }

    fn defs(&mut self) {
        self.put(format_args!("<defs>"));
        for kind in KINDS {
            let (colour, width, _) = stroke(kind.0);
            let size = if width > 25 { 5 } else { 8 };
            self.put(format_args!(
                "<marker id=\"{kind:?}\" viewBox=\"0 0 10 10\" refX=\"10\" refY=\"5\" \
                 markerWidth=\"{size}\" markerHeight=\"{size}\" markerUnits=\"{units}\" \
                 orient=\"auto\"><path d=\"M0 0L10 5L0 10z\" fill=\"{colour}\"/></marker>",
                kind = kind.0,
                size = if width > 25 { 12 } else { size + 2 },
                units = "userSpaceOnUse",
            ));
        }
        self.put(format_args!("</defs>"));
    }

    fn text(&mut self, x: i32, y: i32, size: i32, weight: &str, fill: &str, words: &str) {
        let words = escape(words);
        self.put(format_args!(
            "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\" font-weight=\"{weight}\" \
             fill=\"{fill}\">{words}</text>"
        ));
    }

    /// Text that stays readable over lines.
    fn halo(&mut self, x: i32, y: i32, line: &Line) {
        let (words, fill) = (escape(&line.words), line.colour);
        let weight = if line.is_bold { "bold" } else { "normal" };
        let anchor = if line.is_centred { "middle" } else { "start" };
        self.put(format_args!(
            "<text x=\"{x}\" y=\"{y}\" font-size=\"11\" font-weight=\"{weight}\" \
             text-anchor=\"{anchor}\" fill=\"{fill}\" stroke=\"#ffffff\" stroke-width=\"4\" \
             stroke-linejoin=\"round\" paint-order=\"stroke\">{words}</text>"
        ));
    }

    fn line(&mut self, from: (i32, i32), to: (i32, i32), rest: &str) {
        self.put(format_args!(
            "<line x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\" {rest}/>",
            from.0, from.1, to.0, to.1
        ));
    }

    fn rect(&mut self, area: Box, rest: &str) {
        self.put(format_args!(
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" {rest}/>",
            area.x, area.y, area.width, area.height
        ));
    }

    /// The lanes: a tint for the term, wide and dark while a node leads, dashed while it is down.
    fn bands(&mut self, diagram: &Diagram, layout: &Layout) {
        for lane in 0..diagram.lanes.len() {
            let x = layout.lanes[lane];
            let mut state = &diagram.begins[lane];
            let (mut is_down, mut top) = (false, layout.top);
            let rows = diagram.rows.iter().zip(&layout.rows);
            for (row, y) in rows.filter(|(row, _)| row.lane == lane) {
                let changes = matches!(row.cause, Cause::Crash(_) | Cause::Restart)
                    || row
                        .state
                        .as_ref()
                        .is_some_and(|after| (after.role, after.term) != (state.role, state.term));
                if !changes {
                    continue;
                }
                self.band(x, (top, *y), state, is_down);
                top = *y;
                match row.cause {
                    Cause::Crash(_) => is_down = true,
                    Cause::Restart => is_down = false,
                    _ => {}
                }
                state = row.state.as_ref().unwrap_or(state);
            }
            self.band(x, (top, layout.bottom), state, is_down);
        }
    }

    fn band(&mut self, x: i32, (top, bottom): (i32, i32), state: &State, is_down: bool) {
        let (strong, light) = term_colours(state.term);
        if is_down {
            let dashes = "stroke=\"#999999\" stroke-width=\"2\" stroke-dasharray=\"2 6\"";
            return self.line((x, top), (x, bottom), dashes);
        }
        let (half, fill) = match state.role {
            Role::Leader => (6, strong),
            Role::Follower | Role::Candidate => (6, light),
        };
        let area = Box {
            x: x - half,
            y: top,
            width: 2 * half,
            height: bottom - top,
        };
        self.rect(area, &format!("fill=\"{fill}\""));
        if state.role == Role::Candidate {
            let dashes = format!("stroke=\"{strong}\" stroke-width=\"3\" stroke-dasharray=\"4 3\"");
            self.line((x, top), (x, bottom), &dashes);
        } else {
            let thin = format!("stroke=\"{strong}\" stroke-width=\"1\"");
            self.line((x, top), (x, bottom), &thin);
        }
    }

    /// What concerns everybody: a dashed line from side to side.
    fn worlds(&mut self, diagram: &Diagram, layout: &Layout) {
        for (row, y) in diagram.rows.iter().zip(&layout.rows) {
            if let Cause::World(_) = &row.cause {
                let dashes = "stroke=\"#a00000\" stroke-width=\"1\" stroke-dasharray=\"7 4\"";
                self.line((14, *y), (layout.width - 14, *y), dashes);
            }
        }
    }

    fn arrows(&mut self, diagram: &Diagram, layout: &Layout) {
        for message in &diagram.messages {
            let from = layout.lanes[diagram.rows[message.row].lane];
            let start = (from, layout.outs[message.row]);
            let pen = pen(message.kind);
            let to = layout.lanes[message.to.min(layout.lanes.len() - 1)];
            for arrival in &message.arrivals {
                let side = if to > from { -7 } else { 7 };
                let end = (to + side, layout.rows[*arrival]);
                let head = format!("{pen} marker-end=\"url(#{:?})\"", message.kind);
                self.line(start, end, &head);
            }
        }
        for lost in &layout.lost {
            self.line(lost.start, lost.end, &pen(lost.kind));
            self.cross(lost.end, 4, 2);
        }
    }

    fn cross(&mut self, (x, y): (i32, i32), half: i32, width: i32) {
        self.put(format_args!(
            "<path d=\"M{} {}L{} {}M{} {}L{} {}\" stroke=\"#c00000\" stroke-width=\"{width}\" \
             stroke-linecap=\"round\"/>",
            x - half,
            y - half,
            x + half,
            y + half,
            x - half,
            y + half,
            x + half,
            y - half
        ));
    }

    fn headers(&mut self, diagram: &Diagram, layout: &Layout) {
        for (lane, name) in diagram.lanes.iter().enumerate() {
            let x = layout.lanes[lane];
            let area = Box {
                x: x - 24,
                y: layout.top - 46,
                width: 48,
                height: 22,
            };
            self.rect(area, "rx=\"5\" fill=\"#222222\"");
            let words = escape(name);
            self.put(format_args!(
                "<text x=\"{x}\" y=\"{}\" font-size=\"13\" font-weight=\"bold\" fill=\"#fff\" \
                 text-anchor=\"middle\">{words}</text>",
                layout.top - 30
            ));
        }
        self.text(16, layout.top - 30, 11, "normal", "#666", "ms");
    }

    /// The log as boxes: filled is on disk, hollow is not yet; underlined is committed.
    fn log(&mut self, x: i32, y: i32, state: &State) {
        const SIDE: i32 = 13;
        let mut x = x;
        let skip = state.log.len().saturating_sub(LOG_MAX);
        let base = state.base + skip as u64;
        if base > 0 {
            let area = Box {
                x,
                y,
                width: 22,
                height: SIDE,
            };
            self.rect(area, "fill=\"#dddddd\" stroke=\"#777777\"");
            self.centred(x + 11, y + 10, "#333", &format!("1-{base}"));
            x += 22;
        }
        for (place, term) in state.log.iter().enumerate().skip(skip) {
            let index = state.base + place as u64 + 1;
            let (strong, light) = term_colours(*term);
            let area = Box {
                x,
                y,
                width: SIDE,
                height: SIDE,
            };
            let is_durable = index <= state.durable;
            let fill = if is_durable { light } else { "#ffffff" };
            let dashes = if is_durable { "" } else { "3 2" };
            let rest = format!("fill=\"{fill}\" stroke=\"{strong}\" stroke-dasharray=\"{dashes}\"");
            self.rect(area, &rest);
            self.centred(x + SIDE / 2, y + 10, strong, &term.to_string());
            if index <= state.commit {
                let y = y + SIDE + 2;
                let pen = format!("stroke=\"{strong}\" stroke-width=\"2\"");
                self.line((x, y), (x + SIDE, y), &pen);
            }
            x += SIDE;
        }
    }

    fn centred(&mut self, x: i32, y: i32, fill: &str, words: &str) {
        let size = if words.len() > 2 { 8 } else { 9 };
        self.put(format_args!(
            "<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\" text-anchor=\"middle\" \
             fill=\"{fill}\">{words}</text>"
        ));
    }

    fn marks(&mut self, diagram: &Diagram, layout: &Layout) {
        for message in &diagram.messages {
            let x = layout.lanes[diagram.rows[message.row].lane];
            let y = layout.outs[message.row];
            self.put(format_args!(
                "<circle cx=\"{x}\" cy=\"{y}\" r=\"3\" fill=\"#222\"/>"
            ));
        }
        for (row, y) in diagram.rows.iter().zip(&layout.rows) {
            let x = layout.lanes[row.lane];
            match row.cause {
                Cause::Crash(_) => self.cross((x, *y), 7, 4),
                Cause::Restart => self.put(format_args!(
                    "<circle cx=\"{x}\" cy=\"{y}\" r=\"6\" fill=\"#fff\" stroke=\"#00795a\" \
                     stroke-width=\"3\"/>"
                )),
                Cause::Asked(_) => self.put(format_args!(
                    "<path d=\"M{x} {}l6 6l-6 6l-6 -6z\" fill=\"#222\"/>",
                    y - 6
                )),
                Cause::Timeout => self.put(format_args!(
                    "<circle cx=\"{x}\" cy=\"{y}\" r=\"6\" fill=\"#fff\" stroke=\"#222\" \
                     stroke-width=\"1.5\"/><path d=\"M{x} {}V{y}h3\" fill=\"none\" \
                     stroke=\"#222\" stroke-width=\"1.5\"/>",
                    y - 4
                )),
                Cause::World(_) => {}
                Cause::Receives(_) | Cause::Disk | Cause::Other(_) => self.put(format_args!(
                    "<circle cx=\"{x}\" cy=\"{y}\" r=\"3\" fill=\"#222\"/>"
                )),
            }
        }
    }

    fn labels(&mut self, layout: &Layout) {
        for (x, y, state) in &layout.logs {
            self.log(*x, *y, state);
        }
        for (x, y, line) in &layout.lines {
            self.halo(*x, *y, line);
        }
    }

    /// The contradiction, and what its nodes are; returns where it ends.
    fn ending(&mut self, diagram: &Diagram, layout: &Layout) -> i32 {
        let Some(ending) = &diagram.ending else {
            return layout.bottom + 14;
        };
        let ends = diagram.ends();
        let top = layout.bottom + 14;
        let lines = layout.ending.len() as i32;
        let facts = i32::from(!ending.lanes.is_empty()) * 44;
        let area = Box {
            x: 14,
            y: top,
            width: layout.width - 28,
            height: 34 + lines * 16 + facts,
        };
        self.rect(
            area,
            "rx=\"6\" fill=\"#fff4f2\" stroke=\"#c00000\" stroke-width=\"1.5\"",
        );
        self.cross((30, top + 18), 6, 3);
        let title = format!("{} is violated", ending.oracle);
        self.text(44, top + 23, 13, "bold", "#900000", &title);
        for (place, words) in (0..).zip(&layout.ending) {
            self.text(44, top + 42 + place * 16, 12, "normal", "#222", words);
        }
        for lane in &ending.lanes {
            let (x, y) = (layout.lanes[*lane] - 20, top + 40 + lines * 16);
            let words = format!("{}: {}", diagram.lanes[*lane], standing(&ends[*lane]));
            self.text(x, y + 6, 11, "bold", "#900000", &words);
            self.log(x, y + 12, &ends[*lane]);
        }
        area.y + area.height
    }

    fn legend(&mut self, layout: &Layout, above: i32) {
        let columns = ((layout.width - 28) / LEGEND_WIDTH).max(1);
        let mut place = 0;
        let mut next = || {
            let at = (
                16 + place % columns * LEGEND_WIDTH,
                above + 24 + place / columns * 22,
            );
            place += 1;
            at
        };
        for (kind, words) in KINDS {
            let (x, y) = next();
            let head = format!("{} marker-end=\"url(#{kind:?})\"", pen(kind));
            self.line((x, y), (x + 30, y), &head);
            self.text(x + 38, y + 4, 11, "normal", "#333", words);
        }
        let (x, y) = next();
        self.line((x, y), (x + 24, y), "stroke=\"#222\" stroke-width=\"1.7\"");
        self.cross((x + 26, y), 4, 2);
        self.text(x + 38, y + 4, 11, "normal", "#333", "lost");
        let (x, y) = next();
        self.cross((x + 15, y), 6, 4);
        self.text(x + 38, y + 4, 11, "normal", "#333", "crash");
        let (x, y) = next();
        self.put(format_args!(
            "<circle cx=\"{}\" cy=\"{y}\" r=\"6\" fill=\"#fff\" stroke=\"#00795a\" \
             stroke-width=\"3\"/>",
            x + 15
        ));
        self.text(x + 38, y + 4, 11, "normal", "#333", "restart");
        for (role, words) in [
            (Role::Leader, "leads (colour: term)"),
            (Role::Candidate, "candidate"),
        ] {
            let (x, y) = next();
            let state = State {
                role,
                term: 1,
                ..State::default()
            };
            self.band(x + 15, (y - 9, y + 9), &state, false);
            self.text(x + 38, y + 4, 11, "normal", "#333", words);
        }
        let (x, y) = next();
        let state = State {
            log: vec![1, 2],
            durable: 1,
            ..State::default()
        };
        self.log(x + 2, y - 7, &state);
        self.text(
            x + 38,
            y + 4,
            11,
            "normal",
            "#333",
            "entry: on disk, not yet",
        );
        let (x, y) = next();
        let state = State {
            log: vec![1],
            durable: 1,
            commit: 1,
            ..State::default()
        };
        self.log(x + 8, y - 7, &state);
        self.text(x + 38, y + 4, 11, "normal", "#333", "committed");
    }
}

/// Pixels of one item of the legend.
pub(super) const LEGEND_WIDTH: i32 = 186;

/// Items of the legend.
pub(super) const LEGEND_ITEMS: i32 = 12;

/// The most entries that are shown as boxes.
pub(super) const LOG_MAX: usize = 12;

const KINDS: [(Kind, &str); 5] = [
    (Kind::PreVote, "pre-vote"),
    (Kind::Election, "vote"),
    (Kind::Append, "append"),
    (Kind::Ack, "acknowledgement"),
    (Kind::Snapshot, "piece of a snapshot"),
];

/// Role and term.
pub(super) fn standing(state: &State) -> String {
    match state.role {
        Role::Leader => format!("leader, term {}", state.term),
        Role::Candidate => format!("candidate, term {}", state.term),
        Role::Follower => format!("follower, term {}", state.term),
    }
}

/// The strong colour of a term.
pub(super) fn term_colour(term: u64) -> &'static str {
    term_colours(term).0
}
