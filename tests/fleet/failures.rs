//! What a store does when a server does not: it says what is wrong, and goes on by itself when that is over.

use std::process::Command;
use std::time::{Duration, Instant};

use synwatch::fleet::store::{LogEntry, Store, StoreFault, TIMEOUT, Verdict};
use synwatch_testkit::PATIENCE;
use synwatch_testkit::server::{Server, engine, engines};

use crate::fake::Fake;
use crate::rig::{ago, attempts, heard, judge, numbered, reader, report, source, store, tally};

/// What is wrong with a server.
fn fault(store: &mut Store) -> StoreFault {
    let tally = tally(&["30/10s"]);
    match judge(store, report(&tally, numbered(1), attempts(5, ago(0), 0))) {
        Verdict::Failed(error) => error.fault.clone(),
        other => panic!("{other:?}"),
    }
}

/// Reports until the server takes it.
fn until_taken(store: &mut Store) {
    let tally = tally(&["30/10s"]);
    let start = Instant::now();
    while let Verdict::Failed(error) = judge(store, report(&tally, numbered(1), attempts(5, ago(0), 0))) {
        assert!(start.elapsed() < PATIENCE, "{error}");
        std::thread::yield_now();
    }
}

#[test]
fn each_fault_is_told_apart() {
    for (answer, told) in [
        ("-LOADING Redis is loading the dataset in memory\r\n", StoreFault::Loading),
        ("-MASTERDOWN Link with MASTER is down\r\n", StoreFault::Loading),
        ("-NOAUTH Authentication required.\r\n", StoreFault::NoPassword),
        ("-WRONGPASS invalid username-password pair or user is disabled.\r\n", StoreFault::WrongPassword),
        ("-READONLY You can't write against a read only replica.\r\n", StoreFault::ReadOnly),
        ("-MOVED 3999 127.0.0.1:6381\r\n", StoreFault::OtherNode),
        ("-OOM command not allowed when used memory > 'maxmemory'.\r\n", StoreFault::OutOfMemory),
        ("", StoreFault::Closed),
    ] {
        let fake = Fake::answering(answer);
        assert_eq!(fault(&mut store(&[&fake.url()], "mx1")), told, "{answer}");
    }
    let fake = Fake::answering("-NOPERM this user has no permissions to run the 'script|load' command\r\n");
    assert!(matches!(fault(&mut store(&[&fake.url()], "mx1")), StoreFault::NotPermitted(_)));
    for answer in
        ["+OK\r\n", ":1\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n", "*3\r\n:1\r\n:2\r\n:3\r\n", "$-1\r\n"]
    {
        let fake = Fake::answering(answer);
        let fault = fault(&mut store(&[&fake.url()], "mx1"));
        assert!(matches!(fault, StoreFault::Protocol(_) | StoreFault::Closed), "{answer}: {fault:?}");
    }
    let nowhere = tempfile::tempdir().unwrap();
    let url = format!("redis+unix://{}/socket", nowhere.path().display());
    assert_eq!(fault(&mut store(&[&url], "mx1")), StoreFault::Refused);
    assert_eq!(fault(&mut store(&["redis://127.0.0.1:1"], "mx1")), StoreFault::Refused);
}

#[test]
fn a_message_names_the_server_and_the_remedy() {
    let mut store = store(&["redis://127.0.0.1:1"], "mx1");
    let error = store.connect().pop().unwrap();
    assert_eq!(error.to_string(), "127.0.0.1:1 refuses connections (is the server running?)");
    assert_eq!(store.connect().pop().unwrap().fault, StoreFault::Resting, "it is left alone for a moment");
}

#[test]
fn a_script_that_was_forgotten_is_loaded_again_on_every_server() {
    for engine in engines("a forgotten script") {
        let server = Server::start(&engine, &[]);
        let mut store = store(&[&server.url()], "mx1");
        let tally = tally(&["30/10s"]);
        for number in 0..3 {
            assert_eq!(
                judge(&mut store, report(&tally, numbered(number), attempts(5, ago(0), 0))),
                Verdict::Below
            );
            let client = redis::Client::open(server.url()).unwrap();
            let () = redis::cmd("SCRIPT").arg("FLUSH").query(&mut client.get_connection().unwrap()).unwrap();
        }
    }
}

