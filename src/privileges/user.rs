//! Whom the run goes on as.

use nix::errno::Errno;
use nix::unistd::User;
use rustix::process::{Gid, Uid, geteuid};
use rustix::thread::{set_keep_capabilities, set_thread_groups, set_thread_res_gid, set_thread_res_uid};

use crate::error::PrivilegeError;

/// Whom root becomes unless told otherwise. The package makes it.
const DEFAULT: &str = "synwatch";

/// A user, and whether the run is to become it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) name: String,
    /// Its number and its group's, if it is another user than that who started the program.
    other: Option<(Uid, Gid)>,
    is_root: bool,
}

/// The user to go on as: the one that is named, the default one, or whoever started the program.
pub(super) fn target(named: Option<&str>) -> Result<Target, PrivilegeError> {
    let current = geteuid();
    let found = match named {
        Some(name) => Some(existing(name)?),
        None if current.is_root() => look_up(DEFAULT)?,
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

/// Whether there is a user of this name.
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

/// Systems say in several ways that there is no such user (getpwnam(3)): one without a list of users says ENOENT.
fn found(user: Result<Option<User>, Errno>) -> Result<Option<User>, Errno> {
    match user {
        Err(Errno::ENOENT | Errno::ESRCH | Errno::EBADF | Errno::EPERM) => Ok(None),
        other => other,
    }
}

fn stay(current: Uid) -> Target {
    // A user without a name has its number.
    let named = User::from_uid(current.as_raw().into()).ok().flatten();
    let name = named.map_or_else(|| current.as_raw().to_string(), |user| user.name);
    Target { name, other: None, is_root: current.is_root() }
}

impl Target {
    pub(super) fn is_root(&self) -> bool {
        self.is_root
    }

    /// Becomes this user, keeps the permitted capabilities meanwhile, and says whether it was another one.
    pub(super) fn enter(&self) -> Result<bool, PrivilegeError> {
        let Some((uid, gid)) = self.other else { return Ok(false) };
        let failed = |error: rustix::io::Errno| PrivilegeError::Become {
            user: self.name.clone(),
            source: error.into(),
        };
        // In this order: each step needs what the next one gives up.
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
    fn whoever_starts_it_may_be_named() {
        let name = stay(geteuid()).name;
        if look_up(&name).unwrap().is_some() {
            assert_eq!(target(Some(&name)).unwrap(), stay(geteuid()));
        }
    }
}
