//! Cells of every notation.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::content::Cell;

fn tokens(text: &str) -> Vec<String> {
    Cell::Text(text.to_owned()).tokens().unwrap()
}

fn json(text: &str) -> Cell {
    serde_json::from_str(text).unwrap()
}

#[test]
fn a_text_is_a_json_array_if_it_can_be_one() {
    assert_eq!(tokens(r#"["a b", "c"]"#), ["a b", "c"]);
    assert_eq!(tokens("a  b\tc "), ["a", "b", "c"]);
    assert_eq!(tokens("[ a ]"), ["[", "a", "]"]);
    assert_eq!(tokens("[1] [2]"), ["[1]", "[2]"]);
    assert_eq!(tokens("[1]"), ["[1]"]);
}

#[test]
fn a_text_is_a_python_list_if_it_can_be_one() {
    assert_eq!(tokens(r#"['a b', "it's", 'c\'d', '\\', 'S\xe3o', '"']"#), ["a b", "it's", "c'd", "\\", "São", "\""]);
    assert_eq!(tokens("['EU' 'rejects'\n 'call']"), ["EU", "rejects", "call"]);
    assert_eq!(tokens("[ 'tis ]"), ["[", "'tis", "]"]);
    assert_eq!(tokens("['tis]"), ["['tis]"]);
}

#[test]
fn other_sequences_of_python_and_numpy_are_lists_too() {
    for text in [
        "('to', 'rome')",
        "('to', 'rome',)",
        "[u'to', u\"rome\"]",
        "[np.str_('to'), np.str_('rome')]",
        "array(['to', 'rome'], dtype=object)",
        "array(['to',\n       'rome'], dtype='<U4')",
        "np.array(['to', 'rome'])",
        "['to' 'rome']",
        "list(('to', 'rome'))",
        "Index(['to', 'rome'], dtype='object')",
        "[\"to\", 'rome']",
        "[\"to\", \"rome\",]",
    ] {
        assert_eq!(tokens(text), ["to", "rome"], "{text}");
    }
    assert_eq!(tokens("('rome',)"), ["rome"]);
    for text in ["array([0, 3])", "(0, 3)", "[0\n 3]", "[ 0  3]"] {
        assert_eq!(Cell::Text(text.to_owned()).tags(true).unwrap(), ["0", "3"], "{text}");
    }
}

#[test]
fn what_was_meant_as_a_list_is_refused_and_a_sentence_is_not() {
    for text in [
        "['to', 'rome'",
        "[\"to\", \"rome",
        "['to', rome]",
        "['to' b'rome']",
        "[to, rome]",
        "[\"to\" \"\\q\"]",
        "array(['to', 'rome'",
        "{'to', 'rome'}",
        "{'to': 1}",
        "{\"to\": 1}",
        "set(['to', 'rome'])",
        "['to' 'rome' ... 'now']",
        "[ 'to', 'rome' ]",
        "[1, 2]",
        "(1, 2)",
    ] {
        let cell = Cell::Text(text.to_owned());
        assert!(cell.tokens().is_err(), "{text}");
    }
    for text in [
        "[laughs, then cries]",
        "[ 0 3 ]",
        "('a')",
        "(\"Go\" he said)",
        "{0}",
        "{}",
        "()",
        "[null]",
        "list(a)",
        "(a, b)",
        "[a]",
        "array (a",
        "['tis the season]",
    ] {
        assert_eq!(tokens(text), text.split_whitespace().collect::<Vec<_>>(), "{text}");
    }
    let set = Cell::Text("{'to', 'rome'}".to_owned()).tokens().unwrap_err();
    assert!(set.contains("has no order"), "{set}");
}

#[test]
fn numbers_are_tags_only_where_they_have_names() {
    for text in ["[0, 3]", "[0 3]"] {
        let cell = Cell::Text(text.to_owned());
        assert_eq!(cell.clone().tags(true).unwrap(), ["0", "3"]);
        assert!(cell.tags(false).unwrap_err().contains("tag_names"));
    }
    assert_eq!(json("[0, 3]").tags(true).unwrap(), ["0", "3"]);
    assert!(json("[0, 3]").tokens().unwrap_err().contains("a number"));
}

#[test]
fn what_is_not_text_is_named_and_never_rendered() {
    for (list, what) in [
        (r#"["a", 3.10]"#, "a number (item 2)"),
        (r#"["a", 1e3]"#, "a number (item 2)"),
        (r#"["a", 7]"#, "a number (item 2)"),
        (r#"[true, "a"]"#, "true or false (item 1)"),
        (r#"["a", null]"#, "null (item 2)"),
        (r#"["a", {"text": "b"}]"#, "an object (item 2)"),
        (r#"["a", ["b", "c"]]"#, "a list (item 2)"),
    ] {
        for cell in [json(list), Cell::Text(list.to_owned())] {
            let reason = cell.tokens().unwrap_err();
            assert!(reason.contains("an item of the list is no text") && reason.contains(what), "{list}: {reason}");
        }
    }
    assert!(Cell::Text("['a', None]".to_owned()).tokens().unwrap_err().contains("item 2"));
    assert!(json("5").tokens().unwrap_err().contains("a number"));
    assert!(json("null").tokens().unwrap_err().contains("an empty cell"));
}
