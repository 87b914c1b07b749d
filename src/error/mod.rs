//! Errors of the start, and their messages.
//!
//! Each variant is a step that failed, with its facts. The text is what follows `synwatch: `: lower case, the value
//! quoted, the cause after a colon, the remedy in parentheses where it is known. After the start nothing is fatal:
//! what goes wrong then is logged and counted where it happens, with the same types.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use rustix::thread::no_new_privs;
use thiserror::Error;

use crate::base::units::Bytes;
use crate::wire::packet::LinkType;

mod capture_file;
mod text;

pub(crate) use capture_file::{Beginning, Unreadable};
pub use capture_file::{Damage, Fault};
pub(crate) use text::{Cause, Quoted};

/// How to get the right to change the firewall.
pub(crate) const NET_ADMIN_REMEDY: &str = "run as root; for the service: cp -r \
     /usr/share/doc/synwatch/examples/synwatch.service.d /etc/systemd/system";

/// A step that failed, so that the run cannot start.
#[derive(Debug, Error)]
pub enum Error {
    /// A capture file, or standard input, cannot be read at all.
    #[error("cannot read {file}: {cause}")]
    Read {
        /// The file's name, quoted, or `standard input`.
        file: String,
        /// Why not.
        #[source]
        cause: Unreadable,
    },
    /// An interface cannot be opened.
    #[error("cannot open interface {name:?}: {cause}")]
    Interface {
        /// Its name, as it was given.
        name: String,
        /// Why not.
        #[source]
        cause: InterfaceFault,
    },
    /// The interfaces cannot be listed.
    #[error("cannot list interfaces: {0}")]
    List(String),
    /// The filter expression cannot be used.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] OpenError),
    /// The command for reports cannot be run.
    #[error("cannot run command {program:?}: {fault}")]
    Command {
        /// The program, as it was given.
        program: String,
        /// Why not.
        #[source]
        fault: CommandFault,
    },
    /// A file cannot be written by the user that the program has become.
    #[error("{cause} as user {user} (let {} belong to {user}, or give --user root)", whose(&cause.path))]
    WriteAs {
        /// The user.
        user: String,
        /// The file, and why not.
        #[source]
        cause: OpenError,
    },
    /// The address for metrics cannot be listened at.
    #[error("cannot listen at {address} for --metrics: {}", Cause(source))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The control socket cannot be made.
    #[error("cannot listen at {path:?} for --control: {why}")]
    Control {
        /// Its path.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// The folder for what is allowed by hand is not there.
    #[error("cannot use {path:?} for --state-dir: {why}")]
    StateDir {
        /// Its path.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// Rights cannot be given up.
    #[error(transparent)]
    Privileges(#[from] PrivilegeError),
    /// No authority is known that could vouch for the webhook's host.
    #[error("cannot post to {url}: no certificates of authorities: {why} (apt-get install ca-certificates)")]
    Authorities {
        /// Where reports are to be posted.
        url: String,
        /// The value that was found.
        why: String,
    },
    /// A database of networks cannot be used.
    #[error("cannot read database {path:?}: {why}")]
    Database {
        /// The file, as it was given.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// The servers of a fleet cannot be opened with what was given.
    #[error("cannot join the fleet: {0}")]
    Fleet(String),
    /// The firewall cannot be used.
    #[error("cannot block: {0}")]
    Firewall(String),
    /// There is not enough memory for the tables.
    #[error("cannot reserve {0} of memory for the tables (give less with --memory)")]
    Memory(Bytes),
    /// A thread cannot be started.
    #[error("cannot start a thread: {}", Cause(.0))]
    Thread(#[source] io::Error),
}

/// What has to belong to who writes: a folder itself, or that of a file.
fn whose(path: &Path) -> &'static str {
    if path.is_dir() { "it" } else { "its folder" }
}

/// Why an interface cannot be opened.
#[derive(Debug, Error)]
pub enum InterfaceFault {
    /// There is none of this name.
    #[error("no such device (-D lists interfaces)")]
    Missing,
    /// It is down.
    #[error("the interface is down (ip link set it up)")]
    Down,
    /// The right to capture is missing.
    #[error(
        "the capability CAP_NET_RAW is missing (run as root, or: setcap cap_net_raw=ep /path/to/synwatch)"
    )]
    NotAllowed,
    /// The same, where the capability of the program's file has no effect: in a container, say.
    #[error(
        "the capability CAP_NET_RAW is missing, and the program's file may not give it here: no new privileges \
         (run as root, in a container with --user 0; or with ambient capabilities)"
    )]
    NotGained,
    /// Its link type is not read.
    #[error("link type {0} is not supported")]
    LinkType(LinkType),
    /// libpcap says why.
    #[error("{0}")]
    Libpcap(String),
}

