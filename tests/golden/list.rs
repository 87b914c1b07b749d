//! `captures/LIST`, read: one behaviour a line.

use std::path::{Path, PathBuf};

/// One line: a run of the program, and the exit code that is expected of it.
#[derive(Debug)]
pub(crate) struct Line {
    /// Where it stands, counted from 1.
    pub(crate) number: usize,
    /// Its name, which is that of its files in `captures/expected`.
    pub(crate) name: String,
    /// The exit code.
    pub(crate) code: i32,
    /// The arguments.
    pub(crate) arguments: Vec<String>,
    /// The file that is its standard input.
    pub(crate) stdin: Option<PathBuf>,
}

/// The exit code of what is not begun.
const WRONG_USAGE: i32 = 2;

/// The directory of the captures.
pub(crate) fn captures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("captures")
}

/// All lines of the list.
pub(crate) fn lines() -> Vec<Line> {
    let text = std::fs::read_to_string(captures().join("LIST")).unwrap();
    let numbered = (1..).zip(text.lines());
    numbered.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).map(Line::read).collect()
}

impl Line {
    fn read((number, line): (usize, &str)) -> Self {
        let mut words = line.split_whitespace().map(str::to_owned);
        let mut word =
            |what| words.next().unwrap_or_else(|| panic!("captures/LIST:{number}: {what} is missing"));
        let (name, code) = (word("the name"), word("the exit code"));
        let code = code.parse().unwrap_or_else(|_| panic!("captures/LIST:{number}: {code} is no exit code"));
        let mut arguments: Vec<_> = words.collect();
        let stdin = arguments.iter().position(|word| word == "<").map(|at| {
            let [_, file] = &arguments.split_off(at)[..] else {
                panic!("captures/LIST:{number}: one file follows <, and nothing after it");
            };
            PathBuf::from(file)
        });
        Self { number, name, code, arguments, stdin }
    }

    /// What its standard output is expected to hold, as files that hold that end: nothing, records, a page, or a part of
    /// a configuration.
    pub(crate) fn ending(&self) -> Option<&'static str> {
        let suggests = self.code != WRONG_USAGE && self.arguments.iter().any(|word| word == "--suggest");
        let writes = |option: &str| self.arguments.windows(2).any(|words| words == [option, "-"]);
        match (writes("--json"), writes("--html")) {
            (true, _) => Some("json"),
            (false, true) => Some("html"),
            (false, false) => suggests.then_some("toml"),
        }
    }

    /// Whether it names this file.
    pub(crate) fn uses(&self, file: &str) -> bool {
        self.stdin.as_deref() == Some(Path::new(file)) || self.arguments.iter().any(|word| word == file)
    }
}
