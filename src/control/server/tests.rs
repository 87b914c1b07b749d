use super::*;

mod top;

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread::{self, JoinHandle};

use serde_json::Value;

use crate::control::ask::{AskError, Reply, ask};
use crate::control::request::{Form, MOST_BYTES, Request, Topic};
use crate::control::socket::{Unbound, connect_now};
use crate::detect::{OpenEpisodes, Sink as _};
use crate::engine::stats::{Heartbeat, Stats};
use crate::report::Deliveries;
use crate::report::sample::{end, start};
use crate::wire::packet::Interfaces;

mod changes;

/// A wait that no test needs in full.
const LONG: Duration = Duration::from_secs(100);

/// A server on a thread of its own, and a detector that answers on request.
struct Service {
    folder: tempfile::TempDir,
    state: State,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl Service {
    fn start() -> Self {
        Self::with(Hands::default())
    }

    /// One that hands changes on.
    fn with(hands: Hands) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = Socket::bind(&folder.path().join("control")).unwrap();
        let wake = Some(socket.wake());
        let state = State::new(Interfaces::default(), None, Deliveries::default(), wake, None);
        let server = Server::new(socket, state.clone(), Zone::utc(), hands);
        let stop = server.stop();
        Self { folder, state, stop, thread: Some(thread::spawn(move || server.run())) }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("control")
    }

    fn connect(&self) -> UnixStream {
        let stream = UnixStream::connect(self.path()).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        stream
    }

    /// What a client that sends this and then nothing more is answered, up to the end.
    fn answers(&self, request: &[u8]) -> Vec<Value> {
        let mut stream = self.connect();
        // What is too long is not read to its end.
        let _ = stream.write_all(request);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let lines = BufReader::new(stream).lines().map_while(Result::ok);
        lines.map(|line| serde_json::from_str(&line).unwrap()).collect()
    }

    fn ask(&self, topic: Topic, form: Form) -> Result<Reply, AskError> {
        ask(&self.path(), &Request { topic, form })
    }

    /// Shows these to a client that asks.
    fn show_episodes(&self, open: &OpenEpisodes) {
        self.wait_for_question();
        self.state.feed().open(&Arc::new(open.clone()));
    }

    /// Does as the capture thread does at heartbeats, until a client has asked for the open episodes.
    fn wait_for_question(&self) {
        let mut is_asked = false;
        while !is_asked {
            self.state.serve_episodes(|| {
                is_asked = true;
                true
            });
            thread::yield_now();
        }
    }

    fn end(&mut self) {
        self.stop.stop();
        self.thread.take().unwrap().join().unwrap();
    }
}

const STATUS: &str = "{\"v\":1,\"do\":\"status\"}\n";

/// The answer that a client of a line a request reads.
fn line(stream: &UnixStream) -> Value {
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap()
}

#[test]
fn the_status_is_that_of_the_last_heartbeat() {
    let mut service = Service::start();
    let mut feed = service.state.feed();
    let stats = Stats { packets: 1042, attempts: 35, ..Stats::default() };
    feed.heartbeat(&Heartbeat {
        stats,
        watches: vec![("mail".into(), Default::default())],
        ..Heartbeat::default()
    });
    feed.alert(&start());
    feed.alert(&start());
    feed.alert(&end());
    let reply = service.ask(Topic::Status, Form::Json).unwrap();
    let status: Value = serde_json::from_str(&reply.lines[0]).unwrap();
    assert_eq!(status["stats"]["synwatch"]["packets"], 1042);
    assert_eq!(status["watches"][0]["name"], "mail");
    assert_eq!(
        (&status["open_episodes"], &status["blocks"], &status["reload"]),
        (&1.into(), &Value::Null, &Value::Null)
    );
    assert!(status["uptime"].as_f64().unwrap() >= 0.0);

    service.state.reloaded(Err("memory: only a restart changes that".to_owned()));
    let reply = service.ask(Topic::Status, Form::Text).unwrap();
    let begins = |begin: &str| reply.lines.iter().filter(|line| line.starts_with(begin)).count();
    for (begin, times) in [
        (concat!("synwatch ", env!("CARGO_PKG_VERSION"), " pid="), 1),
        ("watch name=mail attempts=0 ", 1),
        ("episodes open=1", 1),
        ("blocks off", 1),
        ("reload refused at=", 1),
        ("summary packets=1042 attempts=35 ", 1),
        ("summary ", 6),
    ] {
        assert_eq!(begins(begin), times, "{begin}: {reply:#?}");
    }
    assert_eq!(service.state.line(), "open episodes: 1, losses: 0, last reload refused");
    service.end();
}

