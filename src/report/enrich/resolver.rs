//! A thread that looks up names.

use std::net::IpAddr;
use std::sync::Arc;

use crossbeam_channel::Receiver;

use super::cache::Known;

/// Maximum length of a name (RFC 1035, 2.3.4). The system's hosts file may contain anything.
const LONGEST: usize = 255;

/// A lookup function; it may be slow.
pub(crate) type LookUp = Arc<dyn Fn(IpAddr) -> Option<String> + Send + Sync>;

/// The task of one resolver thread.
pub struct Resolver {
    asked: Receiver<IpAddr>,
    known: Arc<Known>,
    look_up: LookUp,
}

impl Resolver {
    pub(super) fn new(asked: Receiver<IpAddr>, known: Arc<Known>, look_up: LookUp) -> Self {
        Self { asked, known, look_up }
    }

    /// Serves requests until all senders are dropped.
    pub fn run(self) {
        for address in &self.asked {
            let name = (self.look_up)(address).filter(|name| !name.is_empty() && name.len() <= LONGEST);
            self.known.note(address, name.map(Arc::from));
        }
    }
}

/// Looks up with the system's resolver: `/etc/hosts`, DNS, or as `nsswitch.conf` says.
#[must_use]
pub fn system() -> LookUp {
    Arc::new(|address| match dns_lookup::lookup_addr(&address) {
        Ok(name) => Some(name),
        Err(error) => {
            log::debug!("no name for {address}: {error}");
            None
        }
    })
}
