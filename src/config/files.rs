//! Files that options refer to: allow files and the system's services.

use std::cell::OnceCell;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::PathBuf;

use ipnet::IpNet;

use super::UsageError;
use super::encoding::unmarked;
use crate::base::units::Bytes;
use crate::cli::Located;
use crate::engine::watch::{allow, services};

/// Maximum size of an allow file, enough for some hundred thousand networks: a device or a wrong file must not fill the
/// memory.
const ALLOW_FILE_MOST: Bytes = Bytes(16 << 20);

/// The file with further names of services.
const SERVICES_FILE: &str = "/etc/services";

/// Reads a list of networks, one for each line.
pub(super) fn allow_file(written: &Located<PathBuf>) -> Result<Vec<IpNet>, UsageError> {
    let Located { value: path, place } = written.clone();
    let failed = |cause| UsageError::AllowFile { place: place.clone(), path: path.clone(), cause };
    let file = File::open(&path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(ALLOW_FILE_MOST.0 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > ALLOW_FILE_MOST.0 {
        return Err(UsageError::AllowFileSize { place, path, most: ALLOW_FILE_MOST });
    }
    let text = unmarked(&bytes).map_err(|cause| failed(io::Error::new(io::ErrorKind::InvalidData, cause)))?;
    // Invalid UTF-8 is harmless in a comment; elsewhere the parser refuses it.
    allow::networks(&String::from_utf8_lossy(text)).map_err(|cause| UsageError::AllowFileLine {
        place,
        path,
        cause,
    })
}

/// The system's services, read on first use. Without the file there are none.
#[derive(Debug, Default)]
pub(super) struct SystemServices(OnceCell<String>);

impl SystemServices {
    /// The TCP port of a service.
    pub(super) fn port(&self, name: &str) -> Option<u16> {
        let text = self.0.get_or_init(|| {
            let bytes = fs::read(SERVICES_FILE).unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        });
        services::in_file(text, name)
    }
}
