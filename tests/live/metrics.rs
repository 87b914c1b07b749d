//! Metrics, scraped while packets pass.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Instant;

use rustix::process::Signal;

use crate::namespace::Namespace;
use crate::program::{Program, synwatch};
use crate::scene::{ATTACKER, PATIENCE, Scene};

const ADDRESS: &str = "127.0.0.1:9925";

#[test]
fn a_scrape_agrees_with_the_summary() {
    let Some(scene) = Scene::set() else { return };
    let mut program = Program::watch(&scene.gateway, "-i outer --user nobody --metrics 9925");
    program.err.wait_for("synwatch: info: metrics at http://127.0.0.1:9925/metrics");
    scene.flood(&[ATTACKER], 35, 1000);
    program.wait_for_attempts(35);
    // The counters are those of the last heartbeat; the next one comes within a second.
    let until = Instant::now() + PATIENCE;
    let page = loop {
        let page = scrape(&scene.gateway);
        if value(&page, r#"synwatch_outcomes_total{outcome="silent",watch="mail"}"#) == Some(35) {
            break page;
        }
        assert!(Instant::now() < until, "{page}");
        thread::yield_now();
    };
    assert_eq!(value(&page, r#"synwatch_attempts_total{watch="mail"}"#), Some(35), "{page}");
    assert_eq!(value(&page, r#"synwatch_open_episodes{kind="source",watch="mail"}"#), Some(1), "{page}");
    assert_eq!(
        value(&page, r#"synwatch_lost_packets_total{by="kernel",interface="outer"}"#),
        Some(0),
        "{page}"
    );
    assert!(value(&page, r#"synwatch_captured_packets_total{interface="outer"}"#) >= Some(35), "{page}");
    // A client that sends nothing delays only other clients.
    let silent = scene.gateway.enter(|| TcpStream::connect(ADDRESS).unwrap());
    let ended = program.stop(Signal::TERM);
    drop(silent);
    assert_eq!(ended.code, Some(0));
    assert_eq!(ended.summary("attempts"), 35);
}

#[test]
fn a_port_that_the_system_chooses_is_printed() {
    let Some(scene) = Scene::set() else { return };
    let mut program = Program::start(synwatch(&scene.gateway, "-q -i outer --metrics 0"));
    let said = program.err.wait_for("synwatch: metrics at http://127.0.0.1:").text;
    let port = said.rsplit(':').next().unwrap().strip_suffix("/metrics").unwrap();
    let address = SocketAddr::from(([127, 0, 0, 1], port.parse().unwrap()));
    scene.gateway.enter(|| TcpStream::connect_timeout(&address, PATIENCE)).unwrap();
    assert_eq!(program.stop(Signal::TERM).code, Some(0));
}

#[test]
fn an_address_that_is_taken_is_an_error_at_the_start() {
    let Some(scene) = Scene::set() else { return };
    let _taken = scene.gateway.enter(|| std::net::TcpListener::bind(ADDRESS).unwrap());
    let ended = Program::start(synwatch(&scene.gateway, "-i outer --metrics 9925")).end();
    let message = "synwatch: cannot listen at 127.0.0.1:9925 for --metrics: address already in use";
    assert_eq!((ended.code, ended.err), (Some(1), vec![message.to_owned()]));
}

fn scrape(namespace: &Namespace) -> String {
    namespace.enter(|| {
        let address: SocketAddr = ADDRESS.parse().unwrap();
        let mut client = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        client.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n").unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4"), "{answer}");
        answer
    })
}

/// The value of a sample.
fn value(page: &str, sample: &str) -> Option<u64> {
    page.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' ')?.parse().ok())
}
