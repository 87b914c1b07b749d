//! What a server of the fleet does wrong, told apart by what an administrator does about it.

use redis::{ErrorKind, RedisError};

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
        // Several requests that were sent together have an error each.
        if let Some((_, told)) =
            error.clone().into_server_errors().iter().flat_map(|errors| errors.iter()).next()
        {
            return of_server(told.code(), told.details().unwrap_or_default());
        }
        let text = error.to_string();
        match error.kind() {
            // The library does not hand on why.
            ErrorKind::AuthenticationFailed => Self::WrongPassword,
            ErrorKind::Io => of_io(error, &text),
            _ => Self::Protocol(text),
        }
    }
}

/// What servers say in a script that runs a command which its user may not: Redis 7.0 the last.
const NOT_PERMITTED: [&str; 3] = ["NOPERM", "ACL failure", "user executing the script can't"];

/// An error that the server tells by its code.
fn of_server(code: &str, detail: &str) -> StoreFault {
    match code {
        "LOADING" | "MASTERDOWN" => StoreFault::Loading,
        "OOM" => StoreFault::OutOfMemory,
        "NOAUTH" => StoreFault::NoPassword,
        "WRONGPASS" => StoreFault::WrongPassword,
        "NOPERM" => StoreFault::NotPermitted(detail.to_owned()),
        "READONLY" => StoreFault::ReadOnly,
        "NOSCRIPT" => StoreFault::NoScript,
        "MOVED" | "ASK" | "CLUSTERDOWN" | "CROSSSLOT" => StoreFault::OtherNode,
        // What a command in a script meets is passed on in other words by each version.
        _ if detail.contains("OOM ") => StoreFault::OutOfMemory,
        _ if NOT_PERMITTED.iter().any(|words| detail.contains(words)) => {
            StoreFault::NotPermitted(detail.to_owned())
        }
        _ if detail.contains("READONLY") => StoreFault::ReadOnly,
        _ => StoreFault::Protocol(format!("{code} {detail}")),
    }
}

fn of_io(error: &RedisError, text: &str) -> StoreFault {
    /// Words of what rustls says, whose error the library does not hand on as such.
    const TLS: [&str; 6] = ["certificate", "alert", "handshake", "TLS", "tls", "corrupt message"];
    if error.is_timeout() {
        StoreFault::Timeout
    } else if error.is_connection_refusal() {
        StoreFault::Refused
    } else if error.is_connection_dropped() {
        StoreFault::Closed
    } else if TLS.iter().any(|word| text.contains(word)) {
        StoreFault::Tls(text.to_owned())
    } else {
        StoreFault::Unreachable(plain(text))
    }
}

/// Without the number of the error.
fn plain(text: &str) -> String {
    text.split(" (os error").next().unwrap_or_default().to_owned()
}
