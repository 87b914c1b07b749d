//! Evidence of an unseen SYN: an unreadable packet of the client, or the absence of all packets of the
//! server's clients.
//!
//! Two tables of fixed size. Both only add attempts that prove nothing. A sender that forges their contents
//! could forge the SYNs as well.

use crate::base::hash;
use crate::engine::clock::Ticks;

/// The hashes of a segment's addresses; 0 where they are not given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Hosts {
    /// Hash of the sender's address.
    pub from: u64,
    /// Hash of the receiver's address.
    pub to: u64,
}

impl Hosts {
    /// The hashes for the opposite direction.
    pub(super) fn reverse(self) -> Self {
        Self { from: self.to, to: self.from }
    }

    /// One hash of both, in this order.
    fn pair(self) -> u64 {
        hash::connection(self.from, self.to.rotate_left(1)).max(1)
    }
}

/// Candidate entries per hash.
const WAYS: usize = 4;

/// Capacity in unreadable packets. At 100,000 a second each stays for 40 ms. A server that is watched on site
/// answers faster.
const PACKETS: usize = 4096;
/// Maximum time from an unreadable packet to the SYN-ACK that it may explain, in ticks: 1 s.
const ANSWERED_WITHIN: u64 = 10_000;

/// Packets with an unreadable TCP header: fragments, and header chains that were cut or are unknown.
#[derive(Debug)]
pub(super) struct Unreadable {
    /// The hash of the two addresses, and the time of the newest packet.
    packets: Box<[(u64, Ticks)]>,
    /// Entries that were evicted within the time for an answer.
    pub(super) evicted: u64,
}

impl Unreadable {
    pub(super) fn new() -> Self {
        Self { packets: vec![(0, Ticks(0)); PACKETS].into(), evicted: 0 }
    }

    /// Stores a packet.
    pub(super) fn add(&mut self, hosts: Hosts, time: Ticks) {
        let pair = hosts.pair();
        let set = set_of(&mut self.packets, pair);
        let rank = |(tag, at): &(u64, Ticks)| (*tag != pair, *tag != 0, *at);
        let Some(entry) = set.iter_mut().min_by_key(|entry| rank(entry)) else { return };
        let gives_way = entry.0 != pair && entry.0 != 0 && time.since(entry.1) <= ANSWERED_WITHIN;
        self.evicted += u64::from(gives_way);
        *entry = (pair, time);
    }

    /// Whether a packet between these hosts came within the last second.
    pub(super) fn has(&mut self, hosts: Hosts, time: Ticks) -> bool {
        let pair = hosts.pair();
        let is_it = |&(tag, at): &(u64, Ticks)| tag == pair && time.since(at) <= ANSWERED_WITHIN;
        set_of(&mut self.packets, pair).iter().any(is_it)
    }

    pub(super) fn clear(&mut self) {
        self.packets.fill((0, Ticks(0)));
    }
}

/// Capacity in servers.
const SERVERS: usize = 1024;
/// This many SYN-ACKs without a SYN within so many ticks (60 s) mean one direction, unless clients are seen
/// as well.
const ENOUGH: u32 = 20;
const WITHIN: u64 = 600_000;
/// Both directions are visible if there is at least one client segment per this many SYN-ACKs. Each
/// connection has at least one, and most of those that pass here are seen. Where clients take several routes,
/// those on this route must not hide those on the others.
const ANSWERS_FOR_A_CLIENT: u64 = 16;

/// A server that sends SYN-ACKs whose SYNs are not seen.
#[derive(Debug, Clone, Copy, Default)]
struct Server {
    /// The hash of its address; 0 where there is no entry.
    tag: u64,
    /// Time of the first SYN-ACK that counts. The counts cover 60 s from then.
    since: Ticks,
    /// Time of the last SYN-ACK.
    last: Ticks,
    /// SYN-ACKs without a SYN, and client segments to this server.
    answers: u32,
    clients: u32,
    /// Whether the server was alone at the end of the last minute. Then this minute counts as if it had begun
    /// with enough.
    was_alone: bool,
}

impl Server {
    /// Counts a SYN-ACK. The counts restart after a minute. The earlier result holds for at most a minute
    /// without a SYN-ACK.
    fn count_answer(&mut self, time: Ticks) {
        if self.answers == 0 || time.since(self.since) > WITHIN {
            self.was_alone = self.is_alone() && time.since(self.last) <= WITHIN;
            (self.since, self.answers, self.clients) = (time, 0, 0);
        }
        self.last = time;
        self.answers = self.answers.saturating_add(1);
    }

