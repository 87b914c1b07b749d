//! Opens files for writing without blocking.
//!
//! Opening a named pipe for writing would block until it has a reader, and a stop would not interrupt it. So files are
//! opened without blocking, which fails for a pipe without a reader. Later writes may block, as on any pipe.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, OFlags, accessat, fcntl_getfl, fcntl_setfl};
use rustix::io::Errno;

/// Mode of a created file: it names other people's hosts.
pub(crate) const FILE_MODE: u32 = 0o640;

/// Opens a file with these options, and creates it if missing.
pub(crate) fn create(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    options.create(true).mode(FILE_MODE).custom_flags(OFlags::NONBLOCK.bits() as i32);
    let file = options.open(path).map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::NXIO) => {
            io::Error::new(error.kind(), "no program reads this pipe (start its reader first)")
        }
        _ => error,
    })?;
    fcntl_setfl(&file, fcntl_getfl(&file)? & !OFlags::NONBLOCK)?;
    Ok(file)
}

/// Tries whether a file can be written, and leaves all as it is. A missing one is created and removed again. A pipe or
/// a device is not opened, because its reader would notice; its mode tells.
pub(crate) fn try_write(path: &Path) -> io::Result<()> {
    match path.metadata() {
        Ok(found) if found.is_dir() => Err(io::ErrorKind::IsADirectory.into()),
        Ok(found) if found.is_file() => OpenOptions::new().append(true).open(path).map(drop),
        Ok(_) => Ok(accessat(CWD, path, Access::WRITE_OK, AtFlags::EACCESS)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => try_create(&target(path)),
        Err(error) => Err(error),
    }
}

/// Never an existing file: only the created one is removed.
fn try_create(path: &Path) -> io::Result<()> {
    OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)?;
    let left =
        |error: io::Error| io::Error::new(error.kind(), "created to try it, and cannot be removed again");
    fs::remove_file(path).map_err(left)
}

/// Where a file is created: what a link names that leads to nothing.
fn target(path: &Path) -> PathBuf {
    /// As many links as the kernel follows.
    const MOST_LINKS: usize = 40;
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let Ok(link) = path.read_link() else { break };
        path = path.parent().unwrap_or(Path::new("")).join(link);
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::io::{Read as _, Write as _};
    use std::os::unix::fs::PermissionsExt as _;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    #[test]
    fn a_pipe_without_a_reader_is_refused_and_one_with_a_reader_is_written_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pipe");
        mknodat(CWD, &path, FileType::Fifo, Mode::from(0o600), 0).unwrap();
        let refused = create(OpenOptions::new().append(true), &path).unwrap_err();
        assert_eq!(refused.to_string(), "no program reads this pipe (start its reader first)");

        let reader = std::thread::spawn({
            let path = path.clone();
            move || {
                let mut all = Vec::new();
                File::open(path).and_then(|mut pipe| pipe.read_to_end(&mut all)).map(|_| all.len())
            }
        });
        // More than a pipe holds: the writer waits for the reader and loses nothing.
        let many = vec![7; 1 << 20];
        let mut pipe = loop {
            match create(OpenOptions::new().append(true), &path) {
                Ok(pipe) => break pipe,
                Err(_) => std::thread::yield_now(),
            }
        };
        pipe.write_all(&many).unwrap();
        drop(pipe);
        assert_eq!(reader.join().unwrap().unwrap(), many.len());
    }

    #[test]
    fn a_file_that_is_created_is_for_its_owner_and_group() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let file = create(OpenOptions::new().append(true), &path).unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o137, 0);
    }
    #[test]
    fn trying_to_write_leaves_all_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("there"), "text").unwrap();
        fs::create_dir(path("folder")).unwrap();
        std::os::unix::fs::symlink("elsewhere", path("link")).unwrap();
        mknodat(CWD, path("pipe"), FileType::Fifo, Mode::from(0o600), 0).unwrap();
        let names = || {
            let entries = fs::read_dir(folder.path()).unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        let before = names();
        for name in ["there", "missing", "link", "pipe"] {
            try_write(&path(name)).unwrap();
            assert_eq!(names(), before, "{name}");
        }
        assert_eq!(fs::read_to_string(path("there")).unwrap(), "text");
        for (name, kind) in [("folder", io::ErrorKind::IsADirectory), ("no/folder", io::ErrorKind::NotFound)]
        {
            assert_eq!(try_write(&path(name)).unwrap_err().kind(), kind, "{name}");
        }
        assert_eq!(names(), before);
    }
}
