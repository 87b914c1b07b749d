//! Capabilities, and what a program that is run could gain (capabilities(7)).

use std::io;

use rustix::io::Errno;
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set, clear_ambient_capability_set,
    remove_capability_from_bounding_set, set_capabilities, set_no_new_privs,
};

use crate::error::PrivilegeError;

/// Takes what is not wanted from the bounding set, where that is allowed, and gives what can be kept: what is wanted
/// and there.
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

/// Leaves this thread these capabilities alone, and no program that it runs any.
pub(super) fn limit(kept: CapabilitySet) -> Result<(), PrivilegeError> {
    match clear_ambient_capability_set() {
        // Kernels before 4.3 have no such set.
        Ok(()) | Err(Errno::INVAL) => {}
        Err(error) => return Err(failed(error)),
    }
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: CapabilitySet::empty() };
    set_capabilities(None, sets).map_err(failed)?;
    set_no_new_privs(true).map_err(failed)
}

/// The capabilities of this thread, used or not.
pub(super) fn held() -> Result<CapabilitySet, PrivilegeError> {
    capabilities(None).map(|sets| sets.permitted).map_err(failed)
}

fn failed(error: Errno) -> PrivilegeError {
    PrivilegeError::Capabilities(io::Error::from(error))
}
