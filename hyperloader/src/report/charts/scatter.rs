//! F1 against the share of trainable parameters: the paper's figure 2.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::canvas::{anchored, draw, limits, short, text};
use super::ink::Ink;
use super::{Figure, LegendItem};
use crate::Result;

/// One model.
#[derive(Debug, Clone)]
pub(in crate::report) struct Point {
    pub(in crate::report) label: String,
    /// Trainable parameters, in percent of all.
    pub(in crate::report) trainable: f64,
    /// F1 in percent.
    pub(in crate::report) f1: f64,
    /// Whether the paper reports it.
    pub(in crate::report) is_of_paper: bool,
}

/// The points with a logarithmic share of parameters; points of the paper are hollow. `None` if there is no point.
///
/// # Errors
/// [`Error::Internal`](crate::Error::Internal) if the chart cannot be drawn.
pub(in crate::report) fn scatter_chart(title: &str, points: &[Point]) -> Result<Option<Figure>> {
    let points: Vec<&Point> = points.iter().filter(|point| point.trainable > 0. && point.f1.is_finite()).collect();
    if points.is_empty() {
        return Ok(None);
    }
    let share = points.iter().map(|point| point.trainable);
    let (low, high) = share.fold((f64::INFINITY, 0_f64), |(low, high), share| (low.min(share), high.max(share)));
    let f1 = limits(points.iter().map(|point| point.f1));
    let svg = draw((760, 360), |area| {
        let mut chart = ChartBuilder::on(area);
        chart.margin(12).x_label_area_size(42).y_label_area_size(58);
        let mut chart = chart.build_cartesian_2d((low / 1.6..high * 1.6).log_scale(), f1)?;
        let mut mesh = chart.configure_mesh();
        mesh.bold_line_style(Ink::Grid.color()).light_line_style(TRANSPARENT).axis_style(Ink::Axis.color());
        mesh.x_desc("trainable parameters, % of all").y_desc("mean micro-F1 (%)");
        mesh.axis_desc_style(text(Ink::Text)).label_style(text(Ink::Axis)).y_label_formatter(&short).y_labels(6);
        mesh.x_label_formatter(&|share| format!("{}", (share * 1000.).round() / 1000.)).draw()?;
        for (number, point) in points.iter().enumerate() {
            let place = (point.trainable, point.f1);
            let style = match point.is_of_paper {
                true => Ink::Mark(number).color().stroke_width(2),
                false => Ink::Mark(number).color().filled(),
            };
            chart.draw_series([Circle::new(place, 6, style)])?;
            // Points that nearly coincide keep their numbers apart.
            let shift = if number.is_multiple_of(2) { -7 } else { 7 };
            let sign = anchored(Ink::Text, HPos::Left, VPos::Center);
            chart.draw_series([EmptyElement::at(place) + Text::new((number + 1).to_string(), (10, shift), sign)])?;
        }
        Ok(())
    })?;
    let say = |point: &&Point| format!("{} {:.2} at {:.3} %", point.label, point.f1, point.trainable);
    let said: Vec<String> = points.iter().map(say).collect();
    let item = |(number, point): (usize, &&Point)| {
        let circle = if point.is_of_paper { "○" } else { "●" };
        LegendItem::points(&point.label, number, format!("{circle} {}", number + 1))
    };
    let legend = points.iter().enumerate().map(item).collect();
    Ok(Some(Figure { title: title.to_owned(), description: format!("{title}: {}.", said.join("; ")), legend, svg }))
}
