//! The name of an encoding.

use std::fmt;
use std::str::FromStr;

use encoding_rs::{Encoding, UTF_8};
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// An encoding of text by its usual name: `utf-8`, `utf-16le`, `windows-1252`, `iso-8859-1`, `shift_jis`, `gb18030`, ….
///
/// All names of the WHATWG standard are known, so `latin1` and `iso-8859-1` mean `windows-1252`.
///
/// ```
/// use datasets::read::TextEncoding;
/// let encoding: TextEncoding = "latin1".parse()?;
/// assert_eq!(encoding.to_string(), "windows-1252");
/// assert!("latin-99".parse::<TextEncoding>().is_err());
/// # Ok::<(), datasets::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TextEncoding(&'static Encoding);

impl TextEncoding {
    pub(super) const UTF_8: Self = Self(UTF_8);

    pub(super) fn new(encoding: &'static Encoding) -> Self {
        Self(encoding)
    }

    pub(super) fn encoding(self) -> &'static Encoding {
        self.0
    }
}

impl fmt::Display for TextEncoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0.name().to_ascii_lowercase())
    }
}

impl FromStr for TextEncoding {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Encoding::for_label_no_replacement(name.as_bytes()).map(Self).ok_or_else(|| Error::UnknownName {
            what: "encoding",
            name: name.to_owned(),
            known: "utf-8, utf-16le, utf-16be, windows-1250 to windows-1258, iso-8859-2 to iso-8859-16, koi8-r, \
                    macintosh, big5, gbk, gb18030, euc-jp, shift_jis, euc-kr"
                .to_owned(),
            nearest: None,
        })
    }
}

impl TryFrom<String> for TextEncoding {
    type Error = Error;

    fn try_from(name: String) -> Result<Self, Error> {
        name.parse()
    }
}

impl From<TextEncoding> for String {
    fn from(encoding: TextEncoding) -> Self {
        encoding.to_string()
    }
}
