//! Landlock: restricts files, TCP ports and signals (landlock(7)).
//!
//! Only files named here can be opened from then on; open files stay open. Execution, links, devices and removal of
//! folders are denied everywhere; folders can only be created for evidence, and files only be removed in the folder of
//! the control socket, and replaced in that of what it keeps. Listening at TCP ports is denied. Signals and
//! connections to abstract Unix sockets only reach processes with the same restrictions.

use std::fmt;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, BitFlags, LandlockStatus, NetPort, PathBeneath, PathFd,
    RestrictionStatus, Ruleset, RulesetAttr as _, RulesetCreated, RulesetCreatedAttr as _, RulesetError,
    RulesetStatus, Scope, make_bitflags,
};

use super::Plan;

/// The known access rights; an older kernel enforces a subset. The fourth version of Landlock added TCP, the sixth
/// scopes.
const KNOWN: ABI = ABI::V5;

/// How far files, ports and processes are restricted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Confinement {
    /// Everything not named is denied.
    Full {
        /// The version of Landlock's interface.
        version: String,
    },
    /// The kernel's Landlock lacks some rights: truncation, device requests, TCP or signals may be permitted.
    Partial {
        /// The version of Landlock's interface.
        version: String,
    },
    /// Nothing is restricted, for this reason.
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

/// A Landlock ruleset that is not enforced yet.
pub(super) struct Fence(Result<RulesetCreated, RulesetError>);

impl Fence {
    /// Builds the ruleset of a plan. A missing file can never be opened, unless its folder is named.
    pub(super) fn build(plan: &Plan) -> Self {
        Self(rules(plan))
    }

    /// Enforces the ruleset for this thread and those that it starts; returns how far it is in force.
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

fn rules(plan: &Plan) -> Result<RulesetCreated, RulesetError> {
    let Plan { read, write, fill, replace, remove, connect, .. } = plan;
    let mut tcp = BitFlags::from(AccessNet::BindTcp);
    let mut scopes = BitFlags::from(Scope::Signal);
    if connect.is_some() {
        tcp |= AccessNet::ConnectTcp;
    }
    if !plan.abstract_sockets {
        scopes |= Scope::AbstractUnixSocket;
    }
    let ruleset = Ruleset::default().handle_access(AccessFs::from_all(KNOWN))?;
    let mut ruleset = ruleset.handle_access(tcp)?.scope(scopes)?.create()?;
    for port in connect.iter().flatten() {
        ruleset = ruleset.add_rule(NetPort::new(*port, AccessNet::ConnectTcp))?;
    }
    let reads = read.iter().map(|path| (path.clone(), make_bitflags!(AccessFs::{ReadFile | ReadDir})));
    let makes = make_bitflags!(AccessFs::{WriteFile | Truncate | MakeReg});
    let writes = write.iter().flat_map(|path| written_at(path)).map(|path| (path, makes));
    let fills = fill.iter().map(|path| (path.clone(), makes | AccessFs::MakeDir));
    let replaces = replace.iter().map(|path| (path.clone(), makes | AccessFs::RemoveFile));
    let removes = remove.iter().map(|path| (path.clone(), AccessFs::RemoveFile.into()));
    for (path, access) in reads.chain(writes).chain(fills).chain(replaces).chain(removes) {
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

/// The folder of a file that is written, because rotation creates it again there, and the folder of a link's target. A
/// device or a pipe is not created again, so its folder stays denied. A folder is not a file.
fn written_at(path: &Path) -> Vec<PathBuf> {
    match path.canonicalize() {
        Ok(real) if real.is_dir() => Vec::new(),
        Ok(real) if !real.is_file() => vec![real],
        Ok(real) => vec![folder(path), folder(&real)],
        Err(_) => vec![folder(path)],
    }
}

/// The folder of a file.
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
