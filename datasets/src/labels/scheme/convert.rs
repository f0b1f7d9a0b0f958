//! Tags of any scheme as IOB2, and IOB2 as tags of any scheme.

use super::names::TagScheme;
use super::roles::{Raw, Role, is_letter};
use crate::error::{Error, Result};
use crate::labels::tag::Tag;

/// A tag that the scheme does not have.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// The index of its token.
    pub(crate) at: usize,
    /// What is wrong with it.
    pub(crate) reason: String,
}

/// The span that a token may continue.
#[derive(Clone, Copy, Default)]
struct Open<'a> {
    kind: Option<&'a str>,
    /// Whether the scheme demands that the span goes on: it has begun, and its end is marked.
    unfinished: bool,
}

/// What a tag means after the tags before it.
#[derive(Debug, PartialEq, Eq)]
enum Meaning<'a> {
    Outside,
    Begin(&'a str),
    Inside(&'a str),
    /// The scheme has no such tag.
    Unknown,
}

/// Changes tags of `scheme` to IOB2 in place. Returns the number of tags that break the rules of the scheme.
///
/// Tags of `iob2` stay as they are, also an `I-X` that begins a span.
///
/// # Errors
/// The first tag that the scheme does not have.
pub(crate) fn to_iob2(scheme: TagScheme, tags: &mut [String]) -> Result<usize, Malformed> {
    if scheme == TagScheme::Iob2 {
        for (at, tag) in tags.iter().enumerate() {
            Tag::parse(tag).map_err(|error| Malformed { at, reason: error.to_string() })?;
        }
        return Ok(violations(scheme, tags));
    }
    let mut broken = 0;
    let mut converted = Vec::with_capacity(tags.len());
    let mut open = Open::default();
    for (at, tag) in tags.iter().enumerate() {
        let (meaning, breaks) = meaning(scheme, tag, &mut open);
        broken += breaks;
        converted.push(match meaning {
            Meaning::Outside => Tag::Outside.to_string(),
            Meaning::Begin(kind) => Tag::Begin(kind).to_string(),
            Meaning::Inside(kind) => Tag::Inside(kind).to_string(),
            Meaning::Unknown => return Err(Malformed { at, reason: unknown(scheme, tag) }),
        });
    }
    broken += usize::from(open.unfinished);
    for (tag, new) in tags.iter_mut().zip(converted) {
        *tag = new;
    }
    Ok(broken)
}

/// The number of tags that break the rules of the scheme.
pub(super) fn violations<S: AsRef<str>>(scheme: TagScheme, tags: &[S]) -> usize {
    let mut open = Open::default();
    let mut broken = 0;
    for tag in tags {
        broken += meaning(scheme, tag.as_ref(), &mut open).1;
    }
    broken + usize::from(open.unfinished)
}

/// The meaning of the next tag, and how many rules it breaks.
fn meaning<'a>(scheme: TagScheme, tag: &'a str, open: &mut Open<'a>) -> (Meaning<'a>, usize) {
    let before = std::mem::take(open);
    let cut = usize::from(before.unfinished);
    let (role, kind) = match (Raw::of(tag), scheme) {
        (Raw::Outside, _) => return (Meaning::Outside, cut),
        (Raw::Malformed, _) => return (Meaning::Unknown, cut + 1),
        (Raw::Marked(..) | Raw::Bare(_), TagScheme::Bare) => (Some(Role::Inside), tag),
        (Raw::Marked(letter, kind), _) => (scheme.role(letter), kind),
        (Raw::Bare(_), _) => return (Meaning::Unknown, cut + 1),
    };
    let Some(role) = role else {
        return (Meaning::Unknown, cut + 1);
    };
    let continues = before.kind == Some(kind);
    let ends = scheme.marks_ends();
    *open = match role {
        // A marked end closes the span: what follows cannot continue it.
        Role::End | Role::Single => Open::default(),
        Role::Begin | Role::Inside => Open { kind: Some(kind), unfinished: ends },
    };
    match (role, continues) {
        (Role::Begin, follows) => {
            let wrong = scheme == TagScheme::Iob1 && !follows || scheme == TagScheme::Io;
            (Meaning::Begin(kind), cut + usize::from(wrong))
        }
        (Role::Single, _) => (Meaning::Begin(kind), cut),
        (Role::Inside | Role::End, true) => (Meaning::Inside(kind), 0),
        (Role::Inside | Role::End, false) => {
            let wrong = ends || scheme == TagScheme::Iob2;
            (Meaning::Begin(kind), cut + usize::from(wrong))
        }
    }
}

