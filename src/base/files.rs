//! Opens files for writing without blocking.
//!
//! Opening a named pipe for writing would block until it has a reader, and a stop would not interrupt it. So files are
//! opened without blocking, which fails for a pipe without a reader. Later writes may block, as on any pipe.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
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
}
