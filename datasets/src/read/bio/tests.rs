//! Which columns are read.
#![allow(clippy::unwrap_used, reason = "tests")]

use super::layout::Layout;
use super::rows::lines;
use crate::read::options::ReadOptions;

fn given(tokens: Option<&str>, tags: Option<&str>) -> ReadOptions {
    let owned = |column: Option<&str>| column.map(str::to_owned);
    ReadOptions { tokens_column: owned(tokens), tags_column: owned(tags), ..ReadOptions::default() }
}

/// The number of columns, and the numbers of those that hold tokens and tags.
fn with(text: &str, options: &ReadOptions) -> Result<Option<[usize; 3]>, String> {
    let found = Layout::of(&lines(text.as_bytes()), options)?;
    Ok(found.map(|layout| [layout.width, layout.token + 1, layout.tag + 1]))
}

fn layout(text: &str) -> Option<[usize; 3]> {
    with(text, &ReadOptions::default()).unwrap()
}

#[test]
fn the_column_that_always_holds_tags_is_the_tag_column() {
    assert_eq!(layout("O\tfly\nB-city\tO"), Some([2, 2, 1]));
    assert_eq!(layout("fly O\nO B-city"), Some([2, 1, 2]));
    assert_eq!(layout("EU NNP B-NP B-ORG\nrejects VBZ B-VP O"), Some([4, 1, 4]));
    assert_eq!(layout("S-city\tfly\nO\tto"), Some([2, 2, 1]));
    assert_eq!(layout("a x B-x _\nb y O _"), Some([4, 1, 3]));
}

#[test]
fn one_bad_row_does_not_change_the_layout() {
    assert_eq!(layout("O\tfly\nB-city\trome\nPER\tO\nO\tto"), Some([2, 2, 1]));
    assert_eq!(layout("a O\nb c O\nd O"), Some([2, 1, 2]));
}

#[test]
fn where_both_columns_look_like_tags_the_last_is_taken() {
    assert_eq!(layout("O O"), Some([2, 1, 2]));
}

#[test]
fn words_alone_have_no_layout() {
    assert_eq!(layout("one\ntwo"), None);
}

#[test]
fn columns_that_count_or_name_the_sentence_are_passed_over() {
    assert_eq!(layout("1 Anna B-x\n2 sings O\n\n1 Oslo B-y"), Some([3, 2, 3]));
    assert_eq!(layout("0 Anna NN B-x\n1 sings VB O"), Some([4, 2, 4]));
    assert_eq!(
        layout("5 Anna B-x\n6 sings O\n\n7 Oslo B-y\n8 is O\n9 far O\n10 and O\n11 x O\n12 y O\n13 z O\n14 w O"),
        Some([3, 2, 3])
    );
    assert_eq!(layout("s1 1 Anna B-x\ns1 2 sings O\n\ns2 1 Oslo B-y\ns2 2 is O"), Some([4, 3, 4]));
    assert_eq!(layout("1 1 Anna B-x\n1 2 sings O\n\n2 1 Oslo B-y\n2 2 is O"), Some([4, 3, 4]));
    assert_eq!(layout("Anna 1 B-x\nsings 2 O"), Some([3, 1, 3]));
    // Two columns leave no choice, also for sentences that count.
    assert_eq!(layout("1 O\n2 O\n\n1 B-x"), Some([2, 1, 2]));
}

#[test]
fn of_outer_and_inner_tags_the_outer_are_read() {
    let rows = "1\tBonn\tB-x\tB-y\n2\tund\tO\tO\n3\tOst\tB-y\tO";
    assert_eq!(layout(rows), Some([4, 2, 3]));
    assert_eq!(with(rows, &given(None, Some("4"))), Ok(Some([4, 2, 4])));
    // Types inside may be others, and none may be shared.
    assert_eq!(layout("1\tFC\tB-ORG\tO\n2\tX\tI-ORG\tB-LOC"), Some([4, 2, 3]));
    // Chunks and names have different types.
    assert_eq!(layout("1 EU B-NP B-x\n2 rejects B-VP O"), Some([4, 2, 4]));
    // Without numbers the last column is read: it may hold predictions.
    assert_eq!(layout("Bonn B-x B-x\nund O O"), Some([3, 1, 3]));
}