#[test]
fn a_server_without_memory_says_so_on_every_server() {
    for engine in engines("a server without memory") {
        let server = Server::start(&engine, &["--maxmemory", "1mb"]);
        let mut store = store(&[&server.url()], "mx1");
        // An empty server may have used more than that already.
        let tally = tally(&["1000/1h"]);
        let start = Instant::now();
        let mut number = 0;
        let fault = loop {
            let verdict = judge(&mut store, report(&tally, numbered(number), attempts(500, ago(0), 0)));
            match verdict {
                Verdict::Failed(error) if error.fault != StoreFault::Resting => break error.fault.clone(),
                _ => number += 1,
            }
            assert!(start.elapsed() < PATIENCE);
        };
        assert_eq!(fault, StoreFault::OutOfMemory, "{}", engine.name);
        let client = redis::Client::open(server.url()).unwrap();
        let () = redis::cmd("CONFIG")
            .arg(&["SET", "maxmemory", "0"])
            .query(&mut client.get_connection().unwrap())
            .unwrap();
        until_taken(&mut store);
    }
}

#[test]
fn a_server_that_was_killed_is_used_again_when_it_is_back() {
    let Some(engine) = engine("a server that was killed") else { return };
    let mut server = Server::start(&engine, &[]);
    let mut store = store(&[&server.url()], "mx1");
    let mut log = reader(&store);
    until_taken(&mut store);
    server.kill();
    let told = fault(&mut store);
    assert!(matches!(told, StoreFault::Closed | StoreFault::Refused), "{told:?}");
    server.restart();
    until_taken(&mut store);
    // The reader goes on with the log of the new server, though its ids begin anew.
    let start = Instant::now();
    let mut entries = Vec::new();
    while !entries.contains(&LogEntry::Connected(0)) {
        entries.extend(log.read(Duration::ZERO).value.into_iter().map(|logged| logged.entry));
        assert!(start.elapsed() < PATIENCE);
    }
    let tally = tally(&["2/10s"]);
    judge(&mut store, report(&tally, source("198.51.100.66"), attempts(2, ago(0), 0)));
    assert!(heard(&mut log).iter().any(|entry| matches!(entry, LogEntry::Met(_))));
}

#[test]
fn a_server_that_is_stopped_costs_one_time_out_and_none_of_its_answers_is_taken_for_another() {
    let Some(engine) = engine("a server that is stopped") else { return };
    let server = Server::start(&engine, &[]);
    let mut store = store(&[&server.url()], "mx1");
    until_taken(&mut store);
    signal(&server, "-STOP");
    let start = Instant::now();
    assert_eq!(fault(&mut store), StoreFault::Timeout);
    assert!(start.elapsed() >= TIMEOUT);
    assert_eq!(fault(&mut store), StoreFault::Resting);
    signal(&server, "-CONT");
    until_taken(&mut store);
    let tally = tally(&["5/10s"]);
    let verdicts = store.report(&[
        report(&tally, numbered(7), attempts(4, ago(0), 0)),
        report(&tally, numbered(8), attempts(5, ago(0), 0)),
    ]);
    assert!(matches!(&verdicts[..], [Verdict::Below, Verdict::Met(_)]), "{verdicts:?}");
}

fn signal(server: &Server, signal: &str) {
    let status = Command::new("kill").args([signal, &server.pid().to_string()]).status().unwrap();
    assert!(status.success());
}

#[test]
fn one_server_of_two_that_is_down_does_not_concern_the_sources_of_the_other() {
    let Some(engine) = engine("one server of two") else { return };
    let mut servers = [Server::start(&engine, &[]), Server::start(&engine, &[])];
    let urls = [servers[0].url(), servers[1].url()];
    let mut store = store(&[&urls[0], &urls[1]], "mx1");
    assert!(store.connect().is_empty());
    servers[0].kill();
    let tally = tally(&["30/10s"]);
    let reports: Vec<_> =
        (0..20).map(|number| report(&tally, numbered(number), attempts(3, ago(0), 0))).collect();
    let verdicts = store.report(&reports);
    let failed = verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Failed(_))).count();
    assert!((1..20).contains(&failed), "{failed}");
    let beat = store.beat(&Default::default());
    assert_eq!((beat.failed.len(), beat.gateways), (1, 1));
}
