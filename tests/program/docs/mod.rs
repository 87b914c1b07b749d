//! README, docs/ and the other Markdown files say what the program does: links lead somewhere, examples print what they
//! show, tables are complete.

mod examples;
mod files;
mod links;
mod markdown;
mod options;
mod sizes;
mod tables;

use std::path::Path;

/// The project's folder.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
