//! Line charts as SVG.

use std::error::Error;
use std::path::Path;

use plotters::coord::ranged1d::ValueFormatter;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

/// One line of a chart.
pub(crate) struct Line {
    pub(crate) name: String,
    pub(crate) points: Vec<(f64, f64)>,
}

/// What a chart shows.
pub(crate) struct Chart {
    pub(crate) title: String,
    pub(crate) x: &'static str,
    pub(crate) y: &'static str,
    /// Both axes logarithmic.
    pub(crate) is_log: bool,
    /// Spans of x that are shaded, with their names.
    pub(crate) spans: Vec<(f64, f64, &'static str)>,
    pub(crate) lines: Vec<Line>,
}

/// Colours that colour-blind readers tell apart.
const COLOURS: [RGBColor; 4] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
];

/// How much higher than the highest point a chart is, so that the key hides no line.
const HEADROOM: f64 = 1.4;

const SIZE: (u32, u32) = (960, 540);

impl Chart {
    /// Draws it.
    ///
    /// # Errors
    ///
    /// The file cannot be written.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        self.draw(path)
            .map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))
    }

    fn draw(&self, path: &Path) -> Result<(), Box<dyn Error>> {
        let root = SVGBackend::new(path, SIZE).into_drawing_area();
        root.fill(&WHITE)?;
        let mut builder = ChartBuilder::on(&root);
        builder
            .caption(&self.title, ("sans-serif", 22))
            .margin(18)
            .x_label_area_size(48)
            .y_label_area_size(72);
        let (x, y) = (self.range(|point| point.0), self.range(|point| point.1));
        if self.is_log {
            let chart = builder
                .build_cartesian_2d((x.0..x.1 * 1.2).log_scale(), (y.0..y.1 * 1.3).log_scale())?;
            self.fill(chart)?;
        } else {
            let chart = builder.build_cartesian_2d(x.0..x.1, 0.0..y.1 * HEADROOM)?;
            self.fill(chart)?;
        }
        root.present()?;
        Ok(())
    }

    fn fill<'s, X, Y>(
        &self,
        mut chart: ChartContext<'s, SVGBackend<'s>, Cartesian2d<X, Y>>,
    ) -> Result<(), Box<dyn Error>>
    where
        X: Ranged<ValueType = f64> + ValueFormatter<f64>,
        Y: Ranged<ValueType = f64> + ValueFormatter<f64>,
    {
        let mut mesh = chart.configure_mesh();
        let number = |value: &f64| format!("{}", value.round());
        mesh.x_desc(self.x)
            .y_desc(self.y)
            .light_line_style(TRANSPARENT)
            .bold_line_style(RGBColor(225, 225, 225))
            .label_style(("sans-serif", 15))
            .axis_desc_style(("sans-serif", 17))
            .x_label_formatter(&number)
            .y_label_formatter(&number)
            .draw()?;
        let top = self.range(|point| point.1).1;
        let corner = Pos::new(HPos::Right, VPos::Top);
        let label = ("sans-serif", 15).into_font().color(&BLACK).pos(corner);
        for (from, to, name) in &self.spans {
            let shade = RGBColor(120, 120, 120).mix(0.12).filled();
            chart.draw_series([Rectangle::new([(*from, 0.0), (*to, top * HEADROOM)], shade)])?;
            chart.draw_series([Text::new(
                *name,
                (*to, top * (HEADROOM - 0.03)),
                label.clone(),
            )])?;
        }
        for (line, colour) in self.lines.iter().zip(COLOURS.iter().cycle()) {
            let series = LineSeries::new(line.points.iter().copied(), colour.stroke_width(2));
            let key =
                move |(x, y)| PathElement::new(vec![(x, y), (x + 22, y)], colour.stroke_width(3));
            chart.draw_series(series)?.label(&line.name).legend(key);
            if line.points.len() < 40 {
                let dots = line
                    .points
                    .iter()
                    .map(|point| Circle::new(*point, 4, colour.filled()));
                chart.draw_series(dots)?;
            }
        }
        chart
            .configure_series_labels()
            .position(SeriesLabelPosition::UpperLeft)
            .label_font(("sans-serif", 15))
            .background_style(WHITE.mix(0.85))
            .border_style(RGBColor(200, 200, 200))
            .draw()?;
        Ok(())
    }

    fn range(&self, axis: impl Fn(&(f64, f64)) -> f64) -> (f64, f64) {
        let values = self.lines.iter().flat_map(|line| &line.points).map(axis);
        let range = values.fold((f64::MAX, f64::MIN), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        if range.0 > range.1 { (0.0, 1.0) } else { range }
    }
}
