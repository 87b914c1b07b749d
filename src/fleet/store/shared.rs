//! What a store and its reader know in common: the fleet's key of marks, and the names of its gateways.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::access::Access;
use super::clock::{self, Reading};
use super::connection::Link;
use super::error::{StoreError, StoreFault};
use super::keys::Keys;
use super::marks::MarkKey;
use super::name::Name;
use super::scripts::Script;
use super::wire;
use crate::base::time::Timestamp;

/// The version of the data. Gateways of different versions would misread each other.
const VERSION: &str = "1";
/// How long the version and the key of marks outlast the last beat: 90 days, in milliseconds.
pub(super) const META_LASTS: &str = "7776000000";

/// What a store and its reader know in common.
pub(super) struct Shared {
    pub(super) access: Arc<Access>,
    pub(super) keys: Keys,
    marks: Mutex<Option<MarkKey>>,
    /// The gateways by their short names: at most as many as a server holds.
    names: Mutex<BTreeMap<[u8; 4], Name>>,
}

impl Shared {
    pub(super) fn new(access: Arc<Access>) -> Self {
        let names = Mutex::new([(access.gateway.short(), access.gateway.clone())].into());
        Self { keys: Keys::new(&access.fleet), access, marks: Mutex::new(None), names }
    }

    /// The time of this gateway.
    pub(super) fn now(&self) -> Timestamp {
        Timestamp::from_nanos(clock::micros().saturating_add(self.access.skew).saturating_mul(1_000))
    }

    pub(super) fn mark_key(&self) -> Option<MarkKey> {
        *lock(&self.marks)
    }

    /// The error of a server.
    pub(super) fn error(&self, server: usize, fault: StoreFault) -> Arc<StoreError> {
        let server = self.access.servers.iter().nth(server).map_or_else(String::new, ToString::to_string);
        Arc::new(StoreError { server, fault })
    }

    /// Learns the names of gateways.
    pub(super) fn learn<'a>(&self, names: impl IntoIterator<Item = &'a Name>) {
        let mut known = lock(&self.names);
        for name in names {
            // One that joins and leaves under ever new names does not fill the memory.
            if known.len() >= super::gateways::MOST_GATEWAYS {
                known.retain(|_, known| *known == self.access.gateway);
            }
            known.insert(name.short(), name.clone());
        }
    }

    /// The name of a gateway, or its short name in hexadecimal digits.
    pub(super) fn name(&self, short: &str) -> String {
        let bytes = u32::from_str_radix(short, 16).map(u32::to_be_bytes);
        let names = lock(&self.names);
        let name = bytes.ok().and_then(|bytes| names.get(&bytes));
        // A server may send anything.
        name.map_or_else(
            || short.chars().filter(char::is_ascii_hexdigit).take(8).collect(),
            ToString::to_string,
        )
    }

    /// Agrees with a server on the version and the key of marks. The key of the first server that is asked holds; the
    /// others are offered it.
    fn agree(&self, link: &mut Link) -> Result<(), StoreFault> {
        let ours = self.mark_key();
        let offer = ours.unwrap_or_else(MarkKey::random).hex();
        let arguments: [&[u8]; 3] = [VERSION.as_bytes(), offer.as_bytes(), META_LASTS.as_bytes()];
        let answer = link.run(Script::Meta, &[&self.keys.meta], &arguments)?;
        let [version, key] = wire::texts(answer)?;
        if version != VERSION {
            // The server may send anything.
            return Err(StoreFault::Version(
                version.chars().filter(|c| c.is_ascii_graphic()).take(8).collect(),
            ));
        }
        let key =
            MarkKey::from_hex(&key).ok_or_else(|| StoreFault::Protocol("no key of marks".to_owned()))?;
        // With several servers the first one's key is that of all: a source is on one of them, whatever the key.
        lock(&self.marks).get_or_insert(key);
        if self.access.servers.iter().len() == 1 {
            *lock(&self.marks) = Some(key);
        }
        Ok(())
    }
}

/// Opens the connection to a server, where there is none, and reads its clock.
pub(super) fn ready(shared: &Shared, link: &mut Link, server: usize) -> Result<Reading, Arc<StoreError>> {
    let is_new = link.is_closed();
    let reading = link.ready().and_then(|reading| {
        if is_new {
            shared.agree(link)?;
        }
        Ok(reading)
    });
    reading.map_err(|fault| shared.error(server, fault))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind it is whole after each statement.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
