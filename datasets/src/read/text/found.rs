//! What was found out about a text.

use std::fmt;

use serde::Serialize;

/// The outside of a text file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TextFound {
    /// The name of the encoding, in lower case.
    pub encoding: String,
    /// Whether a byte order mark said so.
    pub byte_order_mark: bool,
    /// How lines end; `None` if there is only one.
    pub line_ends: Option<LineEnds>,
    /// The number of `\r` that end no line, because most lines end with `\n`.
    pub returns_in_lines: usize,
    /// `gzip` or `zstd` if the file is compressed.
    pub compression: Option<&'static str>,
}

/// How the lines of a text end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum LineEnds {
    /// `\n`, as on Linux.
    Lf,
    /// `\r\n`, as on Windows.
    CrLf,
    /// `\r`, as on very old Macs.
    Cr,
    /// Both `\n` and `\r\n`.
    Mixed,
    /// At least half of them with `\r`, the others with `\n` or `\r\n`.
    MostlyCr,
}

impl LineEnds {
    /// The line ends of a text, and the number of `\r` that are none. Most texts have no `\r`, which is found out fast.
    pub(super) fn of(text: &[u8]) -> (Option<Self>, usize) {
        match (text.contains(&b'\n'), text.contains(&b'\r')) {
            (false, false) => (None, 0),
            (false, true) => (Some(Self::Cr), 0),
            (true, false) => (Some(Self::Lf), 0),
            (true, true) => Self::of_mixed(text),
        }
    }

    /// The same for a text with both characters.
    fn of_mixed(text: &[u8]) -> (Option<Self>, usize) {
        let (mut newlines, mut windows, mut lone) = (0, 0, 0);
        for line in text.split_inclusive(|&byte| byte == b'\n') {
            let (body, ended) = without_end(line);
            lone += body.iter().filter(|&&byte| byte == b'\r').count();
            newlines += usize::from(ended);
            windows += usize::from(ended && body.len() + 1 < line.len());
        }
        match (windows, lone) {
            (_, lone) if lone >= newlines => (Some(Self::MostlyCr), 0),
            (0, lone) => (Some(Self::Lf), lone),
            (windows, lone) if windows == newlines => (Some(Self::CrLf), lone),
            (_, lone) => (Some(Self::Mixed), lone),
        }
    }
}

/// A line without its `\n` and every `\r` before that (files that were converted twice have several), and whether it had a `\n`.
pub(super) fn without_end(line: &[u8]) -> (&[u8], bool) {
    match line.strip_suffix(b"\n") {
        None => (line, false),
        Some(body) => {
            let length = body.iter().rposition(|&byte| byte != b'\r').map_or(0, |last| last + 1);
            (body.get(..length).unwrap_or_default(), true)
        }
    }
}

impl TextFound {
    /// Whether a person should be told, because the lines could be others.
    pub(in crate::read) fn is_notable(&self) -> bool {
        self.returns_in_lines > 0 || self.line_ends == Some(LineEnds::MostlyCr)
    }
}

impl fmt::Display for LineEnds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lf => "\\n",
            Self::CrLf => "\\r\\n",
            Self::Cr => "\\r",
            Self::Mixed => "\\n and \\r\\n",
            Self::MostlyCr => "\\r, some \\n or \\r\\n",
        })
    }
}

impl fmt::Display for TextFound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(compression) = self.compression {
            write!(f, "{compression}, ")?;
        }
        f.write_str(&self.encoding)?;
        if self.byte_order_mark {
            f.write_str(" with a byte order mark")?;
        }
        if let Some(ends) = self.line_ends {
            write!(f, ", line ends {ends}")?;
        }
        match self.returns_in_lines {
            0 => Ok(()),
            count => write!(f, ", {count} \\r inside of lines, which end no line"),
        }
    }
}
