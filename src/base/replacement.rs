//! Files that are written under another name and renamed when they are complete.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::files::create;

/// The real path of a file, behind a link.
pub(crate) fn place(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// A file that is written under another name and renamed when it is complete: a reader sees the old file or
/// the new one. A device or a pipe is written directly.
#[derive(Debug)]
pub(crate) struct Replacement {
    file: File,
    /// The temporary path and the final path.
    part: Option<(PathBuf, PathBuf)>,
}

impl Replacement {
    /// Creates the temporary file; nothing is replaced yet.
    ///
    /// # Errors
    ///
    /// It cannot be created.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        let path = place(path);
        let mut options = OpenOptions::new();
        options.write(true);
        if path.metadata().is_ok_and(|found| !found.is_file()) {
            return Ok(Self { file: create(&mut options, &path)?, part: None });
        }
        let mut name = OsString::from(".");
        name.push(path.file_name().ok_or(io::ErrorKind::IsADirectory)?);
        name.push(".part");
        let part = path.with_file_name(name);
        let file = create(options.truncate(true), &part)?;
        Ok(Self { file, part: Some((part, path)) })
    }

    /// Writes the contents and renames the file.
    ///
    /// # Errors
    ///
    /// The file cannot be written completely or renamed. Then the old one stays.
    pub(crate) fn finish(mut self, contents: &[u8]) -> io::Result<()> {
        self.file.write_all(contents)?;
        let Some((part, path)) = &self.part else { return Ok(()) };
        std::fs::rename(part, path)?;
        self.part = None;
        Ok(())
    }
}

impl Drop for Replacement {
    fn drop(&mut self) {
        if let Some((part, _)) = &self.part {
            // A remaining file is replaced by the next one.
            let _ = std::fs::remove_file(part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("page.html");
        let names = || std::fs::read_dir(folder.path()).unwrap().count();
        std::fs::write(&path, "old").unwrap();
        drop(Replacement::create(&path).unwrap());
        assert_eq!((std::fs::read(&path).unwrap(), names()), (b"old".to_vec(), 1));
        let replacement = Replacement::create(&path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        replacement.finish(b"new").unwrap();
        assert_eq!((std::fs::read(&path).unwrap(), names()), (b"new".to_vec(), 1));
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        Replacement::create(&link).unwrap().finish(b"newer").unwrap();
        assert!(link.is_symlink(), "a link stays");
        assert_eq!(std::fs::read(&path).unwrap(), b"newer");
        assert!(Replacement::create(folder.path()).is_err());
        Replacement::create(Path::new("/dev/null")).unwrap().finish(b"x").unwrap();
    }
}
