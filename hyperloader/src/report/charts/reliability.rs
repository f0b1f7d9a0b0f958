//! The reliability diagram.

use plotters::prelude::*;

use super::Figure;
use super::canvas::{draw, text};
use super::ink::Ink;
use crate::Result;
use crate::analysis::Calibration;

/// A bar for each interval of confidence: the share of spans that is right. The line is perfect calibration, and a dot is at the
/// mean confidence of each bar.
///
/// # Errors
/// [`Error::Internal`](crate::Error::Internal) if the chart cannot be drawn.
pub(in crate::report) fn reliability_diagram(found: &Calibration) -> Result<Figure> {
    let svg = draw((380, 260), |area| {
        let mut chart = ChartBuilder::on(area);
        chart.margin(8).x_label_area_size(42).y_label_area_size(52);
        let mut chart = chart.build_cartesian_2d(0.0..1.0, 0.0..1.0)?;
        let mut mesh = chart.configure_mesh();
        mesh.disable_x_mesh()
            .bold_line_style(Ink::Grid.color())
            .light_line_style(TRANSPARENT)
            .axis_style(Ink::Axis.color());
        mesh.axis_desc_style(text(Ink::Text)).label_style(text(Ink::Axis)).x_labels(6).y_labels(6);
        mesh.x_desc("confidence").y_desc("share right").draw()?;
        let room = 0.1 / found.bins.len().max(1) as f64;
        for bin in found.bins.iter().filter(|bin| bin.spans > 0) {
            let bar = [(bin.from + room, 0.), (bin.to - room, bin.precision)];
            chart.draw_series([Rectangle::new(bar, Ink::Good.color().filled())])?;
        }
        chart.draw_series([PathElement::new([(0., 0.), (1., 1.)], Ink::Axis.color().stroke_width(1))])?;
        for bin in found.bins.iter().filter(|bin| bin.spans > 0) {
            let place = (bin.confidence, bin.precision);
            chart.draw_series([Circle::new(place, 4, Ink::Text.color().filled())])?;
        }
        Ok(())
    })?;
    let title = "Reliability of confidences".to_owned();
    let description = format!(
        "{title}: expected calibration error {:.2} %, largest gap {:.2} %, {} spans.",
        100. * found.expected_error,
        100. * found.largest_error,
        found.spans
    );
    Ok(Figure { title, description, legend: Vec::new(), svg })
}
