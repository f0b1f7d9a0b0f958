//! A self-contained page with colored spans.

use std::fmt::Write;

use crate::label::TaggedSpan;

/// The page before the first sentence.
pub(super) const HEAD: &str = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>HyperLoader</title>\n<style>\
body{font:16px/1.9 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}\
mark{border-radius:.3em;padding:.1em .3em;color:#111}mark small{margin-left:.4em;opacity:.7}</style></head><body>\n";
/// The page after the last sentence.
pub(super) const TAIL: &str = "</body></html>\n";

/// One sentence as a paragraph.
pub(super) fn paragraph(tokens: &[String], spans: &[TaggedSpan]) -> String {
    let mut html = String::from("<p>");
    let mut next = 0;
    for span in spans {
        plain(&mut html, tokens.get(next..span.start));
        // The hue depends only on the type's name, so it is the same on every page.
        let hue = span.kind.bytes().fold(7u32, |h, b| h.wrapping_mul(31).wrapping_add(u32::from(b))) % 360;
        let (text, kind) = (escape(&span.text), escape(&span.kind));
        // Writing to a string cannot fail.
        let _ = write!(html, "<mark style=\"background:hsl({hue} 80% 82%)\">{text}<small>{kind}</small></mark> ");
        next = span.end;
    }
    plain(&mut html, tokens.get(next..));
    html.truncate(html.trim_end().len());
    html + "</p>\n"
}

fn plain(html: &mut String, tokens: Option<&[String]>) {
    for token in tokens.unwrap_or_default() {
        html.push_str(&escape(token));
        html.push(' ');
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
