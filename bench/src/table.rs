//! The table, as Markdown.

use core::fmt::Write as _;

use crate::contender::{CommitStyle, Registered, Side};
use crate::measure::Cost;

/// A contender and what it cost.
pub(crate) struct Row<'a> {
    pub(crate) contender: &'a Registered,
    pub(crate) cost: Cost,
}

/// One group of rows that did the same work.
///
/// Ratios are against the floor, and against ours, of the row's own commit style, or of the other where there is
/// only one. Instruction ratios stand before CPU ratios.
pub(crate) fn render(title: &str, operation: &str, rows: &[Row<'_>]) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(out, "### {title}\n");
    let _ = writeln!(
        out,
        "| | instr/{operation} | CPU ns/{operation}, median (min-max) | allocs/{operation} | bytes asked \
         | × floor, instr / CPU | × ours, instr / CPU |"
    );
    let _ = writeln!(out, "|---|---:|---:|---:|---:|---:|---:|");
    for row in rows {
        let cost = &row.cost;
        let _ = writeln!(
            out,
            "| {} | {} | {} ({}-{}) | {} | {} | {} | {} |",
            row.contender.name,
            cost.instructions.map_or_else(|| String::from("-"), number),
            number(cost.nanos.median),
            number(cost.nanos.min),
            number(cost.nanos.max),
            number(cost.allocations),
            number(cost.allocated_bytes),
            ratios(row, reference(rows, Side::Floor, row.contender.style)),
            ratios(row, reference(rows, Side::Ours, row.contender.style)),
        );
    }
    out
}

fn reference<'a>(rows: &'a [Row<'a>], side: Side, style: CommitStyle) -> Option<&'a Cost> {
    let on_side = || rows.iter().filter(|row| row.contender.side == side);
    let same_style = on_side().find(|row| row.contender.style == style);
    same_style.or_else(|| on_side().next()).map(|row| &row.cost)
}

fn ratios(row: &Row<'_>, reference: Option<&Cost>) -> String {
    let Some(reference) = reference else {
        return String::from("-");
    };
    let instructions = match (row.cost.instructions, reference.instructions) {
        (Some(here), Some(there)) => ratio(here / there),
        (None, _) | (_, None) => String::from("-"),
    };
    format!(
        "{instructions} / {}",
        ratio(row.cost.nanos.median / reference.nanos.median)
    )
}

fn ratio(value: f64) -> String {
    if value < 10.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.1}")
    }
}

/// Three digits or more, thousands apart.
fn number(value: f64) -> String {
    if value < 0.0005 {
        return String::from("0");
    }
    if value < 10.0 {
        return format!("{value:.2}");
    }
    if value < 100.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_keep_three_digits_and_part_thousands() {
        assert_eq!(number(0.0), "0");
        assert_eq!(number(5.256), "5.26");
        assert_eq!(number(52.14), "52.1");
        assert_eq!(number(352.4), "352");
        assert_eq!(number(26_036.3), "26,036");
        assert_eq!(number(1_234_567.0), "1,234,567");
    }
}
