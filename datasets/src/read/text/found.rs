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
}

impl LineEnds {
    /// The line ends of a text. Most have no `\r`, which is found out fast.
    pub(super) fn of(text: &[u8]) -> Option<Self> {
        match (text.contains(&b'\n'), text.contains(&b'\r')) {
            (false, false) => None,
            (false, true) => Some(Self::Cr),
            (true, false) => Some(Self::Lf),
            (true, true) => {
                let lines = text.iter().filter(|&&byte| byte == b'\n').count();
                match text.windows(2).filter(|pair| pair == b"\r\n").count() {
                    0 => Some(Self::Lf),
                    both if both == lines => Some(Self::CrLf),
                    _ => Some(Self::Mixed),
                }
            }
        }
    }
}

impl fmt::Display for LineEnds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lf => "\\n",
            Self::CrLf => "\\r\\n",
            Self::Cr => "\\r",
            Self::Mixed => "\\n and \\r\\n",
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
        match self.line_ends {
            Some(ends) => write!(f, ", line ends {ends}"),
            None => Ok(()),
        }
    }
}
