//! The user that the run continues as.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use nix::errno::Errno;
use nix::unistd::User;
use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{
    CapabilitySet, capabilities, set_keep_capabilities, set_thread_groups, set_thread_res_gid,
    set_thread_res_uid,
};

use crate::error::PrivilegeError;

/// The user that root becomes by default. The package creates it.
const DEFAULT: &str = "synwatch";

/// The user that a live run becomes without the default user and without output files.
const NOBODY: &str = "nobody";

/// A user, and whether to become it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) name: String,
    /// Its user and group ids, if it differs from the current user.
    other: Option<(Uid, Gid)>,
    is_root: bool,
}

/// The user to become: the named one, the default if root may become it, or the current one.
pub(super) fn target(named: Option<&str>) -> Result<Target, PrivilegeError> {
    let current = geteuid();
    let found = match named {
        Some(name) => Some(existing(name)?),
        // In a container root may lack the right to change its user, whatever users the image has.
        None if current.is_root() && may_become_another() => look_up(DEFAULT)?,
        None => None,
    };
    let Some(user) = found else { return Ok(stay(current)) };
    let uid = Uid::from_raw(user.uid.as_raw());
    if uid == current {
        return Ok(Target { name: user.name, other: None, is_root: uid.is_root() });
    }
    if !current.is_root() {
        return Err(PrivilegeError::NotRoot(user.name));
    }
    let gid = Gid::from_raw(user.gid.as_raw());
    Ok(Target { name: user.name, other: Some((uid, gid)), is_root: false })
}

/// The user that root becomes in a live run if none is named and `synwatch` does not exist: the owner of the output
/// folder, because only that user can surely create files in it; without a folder `nobody`. `None`: that user does not
/// exist, or this process may not change its user (a container without the capabilities), so it stays.
pub(super) fn fallback(folder: Option<&Path>) -> Result<Option<String>, PrivilegeError> {
    if !geteuid().is_root() || look_up(DEFAULT)?.is_some() || !may_become_another() {
        return Ok(None);
    }
    let owner = folder.and_then(|folder| folder.metadata().ok()).map(|folder| folder.uid());
    let owner = owner.and_then(|owner| found(User::from_uid(owner.into())).ok().flatten());
    let user = if owner.is_some() { owner } else { look_up(NOBODY)? };
    Ok(user.map(|user| user.name))
}

fn may_become_another() -> bool {
    let needed = CapabilitySet::SETUID | CapabilitySet::SETGID;
    capabilities(None).is_ok_and(|sets| sets.effective.contains(needed))
}

/// Checks that a user of this name exists.
pub(super) fn check(name: &str) -> Result<(), PrivilegeError> {
    existing(name).map(|_| ())
}

fn existing(name: &str) -> Result<User, PrivilegeError> {
    look_up(name)?.ok_or_else(|| PrivilegeError::NoUser(name.to_owned()))
}

fn look_up(name: &str) -> Result<Option<User>, PrivilegeError> {
    found(User::from_name(name))
        .map_err(|error| PrivilegeError::LookUp { user: name.to_owned(), source: error.into() })
}

/// Maps the several ways in which systems say that a user does not exist (getpwnam(3)): without a user database it is
/// ENOENT.
fn found(user: Result<Option<User>, Errno>) -> Result<Option<User>, Errno> {
    match user {
        Err(Errno::ENOENT | Errno::ESRCH | Errno::EBADF | Errno::EPERM) => Ok(None),
        other => other,
    }
}

fn stay(current: Uid) -> Target {
    // A user without a name is shown by its id.
    let named = User::from_uid(current.as_raw().into()).ok().flatten();
    let name = named.map_or_else(|| current.as_raw().to_string(), |user| user.name);
    Target { name, other: None, is_root: current.is_root() }
}

impl Target {
    pub(super) fn is_root(&self) -> bool {
        self.is_root
    }

    /// Becomes this user, keeps the permitted capabilities, and returns whether the user has changed.
    pub(super) fn enter(&self) -> Result<bool, PrivilegeError> {
        let Some((uid, gid)) = self.other else { return Ok(false) };
        let failed = |error: rustix::io::Errno| PrivilegeError::Become {
            user: self.name.clone(),
            source: error.into(),
        };
        // The order matters: each step needs a privilege that the next one drops.
        set_keep_capabilities(true).map_err(failed)?;
        set_thread_groups(&[]).map_err(failed)?;
        set_thread_res_gid(gid, gid, gid).map_err(failed)?;
        set_thread_res_uid(uid, uid, uid).map_err(failed)?;
        set_keep_capabilities(false).map_err(failed)?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_that_does_not_exist_is_named() {
        let error = target(Some("no-such-user")).unwrap_err();
        assert_eq!(
            error.to_string(),
            r#"cannot become user "no-such-user": there is none of this name (getent passwd lists them)"#
        );
    }

    #[test]
    fn a_system_without_a_list_of_users_has_no_such_user() {
        assert_eq!(found(Err(Errno::ENOENT)), Ok(None));
        assert_eq!(found(Err(Errno::EIO)), Err(Errno::EIO), "whether there is one is not known");
    }

    #[test]
    fn root_becomes_the_owner_of_the_folder_that_is_written_to_or_the_user_nobody() {
        if !geteuid().is_root() || look_up(DEFAULT).unwrap().is_some() || !may_become_another() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(fallback(Some(folder.path())).unwrap().as_deref(), Some("root"));
        let nobody = look_up(NOBODY).unwrap().map(|user| user.name);
        let uid = look_up(NOBODY).unwrap().map(|user| user.uid.as_raw());
        std::os::unix::fs::chown(folder.path(), uid, None).unwrap();
        assert_eq!(fallback(Some(folder.path())).unwrap(), nobody);
        assert_eq!(fallback(Some(&folder.path().join("not-there"))).unwrap(), nobody);
        assert_eq!(fallback(None).unwrap(), nobody);
    }

    #[test]
    fn the_user_that_starts_it_may_be_named() {
        let name = stay(geteuid()).name;
        if look_up(&name).unwrap().is_some() {
            assert_eq!(target(Some(&name)).unwrap(), stay(geteuid()));
        }
    }
}
