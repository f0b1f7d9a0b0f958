//! All tables as Markdown.

use super::Table;

/// The first line, by which a report knows its own file again.
pub(in crate::report) const MARKDOWN_HEAD: &str = "<!-- written by hyperloader report -->";

/// The tables under headings.
pub(in crate::report) fn to_markdown<'a>(title: &str, tables: impl IntoIterator<Item = &'a Table>) -> String {
    let mut text = format!("{MARKDOWN_HEAD}\n\n# {}\n", escaped(title));
    for table in tables {
        text += &format!("\n## {}\n\n", escaped(&table.caption));
        text += &line(table.head.iter().map(String::as_str));
        text += &rule(table.head.len());
        for row in &table.rows {
            text += &line(row.iter().map(|cell| cell.text.as_str()));
        }
    }
    text
}

/// The line under the head: names to the left, numbers to the right.
fn rule(columns: usize) -> String {
    format!("| ---{} |\n", " | ---:".repeat(columns.saturating_sub(1)))
}

fn line<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let cells: Vec<String> = cells.map(escaped).collect();
    format!("| {} |\n", cells.join(" | "))
}

/// `text` without a meaning in Markdown, HTML and tables.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' => escaped.push(' '),
            '<' => escaped.push_str("&lt;"),
            '&' => escaped.push_str("&amp;"),
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' => escaped.extend(['\\', c]),
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::super::Cell;
    use super::*;

    #[test]
    fn a_name_cannot_break_out_of_its_cell() {
        let table = Table::new("types", "", "Types").head(["type", "F1"]);
        let table = table.rows([vec![Cell::text("a|b\n<script>"), Cell::percent(0.5)]]);
        let text = to_markdown("Report", [&table]);
        assert!(text.starts_with("<!-- written by hyperloader report -->\n\n# Report\n\n## Types\n\n"), "{text}");
        assert!(text.ends_with("| type | F1 |\n| --- | ---: |\n| a\\|b &lt;script> | 50.00 |\n"), "{text}");
    }
}
