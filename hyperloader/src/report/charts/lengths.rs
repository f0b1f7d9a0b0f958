//! Errors by the length of the sentence.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::Figure;
use super::canvas::{anchored, draw, text};
use super::ink::Ink;
use crate::Result;
use crate::analysis::LengthBin;

/// A bar for each range of lengths: the share of sentences with an error, with the number of sentences above it.
///
/// # Errors
/// [`Error::Internal`](crate::Error::Internal) if the chart cannot be drawn.
pub(in crate::report) fn length_chart(bins: &[LengthBin]) -> Result<Figure> {
    let highest = bins.iter().map(|bin| 100. * bin.error_rate()).fold(1., f64::max);
    let svg = draw((380, 260), |area| {
        let mut chart = ChartBuilder::on(area);
        chart.margin(8).x_label_area_size(42).y_label_area_size(52);
        let mut chart = chart.build_cartesian_2d(0.0..bins.len() as f64, 0.0..highest * 1.15)?;
        let mut mesh = chart.configure_mesh();
        mesh.disable_x_mesh()
            .bold_line_style(Ink::Grid.color())
            .light_line_style(TRANSPARENT)
            .axis_style(Ink::Axis.color());
        mesh.axis_desc_style(text(Ink::Text)).label_style(text(Ink::Axis)).x_labels(0).y_labels(5);
        mesh.x_desc("words").y_desc("with an error (%)").y_label_formatter(&|share| format!("{share:.0}")).draw()?;
        for (number, bin) in bins.iter().enumerate() {
            let (left, share) = (number as f64, 100. * bin.error_rate());
            chart
                .draw_series([Rectangle::new([(left + 0.15, 0.), (left + 0.85, share)], Ink::Bad.color().filled())])?;
            let above = anchored(Ink::Axis, HPos::Center, VPos::Bottom);
            let count = Text::new(bin.sentences.to_string(), (0, -4), above);
            chart.draw_series([EmptyElement::at((left + 0.5, share)) + count])?;
            let below = anchored(Ink::Axis, HPos::Center, VPos::Top);
            chart.draw_series([EmptyElement::at((left + 0.5, 0.)) + Text::new(bin.name(), (0, 6), below)])?;
        }
        Ok(())
    })?;
    let say = |bin: &LengthBin| format!("{} words {:.0} % of {}", bin.name(), 100. * bin.error_rate(), bin.sentences);
    let said: Vec<String> = bins.iter().map(say).collect();
    let title = "Sentences with an error, by length".to_owned();
    let description = format!("{title}; the numbers are those of sentences: {}.", said.join("; "));
    Ok(Figure { title, description, legend: Vec::new(), svg })
}
