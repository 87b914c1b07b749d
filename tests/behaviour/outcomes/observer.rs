//! A monitor in miniature: conntrack, and what it has told of each attempt.

use std::net::IpAddr;

use synwatch::base::hash::{self, Key};
use synwatch::engine::clock::Ticks;
use synwatch::engine::conntrack::{Conntrack, EndpointHashes, Ends, Hosts, OutcomeUpdate, Syn};
use synwatch::engine::outcome::{ConnSummary, Outcome, Proof};
use synwatch::wire::segment::Segment;

/// An address and a port.
pub(crate) type End = (IpAddr, u16);

/// An attempt, and what is known of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attempt {
    pub(crate) client: End,
    pub(crate) server: End,
    pub(crate) started: u64,
    pub(crate) life: ConnSummary,
}

/// Checks that each result follows from earlier ones.
pub(crate) struct Observer {
    connections: Conntrack,
    key: Key,
    pub(crate) attempts: Vec<Attempt>,
}

impl Observer {
    pub(crate) fn new(memory: usize) -> Self {
        let connections = Conntrack::new(memory, Proof::Yes).expect("a little memory");
        Self { connections, key: Key::fixed(), attempts: Vec::new() }
    }

    pub(crate) fn see(&mut self, time: u64, segment: &Segment) {
        self.wait_until(time);
        let now = Ticks(time);
        let end = |address, port| hash::end(self.key.address(address), port);
        let (from, to) = (end(segment.src, segment.src_port), end(segment.dst, segment.dst_port));
        let connection = hash::connection(from, to);
        let hosts = Hosts { from: self.key.address(segment.src), to: self.key.address(segment.dst) };
        if segment.flags.is_attempt() {
            let ends = EndpointHashes { client: from, server: to, source: hosts.from };
            if self.connections.syn(connection, ends, now, segment).syn == Syn::Attempt {
                self.add((segment.src, segment.src_port), (segment.dst, segment.dst_port), now);
            }
            return;
        }
        let followed = self.connections.follow(connection, hosts, now, segment);
        if let Some(inferred) = followed.attempt {
            let Ends { client, server, .. } = inferred.ends;
            self.add(client, server, inferred.started);
        }
        if let Some(news) = followed.news {
            self.hear(&news);
        }
    }

    /// Advances the time.
    pub(crate) fn wait_until(&mut self, time: u64) {
        while let Some(expired) = self.connections.expire(Ticks(time)) {
            assert!(expired.due < Ticks(time));
            if let Some(news) = expired.news {
                self.hear(&news);
            }
        }
    }

    fn add(&mut self, client: End, server: End, started: Ticks) {
        self.attempts.push(Attempt { client, server, started: started.0, life: ConnSummary::default() });
    }

    fn hear(&mut self, news: &OutcomeUpdate) {
        let Ends { client, server, .. } = news.ends;
        let is_it = |attempt: &&mut Attempt| {
            (attempt.client, attempt.server, attempt.started) == (client, server, news.started.0)
        };
        let attempt = self.attempts.iter_mut().rev().find(is_it).expect("news of an attempt");
        match news.before {
            Some(before) => assert_eq!(before, attempt.life, "what was told before"),
            // Forgotten: what was settled stays.
            None if attempt.life.outcome.is_final() => return,
            None => assert_eq!(news.after.outcome, Outcome::Unknown),
        }
        attempt.life = news.after;
    }
}
