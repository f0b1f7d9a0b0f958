//! All tables as one CSV, a line for each cell.

use super::Table;

/// The columns.
pub(in crate::report) const CSV_HEAD: [&str; 6] = ["table", "subject", "row", "column", "value", "sd"];

/// The tables in long form: `table,subject,row,column,value,sd`. A filter and a pivot give each table back.
///
/// The rules are those of RFC 4180, with `\n` as the end of a line.
pub(in crate::report) fn to_csv<'a>(tables: impl IntoIterator<Item = &'a Table>) -> String {
    let mut text = line(CSV_HEAD);
    for table in tables {
        for row in &table.rows {
            let Some((name, cells)) = row.split_first() else { continue };
            for (column, cell) in table.head.iter().skip(1).zip(cells) {
                let value = cell.value.map_or_else(|| cell.text.clone(), |value| value.to_string());
                let spread = cell.spread.map(|spread| spread.to_string()).unwrap_or_default();
                text += &line([table.section, &table.subject, &name.text, column, &value, &spread]);
            }
        }
    }
    text
}

fn line(fields: [&str; 6]) -> String {
    fields.map(quoted).join(",") + "\n"
}

/// `field` in quotes if it needs them.
fn quoted(field: &str) -> String {
    match field.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Cell;
    use super::*;

    #[test]
    fn a_cell_is_a_line_and_names_are_quoted_where_they_must_be() {
        let table = Table::new("types", "run, one · home", "").head(["type", "F1", "support"]);
        let score = Cell { spread: Some(0.5), ..Cell::percent(0.25) };
        let table = table.rows([vec![Cell::text("a \"b\""), score, Cell::count(3)]]);
        assert_eq!(
            to_csv([&table]),
            "table,subject,row,column,value,sd\n\
             types,\"run, one · home\",\"a \"\"b\"\"\",F1,25,0.5\n\
             types,\"run, one · home\",\"a \"\"b\"\"\",support,3,\n"
        );
    }
}
