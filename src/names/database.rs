//! Databases in MaxMind's format: whose an address is, and in which country.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use maxminddb::{MaxMindDbError, PathElement, Reader};

use crate::alert::About;
use crate::error::{Cause, Error};

/// Where the databases of MaxMind, and those of others that follow them, have what is asked for.
const NUMBER: [PathElement<'_>; 1] = [PathElement::Key("autonomous_system_number")];
const ORGANISATION: [PathElement<'_>; 1] = [PathElement::Key("autonomous_system_organization")];
const COUNTRY: [PathElement<'_>; 2] = [PathElement::Key("country"), PathElement::Key("iso_code")];
const REGISTERED: [PathElement<'_>; 2] =
    [PathElement::Key("registered_country"), PathElement::Key("iso_code")];

/// Any number of databases, held in memory as they were at the start. Of each thing, the first that knows it is
/// believed.
#[derive(Debug, Default)]
pub struct Databases(Vec<Reader<Vec<u8>>>);

impl Databases {
    /// Reads these files.
    ///
    /// # Errors
    ///
    /// When one cannot be read, or is no such database.
    pub fn open<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Result<Self, Error> {
        let open = |path: &Path| {
            Reader::open_readfile(path)
                .map_err(|fault| Error::Database { path: path.to_owned(), why: why(&fault) })
        };
        paths.into_iter().map(open).collect::<Result<_, _>>().map(Self)
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What they know of an address.
    #[must_use]
    pub fn about(&self, address: IpAddr) -> About {
        let text = |path| self.find::<String>(address, path).map(Arc::from);
        About {
            name: None,
            system: self.find(address, &NUMBER),
            organisation: text(&ORGANISATION),
            country: text(&COUNTRY).or_else(|| text(&REGISTERED)),
        }
    }

    /// What is damaged, or of another kind than it should be, is as if it was not there.
    fn find<T: serde::de::DeserializeOwned>(&self, address: IpAddr, path: &[PathElement<'_>]) -> Option<T> {
        self.0.iter().find_map(|reader| reader.lookup(address).ok()?.decode_path(path).ok()?)
    }
}

fn why(fault: &MaxMindDbError) -> String {
    match fault {
        MaxMindDbError::Io(error) => Cause(error).to_string(),
        fault => format!("{fault} (is it one in MaxMind's format, .mmdb?)"),
    }
}