    fn answers(&self) -> u32 {
        if self.was_alone { self.answers.max(ENOUGH) } else { self.answers }
    }

    /// Whether only its own direction is visible. To hide answers, a sender needs one client segment per 16,
    /// in each minute.
    fn is_alone(&self) -> bool {
        let answers = self.answers();
        answers >= ENOUGH && u64::from(self.clients) * ANSWERS_FOR_A_CLIENT < answers.into()
    }
}

/// Servers of which perhaps only one direction is visible.
#[derive(Debug)]
pub(super) struct OneSided {
    servers: Box<[Server]>,
    /// Whether there is an entry. Usually there is none, and then a client's segment costs nothing.
    is_used: bool,
    /// Servers that were evicted within 60 s of a SYN-ACK.
    pub(super) evicted: u64,
}

impl OneSided {
    pub(super) fn new() -> Self {
        Self { servers: vec![Server::default(); SERVERS].into(), is_used: false, evicted: 0 }
    }

    /// Notes a SYN-ACK without a SYN. Returns whether only the server's direction is visible.
    pub(super) fn answer(&mut self, server: u64, time: Ticks) -> bool {
        let tag = server.max(1);
        let is_live = |entry: &Server| entry.tag != 0 && time.since(entry.last) <= WITHIN;
        let rank =
            |entry: &Server| (entry.tag != tag, is_live(entry), entry.answers().min(ENOUGH), entry.last);
        let set = set_of(&mut self.servers, tag);
        let Some(entry) = set.iter_mut().min_by_key(|entry| rank(entry)) else { return false };
        if entry.tag != tag {
            self.evicted += u64::from(is_live(entry));
            *entry = Server { tag, ..Server::default() };
        }
        self.is_used = true;
        entry.count_answer(time);
        entry.is_alone()
    }

    /// Notes a client's segment to this server.
    #[inline]
    pub(super) fn hear(&mut self, server: u64) {
        if self.is_used {
            let tag = server.max(1);
            let set = set_of(&mut self.servers, tag);
            let all = set.iter_mut().filter(|entry| entry.tag == tag);
            all.for_each(|entry| entry.clients = entry.clients.saturating_add(1));
        }
    }

    pub(super) fn clear(&mut self) {
        self.servers.fill(Server::default());
        self.is_used = false;
    }
}

