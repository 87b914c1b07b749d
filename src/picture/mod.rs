//! A chronicle as a page and as a digest: pure functions from a chronicle to markup and text.
//!
//! The page is one HTML file with pictures in SVG. It has no script, and its policy makes the browser load
//! and run nothing, whatever names are in it. Texts from outside are escaped twice: first characters that are
//! unreadable on a page or would turn its direction, then characters with a meaning in HTML.

mod bars;
mod digest;
mod heat;
mod labels;
mod links;
mod lists;
mod markup;
mod mix;
mod offenders;
mod page;
mod recorder;
mod scale;
mod spark;
mod style;
mod timeline;
mod words;
#[cfg(test)]
mod tests;

pub(crate) use digest::digest;
pub(crate) use links::Evidence;
pub(crate) use page::page;
pub(crate) use recorder::{Recorder, Recording};
pub(crate) use words::offset;

use crate::base::zone::Zone;
use crate::chronicle::Chronicle;

/// The contents and the options of a page.
pub(crate) struct Story<'a> {
    /// The chronicle.
    pub(crate) chronicle: &'a Chronicle,
    /// The time zone of the page.
    pub(crate) zone: &'a Zone,
    /// The folder of evidence, if the page links to it.
    pub(crate) evidence: Option<&'a Evidence>,
}
