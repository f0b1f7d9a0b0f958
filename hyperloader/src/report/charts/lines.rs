//! Learning curves.

use plotters::prelude::*;

use super::canvas::{draw, limits, short, text};
use super::ink::Ink;
use super::{Figure, LegendItem};
use crate::Result;

/// A named curve.
#[derive(Debug, Clone)]
pub(in crate::report) struct Line {
    pub(in crate::report) label: String,
    pub(in crate::report) points: Vec<(f64, f64)>,
}

/// The curves of `lines` by step; `None` if no line has a point.
///
/// # Errors
/// [`Error::Internal`](crate::Error::Internal) if the chart cannot be drawn.
pub(in crate::report) fn line_chart(title: &str, axis: &str, lines: &[Line]) -> Result<Option<Figure>> {
    let points = || lines.iter().flat_map(|line| line.points.iter().copied());
    if points().next().is_none() {
        return Ok(None);
    }
    let (x, y) = (limits(points().map(|(x, _)| x)), limits(points().map(|(_, y)| y)));
    // Steps and scores have no values below 0.
    let (x, y) = (x.start.max(0.)..x.end, y.start.max(0.)..y.end);
    let svg = draw((560, 300), |area| {
        let mut chart = ChartBuilder::on(area);
        chart.margin(8).x_label_area_size(42).y_label_area_size(58);
        let mut chart = chart.build_cartesian_2d(x.clone(), y.clone())?;
        let mut mesh = chart.configure_mesh();
        mesh.disable_x_mesh()
            .bold_line_style(Ink::Grid.color())
            .light_line_style(TRANSPARENT)
            .axis_style(Ink::Axis.color());
        mesh.x_desc("step").y_desc(axis).axis_desc_style(text(Ink::Text)).label_style(text(Ink::Axis));
        mesh.x_label_formatter(&|step| format!("{step:.0}"))
            .x_labels(6)
            .y_label_formatter(&short)
            .y_labels(6)
            .draw()?;
        for (number, line) in lines.iter().enumerate() {
            let style = Ink::Series(number).color().stroke_width(2);
            chart.draw_series(LineSeries::new(line.points.iter().copied(), style))?;
            if line.points.len() < 30 {
                let mark = Ink::Mark(number).color().filled();
                chart.draw_series(line.points.iter().map(|point| Circle::new(*point, 3, mark)))?;
            }
        }
        Ok(())
    })?;
    let last = |line: &Line| Some(format!("{} ends at {:.3}", line.label, line.points.last()?.1));
    let ends: Vec<String> = lines.iter().filter_map(last).collect();
    let legend = lines.iter().enumerate().map(|(number, line)| LegendItem::line(&line.label, number)).collect();
    let description = format!("{title}: {axis} by step. {}.", ends.join("; "));
    Ok(Some(Figure { title: title.to_owned(), description, legend, svg }))
}
