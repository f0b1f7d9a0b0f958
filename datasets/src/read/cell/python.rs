//! Lists as Python prints them: `['a', "b's"]`, `('a', 'b')`, `array(['a', 'b'], dtype=object)`, and as NumPy does: `['a' 'b']`,
//! `[0 3 4]`.

use super::content::Cell;

/// The calls that lists are printed as.
const CALLS: [&str; 8] = ["array(", "np.array(", "numpy.array(", "list(", "tuple(", "set(", "frozenset(", "Index("];

/// What NumPy 2 prints around a text.
const TEXT_CALLS: [&str; 2] = ["np.str_(", "numpy.str_("];

/// Why a set is refused.
const UNORDERED: &str = "a set or a dictionary of Python, which has no order; write a list";

/// The list that `text` is; `None` if it is something else, such as a sentence in brackets. So that a sentence like `[ 'tis ]` stays
/// one, no blank may follow the first bracket of texts.
pub(super) fn list(text: &str) -> Option<Cell> {
    let call = CALLS.iter().find_map(|call| Some((*call, text.strip_prefix(call)?)));
    let Some((call, arguments)) = call else {
        return whole(text);
    };
    let inside = arguments.strip_suffix(')')?;
    if call.contains("set(") {
        return whole(inside).map(|_| Cell::Other(UNORDERED.to_owned()));
    }
    whole(inside).or_else(|| {
        // After the list come `dtype=object` and the like.
        let (list, more) = sequence(inside)?;
        let more = more.trim_start().strip_prefix(',')?.trim_start();
        more.split_once('=').is_some_and(|(name, _)| name.bytes().all(|byte| byte.is_ascii_lowercase())).then_some(list)
    })
}

/// A list with nothing after it.
fn whole(text: &str) -> Option<Cell> {
    let (list, more) = sequence(text)?;
    more.is_empty().then_some(list)
}

/// The list at the beginning of a text, and what follows it.
fn sequence(text: &str) -> Option<(Cell, &str)> {
    let (close, inside) = match text.as_bytes().first()? {
        b'[' => (']', text.get(1..)?),
        b'(' => (')', text.get(1..)?),
        b'{' => ('}', text.get(1..)?),
        _ => return None,
    };
    // NumPy aligns numbers: `[ 0  3 10]`.
    let mut rest = inside.trim_start();
    let aligned = rest.len() < inside.len();
    let mut list = List::default();
    let (mut commas, mut blank) = (0, false);
    loop {
        if let Some(after) = rest.strip_prefix(close) {
            let cell = match close {
                _ if aligned && (close != ']' || blank || list.numbers.len() < list.count.max(1)) => return None,
                ']' => list.cell()?,
                ')' if commas > 0 => list.cell()?,
                '}' if commas > 0 || !list.texts.is_empty() => Cell::Other(UNORDERED.to_owned()),
                _ => return None,
            };
            return Some((cell, after));
        }
        // Only NumPy parts items by blanks, and it has only brackets.
        if close != ']' && list.count > commas {
            return None;
        }
        let (item, after) = item(rest)?;
        list.add(item);
        let parted = after.trim_start();
        blank = parted.len() < after.len();
        rest = match parted.strip_prefix(',') {
            Some(next) => {
                commas += 1;
                next.trim_start()
            }
            None => parted,
        };
    }
}

/// The items of a list.
#[derive(Default)]
struct List {
    count: usize,
    texts: Vec<String>,
    numbers: Vec<i64>,
    /// The first whole number, and the first item that is neither text nor a whole number.
    number: Option<usize>,
    other: Option<(usize, &'static str)>,
}

/// An item of a list.
enum Item {
    Text(String),
    Whole(i64),
    /// Anything else, by its name.
    Other(&'static str),
}

impl List {
    fn add(&mut self, item: Item) {
        self.count += 1;
        match item {
            Item::Text(text) => self.texts.push(text),
            Item::Whole(number) => {
                self.number.get_or_insert(self.count);
                self.numbers.push(number);
            }
            Item::Other(name) => _ = self.other.get_or_insert((self.count, name)),
        }
    }

