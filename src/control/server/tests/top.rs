//! The answers to `top`.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use super::*;
use crate::base::hash::Key;
use crate::base::time::Timestamp;
use crate::control::request::Top;
use crate::control::speed::Speed;
use crate::control::subscription::{OwnRun, Subscription};
use crate::engine::clock::Ticks;
use crate::engine::counters::Ties;
use crate::engine::watch::{Grouping, Limit, Limits};
use crate::engine::{Watch, Watching};

const TOP: &str = "{\"v\":1,\"do\":\"top\",\"every\":\"500ms\"}\n";

/// Attempts of these sources, each as many times as its last byte says, in a watch of the service.
fn count_attempts(service: &Service, hosts: RangeInclusive<u8>) {
    let limits = Limits { sources: vec![Limit::new(30, Duration::from_secs(10))], ..Limits::default() };
    let watch = Watch {
        number: 0,
        name: "mail".into(),
        ports: "25".parse().unwrap(),
        grouping: Grouping::new(32, 64),
    };
    let shared = Watching::new(watch, &limits, 1 << 20).unwrap().shared(Key::fixed());
    let ticks = Ticks(10_000_000);
    for host in hosts {
        let address = IpAddr::from([198, 51, 100, host]);
        let table = &shared.tables[0].table;
        for _ in 0..host {
            let recorded = table.record(Key::fixed().address(address), ticks, 25, &mut Ties::new(1));
            table.name_holder(recorded.slot, address);
        }
    }
    service.state.share(Arc::new([shared]));
    service.state.feed().heartbeat(&Heartbeat {
        now: Some((Timestamp::new(1_700_000_000, 0), ticks)),
        ..Heartbeat::default()
    });
}

#[test]
fn top_comes_again_and_again_and_other_requests_are_answered_meanwhile() {
    let mut service = Service::start();
    count_attempts(&service, 1..=29);
    let mut stream = service.connect();
    stream.write_all(TOP.replace("500ms\"", "500ms\",\"limit\":2").as_bytes()).unwrap();
    service.show_episodes(&OpenEpisodes { reports: vec![start()], others: 0 });
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let mut next = || serde_json::from_str::<Value>(&lines.next().unwrap()).unwrap();
    for _ in 0..2 {
        let answer = next();
        let top = &answer["top"];
        assert_eq!((&answer["v"], &answer["ok"]), (&1.into(), &true.into()), "{answer}");
        assert_eq!(top["watches"][0]["limits"], serde_json::json!([{"name": "30/10s", "attempts": 30}]));
        // The episode's source, and the one closest to the limit.
        let sources = &top["watches"][0]["sources"];
        assert_eq!((&sources[0]["source"], &sources[0]["over"]), (&"49.212.10.42".into(), &true.into()));
        assert_eq!(
            (&sources[1]["source"], &sources[1]["counts"]),
            (&"198.51.100.29".into(), &serde_json::json!([29]))
        );
        assert_eq!((sources.as_array().unwrap().len(), &top["watches"][0]["other_sources"]), (2, &28.into()));
        assert_eq!(top["episodes"][0]["subject"], "49.212.10.42");
    }
    stream.write_all(STATUS.as_bytes()).unwrap();
    while next()["status"].is_null() {}
    assert!(next()["top"].is_object(), "and it goes on");
    assert_eq!(service.answers(STATUS.as_bytes()).len(), 1);
    service.end();
}

#[test]
fn a_single_top_is_answered_before_what_follows() {
    let mut service = Service::start();
    count_attempts(&service, 5..=5);
    let answers = thread::scope(|scope| {
        let asking =
            scope.spawn(|| service.answers(format!("{{\"v\":1,\"do\":\"top\"}}\n{STATUS}").as_bytes()));
        service.show_episodes(&OpenEpisodes::default());
        asking.join().unwrap()
    });
    assert_eq!(answers.len(), 2, "{answers:?}");
    assert_eq!(answers[0]["top"]["watches"][0]["sources"][0]["counts"][0], 5);
    assert!(answers[1]["status"].is_object());
    service.end();
}

#[test]
fn a_client_that_leaves_or_reads_nothing_of_top_is_dropped() {
    let mut service = Service::start();
    count_attempts(&service, 1..=29);
    let mut clients: Vec<_> = (0..MOST_CLIENTS).map(|_| service.connect()).collect();
    clients.iter_mut().for_each(|client| client.write_all(TOP.as_bytes()).unwrap());
    let open = Arc::new(OpenEpisodes { reports: vec![start(); 400], others: 0 });
    // Nobody reads. The service drops each once the buffers are full, and goes on.
    drop(clients.split_off(4));
    let until = Instant::now() + LONG;
    while !clients.iter().all(is_closed) {
        assert!(Instant::now() < until);
        service.state.serve_episodes(|| true);
        service.state.feed().open(&open);
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(service.answers(STATUS.as_bytes()).len(), 1);
    service.end();
}

#[test]
fn the_view_of_a_replay_gets_its_last_state_however_soon_the_end_comes() {
    let (served, seen) = UnixStream::pair().unwrap();
    let wake = crate::control::wake().unwrap();
    let state = State::new(Interfaces::default(), None, Deliveries::default(), None, Some(Speed::new(1.0)));
    let wanted = Top { limit: 50, every: Some(Duration::from_secs(1)) };
    let server = Server::of_stream(served, wanted, wake, state.clone(), Zone::utc()).unwrap();
    server.stop().stop();
    state.keep_last(&Zone::utc());
    server.run();
    let own = OwnRun { speed: None, stop: Arc::default() };
    let mut subscription = Subscription::of_own_run(seen, own).unwrap();
    assert!(subscription.next(LONG).unwrap().is_some());
    assert!(matches!(subscription.next(LONG), Err(AskError::Ended(_))));
}
