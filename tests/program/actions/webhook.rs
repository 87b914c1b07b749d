//! Reports posted to the web, over TLS.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

use super::{SEED, root};

/// An authority, which vouches for `localhost`.
struct Authority {
    /// Its certificate, in a file.
    file: tempfile::NamedTempFile,
    server: Arc<ServerConfig>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = ["localhost".to_owned()];
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &issuer).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), issuer.pem()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(key.serialize_der().into()),
            )
            .unwrap();
        Self { file, server: Arc::new(server) }
    }
}

/// Replays the attack, reports posted to a server with this authority's word; trusts the authorities in the file. Gives
/// what the server was posted, too.
fn replay(authority: &Authority, trusted: &Path) -> (Output, Vec<Value>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let config = Arc::clone(&authority.server);
    let server = thread::spawn(move || {
        let mut posted = Vec::new();
        for stream in listener.incoming() {
            let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
            let stream = StreamOwned::new(connection, stream.unwrap());
            let mut reader = BufReader::new(stream);
            loop {
                let mut head = Vec::new();
                // A client that does not trust the server says no more; one that has no more to say, neither.
                while let Some(line) = (&mut reader).lines().next().and_then(Result::ok) {
                    if line.is_empty() {
                        break;
                    }
                    head.push(line.to_ascii_lowercase());
                }
                let Some(request) = head.first() else { break };
                if request == "get /end http/1.1" {
                    return posted;
                }
                assert_eq!(request, "post /hook http/1.1");
                assert!(head.contains(&"content-type: application/json".to_owned()), "{head:?}");
                let length = head.iter().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
                let mut body = vec![0; length.parse().unwrap()];
                reader.read_exact(&mut body).unwrap();
                posted.push(serde_json::from_slice(&body).unwrap());
                reader.get_mut().write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
            }
        }
        posted
    });
    let output = Command::new(env!("CARGO_BIN_EXE_synwatch"))
        .args(["-r", SEED, "--json", "-", "--webhook", &format!("https://localhost:{port}/hook")])
        .current_dir(root())
        .env("SSL_CERT_FILE", trusted)
        .env_remove("SSL_CERT_DIR")
        .env_remove("RUST_LOG")
        .env("NO_PROXY", "localhost")
        .output()
        .unwrap();
    // No further connection comes: this ends the server.
    end(port, authority);
    (output, server.join().unwrap())
}

/// Tells the server to end.
fn end(port: u16, authority: &Authority) {
    let mut roots = rustls::RootCertStore::empty();
    for certificate in rustls_native_certs::load_certs_from_paths(Some(authority.file.path()), None).certs {
        roots.add(certificate).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = "localhost".try_into().unwrap();
    let connection = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    StreamOwned::new(connection, stream).write_all(b"GET /end HTTP/1.1\r\n\r\n").unwrap();
}

#[test]
fn each_report_is_posted_to_a_host_that_can_prove_its_name() {
    let authority = Authority::new();
    let (output, posted) = replay(&authority, authority.file.path());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let records = String::from_utf8(output.stdout).unwrap();
    let records = records.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let alerts: Vec<_> = records.filter(|record| record["event_type"] == "alert").collect();
    assert_eq!(alerts.len(), 8);
    assert_eq!(posted, alerts);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.ends_with("summary action=webhook done=8 failed=0 dropped=0 retried=0\n"), "{said}");
}

#[test]
fn a_host_that_cannot_prove_its_name_is_told_nothing() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (output, posted) = replay(&authority, other.file.path());
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(posted.is_empty(), "{posted:?}");
    assert!(said.contains("synwatch: warning: 1 report not posted to https://localhost:"), "{said}");
    assert!(said.contains(" reports-lost=8 "), "{said}");
    assert!(said.ends_with("summary action=webhook done=0 failed=8 dropped=0 retried=0\n"), "{said}");
}

#[test]
fn without_authorities_nothing_starts() {
    let output = Command::new(env!("CARGO_BIN_EXE_synwatch"))
        .args(["-r", SEED, "--webhook", "https://192.0.2.1/hook"])
        .current_dir(root())
        .env("SSL_CERT_FILE", "/dev/null")
        .env_remove("SSL_CERT_DIR")
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let expected = "synwatch: cannot post to https://192.0.2.1: no certificates of authorities: ";
    assert!(said.starts_with(expected) && said.lines().count() == 1, "{said}");
    assert_eq!(output.status.code(), Some(1));
}

/// The line that `-T --deep` has about a webhook at `localhost`, with the port left out. The server ends the connection
/// after the handshake.
fn deep(authority: &Authority, trusted: &Path) -> (String, Option<i32>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut connection = ServerConnection::new(Arc::clone(&authority.server)).unwrap();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        while connection.is_handshaking()
            && connection.complete_io(&mut stream).is_ok_and(|(read, _)| read > 0)
        {}
        let mut got = Vec::new();
        while connection.complete_io(&mut stream).is_ok_and(|(read, _)| read > 0) {
            let _ = connection.reader().read_to_end(&mut got);
        }
        got
    });
    let output = Command::new(env!("CARGO_BIN_EXE_synwatch"))
        .args(["-T", "--deep", "--control", "off", "--webhook", &format!("https://localhost:{port}/hook")])
        .env("SSL_CERT_FILE", trusted)
        .env_remove("SSL_CERT_DIR")
        .env("NO_PROXY", "localhost")
        .output()
        .unwrap();
    assert_eq!(server.join().unwrap(), b"", "nothing is sent within the connection");
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find(|line| line.contains(" webhook: ")).unwrap();
    (line.replace(&format!(":{port}"), ""), output.status.code())
}

#[test]
fn a_deep_test_has_the_host_prove_its_name() {
    let (authority, other) = (Authority::new(), Authority::new());
    let good = "ok webhook: https://localhost accepts connections".to_owned();
    assert_eq!(deep(&authority, authority.file.path()), (good, Some(0)));
    let (line, code) = deep(&authority, other.file.path());
    let begin = "failed webhook: cannot reach https://localhost: the server does not prove its name: ";
    assert!(line.starts_with(begin) && code == Some(1), "{line}");
}
