//! Tries whether the servers permit all that a gateway does, without what the fleet would notice: a test of the
//! configuration does not wait for the first flood.

use std::sync::Arc;
use std::time::Duration;

use super::error::{StoreError, StoreFault};
use super::scripts::Script;
use super::{Store, wire};

impl Store {
    /// Reaches each server, and tries each command that a gateway sends. Returns what is wrong, one error for each
    /// server at most.
    pub fn probe(&mut self) -> Vec<Arc<StoreError>> {
        (0..self.links.len()).filter_map(|server| self.probe_one(server).err()).collect()
    }

    fn probe_one(&mut self, server: usize) -> Result<(), Arc<StoreError>> {
        self.ready(server)?;
        let shared = Arc::clone(&self.shared);
        let wrong = |fault| shared.error(server, fault);
        let key = format!("{}probe:{}", shared.keys.prefix(), shared.access.gateway);
        let denied = wire::array(self.run(server, Script::Probe, &[&key], &[])?).map_err(wrong)?;
        let mut denied = denied.into_iter().map(wire::text).collect::<Result<Vec<_>, _>>().map_err(wrong)?;
        // What is sent without a script.
        for command in [
            redis::cmd("XREAD").arg("COUNT").arg(1).arg("STREAMS").arg(&*shared.keys.log).arg("$"),
            redis::cmd("XREVRANGE").arg(&*shared.keys.log).arg("+").arg("-").arg("COUNT").arg(1),
            redis::cmd("ZRANGE").arg(&*shared.keys.gateways).arg(0).arg(0),
            redis::cmd("HGETALL").arg(&*shared.keys.status),
            redis::cmd("HGETALL").arg(&*shared.keys.allows.entries),
        ] {
            match self.links[server].ask(command, Duration::ZERO) {
                Ok(_) => {}
                // A server that refused is left alone for a while: what it refused is enough.
                Err(StoreFault::NotPermitted(why)) => {
                    denied.push(why);
                    break;
                }
                Err(fault) => return Err(wrong(fault)),
            }
        }
        match denied.is_empty() {
            true => Ok(()),
            false => Err(wrong(StoreFault::NotPermitted(denied.join(", ")))),
        }
    }
}
