//! Sizes of tables stay out of what is expected: they change with the layout of a slot, and what the program says of a
//! capture does not. Lines whose name begins with `memory-` are about them and keep them.
//!
//! What the process may do (`-v` says it) depends on the machine and on who runs the tests, so that it stays out, too.

/// What stands for a size.
const PLACEHOLDER: &str = "SIZE";
/// What comes before a size.
const BEFORE: [&str; 4] = ["\"slots\":", " leaves room for ", " (--memory ", "MiB for "];
/// A message that a machine decides.
const OF_THE_MACHINE: &str = "synwatch: info: privileges: ";

/// Whether a line of the list is about the sizes.
fn is_about_them(name: &str) -> bool {
    name.starts_with("memory-")
}

/// What a run of this name has written, as it is compared.
pub(crate) fn without(name: &str, text: &str) -> String {
    let lines = text.split_inclusive('\n').filter(|line| !line.starts_with(OF_THE_MACHINE));
    match is_about_them(name) {
        true => lines.collect(),
        false => lines.map(without_sizes).collect(),
    }
}

fn without_sizes(line: &str) -> String {
    BEFORE.iter().fold(line.to_owned(), |line, before| {
        let mut parts = line.split(before);
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |text, part| {
            let rest = part.trim_start_matches(|c: char| c.is_ascii_digit());
            match rest.len() < part.len() {
                true => format!("{text}{before}{PLACEHOLDER}{rest}"),
                false => format!("{text}{before}{part}"),
            }
        })
    })
}

pub(crate) fn sizes_are_left_out_and_nothing_else() {
    for (said, compared) in [
        ("{\"slots\":73040,\"slots_claimed\":10}\n", "{\"slots\":SIZE,\"slots_claimed\":10}\n"),
        (
            "a limit of 1000 attempts leaves room for 3 sources (--memory 140MiB for 4096)\n",
            "a limit of 1000 attempts leaves room for SIZE sources (--memory SIZEMiB for SIZE)\n",
        ),
        ("1 live sources forgotten to make room (give more with --memory)\n", ""),
        ("memory \"1\": a unit is missing: B, KiB, MiB (1MiB)\n", ""),
    ] {
        assert_eq!(without("limit", said), if compared.is_empty() { said } else { compared });
        assert_eq!(without("memory-limit", said), said);
    }
    assert_eq!(without("memory-limit", "synwatch: info: privileges: user root\nsummary\n"), "summary\n");
}
