//! What can be labelled.

/// A sentence to be labelled: raw text, which is split at white space, or a list of words.
///
/// ```
/// use hyperloader::label::Words;
/// assert_eq!("book a  flight".words(), ["book", "a", "flight"]);
/// assert_eq!(["New York", "!"].words(), ["New York", "!"]);
/// ```
pub trait Words {
    /// The words, in order.
    fn words(&self) -> Vec<String>;
}

impl Words for str {
    fn words(&self) -> Vec<String> {
        self.split_whitespace().map(str::to_owned).collect()
    }
}

impl Words for String {
    fn words(&self) -> Vec<String> {
        self.as_str().words()
    }
}

impl<W: AsRef<str>> Words for [W] {
    fn words(&self) -> Vec<String> {
        self.iter().map(|word| word.as_ref().to_owned()).collect()
    }
}

impl<W: AsRef<str>, const N: usize> Words for [W; N] {
    fn words(&self) -> Vec<String> {
        self.as_slice().words()
    }
}

impl<W: AsRef<str>> Words for Vec<W> {
    fn words(&self) -> Vec<String> {
        self.as_slice().words()
    }
}

impl<T: Words + ?Sized> Words for &T {
    fn words(&self) -> Vec<String> {
        (**self).words()
    }
}