#[test]
fn a_sentence_may_begin_with_a_word_of_two_tokens() {
    assert_eq!(layout("1-2 del _ O\n1 de X B-x\n2 el X O\n\n1 a X O\n2 b X O"), Some([4, 2, 4]));
}

#[test]
fn columns_are_given_by_number_or_by_name() {
    let rows = "a NN O x\nb VB B-x y";
    assert_eq!(with(rows, &given(Some("2"), Some("3"))), Ok(Some([4, 2, 3])));
    assert_eq!(with(rows, &given(None, Some("3"))), Ok(Some([4, 1, 3])));
    let error = with(rows, &given(None, Some("ner"))).unwrap_err();
    assert!(error.contains("no column `ner`") && error.contains("a number from 1 to 4"), "{error}");
    let plus = format!("# global.columns = FORM POS NER MISC\n{rows}");
    assert_eq!(with(&plus, &given(Some("form"), Some("ner"))), Ok(Some([4, 1, 3])));
    let header = format!("form pos ner misc\n{rows}");
    assert_eq!(with(&header, &given(Some("pos"), Some("ner"))), Ok(Some([4, 2, 3])));
}

/// What is said about the columns.
fn notes(text: &str) -> String {
    Layout::of(&lines(text.as_bytes()), &ReadOptions::default()).unwrap().unwrap().notes.join("; ")
}

#[test]
fn ids_with_gaps_or_letters_are_no_words() {
    for rows in [
        "3 Anna B-x\n5 sings O\n9 there O\n\n2 Oslo B-y",
        "T1 Anna B-x\nT2 sings O\n\nT3 Oslo B-y",
        "1.1 Anna B-x\n1.2 sings O\n\n2.1 Oslo B-y\n2.2 is O",
        "1-1 Anna B-x\n1-2 sings O\n\n2-1 Oslo B-y",
        "w007 Anna B-x\nw010 sings O",
    ] {
        assert_eq!(layout(rows), Some([3, 2, 3]), "{rows}");
        assert!(notes(rows).contains("column 1 numbers the tokens and is not read"), "{rows}");
    }
    // WebAnno: the number of the sentence and the token, the characters, the word.
    assert_eq!(layout("1-1\t0-4\tAnna\tB-x\n1-2\t5-10\tsings\tO"), Some([4, 3, 4]));
    // Words that end with a digit among others are words.
    assert_eq!(layout("F16 N B-x\nF22 N B-x\nfly V O"), Some([3, 1, 3]));
}

#[test]
fn words_that_may_be_ids_are_said() {
    for rows in ["7 Anna B-x\n3 sings O", "12 O\n7 B-x"] {
        assert_eq!(layout(rows).unwrap()[1], 1);
        assert!(notes(rows).contains("column 1 is taken as the tokens although it holds numbers or ids"), "{rows}");
    }
    assert_eq!(notes("Anna B-x\n7 O\nsings O"), "");
}

#[test]
fn one_column_may_be_given_alone() {
    let header = "id form pos ner misc\n1 a NN O x\n2 b VB B-x y";
    assert_eq!(with(header, &given(Some("form"), None)), Ok(Some([5, 2, 4])));
    assert_eq!(with(header, &given(None, Some("NER"))), Ok(Some([5, 2, 4])));
    assert_eq!(with("w x y\na B-x O\nb O B-x", &given(None, Some("x"))), Ok(Some([3, 1, 2])));
    // The other column is never the same.
    assert_eq!(with("a O\nb B-x", &given(Some("2"), None)), Ok(Some([2, 2, 1])));
    assert_eq!(with("a b O\nb c B-x", &given(Some("3"), None)), Ok(Some([3, 3, 1])));
}

#[test]
fn a_first_line_of_names_is_no_token_also_where_types_are_bare() {
    for names in ["token tag", "Word LABEL", "text ner", "form\tlabels"] {
        let blank = if names.contains('\t') { "\t" } else { " " };
        let rows = format!("{names}\nAnna{blank}PER\nsings{blank}O\n\nto{blank}O\nOslo{blank}LOC\n");
        assert_eq!(notes(&rows), "the first line names the columns", "{names}");
    }
    // A type may have such a name.
    assert_eq!(notes("word label\nAnna label\nsings O"), "");
    // The names choose the columns.
    assert_eq!(layout("tag pos word\nO V sings\nB-x N O"), Some([3, 3, 1]));
}
