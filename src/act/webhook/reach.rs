//! Whether the webhook's server can be reached, for the configuration test.
//!
//! It looks the host up, connects, and with `https` makes the server prove its name. It sends no request: a request of
//! any method may do something at the address of a webhook. Through a proxy it reaches the proxy alone.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, Resolver as _};
use ureq::unversioned::transport::NextTimeout;
use ureq::unversioned::transport::time::Duration as UreqDuration;
use ureq::{Proxy, Timeout};

use super::url::WebhookUrl;
use super::{authorities, way};
use crate::base::units::Span;
use crate::error::{Cause, Error};

/// Time for all of it.
const TIME: Duration = Duration::from_secs(5);

/// A server to reach, with all data that must be read before privileges are dropped.
#[derive(Debug)]
pub(crate) struct Reach {
    url: WebhookUrl,
    /// The proxy in front of it.
    proxy: Option<Proxy>,
    roots: RootCertStore,
    time: Duration,
}

/// How far it was reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reached {
    /// The server accepts connections; with `https` it has proven its name.
    Server,
    /// The proxy with this host and port accepts connections. The server behind it is unknown.
    Proxy(String),
}

/// The reason why it was not reached.
#[derive(Debug, thiserror::Error)]
enum Unreached {
    #[error("no such host")]
    NoHost,
    #[error("no answer within {}", Span(*.0))]
    Late(Duration),
    #[error("{}", Cause(.0))]
    System(#[from] io::Error),
    #[error("the server does not prove its name: {0}")]
    Tls(String),
    #[error("{}", way(.0))]
    LookUp(ureq::Error),
}

impl Reach {
    /// Reads the system's CA certificates, if needed, and the proxy from the environment.
    ///
    /// # Errors
    ///
    /// The system has no CA certificates.
    pub(crate) fn new(url: WebhookUrl) -> Result<Self, Error> {
        Self::patient(url, Proxy::try_from_env(), TIME)
    }

    fn patient(url: WebhookUrl, proxy: Option<Proxy>, time: Duration) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        if url.is_https() {
            let all = authorities(&url)?;
            roots.add_parsable_certificates(all.iter().map(|certificate| certificate.der().to_vec().into()));
        }
        let uri = url.uri();
        let proxy = proxy.filter(|proxy| !proxy.is_no_proxy(&uri));
        Ok(Self { url, proxy, roots, time })
    }

    /// Tries it, for [`TIME`] at most.
    ///
    /// # Errors
    ///
    /// It is not reached; the text says why.
    pub(crate) fn reach(&self) -> Result<Reached, String> {
        let until = Instant::now() + self.time;
        self.reach_until(until).map_err(|why| format!("cannot reach {}: {why}", self.target()))
    }

    /// The address of the connection, without the path.
    fn target(&self) -> String {
        match &self.proxy {
            Some(proxy) => format!("the proxy {}:{}", proxy.host(), proxy.port()),
            None => self.url.to_string(),
        }
    }

    fn reach_until(&self, until: Instant) -> Result<Reached, Unreached> {
        let uri = self.proxy.as_ref().map_or_else(|| self.url.uri(), |proxy| proxy.uri().clone());
        let port = self.proxy.as_ref().map_or_else(|| self.url.port(), Proxy::port);
        let stream = self.connect(&self.look_up(&uri, port, until)?, until)?;
        if let Some(proxy) = &self.proxy {
            return Ok(Reached::Proxy(format!("{}:{}", proxy.host(), proxy.port())));
        }
        if self.url.is_https() {
            self.shake_hands(stream, until)?;
        }
        Ok(Reached::Server)
    }

    fn look_up(&self, uri: &Uri, port: u16, until: Instant) -> Result<Vec<SocketAddr>, Unreached> {
        let host = uri.host().unwrap_or_default();
        // The resolver only accepts the address of a web server, whatever protocol the proxy has.
        let uri = format!("http://{host}:{port}/").parse().map_err(|_| Unreached::NoHost)?;
        let timeout = NextTimeout {
            after: UreqDuration::Exact(self.left(until)?),
            reason: Timeout::Resolve,
            ..NextTimeout::default()
        };
        match DefaultResolver::default().resolve(&uri, &Config::default(), timeout) {
            Ok(found) => Ok(found.iter().copied().collect()),
            Err(ureq::Error::Timeout(_)) => Err(Unreached::Late(self.time)),
            Err(ureq::Error::HostNotFound) => Err(Unreached::NoHost),
            Err(error) => Err(Unreached::LookUp(error)),
        }
    }

