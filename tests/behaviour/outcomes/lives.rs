//! Random lives of a connection: what both sides do, what the network loses, and what passes the monitor.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::endpoints::{Endpoint, Sent};

/// Ticks of a second.
pub(crate) const SECOND: u64 = 10_000;

/// Something that happens.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Step {
    /// The next segment on its way to the server, or to the client, arrives, or is lost behind the monitor.
    Arrive { at_server: bool, lost: bool },
    /// A side speaks.
    Say { client: bool, len: u32 },
    /// A side ends, with data on its FIN; for good, or only its own direction.
    Close { client: bool, len: u32, for_good: bool },
    /// A side resets the connection.
    Abort { client: bool },
    /// A side forgets the connection.
    Vanish { client: bool },
    /// A side's time-out: it repeats what is not acknowledged.
    Repeat { client: bool },
    /// The client asks whether the server is still there.
    Probe,
    /// Nothing for so many seconds.
    Wait { seconds: u64 },
}

/// A life, and what the monitor misses of it.
#[derive(Debug, Clone)]
pub(crate) struct Life {
    client_isn: u32,
    server_isn: u32,
    other_isn: Option<u32>,
    listens: bool,
    /// Bytes on the SYN.
    syn_data: u32,
    steps: Vec<Step>,
    /// How often the monitor sees something of one side before something earlier of the other.
    swaps: Vec<prop::sample::Index>,
    /// Of so many segments, those of which the monitor misses; `None` when it sees all.
    missed: Option<Vec<bool>>,
}

/// What was on the wire, with its time in ticks, as the monitor saw it or missed it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Passed {
    pub(crate) time: u64,
    pub(crate) sent: Sent,
    pub(crate) missed: bool,
}

/// How a life went.
#[derive(Debug)]
pub(crate) struct Lived {
    pub(crate) client: Endpoint,
    pub(crate) server: Endpoint,
    pub(crate) passed: Vec<Passed>,
    /// The time at its end.
    pub(crate) now: u64,
}

fn isn() -> impl Strategy<Value = u32> {
    // The numbers wrap around in one of two.
    prop_oneof![any::<u32>(), (0..5000u32).prop_map(|n| u32::MAX - n)]
}

fn step() -> impl Strategy<Value = Step> {
    let len = || prop_oneof![Just(0u32), Just(1), Just(2), 3..1400u32];
    prop_oneof![
        12 => (any::<bool>(), prop::bool::weighted(0.1))
            .prop_map(|(at_server, lost)| Step::Arrive { at_server, lost }),
        2 => (any::<bool>(), 1..1400u32).prop_map(|(client, len)| Step::Say { client, len }),
        1 => any::<bool>().prop_map(|client| Step::Say { client, len: 1 }),
        2 => (any::<bool>(), len(), any::<bool>())
            .prop_map(|(client, len, for_good)| Step::Close { client, len, for_good }),
        1 => any::<bool>().prop_map(|client| Step::Abort { client }),
        1 => any::<bool>().prop_map(|client| Step::Vanish { client }),
        3 => any::<bool>().prop_map(|client| Step::Repeat { client }),
        1 => Just(Step::Probe),
        1 => (1..40u64).prop_map(|seconds| Step::Wait { seconds }),
    ]
}

/// Any life; the monitor sees all of it, or misses some.
pub(crate) fn any_life(misses: bool) -> impl Strategy<Value = Life> {
    let missed = prop::collection::vec(prop::bool::weighted(0.2), 64);
    // Cookies count minutes in their upper bits.
    let numbers = (isn(), isn(), prop::option::weighted(0.2, 1..250u32));
    let syn_data = prop_oneof![4 => Just(0u32), 1 => 1..1400u32];
    let swaps = prop::collection::vec(any::<prop::sample::Index>(), 0..4);
    (numbers, prop::bool::weighted(0.9), syn_data, handshake_then(), swaps, missed).prop_map(
        move |((client_isn, server_isn, other_isn), listens, syn_data, steps, swaps, missed)| Life {
            client_isn,
            // Not both so near the end that 0, the number of a refusal, seems to be one of the server's own.
            server_isn: if other_isn.is_some() { server_isn & 0x007f_ffff } else { server_isn },
            other_isn: other_isn.map(|minutes: u32| (server_isn & 0x007f_ffff) + (minutes << 24)),
            listens,
            syn_data,
            steps,
            swaps,
            missed: misses.then_some(missed),
        },
    )
}

