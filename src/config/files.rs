//! The files that options refer to by name or by what they say: allow files and the system's services.

use std::cell::OnceCell;
use std::fs::{self, File};
use std::io::Read;
use std::path::PathBuf;

use ipnet::IpNet;

use super::UsageError;
use crate::cli::Written;
use crate::units::Bytes;
use crate::watch::{allow, services};

/// The largest allow file that is read, some hundred thousand networks: a device or a wrong file must not fill the
/// memory.
const ALLOW_FILE_MOST: Bytes = Bytes(16 << 20);

/// Where services stand that are not known here.
const SERVICES_FILE: &str = "/etc/services";

/// Reads a list of networks, one a line.
pub(super) fn allow_file(written: &Written<PathBuf>) -> Result<Vec<IpNet>, UsageError> {
    let Written { value: path, place } = written.clone();
    let failed = |cause| UsageError::AllowFile { place: place.clone(), path: path.clone(), cause };
    let file = File::open(&path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(ALLOW_FILE_MOST.0 + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > ALLOW_FILE_MOST.0 {
        return Err(UsageError::AllowFileSize { place, path, most: ALLOW_FILE_MOST });
    }
    // What is not UTF-8 is harmless in a comment, and named as wrong elsewhere.
    allow::networks(&String::from_utf8_lossy(&bytes)).map_err(|cause| UsageError::AllowFileLine {
        place,
        path,
        cause,
    })
}

/// The system's services, read when the first is asked for. A system without them knows none.
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
