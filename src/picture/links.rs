//! Links from a page to existing folders of evidence. The links are relative.

use std::fmt::Write as _;
use std::path::{Component, Path, PathBuf};

use crate::chronicle::{Episode, Kind};
use crate::report::folder_name;

/// The folder of evidence.
#[derive(Debug, Clone)]
pub(crate) struct Evidence {
    dir: PathBuf,
    /// The relative path from the page to it.
    prefix: String,
}

impl Evidence {
    /// Evidence in `dir`, for a page in the folder `from`.
    ///
    /// # Errors
    ///
    /// One of the folders does not exist.
    pub(crate) fn new(dir: &Path, from: &Path) -> std::io::Result<Self> {
        let from = if from.as_os_str().is_empty() { Path::new(".") } else { from };
        Ok(Self { dir: dir.to_owned(), prefix: relative(&from.canonicalize()?, &dir.canonicalize()?) })
    }

    /// The link to an episode's folder, if there is one. A destination has none.
    pub(super) fn link(&self, episode: &Episode) -> Option<String> {
        let report = &episode.report;
        if report.kind == Kind::Destination {
            return None;
        }
        let name = folder_name(report.first_seen, &report.who, &report.watch);
        self.dir.join(&name).is_dir().then(|| format!("{}{name}/", self.prefix))
    }
}

/// The relative path from one folder to another, as the beginning of a link: `./`, `../evidence/`.
fn relative(from: &Path, to: &Path) -> String {
    let (from, to): (Vec<_>, Vec<_>) = (from.components().collect(), to.components().collect());
    let common = from.iter().zip(&to).take_while(|(one, other)| one == other).count();
    let ups = from.len() - common;
    let mut link = if ups == 0 { "./".to_owned() } else { "../".repeat(ups) };
    for component in &to[common..] {
        if let Component::Normal(name) = component {
            encode(name.as_encoded_bytes(), &mut link);
            link.push('/');
        }
    }
    link
}

/// Every character that has another meaning in a link is written as its number.
fn encode(name: &[u8], link: &mut String) {
    for byte in name {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' | b'~' => {
                link.push(char::from(*byte))
            }
            _ => _ = write!(link, "%{byte:02X}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_relative_and_leads_nowhere_else() {
        for (from, to, link) in [
            ("/a", "/a", "./"),
            ("/a", "/a/b", "./b/"),
            ("/a/b", "/a/c", "../c/"),
            ("/", "/x:y/\"><s", "./x%3Ay/%22%3E%3Cs/"),
            ("/a/b/c", "/d", "../../../d/"),
        ] {
            assert_eq!(relative(Path::new(from), Path::new(to)), link);
        }
    }
}
