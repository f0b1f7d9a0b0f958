//! A self-contained page with colored spans.

use std::fmt::Write;

use crate::label::Entity;

/// The page before the first text.
pub(super) const HEAD: &str = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>HyperLoader</title>\n<style>\
body{font:16px/1.9 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}p{white-space:pre-wrap}\
mark{border-radius:.3em;padding:.1em .3em;color:#111}mark small{margin-left:.4em;opacity:.7}</style></head><body>\n";
/// The page after the last text.
pub(super) const TAIL: &str = "</body></html>\n";

/// One text as a paragraph, made of `parts`.
pub(super) fn paragraph<'a>(parts: impl IntoIterator<Item = (&'a str, Option<&'a Entity>)>) -> String {
    let mut html = String::from("<p dir=\"auto\">");
    for (text, span) in parts {
        let text = escape(text);
        let Some(span) = span else {
            html.push_str(&text);
            continue;
        };
        // The hue depends only on the type's name, so it is the same on every page.
        let hue = span.kind.bytes().fold(7u32, |h, b| h.wrapping_mul(31).wrapping_add(u32::from(b))) % 360;
        let kind = escape(&span.kind);
        // Writing to a string cannot fail.
        let _ = write!(html, "<mark style=\"background:hsl({hue} 80% 82%)\">{text}<small>{kind}</small></mark>");
    }
    html + "</p>\n"
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
