//! Reports for tests.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::base::time::Timestamp;
use crate::base::zone::Zone;
use crate::detect::alert::{Alert, Basis, Ended, Enrichment, State, Trigger, Within};
use crate::engine::episodes::{Addresses, Ports};
use crate::engine::outcome::{Outcome, OutcomeCounts, Proof};
use crate::engine::stats::Losses;
use crate::engine::subject::{Kind, Source};
use crate::engine::watch::Limit;
use crate::wire::packet::Origin;

pub(crate) fn tokyo() -> Zone {
    Zone::from(TimeZone::fixed(jiff::tz::offset(9)))
}

/// Milliseconds after 15:11:36 in Tokyo, the start of the seed's attack.
pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::new(1_385_359_896, millis * 1_000_000)
}

pub(crate) fn start() -> Alert {
    Alert {
        episode: 0,
        time: at(6_310),
        state: State::Start,
        watch: Arc::from("mail"),
        signature: 1_000_001,
        kind: Kind::Source,
        source: Source("49.212.10.42/32".parse().unwrap()),
        about: Enrichment::default(),
        limit: Limit::new(30, Duration::from_secs(10)),
        trigger: Trigger {
            src: "49.212.10.42".parse().unwrap(),
            src_port: 60_001,
            dst: "116.58.172.107".parse().unwrap(),
            dst_port: 25,
            origin: Origin::File(Arc::from("seed-attack.pcap")),
        },
        attempts: 30,
        copies: 0,
        retransmissions: 0,
        first_seen: at(370),
        last_seen: at(6_310),
        peak: 30.0 / 5.94,
        ports: Ports { counts: vec![(25, 15), (110, 15)], others: 0 },
        destinations: Addresses { kept: vec!["116.58.172.107".parse().unwrap()], others: 0 },
        hosts: Addresses::default(),
        hosts_estimate: None,
        within: Within::default(),
        outcomes: mix(&[(Outcome::Silent, 28), (Outcome::Open, 1), (Outcome::Pending, 1)], 28),
        verified: Proof::Yes,
        basis: Some(Basis::Capture),
        provers: Arc::default(),
        sent: 0,
        received: 1400,
        blocked: None,
        block_ends: None,
        would_block: None,
        gateways: Default::default(),
        answered: None,
        losses: Losses::default(),
    }
}

/// This many attempts of each outcome, and this many proofs of the client's address.
fn mix(outcomes: &[(Outcome, u64)], proofs: u64) -> OutcomeCounts {
    let mut mix = OutcomeCounts::default();
    (mix.greeted, mix.proofs) = (proofs, proofs);
    outcomes.iter().for_each(|&(outcome, attempts)| mix.set(outcome, attempts));
    mix
}

pub(crate) fn end() -> Alert {
    Alert {
        time: at(417_470),
        state: State::End(Ended::Quiet),
        attempts: 1_788,
        outcomes: mix(&[(Outcome::Silent, 1_780), (Outcome::Spoke, 8)], 1_788),
        sent: 48,
        received: 96_000,
        last_seen: at(357_470),
        peak: 6.25,
        ports: Ports { counts: vec![(110, 900), (25, 888)], others: 0 },
        ..start()
    }
}

/// A report on a network with all optional parts.
pub(crate) fn full() -> Alert {
    Alert {
        time: at(62_000),
        state: State::Update,
        watch: Arc::from("my mail"),
        source: Source("2001:db8:0:1::/64".parse().unwrap()),
        about: Enrichment {
            name: Some(Arc::from("a b.example")),
            system: Some(64_500),
            organisation: Some(Arc::from("Example \u{1b}Net")),
            country: Some(Arc::from("JP")),
        },
        attempts: 330,
        copies: 2,
        retransmissions: 3,
        first_seen: at(0),
        last_seen: at(61_500),
        ports: Ports { counts: vec![(25, 200), (110, 120)], others: 10 },
        destinations: Addresses {
            kept: vec!["2001:db8:2::25".parse().unwrap(), "2001:db8:2::26".parse().unwrap()],
            others: 120,
        },
        hosts: Addresses { kept: vec!["2001:db8:0:1::1".parse().unwrap(); 16], others: 7 },
        hosts_estimate: Some(19),
        losses: Losses { kernel: 12, interface: 3, crossings: 4, evictions: 5 },
        ..start()
    }
}
