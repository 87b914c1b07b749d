//! What opens a fleet's servers: their addresses, the fleet's name, a password, certificates. All files are read at
//! the start, before rights are given up.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use redis::{
    Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, RedisConnectionInfo,
    TlsCertificates,
};

use super::address::{Address, At, Servers};
use super::connection::Link;
use super::name::Name;
use crate::error::Cause;

/// Files that a fleet's servers are opened with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessFiles {
    /// The password, on the first line.
    pub password: Option<PathBuf>,
    /// The certificates of the authorities that vouch for the servers, as PEM; without it the system's.
    pub ca: Option<PathBuf>,
    /// This gateway's certificate, as PEM.
    pub cert: Option<PathBuf>,
    /// The key of that.
    pub key: Option<PathBuf>,
}

/// A fleet's servers, and what opens them.
pub struct Access {
    pub(super) servers: Servers,
    pub(super) fleet: Name,
    pub(super) gateway: Name,
    clients: Vec<Client>,
    /// By how many microseconds the clock is wrong, in tests.
    pub(super) skew: i64,
}

impl Access {
    /// Reads the files. Nothing is connected to.
    ///
    /// # Errors
    /// A file cannot be read, or does not hold what it should.
    pub fn new(
        servers: Servers,
        fleet: Name,
        gateway: Name,
        files: &AccessFiles,
    ) -> Result<Self, AccessError> {
        let password = files.password.as_deref().map(password).transpose()?;
        let is_tls = servers.iter().any(Address::is_tls);
        let tls = is_tls.then(|| certificates(files)).transpose()?;
        let clients = servers
            .iter()
            .map(|server| client(server, password.as_deref(), tls.as_ref(), files))
            .collect::<Result<_, _>>()?;
        Ok(Self { servers, fleet, gateway, clients, skew: 0 })
    }

    /// As if this gateway's clock were wrong by so many microseconds: for tests alone.
    #[doc(hidden)]
    #[must_use]
    pub fn with_skew(self, skew: i64) -> Self {
        Self { skew, ..self }
    }

    /// The servers.
    #[must_use]
    pub fn servers(&self) -> &Servers {
        &self.servers
    }

    /// The fleet's name.
    #[must_use]
    pub fn fleet(&self) -> &Name {
        &self.fleet
    }

    /// This gateway's name.
    #[must_use]
    pub fn gateway(&self) -> &Name {
        &self.gateway
    }

    /// A link to each server, without a connection.
    pub(super) fn links(&self) -> Box<[Link]> {
        self.clients.iter().cloned().map(|client| Link::new(client, self.skew)).collect()
    }
}

fn client(
    server: &Address,
    password: Option<&str>,
    tls: Option<&TlsCertificates>,
    files: &AccessFiles,
) -> Result<Client, AccessError> {
    let wrong = |error: redis::RedisError| AccessError::Certificates(files.named(), error.to_string());
    let address = match &server.at {
        At::Unix(path) => ConnectionAddr::Unix(path.clone()),
        At::Tcp { host, port, tls: false } => ConnectionAddr::Tcp(host.clone(), *port),
        At::Tcp { host, port, tls: true } => {
            ConnectionAddr::TcpTls { host: host.clone(), port: *port, insecure: false, tls_params: None }
        }
    };
    // What the library tells of itself would need a right of its own in the server's ACL.
    let mut login = RedisConnectionInfo::default().set_skip_set_lib_name();
    if let Some(user) = &server.user {
        login = login.set_username(user);
    }
    if let Some(password) = password {
        login = login.set_password(password);
    }
    let info: ConnectionInfo = address.into_connection_info().map_err(wrong)?.set_redis_settings(login);
    match tls {
        Some(tls) if server.is_tls() => Client::build_with_tls(info, tls.clone()),
        _ => Client::open(info),
    }
    .map_err(wrong)
}

fn certificates(files: &AccessFiles) -> Result<TlsCertificates, AccessError> {
    let client_tls = match (&files.cert, &files.key) {
        (Some(cert), Some(key)) => Some(ClientTlsConfig { client_cert: pem(cert)?, client_key: pem(key)? }),
        (None, None) => None,
        _ => return Err(AccessError::HalfAPair),
    };
    let root_cert = match &files.ca {
        Some(ca) => pem(ca)?,
        None => system_authorities()?,
    };
    Ok(TlsCertificates { client_tls, root_cert: Some(root_cert) })
}

/// The system's authorities. They are read once: a process that has given up its rights may not find them.
fn system_authorities() -> Result<Vec<u8>, AccessError> {
    let found = rustls_native_certs::load_native_certs();
    if found.certs.is_empty() {
        return Err(AccessError::NoAuthorities);
    }
    let mut pem = String::new();
    for certificate in found.certs {
        pem.push_str("-----BEGIN CERTIFICATE-----\n");
        pem.push_str(&STANDARD.encode(&certificate));
        pem.push_str("\n-----END CERTIFICATE-----\n");
    }
    Ok(pem.into_bytes())
}

fn pem(path: &Path) -> Result<Vec<u8>, AccessError> {
    let bytes = read(path)?;
    if !String::from_utf8_lossy(&bytes).contains("-----BEGIN ") {
        return Err(AccessError::NotPem(path.to_owned()));
    }
    Ok(bytes)
}

fn password(path: &Path) -> Result<String, AccessError> {
    let text = String::from_utf8(read(path)?).map_err(|_| AccessError::NoPassword(path.to_owned()))?;
    match text.lines().next().map(str::trim_end) {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => Err(AccessError::NoPassword(path.to_owned())),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, AccessError> {
    /// A chain of certificates has some kilobytes; all authorities of a system have 200.
    const MOST: u64 = 1 << 20;
    let failed = |cause| AccessError::File(path.to_owned(), cause);
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MOST + 1).read_to_end(&mut bytes)).map_err(failed)?;
    if bytes.len() as u64 > MOST {
        return Err(failed(io::Error::other("more than 1 MiB")));
    }
    Ok(bytes)
}

impl AccessFiles {
    /// The files of certificates, for a message.
    fn named(&self) -> String {
        let all = [&self.ca, &self.cert, &self.key];
        all.into_iter().flatten().map(|path| format!("{path:?}")).collect::<Vec<_>>().join(", ")
    }
}

/// A fleet's servers cannot be opened with what was given.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// A file cannot be read.
    #[error("cannot read {0:?}: {cause}", cause = Cause(.1))]
    File(PathBuf, #[source] io::Error),
    /// The first line of the file for the password is empty, or no text.
    #[error("{0:?} holds no password on its first line")]
    NoPassword(PathBuf),
    /// A file for a certificate or a key holds neither.
    #[error("{0:?} is no PEM file (-----BEGIN …)")]
    NotPem(PathBuf),
    /// A file for a certificate or a key holds something else.
    #[error("cannot use the certificates {0}: {1}")]
    Certificates(String, String),
    /// There is a certificate without its key, or a key without its certificate.
    #[error("fleet_cert and fleet_key belong together: one of them is missing")]
    HalfAPair,
    /// The system has no authorities.
    #[error(
        "the system has no certificates of authorities (apt-get install ca-certificates, or give fleet_ca)"
    )]
    NoAuthorities,
}
