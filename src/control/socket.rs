//! The socket in the file system: creates it, replaces that of a crashed run, and removes it.

use std::fs;
use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, lchown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use nix::unistd::Group;
use rustix::event::{EventfdFlags, eventfd};
use rustix::fs::{Access, AtFlags, CWD, Mode, accessat};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use rustix::process::umask;

use crate::error::Cause;

/// Members of this group may connect. The package makes it.
const GROUP: &str = "synwatch";

/// All bits but those of the mode 0660.
const MASK: Mode = Mode::from_raw_mode(0o117);

/// A socket that clients can connect to. They wait until the server runs.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(super) listener: UnixListener,
    pub(super) wake: Arc<OwnedFd>,
    path: PathBuf,
    /// Device and inode: whether the path still names this socket.
    id: (u64, u64),
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unbound {
    /// Another process listens there.
    #[error("another synwatch listens there")]
    Taken,
    /// Something else is there, and stays.
    #[error("there is a file, and no socket")]
    NoSocket,
    /// The system says why.
    #[error("{}", Cause(.0))]
    System(#[from] io::Error),
}

impl Socket {
    /// Listens at this path. A socket that a crashed run left behind is replaced.
    ///
    /// # Errors
    ///
    /// The path is taken, or cannot be made.
    pub(crate) fn bind(path: &Path) -> Result<Self, Unbound> {
        let listener = match listen(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                remove_stale(path)?;
                listen(path)?
            }
            bound => bound?,
        };
        if let Ok(Some(group)) = Group::from_name(GROUP) {
            // A user who may not do that, as that of the service, is in that group already.
            let _ = lchown(path, None, Some(group.gid.as_raw()));
        }
        Ok(Self { listener, wake: wake()?, id: id(path)?, path: path.to_owned() })
    }

    /// Checks what [`Socket::bind`] would find, and changes nothing.
    ///
    /// # Errors
    ///
    /// The path is taken, or cannot be made.
    pub(crate) fn look(path: &Path) -> Result<(), Unbound> {
        // A stale one is replaced, in its folder as well.
        is_stale(path)?;
        let folder = path.parent().unwrap_or(path);
        let access = Access::WRITE_OK | Access::EXEC_OK;
        Ok(accessat(CWD, folder, access, AtFlags::EACCESS).map_err(io::Error::from)?)
    }

    /// Ends the wait of the thread that serves.
    pub(crate) fn wake(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.wake)
    }

    /// Removes the socket, if the path still names it. The folder may deny that; then the next run replaces it.
    pub(super) fn remove(&self) {
        if id(&self.path).is_ok_and(|id| id == self.id) {
            if let Err(error) = fs::remove_file(&self.path) {
                log::debug!("cannot remove {:?}: {}", self.path, Cause(&error));
            }
        }
    }
}

/// Ends the wait of the serving thread.
///
/// # Errors
///
/// The system says why.
pub(crate) fn wake() -> io::Result<Arc<OwnedFd>> {
    let wake = eventfd(0, EventfdFlags::NONBLOCK | EventfdFlags::CLOEXEC).map_err(io::Error::from)?;
    Ok(Arc::new(wake))
}

/// Connects without waiting: a queue that is full is an error ([`io::ErrorKind::WouldBlock`]).
pub(super) fn connect_now(path: &Path) -> io::Result<UnixStream> {
    let address = SocketAddrUnix::new(path)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    connect(socket.as_fd(), &address)?;
    Ok(socket.into())
}

fn listen(path: &Path) -> io::Result<UnixListener> {
    // The mode holds from the first moment on. No other thread runs yet that could make a file meanwhile.
    let before = umask(MASK);
    let bound = UnixListener::bind(path);
    umask(before);
    let listener = bound?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Removes a socket at which nothing listens.
fn remove_stale(path: &Path) -> Result<(), Unbound> {
    if is_stale(path)? {
        fs::remove_file(path)?;
    }
    Ok(())
}

/// Whether there is a socket at which nothing listens: only that refuses a connection.
fn is_stale(path: &Path) -> Result<bool, Unbound> {
    match fs::symlink_metadata(path) {
        // A file without a listener refuses connections, too.
        Ok(file) if !file.file_type().is_socket() => return Err(Unbound::NoSocket),
        Ok(_) => {}
        Err(error) => {
            return if error.kind() == io::ErrorKind::NotFound { Ok(false) } else { Err(error.into()) };
        }
    }
    match connect_now(path) {
        Ok(_) => Err(Unbound::Taken),
        Err(error) if error.raw_os_error() == Some(Errno::CONNREFUSED.raw_os_error()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(Unbound::Taken),
        Err(error) => Err(error.into()),
    }
}

fn id(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}
