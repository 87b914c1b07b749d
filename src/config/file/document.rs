//! The file itself: its text, and where in it something stands.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use toml::Spanned;
use toml::de::DeTable;

use crate::cli::FilePlace;
use crate::config::UsageError;
use crate::units::Bytes;

/// The largest file that is read: a device or a wrong file must not fill the memory.
const MOST: Bytes = Bytes(1 << 20);

/// What the parser says of a key that is given twice, without naming it.
const DUPLICATE: &str = "duplicate key";

/// A configuration file that was read.
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
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self { path: path.into(), text: text.into() }),
            Err(error) => {
                let good = error.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(&error.as_bytes()[..good]).into();
                Err(Self { path: path.into(), text }.fault(good, "", "not UTF-8 (save it as UTF-8)"))
            }
        }
    }

    /// What it holds.
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

    /// Where a byte of it stands.
    pub(super) fn place(&self, at: usize, key: &str) -> Box<FilePlace> {
        let (path, text) = (Arc::clone(&self.path), Arc::clone(&self.text));
        Box::new(FilePlace { path, text, at, key: key.to_owned() })
    }

    /// What is wrong with what stands there.
    pub(super) fn fault(&self, at: usize, key: &str, cause: impl Into<String>) -> UsageError {
        UsageError::Key { place: self.place(at, key), cause: cause.into() }
    }

    /// A file that it names: from its own folder, as the program may be started anywhere.
    pub(super) fn beside(&self, name: &str) -> PathBuf {
        match self.path.parent() {
            // Standard output has no folder.
            Some(folder) if name != "-" => folder.join(name),
            _ => name.into(),
        }
    }
}
