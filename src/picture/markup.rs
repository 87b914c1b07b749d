//! Parts that pages share: pictures with their numbers, keys, patterns, texts from outside.

use maud::{Markup, html};

use crate::report::Escaped;

/// Escapes a text from outside: characters that are invisible, or turn the direction of the text, are shown
/// as in Rust.
pub(super) fn shown(text: &str) -> String {
    Escaped::message(text).to_string()
}

/// A picture, with a sentence about its contents, and its numbers.
pub(super) struct Picture<'a> {
    /// The prefix of the names of its parts.
    pub(super) id: &'a str,
    /// Its title.
    pub(super) title: &'a str,
    /// The sentence about its contents.
    pub(super) says: &'a str,
    /// Its width and height.
    pub(super) size: (f64, f64),
}

impl Picture<'_> {
    /// With its sentence below it.
    pub(super) fn figure(&self, drawing: &Markup, key: &Markup, numbers: &Markup) -> Markup {
        let what = format!("{}, as a picture", self.title);
        html! {
            figure {
                div.wide role="group" aria-label=(what) tabindex="0" { (self.svg(drawing)) }
                (key)
                figcaption { (self.says) }
                (numbers)
            }
        }
    }

    fn svg(&self, drawing: &Markup) -> Markup {
        let (width, height) = self.size;
        let view = format!("0 0 {width} {height}");
        let (title, says) = (format!("{}-t", self.id), format!("{}-d", self.id));
        html! {
            svg viewBox=(view) role="img" aria-labelledby=(title) aria-describedby=(says) {
                title id=(title) { (self.title) }
                desc id=(says) { (self.says) }
                (drawing)
            }
        }
    }
}

/// The numbers of a picture.
pub(super) fn numbers(what: &str, table: &Markup) -> Markup {
    html! {
        details {
            summary { (what) }
            div.scroll role="region" aria-label=(what) tabindex="0" { (table) }
        }
    }
}

/// One entry of a key: the number of its colour, its name, and its meaning.
pub(super) fn key(entries: &[(usize, String, String)]) -> Markup {
    html! {
        ul.key {
            @for (colour, name, value) in entries {
                li {
                    svg.bars viewBox="0 0 10 10" aria-hidden="true" { rect class=(colour_class(*colour)) width="10" height="10" {} }
                    (name) " " b { (value) }
                }
            }
        }
    }
}

/// The class of a colour, of which there are seven.
pub(super) fn colour_class(colour: usize) -> String {
    format!("o{}", colour.min(6))
}

/// The patterns that pictures fill areas with, once for the page.
pub(super) fn patterns() -> Markup {
    const LINES: [&str; 6] = ["M0 6L6 0", "M0 3H6", "M0 0L6 6", "M3 0V6", "M0 0L6 6M0 6L6 0", "M0 3H6M3 0V6"];
    html! {
        svg width="0" height="0" aria-hidden="true" {
            defs {
                pattern id="hatch" width="7" height="7" patternUnits="userSpaceOnUse" { path.ink d="M-1 8L8 -1" {} }
                pattern id="gap" width="6" height="6" patternUnits="userSpaceOnUse" {
                    rect.none width="6" height="6" {}
                    circle.dot cx="3" cy="3" r=".8" {}
                }
                @for (colour, lines) in LINES.iter().enumerate() {
                    pattern id=(format!("p{colour}")) width="6" height="6" patternUnits="userSpaceOnUse" {
                        rect class=(colour_class(colour)) width="6" height="6" {}
                        path d=(lines) stroke="#fff" stroke-width=".9" fill="none" {}
                    }
                }
            }
        }
    }
}
