//! Folders from which a file may be read again: its own, and those of symbolic links in its path.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use super::files::folder;

/// Maximum number of links in a path (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// Minimum depth of a folder that may be opened as the surrounding folder of a link's target: not `/etc`, `/srv`.
const DEPTH: usize = 2;

/// The folder in a file's path, and those of [`linked`].
pub(super) fn folders(path: &Path) -> Vec<PathBuf> {
    std::iter::once(folder(path)).chain(linked(path)).collect()
}

/// The folders of the targets of all links in a file's path, where the file may be created again or a link replaced, as
/// stow and Kubernetes do.
///
/// For a link to a folder it is that folder. If the target is in the link's folder or below (`current -> releases/7`),
/// it is also the folder around the target, which will have the next release.
pub(super) fn linked(path: &Path) -> Vec<PathBuf> {
    let Ok(whole) = std::path::absolute(path) else { return Vec::new() };
    let mut found = Vec::new();
    let mut rest = names(&whole);
    let mut at = PathBuf::from("/");
    let mut links = 0;
    while let Some(name) = rest.pop_front() {
        if name == ".." {
            at.pop();
            continue;
        }
        let next = at.join(&name);
        let target = match next.read_link() {
            Ok(target) if links < MOST_LINKS => target,
            _ => {
                at = next;
                continue;
            }
        };
        links += 1;
        let target = at.join(target);
        let around = folder(&target).canonicalize();
        let is_file = rest.is_empty();
        found.extend(around.ok().filter(|around| is_file || is_beside(around, &at)));
        names(&target).into_iter().rev().for_each(|name| rest.push_front(name));
        at = PathBuf::from("/");
    }
    if links > 0 {
        found.push(folder(&at));
    }
    found
}

/// Whether a folder is the one of a link or below it, and deep enough.
pub(super) fn is_beside(around: &Path, link: &Path) -> bool {
    around.starts_with(link) && is_deep(around)
}

/// Whether a folder is deep enough.
pub(super) fn is_deep(folder: &Path) -> bool {
    names(folder).len() >= DEPTH
}

/// The components of an absolute path, including `..`.
fn names(path: &Path) -> VecDeque<OsString> {
    let named = path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    });
    named.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::collections::BTreeSet;
    use std::fs;
    use std::os::unix::fs::symlink;

    /// A folder with these files and links.
    fn tree(files: &[&str], links: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().unwrap();
        let here = root.path().canonicalize().unwrap();
        for file in files {
            fs::create_dir_all(here.join(file).parent().unwrap()).unwrap();
            fs::write(here.join(file), "").unwrap();
        }
        for (link, target) in links {
            fs::create_dir_all(here.join(link).parent().unwrap()).unwrap();
            symlink(target.replace("ROOT", here.to_str().unwrap()), here.join(link)).unwrap();
        }
        (root, here)
    }

    fn found(here: &Path, path: &str) -> BTreeSet<String> {
        let shown = |folder: PathBuf| {
            let below = folder.strip_prefix(here).map(Path::to_owned).unwrap_or(folder);
            below.display().to_string()
        };
        folders(&here.join(path)).into_iter().map(shown).collect()
    }

    #[test]
    fn a_plain_file_is_read_in_its_folder_alone() {
        let (_root, here) = tree(&["etc/x.toml"], &[]);
        assert_eq!(found(&here, "etc/x.toml"), BTreeSet::from(["etc".to_owned()]));
        assert_eq!(found(&here, "etc/not-yet"), BTreeSet::from(["etc".to_owned()]));
        assert_eq!(folders(Path::new("x.toml")), [PathBuf::from(".")]);
    }

    #[test]
    fn each_link_to_a_file_opens_the_folder_of_its_target() {
        let (_root, here) = tree(
            &["store/deep/x.toml"],
            &[("etc/x.toml", "ROOT/alternatives/x"), ("alternatives/x", "../store/deep/x.toml")],
        );
        let expected = ["etc", "alternatives", "store/deep"].map(str::to_owned);
        assert_eq!(found(&here, "etc/x.toml"), BTreeSet::from(expected));
    }

    #[test]
    fn a_linked_folder_is_open_and_what_lies_around_its_target_is_not() {
        let (_root, here) =
            tree(&["srv/synwatch/x.toml", "srv/other"], &[("etc/synwatch", "../srv/synwatch")]);
        let expected = ["etc/synwatch", "srv/synwatch"].map(str::to_owned);
        assert_eq!(found(&here, "etc/synwatch/x.toml"), BTreeSet::from(expected));
    }

    #[test]
    fn a_link_that_is_set_anew_to_a_neighbour_leads_to_an_open_folder() {
        let (_root, here) = tree(
            &["etc/synwatch/..2024/x.toml"],
            &[("etc/synwatch/x.toml", "..data/x.toml"), ("etc/synwatch/..data", "..2024")],
        );
        // Kubernetes: the next target is etc/synwatch/..2025.
        assert!(found(&here, "etc/synwatch/x.toml").contains("etc/synwatch"));
        let (_root, here) = tree(
            &["srv/app/releases/7/x.toml"],
            &[("etc/synwatch", "../srv/app/current"), ("srv/app/current", "releases/7")],
        );
        assert!(found(&here, "etc/synwatch/x.toml").contains("srv/app/releases"));
    }

    #[test]
    fn links_in_a_circle_come_to_an_end() {
        let (_root, here) = tree(&[], &[("a/one", "two"), ("a/two", "one")]);
        assert_eq!(found(&here, "a/one"), BTreeSet::from(["a".to_owned()]));
    }

    #[test]
    fn the_first_folders_of_a_system_are_not_opened_for_a_link_to_a_folder() {
        assert!(!is_beside(Path::new("/etc"), Path::new("/etc")));
        assert!(!is_beside(Path::new("/"), Path::new("/")));
        assert!(is_beside(Path::new("/srv/app"), Path::new("/srv/app")));
        assert!(!is_beside(Path::new("/srv/app"), Path::new("/etc/synwatch")));
    }
}
