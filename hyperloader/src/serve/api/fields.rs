//! Fields that hold one thing or several, and objects.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// What an object says. Without this, serde also reads a list, as the values of the fields in their order.
#[derive(Debug, Default)]
pub(super) struct Object<T>(pub(super) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Read<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Object<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Object)
            }
        }
        deserializer.deserialize_map(Read(PhantomData))
    }
}

/// A text, or a list of them: `"fly to Oslo"` or `["fly to Oslo", "stop"]`.
///
/// It is read by hand because an untagged enum of serde forgets where in a list the error is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Texts {
    pub(super) texts: Vec<String>,
    /// Whether it was a list.
    pub(super) is_list: bool,
}

/// A text, or a list of texts.
#[derive(Debug, utoipa::ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "it is only described")]
pub(super) enum OneOrMany {
    /// One text.
    One(String),
    /// Several texts.
    Many(Vec<String>),
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Texts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text or a list of texts")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Texts, E> {
                Ok(Texts { texts: vec![text.to_owned()], is_list: false })
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Texts, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = list.next_element()? {
                    texts.push(text);
                }
                Ok(Texts { texts, is_list: true })
            }
        }
        deserializer.deserialize_any(Read)
    }
}

/// The words of one text, or of several: `["fly", "to", "Oslo"]` or `[["fly", "to", "Oslo"], ["stop"]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WordLists(pub(super) Vec<Vec<String>>);

/// The words of one text, or of several texts.
#[derive(Debug, utoipa::ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "it is only described")]
pub(super) enum OneOrManyLists {
    /// The words of one text.
    One(Vec<String>),
    /// The words of several texts.
    Many(Vec<Vec<String>>),
}

impl<'de> Deserialize<'de> for WordLists {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = WordLists;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of words or a list of such lists")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<WordLists, A::Error> {
                match list.next_element_seed(Element(PhantomData, None))? {
                    None => Ok(WordLists(Vec::new())),
                    Some(OneOrList::Word(first)) => {
                        let mut words = vec![first];
                        while let Some(OneOrList::Word(word)) =
                            list.next_element_seed(Element(PhantomData, Some(false)))?
                        {
                            words.push(word);
                        }
                        Ok(WordLists(vec![words]))
                    }
                    Some(OneOrList::List(first)) => {
                        let mut lists = vec![first];
                        while let Some(OneOrList::List(words)) =
                            list.next_element_seed(Element(PhantomData, Some(true)))?
                        {
                            lists.push(words);
                        }
                        Ok(WordLists(lists))
                    }
                }
            }
        }
        deserializer.deserialize_seq(Read)
    }
}

enum OneOrList {
    Word(String),
    List(Vec<String>),
}

/// An element of a list: a list if the flag is set, a word if it is not, either if there is none.
struct Element<'de>(PhantomData<&'de ()>, Option<bool>);

impl<'de> DeserializeSeed<'de> for Element<'de> {
    type Value = OneOrList;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<OneOrList, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Element<'de> {
    type Value = OneOrList;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.1 {
            None => "a word or a list of words",
            Some(true) => "a list of words, as the first one",
            Some(false) => "a word, as the first one",
        })
    }

    fn visit_str<E: Error>(self, word: &str) -> Result<OneOrList, E> {
        match self.1 {
            Some(true) => Err(E::invalid_type(serde::de::Unexpected::Str(word), &self)),
            _ => Ok(OneOrList::Word(word.to_owned())),
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<OneOrList, A::Error> {
        if self.1 == Some(false) {
            return Err(A::Error::invalid_type(serde::de::Unexpected::Seq, &self));
        }
        let mut words = Vec::new();
        while let Some(word) = list.next_element()? {
            words.push(word);
        }
        Ok(OneOrList::List(words))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn words(text: &str) -> Result<Vec<Vec<String>>, String> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let read: Result<WordLists, _> = serde_path_to_error::deserialize(&mut reader);
        read.map(|lists| lists.0).map_err(|error| error.to_string())
    }

    #[test]
    fn one_text_or_several() {
        let texts = |text: &str| serde_json::from_str::<Texts>(text).map(|texts| (texts.texts, texts.is_list));
        assert_eq!(texts("\"a\"").unwrap(), (vec!["a".to_owned()], false));
        assert_eq!(texts("[\"a\", \"b\"]").unwrap(), (vec!["a".to_owned(), "b".to_owned()], true));
        assert!(texts("3").unwrap_err().to_string().contains("expected a text or a list of texts"));
    }

    #[test]
    fn the_words_of_one_text_or_of_several() {
        assert_eq!(words("[\"a\", \"b\"]").unwrap(), [["a", "b"]]);
        assert_eq!(words("[[\"a\"], [\"b\"], []]").unwrap(), [vec!["a"], vec!["b"], vec![]]);
        assert_eq!(words("[]").unwrap(), Vec::<Vec<String>>::new());
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (text, place) in
            [("[\"a\", [\"b\"]]", "[1]: "), ("[[\"a\"], \"b\"]", "[1]: "), ("[[\"a\", 3]]", "[0][1]: ")]
        {
            let message = words(text).unwrap_err();
            assert!(message.starts_with(place), "{text}: {message}");
        }
    }
}
