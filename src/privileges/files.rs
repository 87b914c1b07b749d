//! Landlock: which files can be opened from now on (landlock(7)).
//!
//! What is not named here cannot be opened any more; what is open stays open. Running programs, links, devices and the
//! removal of files are allowed nowhere, folders only where evidence is put.

use std::fmt;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, BitFlags, LandlockStatus, PathBeneath, PathFd, RestrictionStatus, Ruleset,
    RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _, RulesetError, RulesetStatus, make_bitflags,
};

/// The rights that are known here; a kernel that has fewer enforces those.
const KNOWN: ABI = ABI::V5;

/// Whether files are out of reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Confinement {
    /// All that is not named is.
    Full {
        /// The version of Landlock's interface.
        version: String,
    },
    /// The kernel's Landlock is older than some of the rights: truncating, or device requests, may be allowed.
    Partial {
        /// The version of Landlock's interface.
        version: String,
    },
    /// Nothing is, and why.
    None(String),
}

impl fmt::Display for Confinement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { version } => write!(f, "landlock v{version}"),
            Self::Partial { version } => write!(f, "landlock v{version} (an old one, in part)"),
            Self::None(why) => write!(f, "no landlock ({why})"),
        }
    }
}

/// A fence around files, not closed yet.
pub(super) struct Fence(Result<RulesetCreated, RulesetError>);

impl Fence {
    /// Around these files. One that is not there can never be opened, unless its folder is named.
    pub(super) fn build(read: &[PathBuf], write: &[PathBuf], fill: &[PathBuf]) -> Self {
        Self(rules(read, write, fill))
    }

    /// Closes it, for this thread and those that it starts, and says how far it is closed.
    pub(super) fn close(self) -> Confinement {
        match self.0.and_then(RulesetCreated::restrict_self) {
            Ok(status) => confinement(&status),
            Err(error) => Confinement::None(error.to_string()),
        }
    }
}

fn confinement(status: &RestrictionStatus) -> Confinement {
    let version = match status.landlock {
        LandlockStatus::Available { effective_abi, .. } => effective_abi.to_string(),
        LandlockStatus::NotEnabled => {
            return Confinement::None("it is not enabled in this kernel".to_owned());
        }
        LandlockStatus::NotImplemented => return Confinement::None("this kernel has none".to_owned()),
    };
    match status.ruleset {
        RulesetStatus::FullyEnforced => Confinement::Full { version },
        RulesetStatus::PartiallyEnforced => Confinement::Partial { version },
        RulesetStatus::NotEnforced => Confinement::None("the kernel enforces nothing of it".to_owned()),
    }
}

fn rules(read: &[PathBuf], write: &[PathBuf], fill: &[PathBuf]) -> Result<RulesetCreated, RulesetError> {
    let mut ruleset = Ruleset::default().handle_access(AccessFs::from_all(KNOWN))?.create()?;
    let reads = read.iter().map(|path| (path.clone(), make_bitflags!(AccessFs::{ReadFile | ReadDir})));
    let makes = make_bitflags!(AccessFs::{WriteFile | Truncate | MakeReg});
    let writes = write.iter().flat_map(|path| written_at(path)).map(|path| (path, makes));
    let fills = fill.iter().map(|path| (path.clone(), makes | AccessFs::MakeDir));
    for (path, access) in reads.chain(writes).chain(fills) {
        if let Some(rule) = beneath(&path, access) {
            ruleset = ruleset.add_rule(rule)?;
        }
    }
    Ok(ruleset)
}

fn beneath(path: &Path, access: BitFlags<AccessFs>) -> Option<PathBeneath<PathFd>> {
    let access = if path.is_dir() { access } else { access & AccessFs::from_file(KNOWN) };
    Some(PathBeneath::new(PathFd::new(path).ok()?, access))
}

/// Where a file is written: in its folder, since it is made anew there after a rotation, and in that of the file that a
/// link leads to. A device or a pipe stays what it is, and its folder out of reach. A folder is no file.
fn written_at(path: &Path) -> Vec<PathBuf> {
    match path.canonicalize() {
        Ok(real) if real.is_dir() => Vec::new(),
        Ok(real) if !real.is_file() => vec![real],
        Ok(real) => vec![folder(path), folder(&real)],
        Err(_) => vec![folder(path)],
    }
}

/// The folder that a file lies in.
pub(super) fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if parent.as_os_str().is_empty() => PathBuf::from("."),
        Some(parent) => parent.to_owned(),
        None => path.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_file_is_written_in_its_folder_and_in_that_of_what_it_links_to() {
        let folder = tempfile::tempdir().unwrap();
        let here = folder.path().canonicalize().unwrap();
        let (there, file, link) = (here.join("there"), here.join("there/file"), here.join("link"));
        assert_eq!(written_at(&link), std::slice::from_ref(&here), "it is not there yet");
        fs::create_dir(&there).unwrap();
        fs::write(&file, "").unwrap();
        symlink(&file, &link).unwrap();
        assert_eq!(written_at(&file), [there.clone(), there.clone()]);
        assert_eq!(written_at(&link), [here, there]);
        assert_eq!(written_at(Path::new("no-such-file")), [PathBuf::from(".")]);
    }

    #[test]
    fn a_device_gives_no_access_to_its_neighbours_and_a_folder_to_nothing() {
        assert_eq!(written_at(Path::new("/dev/null")), [PathBuf::from("/dev/null")]);
        assert!(written_at(Path::new("/")).is_empty());
    }
}
