//! Databases in MaxMind's format: the organisation and the country of an address.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use maxminddb::{MaxMindDbError, PathElement, Reader};

use crate::detect::alert::Enrichment;
use crate::error::{Cause, Error};

/// Paths of the values in the databases of MaxMind and compatible ones.
const NUMBER: [PathElement<'_>; 1] = [PathElement::Key("autonomous_system_number")];
const ORGANISATION: [PathElement<'_>; 1] = [PathElement::Key("autonomous_system_organization")];
const COUNTRY: [PathElement<'_>; 2] = [PathElement::Key("country"), PathElement::Key("iso_code")];
const REGISTERED: [PathElement<'_>; 2] =
    [PathElement::Key("registered_country"), PathElement::Key("iso_code")];

/// Any number of databases, loaded into memory at the start. For each value, the first database that has it wins.
#[derive(Debug, Default)]
pub struct Databases(Vec<Reader<Vec<u8>>>);

impl Databases {
    /// Loads these files.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or is not such a database.
    pub fn open<'a>(paths: impl IntoIterator<Item = &'a Path>) -> Result<Self, Error> {
        let open = |path: &Path| {
            Reader::open_readfile(path)
                .map_err(|fault| Error::Database { path: path.to_owned(), why: why(&fault) })
        };
        paths.into_iter().map(open).collect::<Result<_, _>>().map(Self)
    }

    /// Whether there are no databases.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The data about an address in the databases.
    #[must_use]
    pub fn about(&self, address: IpAddr) -> Enrichment {
        let text = |path| self.find::<String>(address, path).map(Arc::from);
        Enrichment {
            name: None,
            system: self.find(address, &NUMBER),
            organisation: text(&ORGANISATION),
            country: text(&COUNTRY).or_else(|| text(&REGISTERED)),
        }
    }

    /// Damaged values, or those of an unexpected type, count as missing.
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
