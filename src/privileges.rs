//! Rights given up, so that a fault in what reads strangers' packets can do little.
//!
//! Capturing needs root, or a capability; looking at what was captured needs neither. So once the interfaces are open,
//! and before the first packet, all that the run will not need again is given up, in four layers of which each stands
//! without the others:
//!
//! - **user**: root becomes another user, in its own group and in no other;
//! - **capabilities**: those that are not needed leave every set, the bounding set too where that is allowed;
//! - **no new privileges**: no program that is run gains any;
//! - **Landlock**: no file can be opened but those that the run may need again, and no program be run at all.
//!
//! The first three are promises: if one fails, so does the start. Landlock is there or not, as the kernel has it; what
//! holds is told in [`Held`]. The kernel keeps all of these per thread: they hold for the thread that calls [`drop`],
//! and for those that it starts afterwards.

use std::fmt;
use std::io;
use std::path::PathBuf;

pub use rustix::thread::CapabilitySet;

use crate::error::{Error, OpenError, PrivilegeError};

mod capabilities;
mod files;
mod plan;
mod user;

pub use files::Confinement;

/// What a run needs again after its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The user to become; without one it is `synwatch`, where root starts the program and there is such a user.
    pub user: Option<String>,
    /// The capabilities that are kept, of those that are there.
    pub capabilities: CapabilitySet,
    /// Files, and folders with all that is in them, that may be read.
    pub read: Vec<PathBuf>,
    /// Files that may be written, and made anew in their folders after they were moved away.
    pub write: Vec<PathBuf>,
    /// Folders in which folders with files are made.
    pub fill: Vec<PathBuf>,
}

/// What is left, and what holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The user that the run goes on as.
    pub user: String,
    /// Whether that is another one than it was started as.
    pub is_other: bool,
    /// The capabilities that it still has.
    pub capabilities: CapabilitySet,
    /// Whether files are out of reach, too.
    pub confinement: Confinement,
}

/// Whether the user to go on as exists, if one is named. Nothing is given up.
///
/// # Errors
///
/// When there is no such user, or the system cannot tell.
pub fn check_user(named: Option<&str>) -> Result<(), PrivilegeError> {
    named.map_or(Ok(()), user::check)
}

/// Gives up, for this thread and those that it starts, all that the plan does not name.
///
/// # Errors
///
/// When the user is not known, or cannot be become, or the system refuses a step. What was given up by then stays
/// given up.
pub fn drop(plan: &Plan) -> Result<Held, PrivilegeError> {
    let target = user::target(plan.user.as_deref())?;
    // While the files can still be reached.
    let fence = files::Fence::build(&plan.read, &plan.write, &plan.fill);
    let mut wanted = plan.capabilities;
    if target.is_root() {
        // Root reads and writes files whoever owns them. Which, says Landlock.
        wanted |= CapabilitySet::DAC_OVERRIDE;
    }
    let kept = capabilities::bound(wanted)?;
    let is_other = target.enter()?;
    capabilities::limit(kept)?;
    capabilities::no_more()?;
    let confinement = fence.close();
    Ok(Held { user: target.name, is_other, capabilities: capabilities::held()?, confinement })
}

/// Gives up, for a thread that runs other programs, every capability, and becomes the user that [`drop`] would become.
/// Those programs can do what that user can: one that is set to another user or group (a mail system's) works. Where
/// the user is root, whom the kernel gives all capabilities with each program that it runs, nothing can be gained.
///
/// # Errors
///
/// As for [`drop`].
pub fn drop_for_commands(user: Option<&str>) -> Result<(), PrivilegeError> {
    let target = user::target(user)?;
    target.enter()?;
    capabilities::limit(CapabilitySet::empty())?;
    if target.is_root() { capabilities::no_more() } else { Ok(()) }
}

/// Gives up, for a thread that changes the firewall and those programs that it runs for that, all capabilities but
/// `CAP_NET_ADMIN`, and becomes the user that [`drop`] would become.
///
/// # Errors
///
/// As for [`drop`]; and when that capability is not there.
pub fn drop_for_firewall(user: Option<&str>) -> Result<(), PrivilegeError> {
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
    /// Says what to do where a file cannot be written for the reason that this is another user now.
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
    fn what_holds_is_said_in_one_line() {
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
