//! What a server lets a gateway do: password, ACL, TLS.

use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa, KeyPair};
use synwatch::fleet::store::{AccessFiles, GatewayStatus, Store, StoreFault, Verdict};
use synwatch_testkit::server::{Engine, Server, engines};

use crate::rig::{ago, attempts, judge, numbered, reader, report, tally, with_files};

/// The ACL that the documentation recommends.
pub(crate) const ACL: &str = include_str!("../../contrib/fleet/users.acl");

pub(crate) fn file(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

fn password(server: &Server, text: &str) -> AccessFiles {
    AccessFiles { password: Some(file(server.folder(), "password", text)), ..AccessFiles::default() }
}

/// A gateway that logs in as `synwatch`.
fn as_synwatch(server: &Server, text: &str) -> Store {
    let url = server.url().replace("unix:///", "unix://synwatch@/");
    with_files(&[&url], "mx1", &password(server, text))
}

fn fault(store: &mut Store) -> StoreFault {
    store.connect().pop().expect("the server refuses").fault.clone()
}

#[test]
fn a_server_wants_the_right_user_and_password() {
    for engine in engines("a password") {
        let server = Server::start(&engine, &["--requirepass", "secret"]);
        assert_eq!(
            fault(&mut with_files(&[&server.url()], "mx1", &AccessFiles::default())),
            StoreFault::NoPassword
        );
        assert_eq!(
            fault(&mut with_files(&[&server.url()], "mx1", &password(&server, "wrong"))),
            StoreFault::WrongPassword
        );
        assert_eq!(fault(&mut as_synwatch(&server, "secret")), StoreFault::WrongPassword, "no such user");
        let mut store = with_files(&[&server.url()], "mx1", &password(&server, "secret\nnot this\n"));
        assert_eq!(store.connect(), [], "{}", engine.name);
    }
}

#[test]
fn the_acl_of_the_documentation_permits_all_that_a_gateway_does_and_nothing_else() {
    for engine in engines("the ACL") {
        let acl = ACL.replace("CHANGE-ME", "secret");
        let server = Server::with_files(&engine, &["--aclfile", "{}/users.acl"], &[("users.acl", &acl)]);
        let mut store = as_synwatch(&server, "secret");
        assert_eq!(store.connect(), [], "{}", engine.name);
        let mut log = reader(&store);
        assert_eq!(store.beat(&GatewayStatus::default()).failed, []);
        assert_eq!(store.gateways().failed, []);
        let tally = tally(&["10/10s"]);
        judge(&mut store, report(&tally, numbered(1), attempts(5, ago(0), 0)));
        let verdict = judge(&mut store, report(&tally, numbered(1), attempts(8, ago(0), 50)));
        assert!(matches!(verdict, Verdict::Met(_)), "{verdict:?}");
        let mut proven = attempts(10, ago(0), 100);
        proven.iter_mut().for_each(|attempt| attempt.proven = true);
        judge(&mut store, report(&tally, numbered(1), proven));
        assert_eq!(store.episodes().failed, []);
        let network = "198.51.100.66/32".parse().unwrap();
        let until = ago(0).after(std::time::Duration::from_secs(60));
        store.block(network, until, "", false).unwrap();
        store.allow(network, until, "").unwrap();
        assert_eq!(store.unblock(Some(network), until, "").unwrap().len(), 1);
        assert!(store.unallow(network).unwrap());
        assert!(log.read(std::time::Duration::from_millis(1)).failed.is_empty());

        let mut raw = redis::Client::open(server.url()).unwrap().get_connection().unwrap();
        let denied =
            |answer: redis::RedisResult<redis::Value>| answer.unwrap_err().code().unwrap().to_owned();
        assert_eq!(denied(redis::cmd("PING").query(&mut raw)), "NOAUTH");
        let () = redis::cmd("AUTH").arg("synwatch").arg("secret").query(&mut raw).unwrap();
        for command in [
            &["GET", "other:key"][..],
            &["ZRANGE", "other:key", "0", "1"],
            &["HGETALL", "synwatch:{other}:meta"],
            &["FLUSHALL"],
            &["CONFIG", "GET", "*"],
            &["KEYS", "*"],
            &["EVAL", "return 1", "0"],
            &["ACL", "LIST"],
            &["SHUTDOWN"],
        ] {
            let mut wanted = redis::cmd(command[0]);
            wanted.arg(&command[1..]);
            assert_eq!(denied(wanted.query(&mut raw)), "NOPERM", "{command:?}");
        }
        // A user of another fleet is told what is not permitted.
        let url = server.url().replace("unix:///", "unix://synwatch@/");
        let files = password(&server, "secret");
        let mut other = crate::rig::of_fleet("other", &[&url], "mx1", &files);
        assert!(matches!(fault(&mut other), StoreFault::NotPermitted(_)));
    }
}

/// An authority, a certificate for `localhost` and one for a gateway, each with its key.
pub(crate) struct Certificates {
    pub(crate) ca: String,
    pub(crate) server: (String, String),
    pub(crate) client: (String, String),
}

pub(crate) fn certificates() -> Certificates {
    let named = |mut params: CertificateParams, name: &str| {
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params
    };
    let mut params = named(CertificateParams::default(), "an authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let of = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let certificate = named(CertificateParams::new(vec![name.to_owned()]).unwrap(), name);
        let certificate = certificate.signed_by(&key, &ca).unwrap();
        (certificate.pem(), key.serialize_pem())
    };
    Certificates { ca: ca.pem(), server: of("localhost"), client: of("mx1") }
}

/// A server that speaks TLS at this port, and wants a certificate of each client. Its folder holds those of both.
pub(crate) fn tls_server(engine: &Engine, made: &Certificates, port: u16) -> Server {
    let port_text = port.to_string();
    let arguments = [
        "--tls-port",
        &port_text,
        "--bind",
        "127.0.0.1",
        "--tls-cert-file",
        "{}/server.pem",
        "--tls-key-file",
        "{}/server.key",
        "--tls-ca-cert-file",
        "{}/ca.pem",
        "--tls-auth-clients",
        "yes",
    ];
    let files = [
        ("ca.pem", &*made.ca),
        ("server.pem", &*made.server.0),
        ("server.key", &*made.server.1),
        ("client.pem", &*made.client.0),
        ("client.key", &*made.client.1),
    ];
    Server::with_files(engine, &arguments, &files)
}

#[test]
fn tls_with_certificates_of_both_sides() {
    for engine in engines("TLS") {
        speak_tls(&engine);
    }
}

fn speak_tls(engine: &Engine) {
    let made = certificates();
    let port = free_port();
    let server = tls_server(engine, &made, port);
    let path = |name: &str| Some(server.folder().join(name));
    let url = format!("rediss://localhost:{port}");
    let complete =
        AccessFiles { password: None, ca: path("ca.pem"), cert: path("client.pem"), key: path("client.key") };
    let mut store = with_files(&[&url], "mx1", &complete);
    assert_eq!(store.connect(), []);
    assert_eq!(store.beat(&GatewayStatus::default()).gateways, 1);

    // Without a certificate of its own, with another authority, by another name.
    let mut bare = with_files(&[&url], "mx1", &AccessFiles { cert: None, key: None, ..complete.clone() });
    assert!(matches!(fault(&mut bare), StoreFault::Tls(_) | StoreFault::Closed));
    let stranger = file(server.folder(), "stranger.pem", &certificates().ca);
    let mut strange = with_files(&[&url], "mx1", &AccessFiles { ca: Some(stranger), ..complete.clone() });
    let told = fault(&mut strange);
    assert!(matches!(told, StoreFault::Tls(_)), "{told:?}");
    let mut other = with_files(&[&format!("rediss://127.0.0.1:{port}")], "mx1", &complete);
    assert!(matches!(fault(&mut other), StoreFault::Tls(_)));
    // TLS where none is spoken, and the other way round.
    let mut plain = with_files(&[&format!("redis://localhost:{port}")], "mx1", &AccessFiles::default());
    assert!(matches!(fault(&mut plain), StoreFault::Closed | StoreFault::Protocol(_) | StoreFault::Timeout));
}

/// A port that no other program has: the system's choice, given back.
pub(crate) fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn files_that_do_not_hold_what_they_should_are_refused_at_the_start() {
    use synwatch::fleet::store::{Access, Address, Servers};
    let folder = tempfile::tempdir().unwrap();
    let junk = file(folder.path(), "junk", "\nx");
    let empty_pem =
        file(folder.path(), "empty.pem", "-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n");
    let missing = folder.path().join("missing");
    let default = AccessFiles::default;
    for (files, told) in [
        (AccessFiles { password: Some(junk.clone()), ..default() }, "holds no password on its first line"),
        (AccessFiles { password: Some(missing.clone()), ..default() }, "no such file"),
        (AccessFiles { ca: Some(junk.clone()), ..default() }, "is no PEM file"),
        (AccessFiles { ca: Some(empty_pem), ..default() }, "cannot use the certificates"),
        (AccessFiles { ca: Some(missing), ..default() }, "no such file"),
        (AccessFiles { cert: Some(junk), ..default() }, "belong together"),
    ] {
        let servers = Servers::new(vec![Address::parse("rediss://localhost").unwrap()]).unwrap();
        let error =
            Access::new(servers, "mx".parse().unwrap(), "mx1".parse().unwrap(), &files).err().unwrap();
        assert!(error.to_string().contains(told), "{error}");
    }
}
