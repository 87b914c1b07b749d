//! Drops privileges, so that an exploited fault in the packet path can do little.
//!
//! Capturing needs root or a capability; processing packets needs neither. So once the interfaces are open, and before
//! the first packet, synwatch drops all privileges that the run does not need again, in four independent layers:
//!
//! - **user**: root becomes another user, with that user's group only;
//! - **capabilities**: unneeded capabilities leave every set, including the bounding set if permitted;
//! - **no new privileges**: programs that are run gain none;
//! - **Landlock**: only files that the run may need can be opened, and no program can be run. Only needed TCP ports
//!   can be connected to, and none can be listened at. Signals and abstract Unix sockets only reach processes with the
//!   same restrictions.
//!
//! The first three are guaranteed: if one fails, so does the start. Landlock depends on the kernel; [`Held`] says what
//! is in force. The kernel keeps all of these per thread: they apply to the thread that calls [`drop`] and to threads
//! that it starts afterwards.

use std::fmt;
use std::io;
use std::path::PathBuf;

pub use rustix::thread::CapabilitySet;

use crate::config::{Input, Settings};
use crate::error::{Error, OpenError, PrivilegeError};

mod capabilities;
mod files;
mod links;
mod network;
mod plan;
mod user;

pub use files::Confinement;

/// The privileges that a run needs after its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The user to become; by default `synwatch`, if root starts the program and the user exists.
    pub user: Option<String>,
    /// The capabilities to keep, if present.
    pub capabilities: CapabilitySet,
    /// Files and folders (with contents) that may be read.
    pub read: Vec<PathBuf>,
    /// Files that may be written, and created again in their folders after a rotation.
    pub write: Vec<PathBuf>,
    /// Folders in which folders with files may be created.
    pub fill: Vec<PathBuf>,
    /// Folders in which files may be written and put in the place of others.
    pub replace: Vec<PathBuf>,
    /// Folders in which files may be removed.
    pub remove: Vec<PathBuf>,
    /// TCP ports that may be connected to; `None`: all.
    pub connect: Option<Vec<u16>>,
    /// Whether abstract Unix sockets of other processes may be connected to.
    pub abstract_sockets: bool,
}

/// The privileges left, and the layers in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The user of the run.
    pub user: String,
    /// Whether the user has changed.
    pub is_other: bool,
    /// The capabilities left.
    pub capabilities: CapabilitySet,
    /// How far files, ports and processes are restricted.
    pub confinement: Confinement,
}

/// Checks that the user to become exists, if one is named. Drops nothing.
///
/// # Errors
///
/// The user does not exist, or the system cannot tell.
pub(crate) fn check_user(named: Option<&str>) -> Result<(), PrivilegeError> {
    named.map_or(Ok(()), user::check)
}

/// The user to become with these settings, if any: for [`Plan::user`], and for helpers. By default it is `synwatch`, if
/// root starts the program and the user exists; otherwise the user stays.
///
/// A live run does not stay root for lack of that user, unless the settings ask for it, or the folder of its output
/// belongs to root. A replay keeps its user, who owns its files.
///
/// # Errors
///
/// The system's users cannot be looked up.
pub fn user(settings: &Settings) -> Result<Option<String>, PrivilegeError> {
    match (settings.user(), &settings.input) {
        (Some(named), _) => Ok(Some(named.to_owned())),
        (None, Input::Live(_)) => user::fallback(plan::written_folder(settings).as_deref()),
        (None, _) => Ok(None),
    }
}

/// Drops all privileges outside the plan, for this thread and those that it starts.
///
/// # Errors
///
/// The user is unknown or cannot be become, or the system refuses a step. Steps taken before stay in force.
pub fn drop(plan: &Plan) -> Result<Held, PrivilegeError> {
    let target = user::target(plan.user.as_deref())?;
    // While the files are still accessible.
    let fence = files::Fence::build(plan);
    let mut wanted = plan.capabilities;
    if target.is_root() {
        // Root reads and writes files of any owner, within the bounds of Landlock.
        wanted |= CapabilitySet::DAC_OVERRIDE;
    }
    let kept = capabilities::bound(wanted)?;
    let is_other = target.enter()?;
    capabilities::limit(kept)?;
    capabilities::no_more()?;
    let confinement = fence.close();
    Ok(Held { user: target.name, is_other, capabilities: capabilities::held()?, confinement })
}

/// For a thread that runs other programs: drops every capability and becomes the user that [`drop`] would become. Those
/// programs can do what that user can: set-user-id and set-group-id programs (a mail system's) work. If the user is
/// root, which gets all capabilities with each program, no-new-privileges is set.
///
/// # Errors
///
/// As for [`drop`].
pub(crate) fn drop_for_commands(user: Option<&str>) -> Result<(), PrivilegeError> {
    let target = user::target(user)?;
    target.enter()?;
    capabilities::limit(CapabilitySet::empty())?;
    if target.is_root() { capabilities::no_more() } else { Ok(()) }
}

/// For a thread that changes the firewall and for nft: drops all capabilities except `CAP_NET_ADMIN`, and becomes the
/// user that [`drop`] would become.
///
/// # Errors
///
/// As for [`drop`]; or that capability is missing.
pub(crate) fn drop_for_firewall(user: Option<&str>) -> Result<(), PrivilegeError> {
    let target = user::target(user)?;
    let kept = capabilities::bound(CapabilitySet::NET_ADMIN)?;
    if kept.is_empty() {
        return Err(PrivilegeError::NoAdmin);
    }
    target.enter()?;
    capabilities::hand_on(kept)?;
    capabilities::no_more()
}

impl Held {
    /// Adds the remedy to an error if a file is not writable because of the change of user.
    #[must_use]
    pub fn explain(&self, error: OpenError) -> Error {
        let is_refused = error.source.kind() == io::ErrorKind::PermissionDenied;
        match self.is_other && is_refused {
            true => Error::WriteAs { user: self.user.clone(), cause: error },
            false => error.into(),
        }
    }
}

impl fmt::Display for Held {
    /// `user synwatch, capabilities cap_net_raw, no new privileges, landlock v5`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.capabilities.iter_names().map(|(name, _)| name.to_lowercase()).collect();
        write!(f, "user {}, ", self.user)?;
        match names.as_slice() {
            [] => f.write_str("no capabilities")?,
            names => write!(f, "capabilities cap_{}", names.join(" cap_"))?,
        }
        write!(f, ", no new privileges, {}", self.confinement)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layers_in_force_are_shown_in_one_line() {
        let mut held = Held {
            user: "synwatch".to_owned(),
            is_other: true,
            capabilities: CapabilitySet::NET_RAW | CapabilitySet::DAC_READ_SEARCH,
            confinement: Confinement::Full { version: "7".to_owned() },
        };
        assert_eq!(
            held.to_string(),
            "user synwatch, capabilities cap_dac_read_search cap_net_raw, no new privileges, landlock v7"
        );
        held.capabilities = CapabilitySet::empty();
        held.confinement = Confinement::None("this kernel has none".to_owned());
        assert_eq!(
            held.to_string(),
            "user synwatch, no capabilities, no new privileges, no landlock (this kernel has none)"
        );
    }
}