/// The candidate entries for a hash.
fn set_of<T>(entries: &mut [T], hash: u64) -> &mut [T] {
    let first = hash::set_of(hash, entries.len() / WAYS) * WAYS;
    &mut entries[first..first + WAYS]
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Ticks = Ticks(50_000_000);
    const S: u64 = 10_000;

    fn later(ticks: u64) -> Ticks {
        Ticks(START.0 + ticks)
    }

    /// Hosts whose hashes spread over the table.
    fn hosts(n: u64) -> Hosts {
        let spread = |n: u64| hash::with_number(n, 7);
        Hosts { from: spread(2 * n), to: spread(2 * n + 1) }
    }

    #[test]
    fn an_unreadable_packet_counts_for_a_second_and_for_its_direction() {
        let mut all = Unreadable::new();
        all.add(hosts(1), START);
        for (host, ticks, has) in [
            (hosts(1), 0, true),
            (hosts(1), S - 1, true),
            (hosts(1), S, true),
            (hosts(1), S + 1, false),
            (hosts(2), 0, false),
            (hosts(1).reverse(), 0, false),
            (Hosts { to: hosts(2).to, ..hosts(1) }, 0, false),
            (Hosts { from: hosts(2).from, ..hosts(1) }, 0, false),
        ] {
            assert_eq!(all.has(host, later(ticks)), has, "{host:?} {ticks}");
        }
        all.add(hosts(1), later(S));
        assert!(all.has(hosts(1), later(2 * S)), "the newest counts");
    }

    #[test]
    fn the_oldest_unreadable_packet_of_its_set_gives_way_and_is_counted_while_it_could_be_answered() {
        let mut all = Unreadable::new();
        let many = 10 * PACKETS as u64;
        (0..many).for_each(|n| all.add(hosts(n), later(n / 100)));
        assert!(all.evicted > many - 2 * PACKETS as u64 && all.evicted < many, "{}", all.evicted);
        assert!(all.has(hosts(many - 1), later(many / 100)));
        let evicted = all.evicted;
        (0..PACKETS as u64).for_each(|n| all.add(hosts(many + n), later(many / 100 + 2 * S)));
        let few = all.evicted - evicted;
        assert!(few < PACKETS as u64 / 2, "what is too old is not counted: {few}");
    }

    /// Of so many SYN-ACKs, so many ticks apart, whether the last one shows that the server is seen alone.
    fn alone(answers: u64, apart: u64) -> bool {
        let mut all = OneSided::new();
        (0..answers).fold(false, |_, n| all.answer(1, later(n * apart)))
    }

    #[test]
    fn twenty_answers_within_a_minute_and_no_client_are_one_direction() {
        assert_eq!([19, 20, 21].map(|answers| alone(answers, 100)), [false, true, true]);
        // The twentieth comes 60 s after the first.
        assert!(alone(20, WITHIN / 19));
        assert!(!alone(20, WITHIN / 19 + 1));
    }

    /// Whether so many SYN-ACKs, of which the first one is followed by so many segments of clients, show it.
    fn alone_with(clients: u64, answers: u64) -> bool {
        let mut all = OneSided::new();
        (0..answers).fold(false, |_, n| {
            let is_alone = all.answer(1, START);
            (0..clients).filter(|_| n == 0).for_each(|_| all.hear(1));
            is_alone
        })
    }

    #[test]
    fn one_segment_of_a_client_for_sixteen_answers_speaks_for_both_directions() {
        for (clients, answers, is_alone) in [
            (0, 19, false),
            (0, 20, true),
            // Fewer than 20 answers are not enough, however few the clients are.
            (1, 17, false),
            (1, 19, false),
            (1, 20, true),
            (2, 31, false),
            (2, 32, false),
            (2, 33, true),
            (100, 1599, false),
            (100, 1600, false),
            (100, 1601, true),
        ] {
            assert_eq!(alone_with(clients, answers), is_alone, "{clients} {answers}");
        }
        let mut all = OneSided::new();
        (0..20).for_each(|n| assert_eq!(all.answer(1, later(n)), n == 19));
        (0..20).for_each(|_| all.hear(2));
        assert!(all.answer(1, later(20)), "clients of another server");
        all.hear(1);
        assert!(all.answer(1, later(21)), "one client of 22");
        all.hear(1);
        assert!(!all.answer(1, later(22)), "two of 23");
    }

    #[test]
    fn each_minute_counts_alone_and_what_is_known_holds_in_the_next_one_against_as_few_clients() {
        for (clients, is_alone) in [(0, true), (1, true), (2, false)] {
            let mut all = OneSided::new();
            (0..20).for_each(|n| _ = all.answer(1, later(n)));
            // A new minute.
            assert!(all.answer(1, later(WITHIN + 1)));
            (0..clients).for_each(|_| all.hear(1));
            assert_eq!(all.answer(1, later(WITHIN + 2)), is_alone, "{clients}");
        }
        let mut all = OneSided::new();
        (0..20).for_each(|n| _ = all.answer(1, later(n)));
        (0..100).for_each(|_| all.hear(1));
        let again = (0..20).map(|n| all.answer(1, later(WITHIN + 1 + n)));
        assert_eq!(
            again.filter(|is_alone| *is_alone).count(),
            1,
            "the clients of the minute before are over"
        );
    }

    #[test]
    fn what_is_known_ends_a_minute_after_the_last_answer() {
        for (pause, is_alone) in [(WITHIN, true), (WITHIN + 1, false)] {
            let mut all = OneSided::new();
            (0..20).for_each(|n| _ = all.answer(1, later(n)));
            assert_eq!(all.answer(1, later(19 + pause)), is_alone);
        }
    }

    #[test]
    fn servers_that_are_seen_alone_give_way_last_and_what_gives_way_is_counted() {
        let mut all = OneSided::new();
        (0..20).for_each(|_| _ = all.answer(hosts(0).from, START));
        (1..20_000).for_each(|n| assert!(!all.answer(hosts(n).from, later(1))));
        assert!(all.answer(hosts(0).from, later(2)));
        assert!(all.evicted > 18_000, "{}", all.evicted);
    }
}