    /// `None` for a list without any text that is not a list of numbers: it is rather a word than a mistake.
    fn cell(self) -> Option<Cell> {
        let mistake = |(at, what)| Cell::Other(format!("an item of the list is no text but {what} (item {at})"));
        match (self.other, self.number) {
            (Some((at, what)), _) if !self.texts.is_empty() || what == CUT => Some(mistake((at, what))),
            (Some(_), _) => None,
            (None, None) => Some(Cell::Texts(self.texts)),
            (None, Some(_)) if self.texts.is_empty() => Some(Cell::Numbers(self.numbers)),
            (None, Some(at)) => Some(mistake((at, "a number"))),
        }
    }
}

/// What NumPy prints for the middle of a long list.
const CUT: &str = "`...`, where NumPy left items out";

/// The first item and what follows it.
fn item(text: &str) -> Option<(Item, &str)> {
    if let Some(inside) = TEXT_CALLS.iter().find_map(|call| text.strip_prefix(call)) {
        let (text, after) = quoted(inside)?;
        return Some((Item::Text(text), after.strip_prefix(')')?));
    }
    if let Some((text, after)) = quoted(text) {
        return Some((Item::Text(text), after));
    }
    let end = text.find([',', ' ', '\n', '\r', '\t', ']', ')', '}']).unwrap_or(text.len());
    let (word, after) = text.split_at(end);
    let item = match word {
        "None" => Item::Other("None"),
        "True" | "False" => Item::Other("true or false"),
        "..." => Item::Other(CUT),
        _ => match word.parse::<i64>() {
            Ok(number) => Item::Whole(number),
            Err(_) => word.parse::<f64>().ok().map(|_| Item::Other("a number"))?,
        },
    };
    Some((item, after))
}

/// A text in quotes, with escapes replaced, and what follows it. `u'...'` is Python 2's.
fn quoted(text: &str) -> Option<(String, &str)> {
    let text = text.strip_prefix(['u', 'U']).unwrap_or(text);
    let quote = text.chars().next().filter(|first| ['\'', '"'].contains(first))?;
    let mut found = String::new();
    let mut chars = text.get(1..)?.chars();
    loop {
        match chars.next()? {
            '\\' => found.push(escaped(&mut chars)?),
            end if end == quote => return Some((found, chars.as_str())),
            other => found.push(other),
        }
    }
}

fn escaped(chars: &mut std::str::Chars<'_>) -> Option<char> {
    let digits = match chars.next()? {
        'n' => return Some('\n'),
        't' => return Some('\t'),
        'r' => return Some('\r'),
        'x' => 2,
        'u' => 4,
        'U' => 8,
        plain @ ('\\' | '\'' | '"') => return Some(plain),
        _ => return None,
    };
    let digits: String = chars.by_ref().take(digits).collect();
    u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32)
}

/// Whether a text begins like a list, so that [`list`] may know it.
pub(super) fn begins_like_list(text: &str) -> bool {
    text.starts_with(['[', '(', '{']) || CALLS.iter().any(|call| text.starts_with(call))
}

/// Whether a text that is no list was meant as one: it begins like a list of texts and goes on like one, or it is words that
/// only commas separate, in brackets.
pub(super) fn looks_like_list(text: &str) -> bool {
    let text = CALLS.iter().find_map(|call| text.strip_prefix(call)).unwrap_or(text);
    let Some(inside) = text.strip_prefix(['[', '(', '{']) else {
        return false;
    };
    // Round brackets and braces also stand around plain text in quotes.
    let closed = text.starts_with('[') && text.ends_with(']');
    let item = TEXT_CALLS.iter().find_map(|call| inside.strip_prefix(call)).unwrap_or(inside);
    let item = item.strip_prefix(['u', 'b', 'r']).unwrap_or(item);
    match item.strip_prefix(['\'', '"']) {
        Some(rest) => ends_an_item(rest, closed, text.starts_with('{')),
        None => closed && has_commas_only(inside),
    }
}

/// Whether a quote ends an item: a comma and the next item follow or, in a list that is `closed`, a blank or the end, or a colon in a
/// dictionary.
fn ends_an_item(text: &str, closed: bool, dictionary: bool) -> bool {
    text.match_indices(['\'', '"']).any(|(at, _)| {
        let rest = text.get(at + 1..).unwrap_or_default();
        let next = rest.trim_start();
        let listed = next.strip_prefix(',').map(str::trim_start).is_some_and(|next| {
            let begins = ['\'', '"', '[', '{', '(', ']', ')', '}'];
            next.is_empty() || next.starts_with(begins) || TEXT_CALLS.iter().any(|call| next.starts_with(call))
        });
        listed
            || closed && (next.len() < rest.len() || next == "]" || next.starts_with(','))
            || dictionary && next.starts_with(':')
    })
}

/// Whether the words in brackets are `a, b, c`: each but the last ends with a comma.
fn has_commas_only(inside: &str) -> bool {
    let mut words = inside.trim_end_matches(']').split_whitespace().rev();
    let last = words.next().is_some_and(|word| !word.ends_with(','));
    let mut others = words.peekable();
    last && others.peek().is_some() && others.all(|word| word.len() > 1 && word.ends_with(','))
}
