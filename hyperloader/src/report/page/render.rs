//! The template, filled.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, Value, context};

use super::contents::Page;
use crate::report::browser::BrowserData;
use crate::{Error, Result};

/// `page` as HTML, with the sentences of `browser` as data for the script.
///
/// Every value is escaped, except charts, whose writer escapes, and the data, in which no `<` is left.
pub(super) fn render(page: &Page, browser: &BrowserData) -> Result<String> {
    let failed = |error: minijinja::Error| Error::Internal(format!("the page cannot be made: {error:#}"));
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().map_err(failed)?;
    environment.set_syntax(syntax);
    environment.add_template("page", include_str!("page.html")).map_err(failed)?;
    let safe = |text: &str| Value::from_safe_string(text.to_owned());
    let data =
        serde_json::to_string(browser).map_err(|error| Error::Internal(format!("the data of the page: {error}")))?;
    let values = context! {
        page => Value::from(Serde(page)),
        style => safe(concat!(include_str!("../../look/base.css"), include_str!("style.css"))),
        script => safe(concat!(include_str!("../../look/theme.js"), include_str!("script.js"))),
        data => safe(&in_script(&data)),
    };
    environment.get_template("page").and_then(|template| template.render(values)).map_err(failed)
}

/// JSON that can stand in a `<script>`: an HTML parser sees neither an end tag nor a comment in it.
fn in_script(json: &str) -> String {
    json.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn data_in_a_script_has_no_tags_and_is_the_same_json() {
        let text = "</script><!-- \u{2028} & 'a' \"b\" \u{202e}שלום 🎉";
        let json = in_script(&serde_json::to_string(text).unwrap());
        assert!(!json.contains(['<', '>', '&', '\u{2028}']), "{json}");
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
