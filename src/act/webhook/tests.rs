//! A server with prepared answers, and the fate of reports.

use super::*;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::thread::{self, JoinHandle};

use crate::detect::Sink as _;
use crate::report::sample::{at, end, start, tokyo};

const PATIENCE: Patience = Patience {
    timeout: Duration::from_secs(300),
    tries: 4,
    wait: Duration::from_millis(1),
    grace: Duration::from_secs(300),
};

/// Answers each request with the next of these and returns the bodies. `None` closes without an answer.
fn server(answers: &'static [Option<&str>]) -> (WebhookUrl, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap()).parse().unwrap();
    let serve = move || {
        let mut bodies = Vec::new();
        for answer in answers {
            let (stream, _) = listener.accept().unwrap();
            let mut reader = BufReader::new(&stream);
            let mut length = 0;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).unwrap();
                let line = line.trim().to_ascii_lowercase();
                if let Some(value) = line.strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
                if line.is_empty() {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            bodies.push(String::from_utf8(body).unwrap());
            if let Some(answer) = answer {
                let head = format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                (&stream).write_all(head.as_bytes()).unwrap();
            }
        }
        bodies
    };
    (url, thread::spawn(serve))
}

/// Posts these reports as in a replay and returns how many were lost.
fn posted(url: WebhookUrl, patience: Patience, reports: &[Alert]) -> u64 {
    counted(url, patience, reports, &Delivery::default())
}

/// The same, counted here.
fn counted(url: WebhookUrl, patience: Patience, reports: &[Alert], delivery: &Delivery) -> u64 {
    let (mut sender, post) =
        Webhook::patient(url, patience, None).unwrap().post(false, tokyo(), None, delivery.clone());
    let posting = thread::spawn(move || post.run());
    reports.iter().for_each(|report| sender.alert(report));
    sender.finish(at(0));
    posting.join().unwrap();
    sender.lost()
}

#[test]
fn reports_are_posted_in_order() {
    let (url, server) = server(&[Some("200 OK"), Some("204 No Content")]);
    assert_eq!(posted(url, PATIENCE, &[start(), end()]), 0);
    let expected = [start(), end()].map(|alert| record_of(&alert, &tokyo()).unwrap());
    assert_eq!(server.join().unwrap(), expected);
}

#[test]
fn temporary_failures_are_tried_again() {
    let (url, server) =
        server(&[Some("503 Busy"), None, Some("429 Slow Down"), Some("200 OK"), Some("200 OK")]);
    assert_eq!(posted(url, PATIENCE, &[start(), end()]), 0);
    let bodies = server.join().unwrap();
    assert!(bodies[..4].iter().all(|body| *body == bodies[0]) && bodies[4] != bodies[0]);
}

#[test]
fn permanent_failures_are_not_tried_again() {
    for answer in [&[Some("404 Not Found")], &[Some("302 Found")]] {
        let (url, server) = server(answer);
        assert_eq!(posted(url, PATIENCE, &[start()]), 1);
        assert_eq!(server.join().unwrap().len(), 1);
    }
}

#[test]
fn a_failing_server_gets_one_try_for_each_report_until_it_takes_one() {
    let answers: &[Option<&str>] = &[
        Some("500 Error"),
        Some("500 Error"),
        Some("500 Error"),
        Some("500 Error"),
        // The second report.
        Some("500 Error"),
        // The third, and the fourth after the server has taken it.
        Some("200 OK"),
        Some("500 Error"),
        Some("200 OK"),
    ];
    let (url, server) = server(answers);
    let delivery = Delivery::default();
    assert_eq!(counted(url, PATIENCE, &[start(), start(), start(), end()], &delivery), 2);
    let counts = [&delivery.done, &delivery.failed, &delivery.dropped, &delivery.retried];
    assert_eq!(counts.map(|count| count.get()), [2, 2, 0, 4]);
    assert_eq!(server.join().unwrap().len(), 8);
}

#[test]
fn a_silent_server_runs_into_the_timeout() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let patience = Patience { timeout: Duration::from_millis(100), tries: 2, ..PATIENCE };
    assert_eq!(posted(url, patience, &[start()]), 1);
}

#[test]
fn a_host_that_does_not_listen_loses_the_report() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url: WebhookUrl = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    drop(listener);
    assert_eq!(posted(url, PATIENCE, &[start()]), 1);
}

#[test]
fn the_end_of_a_live_run_is_not_held_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let patience = Patience {
        timeout: Duration::from_millis(100),
        tries: 100,
        wait: Duration::from_secs(3_600),
        grace: Duration::ZERO,
    };
    let delivery = Delivery::default();
    let (mut sender, post) =
        Webhook::patient(url, patience, None).unwrap().post(true, tokyo(), None, delivery.clone());
    (0..3).for_each(|_| sender.alert(&start()));
    let posting = thread::spawn(move || post.run());
    sender.finish(at(0));
    posting.join().unwrap();
    assert_eq!(sender.lost(), 3);
    // The first one has its try, unless the end comes before it.
    assert_eq!(delivery.failed.get() + delivery.dropped.get(), 3);
    assert_eq!((delivery.done.get(), delivery.retried.get()), (0, 0));
}

#[test]
fn a_failure_is_described_in_a_few_words() {
    for (failure, said) in [
        (Failure::Answer(StatusCode::NOT_FOUND), "the answer was 404 Not Found"),
        (Failure::Late(Duration::from_secs(10)), "no answer within 10s"),
        (Failure::Way(ureq::Error::Io(std::io::Error::from_raw_os_error(111))), "connection refused"),
        (Failure::Way(ureq::Error::HostNotFound), "no such host"),
    ] {
        assert_eq!(failure.to_string(), said);
    }
}