#[test]
fn episodes_are_those_of_a_heartbeat_after_the_question() {
    let mut service = Service::start();
    for (form, open) in [
        (Form::Json, OpenEpisodes { reports: vec![start(), start()], others: 3 }),
        (Form::Text, OpenEpisodes { reports: vec![start()], others: 0 }),
    ] {
        let reply = thread::scope(|scope| {
            let asking = scope.spawn(|| service.ask(Topic::Episodes, form));
            service.show_episodes(&open);
            asking.join().unwrap().unwrap()
        });
        assert_eq!((reply.lines.len(), reply.others), (open.reports.len(), open.others as u64));
        match form {
            Form::Json => {
                let record: Value = serde_json::from_str(&reply.lines[0]).unwrap();
                assert_eq!(record["event_type"], "alert");
                assert!(
                    reply.lines[0].starts_with("{\"timestamp\":"),
                    "{:?}: keys keep their order",
                    reply.lines
                );
            }
            Form::Text => assert!(reply.lines[0].contains(" flood start src="), "{:?}", reply.lines),
        }
    }
    service.end();
}

#[test]
fn several_requests_on_one_connection_are_answered_in_order() {
    let mut service = Service::start();
    let request =
        format!("{STATUS}nonsense\n\n{STATUS}{{\"v\":2,\"do\":\"status\"}}\n{{\"v\":1,\"do\":\"halt\"}}");
    let answers = service.answers(request.as_bytes());
    let codes: Vec<_> = answers.iter().map(|answer| answer["code"].as_str().unwrap_or("ok")).collect();
    assert_eq!(codes, ["ok", "malformed", "malformed", "ok", "version", "unknown"]);
    assert!(answers.iter().all(|answer| answer["v"] == 1 && answer["ok"].is_boolean()), "{answers:?}");
    service.end();
}

#[test]
fn a_request_without_an_end_is_refused_at_its_longest() {
    let mut service = Service::start();
    let answers = service.answers(&vec![b'x'; 2 * MOST_BYTES]);
    assert_eq!((answers.len(), &answers[0]["code"]), (1, &"too-long".into()));
    let longest = format!("{}{STATUS}", " ".repeat(MOST_BYTES - STATUS.len()));
    assert_eq!(service.answers(longest.as_bytes())[0]["ok"], true);
    service.end();
}

#[test]
fn one_more_client_than_there_may_be_is_told_so() {
    assert_eq!((most_clients(false), most_clients(true)), (8, 10));
    // The service's own user may change something.
    let mut service = Service::start();
    let clients: Vec<_> = (0..most_clients(true)).map(|_| service.connect()).collect();
    for mut client in &clients {
        client.write_all(STATUS.as_bytes()).unwrap();
        assert_eq!(line(client)["ok"], true);
    }
    let refused = service.ask(Topic::Status, Form::Text).unwrap_err().to_string();
    assert!(refused.ends_with(" refuses: 10 clients are connected already (try again)"), "{refused}");
    drop(clients);
    // The server notices that they have left before it accepts another one.
    let until = Instant::now() + LONG;
    while service.ask(Topic::Status, Form::Text).is_err() {
        assert!(Instant::now() < until);
    }
    service.end();
}

