//! What a server of the fleet does wrong, told apart by what an administrator does about it.

use std::io;

use redis::{ErrorKind, RedisError, ServerErrorKind};

use crate::error::Quoted;

/// A server did not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{server} {fault}")]
pub struct StoreError {
    /// The server, as messages name it.
    pub server: String,
    /// What it does.
    pub fault: StoreFault,
}

/// What a server does wrong. The text goes on after the server's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreFault {
    /// It was asked a moment ago, and failed: it is tried again later.
    #[error("did not answer a moment ago")]
    Resting,
    /// Nothing listens there.
    #[error("refuses connections (is the server running?)")]
    Refused,
    /// The name has no address, the network no way, or the socket no permission.
    #[error("cannot be reached: {0}")]
    Unreachable(String),
    /// It does not answer in time.
    #[error("does not answer")]
    Timeout,
    /// It closed the connection.
    #[error("closed the connection")]
    Closed,
    /// TLS fails: a certificate, a name, a version.
    #[error("fails TLS: {0} (fleet_ca, fleet_cert, fleet_key)")]
    Tls(String),
    /// It reads its data from disk.
    #[error("is loading its data")]
    Loading,
    /// It is out of memory.
    #[error("is out of memory (raise maxmemory; what the fleet stores expires)")]
    OutOfMemory,
    /// It wants a password, and none is given.
    #[error("wants a password (fleet_password_file)")]
    NoPassword,
    /// The user is unknown, or the password is another.
    #[error("refuses the user or the password (the user in the URL, fleet_password_file)")]
    WrongPassword,
    /// The user's ACL does not allow a command or a key.
    #[error("does not permit it: {} (docs/fleet.md has the ACL)", Quoted(.0))]
    NotPermitted(String),
    /// It is a replica.
    #[error("is a read-only replica (name the primary)")]
    ReadOnly,
    /// It is a node of a cluster that holds other keys.
    #[error("is a node of a cluster that does not hold the fleet (name the node that does)")]
    OtherNode,
    /// Its data are of another version of synwatch.
    #[error(
        "holds the data of another version of synwatch ({0}; use the same version, or another fleet_name)"
    )]
    Version(String),
    /// As many entries as there may be are there.
    #[error("holds as many entries of this kind as a fleet may have ({0})")]
    Full(usize),
    /// It has forgotten the script: it was restarted.
    #[error("has forgotten the script")]
    NoScript,
    /// It answers what no Redis or Valkey does.
    #[error("answers unexpectedly: {}", Quoted(.0))]
    Protocol(String),
}

impl StoreFault {
    /// Whether the server is left alone for a while, and its connection closed. The others concern one request.
    pub(super) fn is_of_server(&self) -> bool {
        !matches!(self, Self::Full(_) | Self::NoScript | Self::Resting)
    }
}

impl From<&RedisError> for StoreFault {
    fn from(error: &RedisError) -> Self {
        let detail = || error.detail().map_or_else(|| error.to_string(), str::to_owned);
        if let Some(code) = error.code() {
            match code {
                "LOADING" => return Self::Loading,
                "OOM" => return Self::OutOfMemory,
                "NOAUTH" => return Self::NoPassword,
                "WRONGPASS" => return Self::WrongPassword,
                "NOPERM" => return Self::NotPermitted(detail()),
                "READONLY" => return Self::ReadOnly,
                "NOSCRIPT" => return Self::NoScript,
                "MOVED" | "ASK" | "CLUSTERDOWN" | "CROSSSLOT" => return Self::OtherNode,
                "MASTERDOWN" => return Self::Loading,
                _ => {}
            }
        }
        let text = error.to_string();
        match error.kind() {
            ErrorKind::AuthenticationFailed => of_authentication(&text),
            ErrorKind::Io => of_io(error, text),
            // Redis passes what a script met as an answer of its own kind.
            ErrorKind::Server(ServerErrorKind::ResponseError) if text.contains("OOM ") => Self::OutOfMemory,
            ErrorKind::Server(ServerErrorKind::ResponseError)
                if text.contains("NOPERM") || text.contains("ACL failure") =>
            {
                Self::NotPermitted(detail())
            }
            ErrorKind::Server(ServerErrorKind::ResponseError) if text.contains("READONLY") => Self::ReadOnly,
            _ => Self::Protocol(text),
        }
    }
}

fn of_authentication(text: &str) -> StoreFault {
    if text.contains("WRONGPASS") || text.contains("invalid") {
        StoreFault::WrongPassword
    } else {
        StoreFault::Protocol(text.to_owned())
    }
}

fn of_io(error: &RedisError, text: String) -> StoreFault {
    if error.is_timeout() {
        return StoreFault::Timeout;
    }
    if error.is_connection_refusal() {
        return StoreFault::Refused;
    }
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<io::Error>());
    let kind = cause.map(io::Error::kind);
    let is_tls = cause.and_then(io::Error::get_ref).is_some_and(|inner| inner.is::<rustls::Error>());
    match kind {
        _ if is_tls => StoreFault::Tls(text),
        Some(
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::NotConnected,
        ) => StoreFault::Closed,
        Some(_) => StoreFault::Unreachable(plain(&text)),
        None => StoreFault::Closed,
    }
}

/// Without the number of the error.
fn plain(text: &str) -> String {
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
