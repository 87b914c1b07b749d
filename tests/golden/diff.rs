//! The difference of two texts, line by line.

use std::fmt::Write as _;

/// Lines only in `expected` after a `-`, lines only in `found` after a `+`, the others after a blank, in order.
pub(crate) fn diff(expected: &str, found: &str) -> String {
    let (expected, found) = (lines(expected), lines(found));
    // common[i][j]: how many lines the rests from expected[i] and found[j] on have in common.
    let mut common = vec![vec![0_u32; found.len() + 1]; expected.len() + 1];
    for i in (0..expected.len()).rev() {
        for j in (0..found.len()).rev() {
            common[i][j] = match expected[i] == found[j] {
                true => common[i + 1][j + 1] + 1,
                false => common[i + 1][j].max(common[i][j + 1]),
            };
        }
    }
    let mut text = String::new();
    let (mut i, mut j) = (0, 0);
    while i < expected.len() || j < found.len() {
        let (mark, line) = if i < expected.len() && j < found.len() && expected[i] == found[j] {
            (i, j) = (i + 1, j + 1);
            (' ', expected[i - 1])
        } else if j == found.len() || i < expected.len() && common[i + 1][j] >= common[i][j + 1] {
            i += 1;
            ('-', expected[i - 1])
        } else {
            j += 1;
            ('+', found[j - 1])
        };
        // Writing to a String does not fail.
        let _ = writeln!(text, "    {mark} {line}");
    }
    text
}

/// The lines; that the last one does not end is a line too, so that this difference is seen.
fn lines(text: &str) -> Vec<&str> {
    text.split_terminator('\n')
        .chain((!text.is_empty() && !text.ends_with('\n')).then_some("(no line end)"))
        .collect()
}

pub(crate) fn shows_what_is_gone_and_what_is_new_where_it_was() {
    assert_eq!(diff("a\nb\nc\n", "a\nx\nc\nd\n"), "      a\n    - b\n    + x\n      c\n    + d\n");
    assert_eq!(diff("a\n", "a"), "      a\n    + (no line end)\n");
    assert_eq!(diff("", "a\n"), "    + a\n");
    assert_eq!(diff("a\n", ""), "    - a\n");
}
