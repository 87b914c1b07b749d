//! Snapshots for tests.

use crate::control::{OutcomeShare, TopEpisode, TopLimit, TopSnapshot, TopSource, TopWatch};

fn outcomes(shares: &[(&str, u64)]) -> Vec<OutcomeShare> {
    shares
        .iter()
        .map(|(outcome, attempts)| OutcomeShare { outcome: (*outcome).to_owned(), attempts: *attempts })
        .collect()
}

pub(super) fn limits() -> Vec<TopLimit> {
    [("30/10s", 30), ("60/60s", 60), ("silent:30/60s", 30)]
        .map(|(name, attempts)| TopLimit { name: name.to_owned(), attempts })
        .into()
}

pub(super) fn source(source: &str, counts: [Option<u32>; 3]) -> TopSource {
    let over =
        [30, 60, 30].iter().zip(counts).any(|(limit, count)| count.is_some_and(|count| count >= *limit));
    TopSource {
        source: source.to_owned(),
        counts: counts.into(),
        over,
        verified: "no".to_owned(),
        rate: f64::from(counts[1].unwrap_or(0)) / 60.0,
        ..TopSource::default()
    }
}

/// Nothing has happened yet.
pub(super) fn empty() -> TopSnapshot {
    TopSnapshot {
        timestamp: "2026-03-02T10:00:00.000+00:00".to_owned(),
        interfaces: vec!["eth1".to_owned()],
        uptime: 2.0,
        history: vec![0; 2],
        watches: vec![TopWatch { name: "mail".to_owned(), limits: limits(), ..TopWatch::default() }],
        ..TopSnapshot::default()
    }
}

/// One source floods, others do not.
pub(super) fn flood() -> TopSnapshot {
    let mut flooder = source("198.51.100.66", [Some(51), Some(60), Some(32)]);
    flooder.verified = "yes".to_owned();
    flooder.blocked = Some(3_570);
    let mut server = source("203.0.113.9", [Some(14), Some(18), Some(1)]);
    server.verified = "wire".to_owned();
    let sources = vec![flooder, server, source("2001:db8:0:1::/64", [Some(6), Some(20), None])];
    let episode = TopEpisode {
        subject: "198.51.100.66".to_owned(),
        watch: "mail".to_owned(),
        limit: "30/10s".to_owned(),
        seconds: 312.0,
        attempts: 1_531,
        rate: 5.0,
        peak: 5.5,
        outcomes: outcomes(&[("silent", 1_530), ("open", 1)]),
        verified: "yes".to_owned(),
        blocked: true,
        ..TopEpisode::default()
    };
    TopSnapshot {
        uptime: 273_700.0,
        attempts_per_second: 1_042,
        history: (0..300_u32)
            .map(|second| 400 + second * 37 % 23 * 10 + if second > 220 { 911 } else { 0 })
            .collect(),
        answered: Some(99.4),
        outcomes: outcomes(&[
            ("silent", 710),
            ("spoke", 220),
            ("refused", 50),
            ("half-open", 20),
            ("open", 12),
        ]),
        watches: vec![TopWatch { name: "mail".to_owned(), limits: limits(), sources, other_sources: 0 }],
        episodes: vec![episode],
        episodes_opened: 14,
        ..empty()
    }
}

/// As many sources as are listed, and more; two watches; more episodes than fit.
pub(super) fn crowd() -> TopSnapshot {
    let sources = (0..500_u32).map(|number| {
        let count = 40_u32.saturating_sub(number / 2);
        source(
            &format!("203.0.{}.{}", 113 + number / 250, number % 250),
            [Some(count), Some(count + 3), Some(count / 4)],
        )
    });
    let mut snapshot = flood();
    snapshot.watches[0].sources = sources.collect();
    snapshot.watches[0].other_sources = 12_345;
    snapshot.watches.push(TopWatch {
        name: "submission".to_owned(),
        limits: limits(),
        sources: vec![source("192.0.2.7", [Some(2), Some(3), Some(0)])],
        other_sources: 0,
    });
    let episode = snapshot.episodes[0].clone();
    snapshot.episodes = (0..40)
        .map(|number| TopEpisode {
            subject: format!("203.0.113.{number}"),
            ended: number > 30,
            ..episode.clone()
        })
        .collect();
    snapshot.other_episodes = 7;
    snapshot
}

/// Names that are long, wide, or meant to control the terminal.
pub(super) fn names() -> TopSnapshot {
    let mut snapshot = flood();
    snapshot.interfaces = vec!["日本/月曜日.pcap".to_owned(), "eth\u{1b}[31m".to_owned()];
    let named = [
        ("vps12.bulk.hosting.customers.example.net", Some("AS64500 Example Hosting")),
        ("メール.日本.example", Some("AS64501 例示通信")),
        ("\u{1b}[2J\u{202e}evil.example", None),
    ];
    for (source, (host, asn)) in snapshot.watches[0].sources.iter_mut().zip(named) {
        source.host = Some(host.to_owned());
        source.asn = asn.map(str::to_owned);
    }
    snapshot
}
