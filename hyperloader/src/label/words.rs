//! What can be labelled.

use super::item::Item;

/// What can be labelled: raw text, a list of words, or an [`Item`], which is either of the two.
///
/// ```
/// use hyperloader::label::{Item, Words};
/// assert_eq!("book a flight".item(), Item::raw("book a flight"));
/// assert_eq!(["New York", "!"].item(), Item::words(&["New York", "!"]));
/// ```
pub trait Words {
    /// The item to label.
    fn item(&self) -> Item<'_>;
}

impl Words for str {
    fn item(&self) -> Item<'_> {
        Item::raw(self)
    }
}

impl Words for String {
    fn item(&self) -> Item<'_> {
        Item::raw(self.as_str())
    }
}

impl<W: AsRef<str>> Words for [W] {
    fn item(&self) -> Item<'_> {
        Item::words(self)
    }
}

impl<W: AsRef<str>, const N: usize> Words for [W; N] {
    fn item(&self) -> Item<'_> {
        Item::words(self)
    }
}

impl<W: AsRef<str>> Words for Vec<W> {
    fn item(&self) -> Item<'_> {
        Item::words(self)
    }
}

impl Words for Item<'_> {
    fn item(&self) -> Item<'_> {
        self.clone()
    }
}

impl<T: Words + ?Sized> Words for &T {
    fn item(&self) -> Item<'_> {
        (**self).item()
    }
}
