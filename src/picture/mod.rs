//! A chronicle as a page and as a digest: pure functions from what happened to markup and text.
//!
//! The page is one HTML file with pictures in SVG. It has no script, and its policy has the browser load and run
//! nothing, whatever names are in it. Texts from outside are escaped twice: what could not be read on a page or would
//! turn its direction, and what HTML would take for its own.

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
    /// What happened.
    pub(crate) chronicle: &'a Chronicle,
    /// The zone of its times.
    pub(crate) zone: &'a Zone,
    /// Where the evidence is, if it is linked.
    pub(crate) evidence: Option<&'a Evidence>,
}
