//! Where a fleet's servers are: the URLs of the configuration, and which server holds which source.
//!
//! All gateways of a fleet choose the same server for a source, in whatever order their configurations list the
//! servers: the highest hash of source and server wins (rendezvous hashing). When a server is added, only the sources
//! that it wins move.

use std::fmt;
use std::hash::Hasher as _;
use std::net::Ipv6Addr;
use std::path::PathBuf;

use siphasher::sip::SipHasher13;

use crate::error::Quoted;

/// The port of `redis://` and `rediss://` without one.
const PORT: u16 = 6379;

/// The address of a server, as a URL: `redis://`, `rediss://` (TLS) or `redis+unix://`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    pub(super) at: At,
    /// The user of the server's ACL; without one its default user.
    pub(super) user: Option<String>,
}

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum At {
    Tcp { host: String, port: u16, tls: bool },
    Unix(PathBuf),
}

impl Address {
    /// Whether the connection is encrypted, so that certificates are needed.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        matches!(self.at, At::Tcp { tls: true, .. })
    }

    /// The socket of a server of this host.
    #[must_use]
    pub fn path(&self) -> Option<&std::path::Path> {
        match &self.at {
            At::Unix(path) => Some(path),
            At::Tcp { .. } => None,
        }
    }

    /// The port of a server, if it is reached by TCP.
    #[must_use]
    pub fn port(&self) -> Option<u16> {
        match &self.at {
            At::Tcp { port, .. } => Some(*port),
            At::Unix(_) => None,
        }
    }

    /// Parses one URL.
    ///
    /// # Errors
    /// It is none that a server could have; the text says why.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = text.split_once("://").ok_or(AddressError::Scheme)?;
        let tls = match scheme {
            "redis" | "valkey" => Some(false),
            "rediss" | "valkeys" => Some(true),
            "redis+unix" | "unix" => None,
            _ => return Err(AddressError::Scheme),
        };
        // A path may hold an @: of a host's address the last one ends the user.
        let (user, rest) = match tls {
            Some(_) => rest.rsplit_once('@').map_or((None, rest), |(user, rest)| (Some(user), rest)),
            None if rest.starts_with('/') => (None, rest),
            None => rest.split_once('@').map_or((None, rest), |(user, rest)| (Some(user), rest)),
        };
        let user = user.filter(|user| !user.is_empty()).map(user_name).transpose()?;
        let at = match tls {
            Some(tls) => {
                let (host, port) = host_and_port(rest)?;
                At::Tcp { host, port, tls }
            }
            None if rest.len() > 1 && rest.starts_with('/') => At::Unix(rest.into()),
            None => return Err(AddressError::Path),
        };
        Ok(Self { at, user })
    }
}

/// The text before `@`.
fn user_name(text: &str) -> Result<String, AddressError> {
    if text.contains(':') {
        return Err(AddressError::Password);
    }
    // The server's ACL has users without spaces.
    if text.chars().any(|letter| letter.is_whitespace() || letter.is_control()) {
        return Err(AddressError::User(text.to_owned()));
    }
    Ok(text.to_owned())
}

/// The text after the user: host, port, and perhaps the path of database 0.
fn host_and_port(text: &str) -> Result<(String, u16), AddressError> {
    let (text, path) = text.split_once('/').unwrap_or((text, ""));
    if !matches!(path, "" | "0") {
        return Err(AddressError::Database(path.to_owned()));
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(text) => {
            let (host, rest) = text.split_once(']').ok_or(AddressError::Host)?;
            host.parse::<Ipv6Addr>().map_err(|_| AddressError::Host)?;
            (host, rest.strip_prefix(':').or_else(|| rest.is_empty().then_some("")))
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port).filter(|port| !port.is_empty())),
            None => (text, Some("")),
        },
    };
    let is_of_host = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_' | ':');
    if host.is_empty() || !host.chars().all(is_of_host) {
        return Err(AddressError::Host);
    }
    let port = match port {
        Some("") => PORT,
        Some(port) => {
            port.parse().ok().filter(|port| *port != 0).ok_or_else(|| AddressError::Port(port.to_owned()))?
        }
        None => return Err(AddressError::Port(String::new())),
    };
    Ok((host.to_owned(), port))
}

impl fmt::Display for Address {
    /// The host, with its port where that is not the usual one; or the path. Messages name a server so.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            At::Tcp { host, port: PORT, .. } => f.write_str(host),
            At::Tcp { host, port, .. } if host.contains(':') => write!(f, "[{host}]:{port}"),
            At::Tcp { host, port, .. } => write!(f, "{host}:{port}"),
            At::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

/// The servers of a fleet, in one order for all gateways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Servers(Vec<Address>);

impl Servers {
    /// The most servers of a fleet. One takes 19,000 attempts a second or more.
    pub const MOST: usize = 8;

    /// Orders them.
    ///
    /// # Errors
    /// There are none, too many, or one twice.
    pub fn new(mut servers: Vec<Address>) -> Result<Self, AddressError> {
        servers.sort();
        let twice = servers.windows(2).find(|pair| pair[0].at == pair[1].at);
        match (servers.len(), twice) {
            (_, Some(pair)) => Err(AddressError::Twice(pair[0].to_string())),
            (1..=Self::MOST, None) => Ok(Self(servers)),
            _ => Err(AddressError::Number),
        }
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Address> {
        self.0.iter()
    }

    /// The number of the server that holds what is stored under this text: a source or a network.
    pub(super) fn of(&self, text: &str) -> usize {
        let weight = |(_, server): &(usize, &Address)| {
            let mut hasher = SipHasher13::new();
            hasher.write(text.as_bytes());
            hasher.write_u8(0);
            hasher.write(server.to_string().as_bytes());
            hasher.finish()
        };
        self.0.iter().enumerate().max_by_key(weight).map_or(0, |(index, _)| index)
    }
}

/// Why a text is no server of a fleet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It begins with no scheme that is known.
    #[error("no URL of a server (redis://HOST:PORT, rediss://USER@HOST:PORT, redis+unix:///PATH)")]
    Scheme,
    /// There is no host, or no host has such a name.
    #[error("no host after :// (redis://valkey.example.net:6379, redis://[2001:db8::7]:6379)")]
    Host,
    /// There is no absolute path.
    #[error("no absolute path (redis+unix:///run/valkey/valkey.sock)")]
    Path,
    /// The text after the colon is no port.
    #[error("{} is no port from 1 to 65535", Quoted(.0))]
    Port(String),
    /// The text before the @ is no user.
    #[error("{} is no user", Quoted(.0))]
    User(String),
    /// There is a password, which lists of processes would show.
    #[error("a password does not belong in a URL (fleet_password_file names the file that holds it)")]
    Password,
    /// There is a number of a database, or anything else after the host.
    #[error("{} after the host (no database but 0 is used: fleet_name keeps fleets apart)", Quoted(.0))]
    Database(String),
    /// There are no servers, or too many.
    #[error("a fleet has 1 to {} servers", Servers::MOST)]
    Number,
    /// A server is listed twice.
    #[error("{0} is listed twice")]
    Twice(String),
}

#[cfg(test)]
mod tests;