#[test]
fn a_client_that_stalls_is_dropped_and_delays_no_other() {
    let mut service = Service::start();
    let (mut half, mut stalled) = (service.connect(), service.connect());
    half.write_all(&STATUS.as_bytes()[..10]).unwrap();
    stalled.write_all(b"{\"v\":1,\"do\":\"episodes\"}\n").unwrap();
    // More than the buffers of a connection hold.
    let open = OpenEpisodes { reports: vec![start(); 1000], others: 0 };
    service.show_episodes(&open);
    assert_eq!(service.answers(STATUS.as_bytes()).len(), 1);
    let mut rest = Vec::new();
    assert_eq!(half.read_to_end(&mut rest).unwrap(), 0, "{rest:?}");
    // By then the time of the other one is up, too, or nearly.
    while service.answers(STATUS.as_bytes()).len() == 1 && !is_closed(&stalled) {}
    stalled.read_to_end(&mut rest).unwrap();
    assert!(!rest.is_empty() && !rest.ends_with(b"\n"), "{} bytes", rest.len());
    service.end();
}

/// Whether the other end has closed a connection, however much there is to read.
fn is_closed(stream: &UnixStream) -> bool {
    let mut events = [PollFd::new(stream, PollFlags::empty())];
    poll(&mut events, Some(&Timespec::default())).unwrap();
    events[0].revents().contains(PollFlags::HUP)
}

#[test]
fn a_detector_that_hangs_is_said_to() {
    let mut service = Service::start();
    let refused = service.ask(Topic::Episodes, Form::Json).unwrap_err().to_string();
    assert!(refused.ends_with(" refuses: the detector has not answered for 5 s"), "{refused}");
    service.end();
}

#[test]
fn the_end_closes_all_connections_and_removes_the_socket() {
    let mut service = Service::start();
    let mut idle = service.connect();
    let mut waiting = service.connect();
    waiting.write_all(b"{\"v\":1,\"do\":\"episodes\"}\n").unwrap();
    service.wait_for_question();
    service.end();
    for client in [&mut idle, &mut waiting] {
        assert_eq!(client.read(&mut [0; 1]).unwrap_or(0), 0);
    }
    assert!(!service.path().exists());
    let none = service.ask(Topic::Status, Form::Text).unwrap_err().to_string();
    let path = service.path();
    let expected =
        format!("no synwatch listens at {}: start it, or name its socket with --socket", path.display());
    assert_eq!(none, expected);
}

#[test]
fn a_socket_that_is_left_is_replaced_and_one_in_use_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control");
    let first = Socket::bind(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o660);
    assert!(matches!(Socket::bind(&path), Err(Unbound::Taken)));
    // As after a crash: the file stays.
    drop(first);
    assert_eq!(connect_now(&path).unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
    let second = Socket::bind(&path).unwrap();
    assert!(connect_now(&path).is_ok());
    // Another one was put in its place: that stays.
    fs::remove_file(&path).unwrap();
    fs::write(&path, "").unwrap();
    second.remove();
    assert!(path.exists());
    assert!(matches!(Socket::bind(&path), Err(Unbound::NoSocket)));
    assert_eq!(fs::read(&path).unwrap(), b"");
    fs::remove_file(&path).unwrap();
    assert!(matches!(Socket::bind(&folder.path().join("not/there")), Err(Unbound::System(_))));
}

#[test]
fn a_full_queue_of_connections_is_no_reason_to_replace_a_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("control");
    let socket = Socket::bind(&path).unwrap();
    rustix::net::listen(&socket.listener, 0).unwrap();
    let queued: Vec<_> = std::iter::from_fn(|| connect_now(&path).ok()).take(10).collect();
    assert!(queued.len() < 10, "the queue is full");
    assert!(matches!(Socket::bind(&path), Err(Unbound::Taken)));
}