fn unknown(scheme: TagScheme, tag: &str) -> String {
    let expected = match scheme {
        TagScheme::Bare => "`O` or a type".to_owned(),
        TagScheme::Io => "`O` or `I-TYPE`".to_owned(),
        _ => {
            let [begin, inside, end, single] = scheme.letters().map(char::from);
            let ends = match scheme.marks_ends() {
                true => format!(", `{end}-TYPE`, `{single}-TYPE`"),
                false => String::new(),
            };
            format!("`O`, `{begin}-TYPE`, `{inside}-TYPE`{ends}")
        }
    };
    format!("malformed tag {tag:?}: expected {expected} without whitespace, because the tag scheme is {scheme}")
}

/// IOB2 tags in another scheme. An `I-X` that continues no span begins one.
///
/// `io` and `bare` cannot tell neighbors of one type apart: they become one span.
///
/// # Errors
/// [`Error::MalformedTag`]; [`Error::Invalid`] for a type that would be read as something else in the scheme `bare`.
///
/// ```
/// use datasets::labels::{TagScheme, from_iob2};
/// let tags = ["B-city", "I-city", "B-city", "O"];
/// assert_eq!(from_iob2(&tags, TagScheme::Bioes)?, ["B-city", "E-city", "S-city", "O"]);
/// assert_eq!(from_iob2(&tags, TagScheme::Iob1)?, ["I-city", "I-city", "B-city", "O"]);
/// # Ok::<(), datasets::Error>(())
/// ```
pub fn from_iob2<S: AsRef<str>>(tags: &[S], scheme: TagScheme) -> Result<Vec<String>> {
    let parsed: Vec<Tag<'_>> = tags.iter().map(|tag| Tag::parse(tag.as_ref())).collect::<Result<_>>()?;
    let [begin, inside, end, single] = scheme.letters().map(char::from);
    let mut written = Vec::with_capacity(parsed.len());
    for (at, tag) in parsed.iter().enumerate() {
        let Some(kind) = tag.kind() else {
            written.push(Tag::Outside.to_string());
            continue;
        };
        let before = at.checked_sub(1).and_then(|before| parsed.get(before)?.kind()) == Some(kind);
        let starts = matches!(tag, Tag::Begin(_)) || !before;
        let goes_on = parsed.get(at + 1) == Some(&Tag::Inside(kind));
        written.push(match (scheme, starts, goes_on) {
            (TagScheme::Bare, ..) => bare(kind)?,
            (TagScheme::Io, ..) => format!("I-{kind}"),
            (TagScheme::Iob1, true, _) if !before => format!("I-{kind}"),
            (_, true, true) => format!("{begin}-{kind}"),
            (_, true, false) => format!("{single}-{kind}"),
            (_, false, true) => format!("{inside}-{kind}"),
            (_, false, false) => format!("{end}-{kind}"),
        });
    }
    Ok(written)
}

/// A type as a tag of its own, if it is not read as something else.
fn bare(kind: &str) -> Result<String> {
    match Raw::of(kind) {
        Raw::Bare(_) if !is_letter(kind) => Ok(kind.to_owned()),
        _ => Err(Error::Invalid(format!("the type `{kind}` cannot be a tag in the scheme bare; write another scheme"))),
    }
}
