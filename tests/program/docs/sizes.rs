//! The front pages stay short: what does not fit belongs into docs/.

use std::fs;

use super::root;

/// The most bytes that a page may have.
const MAX_BYTES: [(&str, u64); 2] = [("README.md", 10_240), ("ARCHITECTURE.md", 9_216)];

#[test]
fn front_pages_are_short() {
    for (page, max) in MAX_BYTES {
        let size = fs::metadata(root().join(page)).unwrap().len();
        assert!(size <= max, "{page} has {size} bytes, {max} at most: move something to docs/");
    }
}
