//! A thread that looks names up.

use std::net::IpAddr;
use std::sync::Arc;

use crossbeam_channel::Receiver;

use super::cache::Known;

/// What a name may have at most (RFC 1035, 2.3.4). The system's own list of hosts may hold anything.
const LONGEST: usize = 255;

/// How a name is looked up; it may take long.
pub type LookUp = Arc<dyn Fn(IpAddr) -> Option<String> + Send + Sync>;

/// One of the threads that do.
pub struct Resolver {
    asked: Receiver<IpAddr>,
    known: Arc<Known>,
    look_up: LookUp,
}

impl Resolver {
    pub(super) fn new(asked: Receiver<IpAddr>, known: Arc<Known>, look_up: LookUp) -> Self {
        Self { asked, known, look_up }
    }

    /// Looks up what is asked for, until nobody can ask any more.
    pub fn run(self) {
        for address in &self.asked {
            let name = (self.look_up)(address).filter(|name| !name.is_empty() && name.len() <= LONGEST);
            self.known.note(address, name.map(Arc::from));
        }
    }
}

/// By the system's resolver: `/etc/hosts`, DNS, or whatever `nsswitch.conf` says.
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
