//! One picture as plain text: for what is no terminal, and for a page.

use crate::control::TopSnapshot;

use super::draw::{Look, whole};

/// The picture of all watches, sources and episodes in this many columns. It has bars of blocks where the locale has
/// UTF-8, and no colours.
#[must_use]
pub fn plain(snapshot: &TopSnapshot, columns: u16) -> String {
    text(snapshot, columns, Look::from_environment())
}

pub(super) fn text(snapshot: &TopSnapshot, columns: u16, look: Look) -> String {
    let mut text = String::new();
    for line in whole(snapshot, look, columns.into()) {
        text += line.to_string().trim_end();
        text.push('\n');
    }
    text
}
