//! Files in memory for a program's input and output. Unlike a pipe, they never block, even if the program does not read
//! or a child of it keeps them open.

use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};

use rustix::fs::{MemfdFlags, memfd_create};

/// A file with this text, to be read from the beginning. `/proc` shows the name.
pub(super) fn holding(name: &str, text: &str) -> io::Result<File> {
    let mut file = empty(name)?;
    file.write_all(text.as_bytes())?;
    file.rewind()?;
    Ok(file)
}

/// An empty file to write to.
pub(super) fn empty(name: &str) -> io::Result<File> {
    Ok(File::from(memfd_create(name, MemfdFlags::CLOEXEC)?))
}

/// The contents, with invalid UTF-8 replaced.
pub(super) fn text(mut file: File) -> io::Result<String> {
    let mut bytes = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
