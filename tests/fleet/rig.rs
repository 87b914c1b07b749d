//! Gateways of a fleet, and what they report.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use synwatch::base::time::Timestamp;
use synwatch::capture;
use synwatch::engine::subject::Source;
use synwatch::engine::watch::{Grouping, Limit, allow};
use synwatch::fleet::store::{
    Access, AccessFiles, Address, Attempt, LogEntry, LogReader, Report, Servers, SharedEpisode, Store, Tally,
    Verdict,
};

/// A gateway of the fleet `mx`.
pub(crate) fn store(urls: &[&str], gateway: &str) -> Store {
    with_files(urls, gateway, &AccessFiles::default())
}

pub(crate) fn with_files(urls: &[&str], gateway: &str, files: &AccessFiles) -> Store {
    Store::new(Arc::new(access(urls, gateway, files)))
}

/// A gateway whose clock is wrong.
pub(crate) fn skewed(urls: &[&str], gateway: &str, skew: i64) -> Store {
    Store::new(Arc::new(access(urls, gateway, &AccessFiles::default()).with_skew(skew)))
}

/// A gateway of another fleet.
pub(crate) fn of_fleet(fleet: &str, urls: &[&str], gateway: &str, files: &AccessFiles) -> Store {
    Store::new(Arc::new(access_of(fleet, urls, gateway, files)))
}

fn access(urls: &[&str], gateway: &str, files: &AccessFiles) -> Access {
    access_of("mx", urls, gateway, files)
}

fn access_of(fleet: &str, urls: &[&str], gateway: &str, files: &AccessFiles) -> Access {
    let servers = urls.iter().map(|url| Address::parse(url).unwrap()).collect();
    Access::new(Servers::new(servers).unwrap(), fleet.parse().unwrap(), gateway.parse().unwrap(), files)
        .unwrap()
}

/// The tally of all attempts, with these limits.
pub(crate) fn tally(limits: &[&str]) -> Arc<Tally> {
    let limits: Vec<Limit> = limits.iter().map(|limit| limit.parse().unwrap()).collect();
    of(&limits)
}

pub(crate) fn of(limits: &[Limit]) -> Arc<Tally> {
    let (tallies, unshared) = Tally::of_watch("mail", limits, Duration::from_secs(60), &Grouping::HOSTS);
    assert!(unshared.is_empty());
    Arc::new(tallies.into_iter().next().unwrap())
}

pub(crate) fn source(address: &str) -> Source {
    Source(allow::network(address).unwrap())
}

/// The source with this number.
pub(crate) fn numbered(number: u64) -> Source {
    Source(IpAddr::from((0x2001_0db8_u128 << 96 | u128::from(number)).to_be_bytes()).into())
}

/// So long before now.
pub(crate) fn ago(millis: u64) -> Timestamp {
    capture::now().before(Duration::from_millis(millis))
}

/// An attempt on port 25. Its mark is one more than this: 0 is none.
pub(crate) fn attempt(time: Timestamp, mark: u16) -> Attempt {
    Attempt { time, mark: mark + 1, port: 25, proven: false, known: false }
}

/// So many attempts, one each millisecond up to `last`, with marks from `mark` on.
pub(crate) fn attempts(number: u16, last: Timestamp, mark: u16) -> Vec<Attempt> {
    let at = |index: u16| last.before(Duration::from_millis(u64::from(number - 1 - index)));
    (0..number).map(|index| attempt(at(index), mark + index)).collect()
}

pub(crate) fn report(tally: &Arc<Tally>, source: Source, attempts: Vec<Attempt>) -> Report {
    Report { tally: Arc::clone(tally), source, attempts, more: 0, number: 0 }
}

/// A number of attempts alone, the report with this number.
pub(crate) fn more(tally: &Arc<Tally>, source: Source, number: u64, more: u32) -> Report {
    Report { more, number, ..report(tally, source, Vec::new()) }
}

/// The verdict of one report.
pub(crate) fn judge(store: &mut Store, report: Report) -> Verdict {
    store.report(&[report]).pop().unwrap()
}

pub(crate) fn met(verdict: Verdict) -> SharedEpisode {
    match verdict {
        Verdict::Met(episode) => episode,
        other => panic!("no limit is met: {other:?}"),
    }
}

pub(crate) fn open(verdict: Verdict) -> SharedEpisode {
    match verdict {
        Verdict::Open(episode) => episode,
        other => panic!("no episode is open: {other:?}"),
    }
}

/// A reader that hears what is announced from now on.
pub(crate) fn reader(store: &Store) -> LogReader {
    let mut reader = store.log_reader();
    assert_eq!(heard(&mut reader), [LogEntry::Connected(0)]);
    reader
}

/// What was announced since the last call.
pub(crate) fn heard(reader: &mut LogReader) -> Vec<LogEntry> {
    let answer = reader.read(Duration::ZERO);
    assert!(answer.failed.is_empty(), "{:?}", answer.failed);
    answer.value.into_iter().map(|logged| logged.entry).collect()
}

/// How many cases a test tries: fewer by default than on demand.
pub(crate) fn cases(default: u64) -> u64 {
    std::env::var("SYNWATCH_CASES").ok().map_or(default, |cases| cases.parse().unwrap())
}

/// Random numbers that are the same each time (SplitMix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ word >> 31
    }

    /// From 0 to `below` less one.
    pub(crate) fn below(&mut self, below: u64) -> u64 {
        self.roll() % below
    }

    /// From `first` to `last`.
    pub(crate) fn from(&mut self, first: u64, last: u64) -> u64 {
        first + self.below(last - first + 1)
    }

    pub(crate) fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[usize::try_from(self.below(choices.len() as u64)).unwrap()]
    }

    /// Whether something of this probability, in percent, happens.
    pub(crate) fn happens(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// Whether attempts at these times, in microseconds, meet one of the limits: the oracle.
pub(crate) fn meets(mut times: Vec<u64>, limits: &[Limit]) -> bool {
    times.sort_unstable();
    limits.iter().any(|limit| {
        let window = u64::try_from(limit.window.as_micros()).unwrap();
        times.windows(limit.attempts.into()).any(|run| run[run.len() - 1] - run[0] <= window)
    })
}
