//! A page for metrics scrapers: HTTP/1.1 at one address, one path, one client at a time.
//!
//! Everything that a client controls is bounded: the size of the request's head, the number of reads, the time to read
//! the answer. There is no authentication: the address should be a loopback one or in a trusted network.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use httparse::{EMPTY_HEADER, Request, Status};
use rustix::net::Shutdown;

/// The path of the page.
const PATH: &str = "/metrics";
/// Maximum size of a request's head, in bytes.
const HEAD: usize = 8 * 1024;
const HEADERS: usize = 64;
/// Timeout of one read, and maximum number of reads: a request takes at most 16 s.
const READ_PATIENCE: Duration = Duration::from_secs(1);
const READS: usize = 16;
/// Timeout of a write.
const WRITE_PATIENCE: Duration = Duration::from_secs(5);
/// Delay after the system had no resources for another connection.
const BACKOFF: Duration = Duration::from_secs(1);

/// Serves one page.
#[derive(Debug)]
pub(crate) struct Exporter {
    listener: Arc<TcpListener>,
    stopped: Arc<AtomicBool>,
}

impl Exporter {
    /// Listens at this address; clients queue until [`Exporter::run`].
    ///
    /// # Errors
    ///
    /// The address is not this host's or is in use, or the port needs root.
    pub(crate) fn bind(address: SocketAddr) -> io::Result<Self> {
        Ok(Self { listener: Arc::new(TcpListener::bind(address)?), stopped: Arc::default() })
    }

    /// The page's address.
    #[must_use]
    pub(crate) fn url(&self) -> String {
        self.listener
            .local_addr()
            .map_or_else(|_| PATH.to_owned(), |address| format!("http://{address}{PATH}"))
    }

    /// Ends [`Exporter::run`].
    #[must_use]
    pub(crate) fn stop(&self) -> Stop {
        Stop { listener: Arc::clone(&self.listener), stopped: Arc::clone(&self.stopped) }
    }

    /// Serves the page, rendered for each client, until it is stopped.
    pub(crate) fn run(self, media_type: &str, page: impl Fn() -> String) {
        while !self.stopped.load(Ordering::Relaxed) {
            match self.listener.accept() {
                Ok((client, _)) => {
                    // A client that leaves early, or is too slow, gets no answer.
                    let _ = serve(client, media_type, &page);
                }
                Err(_) if self.stopped.load(Ordering::Relaxed) => {}
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    log::debug!("no connection for metrics: {error}");
                    thread::sleep(BACKOFF);
                }
            }
        }
    }
}

/// Ends an exporter. Dropping it does nothing.
#[derive(Debug)]
pub(crate) struct Stop {
    listener: Arc<TcpListener>,
    /// Written here, read by the exporter; it publishes nothing.
    stopped: Arc<AtomicBool>,
}

impl Stop {
    /// Makes `run` return after the current client.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Interrupts the wait for a client.
        let _ = rustix::net::shutdown(&self.listener, Shutdown::Read);
    }
}

fn serve(mut client: TcpStream, media_type: &str, page: impl Fn() -> String) -> io::Result<()> {
    client.set_read_timeout(Some(READ_PATIENCE))?;
    client.set_write_timeout(Some(WRITE_PATIENCE))?;
    let answer = match asked(&mut client)? {
        Asked::Page { head_only } => answer("200 OK", media_type, &page(), head_only, ""),
        Asked::Other => refusal("404 Not Found", "It is at /metrics.\n", ""),
        Asked::Method => refusal("405 Method Not Allowed", "GET it.\n", "Allow: GET, HEAD\r\n"),
        Asked::Nonsense => refusal("400 Bad Request", "That is no HTTP request.\n", ""),
    };
    client.write_all(answer.as_bytes())?;
    client.shutdown(std::net::Shutdown::Write)
}

/// The kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    Page {
        head_only: bool,
    },
    /// Another path.
    Other,
    /// An unsupported method.
    Method,
    /// Malformed or too long.
    Nonsense,
}

fn asked(client: &mut impl Read) -> io::Result<Asked> {
    let mut head = [0; HEAD];
    let mut length = 0;
    for _ in 0..READS {
        let read = client.read(&mut head[length..])?;
        length += read;
        let mut headers = [EMPTY_HEADER; HEADERS];
        let mut request = Request::new(&mut headers);
        match request.parse(&head[..length]) {
            Ok(Status::Complete(_)) => return Ok(meaning(&request)),
            Ok(Status::Partial) if read > 0 && length < HEAD => {}
            Ok(Status::Partial) | Err(_) => return Ok(Asked::Nonsense),
        }
    }
    Ok(Asked::Nonsense)
}