/// Half of the lives begin with a handshake that nothing disturbs, so that much happens after it.
fn handshake_then() -> impl Strategy<Value = Vec<Step>> {
    (any::<bool>(), prop::collection::vec(step(), 0..40)).prop_map(|(begins_well, steps)| {
        let arrive = |at_server| Step::Arrive { at_server, lost: false };
        let begin = [arrive(true), arrive(false), arrive(true)];
        begin.into_iter().filter(|_| begins_well).chain(steps).collect()
    })
}

impl Life {
    pub(crate) fn live(&self) -> Lived {
        let mut world = World {
            client: Endpoint::client(self.client_isn),
            server: Endpoint::server(self.server_isn, self.other_isn, self.listens),
            to_server: VecDeque::new(),
            to_client: VecDeque::new(),
            passed: Vec::new(),
            now: 10 * SECOND,
        };
        let syn = world.client.connect(self.syn_data);
        world.send(Some(syn));
        for step in &self.steps {
            world.step(*step);
        }
        let World { client, server, mut passed, now, .. } = world;
        self.disorder(&mut passed);
        if let Some(missed) = &self.missed {
            // Without its SYN there is no attempt to tell anything of.
            for (passed, missed) in passed.iter_mut().skip(1).zip(missed.iter().cycle()) {
                passed.missed = *missed;
            }
        }
        Lived { client, server, passed, now }
    }

    /// Exchanges neighbours of opposite directions: what one side sends keeps its order. SYNs stay in their places,
    /// which say whether they are retransmissions; and an answer moves by one place at most: of what comes before it,
    /// only the last acknowledgment is kept.
    fn disorder(&self, passed: &mut [Passed]) {
        if passed.len() < 3 {
            return;
        }
        let mut has_moved_answer = false;
        for swap in &self.swaps {
            let at = 1 + swap.index(passed.len() - 2);
            let is_syn = |sent: Sent| sent.from_client && sent.syn;
            let (one, other) = (passed[at].sent, passed[at + 1].sent);
            let moves_answer = one.syn || other.syn;
            let may_move = !(moves_answer && has_moved_answer);
            if one.from_client != other.from_client && !is_syn(one) && !is_syn(other) && may_move {
                has_moved_answer |= moves_answer;
                (passed[at].sent, passed[at + 1].sent) = (other, one);
            }
        }
    }
}

struct World {
    client: Endpoint,
    server: Endpoint,
    to_server: VecDeque<Sent>,
    to_client: VecDeque<Sent>,
    passed: Vec<Passed>,
    now: u64,
}

impl World {
    fn step(&mut self, step: Step) {
        self.now += SECOND / 50;
        match step {
            Step::Arrive { at_server, lost } => {
                let way = if at_server { &mut self.to_server } else { &mut self.to_client };
                if let Some(sent) = way.pop_front().filter(|_| !lost) {
                    let answer = self.side(!at_server).take(&sent);
                    self.send(answer);
                }
            }
            Step::Say { client, len } => {
                let sent = self.side(client).say(len);
                self.send(sent);
            }
            Step::Close { client, len, for_good } => {
                let sent = self.side(client).close(len, for_good);
                self.send(sent);
            }
            Step::Abort { client } => {
                let sent = self.side(client).abort();
                self.send(sent);
            }
            Step::Vanish { client } => self.side(client).vanish(),
            Step::Repeat { client } => {
                self.now += SECOND;
                let sent = self.side(client).repeat();
                let gives_up = self.gives_up();
                self.send(sent.filter(|sent| !(client && sent.syn && gives_up)));
            }
            Step::Probe => {
                let sent = self.client.probe();
                self.send(sent);
            }
            Step::Wait { seconds } => self.now += seconds * SECOND,
        }
    }

    /// A client gives up in time: a SYN that comes later yet, or more often, is an attempt of its own.
    fn gives_up(&self) -> bool {
        let is_refusal = |passed: &&Passed| passed.sent.refuses;
        let is_syn = |passed: &&Passed| passed.sent.from_client && passed.sent.syn;
        let refused = self.passed.iter().position(|passed| is_refusal(&passed)).unwrap_or(self.passed.len());
        let syns = self.passed.iter().filter(is_syn).count();
        let after_refusal = self.passed[refused..].iter().filter(is_syn).count();
        self.now > 130 * SECOND || syns > 12 || after_refusal >= 3
    }

    fn side(&mut self, client: bool) -> &mut Endpoint {
        if client { &mut self.client } else { &mut self.server }
    }

    fn send(&mut self, sent: Option<Sent>) {
        let Some(sent) = sent else { return };
        self.passed.push(Passed { time: self.now, sent, missed: false });
        if sent.from_client { self.to_server.push_back(sent) } else { self.to_client.push_back(sent) }
    }
}
