//! Drawing into a string.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::ink::{Ink, resolve};
use crate::{Error, Result};

/// The place to draw in.
pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// An error of drawing.
pub(super) type DrawError = plotters::drawing::DrawingAreaErrorKind<std::io::Error>;

/// The SVG that `draw` draws, `width` and `height` in its own units.
pub(super) fn draw(
    (width, height): (u32, u32),
    draw: impl FnOnce(&Area<'_>) -> std::result::Result<(), DrawError>,
) -> Result<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (width, height)).into_drawing_area();
        let drawn = draw(&area).and_then(|()| area.present());
        drawn.map_err(|error| Error::Internal(format!("a chart cannot be drawn: {error}")))?;
    }
    Ok(resolve(&svg))
}

/// Text of the charts.
pub(super) fn text(ink: Ink) -> TextStyle<'static> {
    ("system-ui, sans-serif", 15).into_font().color(&ink.color())
}

/// Text around its point.
pub(super) fn anchored(ink: Ink, horizontal: HPos, vertical: VPos) -> TextStyle<'static> {
    text(ink).pos(Pos::new(horizontal, vertical))
}

/// The limits of `values` with some room, never empty.
pub(super) fn limits(values: impl Iterator<Item = f64>) -> std::ops::Range<f64> {
    let (low, high) =
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
    match low <= high {
        true => {
            let room = ((high - low) * 0.06).max(1e-3 * high.abs()).max(1e-6);
            low - room..high + room
        }
        false => 0.0..1.0,
    }
}

/// A value of an axis, with as few digits as it needs.
pub(super) fn short(value: &f64) -> String {
    format!("{}", (value * 1000.).round() / 1000.)
}