impl InterfaceFault {
    /// Derives the fault from the message of libpcap.
    #[must_use]
    pub(crate) fn from_text(text: &str) -> Self {
        let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
        if says(&["No such device", "doesn't exist"]) {
            Self::Missing
        } else if says(&["permission", "Operation not permitted"]) {
            if no_new_privs().unwrap_or_default() { Self::NotGained } else { Self::NotAllowed }
        } else if says(&["not up", "Network is down", "went down"]) {
            Self::Down
        } else {
            Self::Libpcap(text.to_owned())
        }
    }
}

/// Why a command cannot be run.
#[derive(Debug, Error)]
pub enum CommandFault {
    /// The program that would run it cannot be started, or has failed.
    #[error("its helper cannot be started: {}", Cause(.0))]
    Helper(#[source] io::Error),
    /// There is none, or it must not be run: the text says why.
    #[error("{0}")]
    Refused(String),
}

/// An expression that libpcap does not take.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("cannot use filter expression {expression:?} on link type {link}: {cause} (see pcap-filter(7))")]
pub struct FilterError {
    /// The expression.
    pub expression: String,
    /// The link type that it was compiled for.
    pub link: LinkType,
    /// The message of libpcap.
    pub cause: String,
}

impl FilterError {
    /// Whether a name in it could not be looked up, rather than the expression being wrong.
    #[must_use]
    pub(crate) fn is_unknown_name(&self) -> bool {
        // libpcap's words.
        ["unknown host", "unknown network", "unknown ether host"].iter().any(|text| self.cause.contains(text))
    }
}

/// Rights cannot be given up.
#[derive(Debug, Error)]
pub enum PrivilegeError {
    /// There is no such user.
    #[error("cannot become user {0:?}: there is none of this name (getent passwd lists them)")]
    NoUser(String),
    /// The program was not started as root.
    #[error("cannot become user {0:?}: only root can (leave --user out)")]
    NotRoot(String),
    /// The system's users cannot be looked up.
    #[error("cannot look up user {user:?}: {}", Cause(source))]
    LookUp {
        /// Its name.
        user: String,
        /// Why not.
        source: io::Error,
    },
    /// The system refuses to make another user of this one.
    #[error(
        "cannot become user {user:?}: {} (needs the capabilities CAP_SETUID and CAP_SETGID; or give --user root)",
        Cause(source)
    )]
    Become {
        /// Its name.
        user: String,
        /// Why not.
        source: io::Error,
    },
    /// The right to change the firewall is missing.
    #[error("the capability CAP_NET_ADMIN is missing ({})", NET_ADMIN_REMEDY)]
    NoAdmin,
    /// The system refuses to take capabilities away.
    #[error("cannot give up capabilities: {}", Cause(.0))]
    Capabilities(#[source] io::Error),
}

/// A file for reports or packets cannot be opened.
#[derive(Debug, Error)]
#[error("cannot write {path:?}: {}", Cause(source))]
pub struct OpenError {
    /// The file, as it was given.
    pub path: PathBuf,
    /// Why not.
    pub source: io::Error,
}

#[cfg(test)]
mod tests;