    /// Connects to the first address that accepts it. The last error counts.
    fn connect(&self, addresses: &[SocketAddr], until: Instant) -> Result<TcpStream, Unreached> {
        let mut why = Unreached::NoHost;
        for (tried, address) in addresses.iter().enumerate() {
            // Each further address has a part of the time.
            let left = self.left(until)? / u32::try_from(addresses.len() - tried).unwrap_or(1);
            match TcpStream::connect_timeout(address, left) {
                Ok(stream) => return Ok(stream),
                Err(error) if is_late(&error) => why = Unreached::Late(self.time),
                Err(error) => why = error.into(),
            }
        }
        Err(why)
    }

    fn shake_hands(&self, mut stream: TcpStream, until: Instant) -> Result<(), Unreached> {
        let tls = |error: rustls::Error| Unreached::Tls(error.to_string());
        let uri = self.url.uri();
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let name =
            ServerName::try_from(host.to_owned()).map_err(|error| Unreached::Tls(error.to_string()))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(tls)?
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        let mut connection = ClientConnection::new(Arc::new(config), name).map_err(tls)?;
        while connection.is_handshaking() {
            let left = self.left(until)?;
            stream.set_read_timeout(Some(left))?;
            stream.set_write_timeout(Some(left))?;
            // One read or write: a server that sends a byte now and then does not get more time.
            let done = if connection.wants_write() {
                connection.write_tls(&mut stream)
            } else {
                connection.read_tls(&mut stream)
            };
            match done {
                Ok(0) => return Err(Unreached::Tls("it closes the connection".to_owned())),
                Ok(_) => connection.process_new_packets().map(drop).map_err(tls)?,
                Err(error) if is_late(&error) => return Err(Unreached::Late(self.time)),
                Err(error) => return Err(error.into()),
            }
        }
        connection.send_close_notify();
        // The server may have gone already.
        let _ = connection.write_tls(&mut stream);
        Ok(())
    }

    fn left(&self, until: Instant) -> Result<Duration, Unreached> {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(Unreached::Late(self.time)) } else { Ok(left) }
    }
}

fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock)
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::io::Read as _;
    use std::net::TcpListener;
    use std::thread;

    const LONG: Duration = Duration::from_secs(300);

    fn reach(url: &str, proxy: Option<Proxy>, time: Duration) -> Result<Reached, String> {
        Reach::patient(url.parse().unwrap(), proxy, time).unwrap().reach()
    }

    #[test]
    fn a_server_is_connected_to_and_sent_nothing() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/secret", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let mut got = Vec::new();
            listener.accept().unwrap().0.read_to_end(&mut got).unwrap();
            got
        });
        assert_eq!(reach(&url, None, LONG), Ok(Reached::Server));
        assert_eq!(server.join().unwrap(), b"");
    }

    #[test]
    fn a_server_that_is_not_there_is_said_without_its_path() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let why = format!("cannot reach http://{address}: connection refused");
        assert_eq!(reach(&format!("http://{address}/secret"), None, LONG), Err(why));
    }

    #[test]
    fn no_time_is_no_answer() {
        let why = reach("http://127.0.0.1:9/", None, Duration::ZERO).unwrap_err();
        assert!(why.starts_with("cannot reach http://127.0.0.1:9: no answer within 0"), "{why}");
    }

    #[test]
    fn a_server_that_does_not_shake_hands_is_not_waited_for_longer() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let reach = Reach {
            url: url.parse().unwrap(),
            proxy: None,
            roots: RootCertStore::empty(),
            time: Duration::from_millis(100),
        };
        assert_eq!(reach.reach(), Err(format!("cannot reach {url}: no answer within 100ms")));
    }

    #[test]
    fn a_server_that_speaks_no_tls_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut hello = [0; 16];
            stream.read_exact(&mut hello).unwrap();
            std::io::Write::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        });
        let (proxy, roots) = (None, RootCertStore::empty());
        let reach = Reach { url: url.parse().unwrap(), proxy, roots, time: LONG };
        let why = reach.reach().unwrap_err();
        assert!(
            why.starts_with(&format!("cannot reach {url}: the server does not prove its name: ")),
            "{why}"
        );
        server.join().unwrap();
    }

    #[test]
    fn a_proxy_is_reached_in_place_of_the_server() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let proxy = Proxy::new(&format!("http://{address}")).unwrap();
        let reached = reach("http://host.invalid/", Some(proxy), LONG);
        assert_eq!(reached, Ok(Reached::Proxy(address.to_string())));
        drop(listener);
        let proxy = Proxy::new(&format!("http://{address}")).unwrap();
        let why = format!("cannot reach the proxy {address}: connection refused");
        assert_eq!(reach("http://host.invalid/", Some(proxy), LONG), Err(why));
    }
}
