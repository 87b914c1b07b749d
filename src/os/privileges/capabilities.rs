//! Capabilities of this thread and of programs that it runs (capabilities(7)).

use std::io;

use rustix::io::Errno;
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set, clear_ambient_capability_set,
    configure_capability_in_ambient_set, remove_capability_from_bounding_set, set_capabilities,
    set_no_new_privs,
};

use crate::error::PrivilegeError;

/// Removes all other capabilities from the bounding set, if permitted, and returns those that are both wanted and
/// present.
pub(super) fn bound(wanted: CapabilitySet) -> Result<CapabilitySet, PrivilegeError> {
    let has = capabilities(None).map_err(failed)?;
    let kept = wanted & has.permitted;
    if has.effective.contains(CapabilitySet::SETPCAP) {
        for number in 0..u64::BITS {
            let one = CapabilitySet::from_bits_retain(1 << number);
            // The kernel refuses the number after its last capability.
            let Ok(is_there) = capability_is_in_bounding_set(one) else { break };
            if is_there && !kept.contains(one) {
                remove_capability_from_bounding_set(one).map_err(failed)?;
            }
        }
    }
    Ok(kept)
}

/// Reduces this thread to these capabilities.
pub(super) fn limit(kept: CapabilitySet) -> Result<(), PrivilegeError> {
    match clear_ambient_capability_set() {
        // Kernels before 4.3 have no such set.
        Ok(()) | Err(Errno::INVAL) => {}
        Err(error) => return Err(failed(error)),
    }
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets).map_err(failed)
}

/// Reduces this thread and programs that it runs to these capabilities.
pub(super) fn hand_on(kept: CapabilitySet) -> Result<(), PrivilegeError> {
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: kept };
    clear_ambient_capability_set().map_err(failed)?;
    set_capabilities(None, sets).map_err(failed)?;
    kept.iter().try_for_each(|one| configure_capability_in_ambient_set(one, true)).map_err(failed)
}

/// Prevents programs that this thread runs from gaining privileges.
pub(super) fn no_more() -> Result<(), PrivilegeError> {
    set_no_new_privs(true).map_err(failed)
}

/// The permitted capabilities of this thread.
pub(super) fn held() -> Result<CapabilitySet, PrivilegeError> {
    capabilities(None).map(|sets| sets.permitted).map_err(failed)
}

fn failed(error: Errno) -> PrivilegeError {
    PrivilegeError::Capabilities(io::Error::from(error))
}
