//! The text of the file, and locations in it.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::Spanned;
use toml::de::DeTable;

use crate::base::units::Bytes;
use crate::cli::FilePlace;
use crate::config::UsageError;
use crate::config::encoding::unmarked;

/// Maximum size of the file: a device or a wrong file must not fill the memory.
const MOST: Bytes = Bytes(1 << 20);

/// The parser's message about a duplicate key, which does not name the key.
const DUPLICATE: &str = "duplicate key";

/// A configuration file.
#[derive(Debug)]
pub(super) struct Document {
    path: Arc<Path>,
    text: Arc<str>,
}

impl Document {
    /// Reads a file.
    pub(super) fn read(path: &Path) -> Result<Self, UsageError> {
        let failed = |cause| UsageError::Config { path: path.to_owned(), cause };
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(failed)?;
        file.take(MOST.0 + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > MOST.0 {
            return Err(UsageError::ConfigSize { path: path.to_owned(), most: MOST });
        }
        let bytes =
            unmarked(&bytes).map_err(|cause| failed(io::Error::new(io::ErrorKind::InvalidData, cause)))?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Self { path: path.into(), text: text.into() }),
            Err(error) => {
                let good = error.valid_up_to();
                let text = String::from_utf8_lossy(&bytes[..good]).into();
                Err(Self { path: path.into(), text }.fault(good, "", "not UTF-8 (save it as UTF-8)"))
            }
        }
    }

    /// Parses the file.
    pub(super) fn table(&self) -> Result<Spanned<DeTable<'_>>, UsageError> {
        DeTable::parse(&self.text).map_err(|error| {
            let span = error.span().unwrap_or_default();
            if error.message() == DUPLICATE {
                let key = self.text.get(span.clone()).unwrap_or_default().escape_debug().to_string();
                return self.fault(span.start, &key, "given twice (leave one out)");
            }
            self.fault(span.start, "", error.message().lines().collect::<Vec<_>>().join(", "))
        })
    }

    /// The location of an offset.
    pub(super) fn place(&self, at: usize, key: &str) -> Box<FilePlace> {
        let (path, text) = (Arc::clone(&self.path), Arc::clone(&self.text));
        Box::new(FilePlace { path, text, at, key: key.to_owned() })
    }

    /// An error at an offset.
    pub(super) fn fault(&self, at: usize, key: &str, cause: impl Into<String>) -> UsageError {
        UsageError::Key { place: self.place(at, key), cause: cause.into() }
    }

    /// Resolves a path relative to the file's folder, because the program may be started anywhere.
    pub(super) fn beside(&self, name: &str) -> PathBuf {
        match self.path.parent() {
            // Standard output has no folder.
            Some(folder) if name != "-" => folder.join(name),
            _ => name.into(),
        }
    }
}
