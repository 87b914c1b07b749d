//! Files in memory, for what a program reads and writes: unlike a pipe, one that does not read, or that something it
//! left behind holds open, holds up nobody.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};

use rustix::fs::{MemfdFlags, memfd_create};

/// One that is read from its beginning. The name is what `/proc` shows of it.
pub(super) fn holding(name: &str, text: &str) -> io::Result<File> {
    let mut file = empty(name)?;
    file.write_all(text.as_bytes())?;
    file.rewind()?;
    Ok(file)
}

/// One that is written to.
pub(super) fn empty(name: &str) -> io::Result<File> {
    Ok(File::from(memfd_create(name, MemfdFlags::CLOEXEC)?))
}

/// All that was written to it, whatever is no UTF-8 replaced.
pub(super) fn text(mut file: File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