fn meaning(request: &Request<'_, '_>) -> Asked {
    let path = request.path.and_then(|target| target.split('?').next());
    match (request.method, path) {
        (Some(method @ ("GET" | "HEAD")), Some(PATH)) => Asked::Page { head_only: method == "HEAD" },
        (Some("GET" | "HEAD"), _) => Asked::Other,
        _ => Asked::Method,
    }
}

fn refusal(status: &str, text: &str, header: &str) -> String {
    answer(status, "text/plain; charset=utf-8", text, false, header)
}

fn answer(status: &str, media_type: &str, body: &str, head_only: bool, header: &str) -> String {
    let length = body.len();
    let body = if head_only { "" } else { body };
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {media_type}\r\nContent-Length: {length}\r\n{header}Connection: close\r\n\r\n{body}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn what(request: &str) -> Asked {
        asked(&mut request.as_bytes()).unwrap()
    }

    #[test]
    fn one_page_is_served() {
        let page = |head_only| Asked::Page { head_only };
        for (request, expected) in [
            ("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", page(false)),
            ("GET /metrics?name[]=up HTTP/1.0\r\n\r\n", page(false)),
            ("HEAD /metrics HTTP/1.1\r\n\r\n", page(true)),
            ("GET / HTTP/1.1\r\n\r\n", Asked::Other),
            ("GET /metrics/ HTTP/1.1\r\n\r\n", Asked::Other),
            ("POST /metrics HTTP/1.1\r\nContent-Length: 0\r\n\r\n", Asked::Method),
            ("", Asked::Nonsense),
            ("GET /metrics HTTP/1.1\r\n", Asked::Nonsense),
            ("\x16\x03\x01\x02", Asked::Nonsense),
            ("GET /metrics HTTP/9.9\r\n\r\n", Asked::Nonsense),
        ] {
            assert_eq!(what(request), expected, "{request:?}");
        }
    }

    #[test]
    fn an_endless_request_is_cut_off() {
        assert_eq!(what(&format!("GET /metrics HTTP/1.1\r\nX: {}", "x".repeat(2 * HEAD))), Asked::Nonsense);
        assert_eq!(
            what(&format!("GET /metrics HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(HEADERS + 1))),
            Asked::Nonsense
        );

        /// Sends a letter at a time without end.
        struct Drip(u64);
        impl Read for Drip {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                self.0 += 1;
                into[0] = b'G';
                Ok(1)
            }
        }
        let mut drip = Drip(0);
        assert_eq!(asked(&mut drip).unwrap(), Asked::Nonsense);
        assert!(drip.0 <= READS as u64);
    }

    #[test]
    fn it_serves_each_client_a_new_page_until_it_is_stopped() {
        let exporter = Exporter::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let (address, stop) = (exporter.listener.local_addr().unwrap(), exporter.stop());
        assert_eq!(exporter.url(), format!("http://{address}/metrics"));
        let served = std::cell::Cell::new(0);
        let thread = thread::spawn(move || {
            exporter.run("text/plain", || {
                served.set(served.get() + 1);
                format!("page {}\n", served.get())
            });
        });
        let get = |request: &str| {
            let mut client = TcpStream::connect(address).unwrap();
            client.write_all(request.as_bytes()).unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).unwrap();
            answer
        };
        let page =
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 7\r\nConnection: close\r\n\r\n";
        assert_eq!(get("GET /metrics HTTP/1.1\r\n\r\n"), format!("{page}page 1\n"));
        assert_eq!(get("GET /metrics HTTP/1.1\r\n\r\n"), format!("{page}page 2\n"));
        assert_eq!(get("HEAD /metrics HTTP/1.1\r\n\r\n"), page);
        assert!(get("GET /favicon.ico HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 Not Found\r\n"));
        assert!(get("PUT /metrics HTTP/1.1\r\n\r\n").contains("\r\nAllow: GET, HEAD\r\n"));
        drop(TcpStream::connect(address).unwrap());
        stop.stop();
        thread.join().unwrap();
    }
}
