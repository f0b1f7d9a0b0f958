//! Colors that the page decides.

use plotters::style::RGBColor;

/// The number of colors of series. They are those of Okabe and Ito, which people with any color vision tell apart.
const SERIES: u8 = 8;

/// The dashes of series, so that lines differ without color and in print.
const DASHES: [&str; 4] = ["", "7 3", "2 3", "9 3 2 3"];

/// What a color is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ink {
    Text,
    Axis,
    Grid,
    /// The line of the series with this number.
    Series(usize),
    /// A filled mark in the color of the series with this number.
    Mark(usize),
    Good,
    Bad,
}

impl Ink {
    /// The color that marks this ink until [`resolve`] replaces it.
    pub(super) fn color(self) -> RGBColor {
        let numbered = |kind: u8, number: usize| RGBColor(0xFE, kind, (number % 32) as u8);
        match self {
            Self::Text => numbered(1, 0),
            Self::Axis => numbered(2, 0),
            Self::Grid => numbered(3, 0),
            Self::Good => numbered(4, 0),
            Self::Bad => numbered(5, 0),
            Self::Series(number) => numbered(6, number),
            Self::Mark(number) => numbered(7, number),
        }
    }
}

/// The CSS variable of the series with `number`.
pub(super) fn series_variable(number: usize) -> String {
    format!("var(--series-{})", number % usize::from(SERIES))
}

/// The dashes of the series with `number`.
pub(super) fn dashes(number: usize) -> &'static str {
    DASHES.get((number + number / usize::from(SERIES)) % DASHES.len()).copied().unwrap_or_default()
}

/// `svg` with CSS variables instead of the colors that stand for inks.
pub(super) fn resolve(svg: &str) -> String {
    let mut resolved = String::with_capacity(svg.len());
    let mut rest = svg;
    while let Some((before, after)) = rest.split_once("\"#FE") {
        let digits = |range| after.get(range).and_then(|text| u8::from_str_radix(text, 16).ok());
        resolved += before;
        let ink = digits(0..2).zip(digits(2..4)).and_then(|(kind, number)| paint(kind, usize::from(number)));
        match ink {
            Some(paint) => {
                resolved += &paint;
                rest = after.get(5..).unwrap_or_default();
            }
            None => {
                resolved += "\"#FE";
                rest = after;
            }
        }
    }
    resolved + rest
}

/// The attribute's value, with its quotes, and what goes with it.
fn paint(kind: u8, number: usize) -> Option<String> {
    Some(match kind {
        1 => "\"var(--ink)\"".to_owned(),
        2 => "\"var(--muted)\"".to_owned(),
        3 => "\"var(--grid)\"".to_owned(),
        4 => "\"var(--good)\"".to_owned(),
        5 => "\"var(--bad)\"".to_owned(),
        6 if dashes(number).is_empty() => format!("\"{}\"", series_variable(number)),
        6 => format!("\"{}\" stroke-dasharray=\"{}\"", series_variable(number), dashes(number)),
        7 => format!("\"{}\"", series_variable(number)),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colors_become_variables_and_other_text_stays() {
        let svg =
            "<line stroke=\"#FE0601\"/><text fill=\"#FE0100\">\n&quot;#FE0100&quot; é\n</text><rect fill=\"#FEFFFF\"/>";
        assert_eq!(
            resolve(svg),
            "<line stroke=\"var(--series-1)\" stroke-dasharray=\"7 3\"/><text fill=\"var(--ink)\">\n&quot;#FE0100&quot; é\n</text>\
             <rect fill=\"#FEFFFF\"/>"
        );
    }
}
