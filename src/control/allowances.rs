//! Networks that people have allowed at the control socket: a bounded list beside the allow list of the
//! configuration.
//!
//! An allowance has an end by the machine's clock, or lasts until the run ends. A reload keeps it, since log rotation
//! causes one. Those with an end are kept in a file ([`super::store`]).

use std::time::Duration;

use ipnet::IpNet;

use super::store::{Kept, Store, StoreError};
use crate::act::{Answer, Requester, Target};
use crate::base::time::Timestamp;
use crate::engine::watch::allow;

/// Maximum number of allowances.
pub(super) const MOST: usize = 1024;

/// Maximum number of requests that wait: one for each client, and those that were given up.
pub(crate) const MOST_ASKED: usize = 16;

/// A request about allowances.
pub(crate) struct AllowAsked {
    pub(crate) wish: AllowWish,
    pub(crate) answer: Answer<AllowDone>,
}

/// A request about allowances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AllowWish {
    /// All allowances.
    List,
    /// Allow a network, for a time or until the run ends. `since` is given where the fleet has allowed it.
    Allow {
        network: IpNet,
        since: Option<Timestamp>,
        time: Option<Duration>,
        why: Option<String>,
        by: Requester,
    },
    /// Remove an allowance.
    Unallow { network: IpNet, by: Requester },
    /// Remove the allowances of these networks that were made before their times. The answer lists none.
    UnallowOlder { all: Vec<(IpNet, Timestamp)>, by: Requester },
}

/// The result of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AllowDone {
    Listed(Vec<Allowance>),
    Allowed {
        allowance: Allowance,
        /// Whether it survives a restart, or the reason why not.
        kept: Result<(), String>,
        /// Targets that were blocked until then.
        freed: Vec<Target>,
    },
    Unallowed {
        network: IpNet,
        /// The reason why it returns after a restart, if it does.
        saved: Result<(), String>,
    },
}

/// A network that a person has allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Allowance {
    pub(crate) network: IpNet,
    /// When it was made.
    pub(crate) since: Timestamp,
    /// Its end; `None`: the end of the run.
    pub(crate) until: Option<Timestamp>,
    pub(crate) why: Option<String>,
}

/// The maximum number of allowances is reached.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{MOST} networks are allowed by hand, as many as may be (synwatch unallow takes one back)")]
pub(crate) struct Full;

/// The allowances, ordered by network, and their store.
#[derive(Debug)]
pub(crate) struct Allowances {
    all: Vec<Allowance>,
    store: Option<Store>,
    /// The latest time of the machine's clock so far.
    seen: Timestamp,
}

impl Allowances {
    /// Loads the allowances of earlier runs that have not ended. Without a store there are none, and none are
    /// stored. An unreadable file is reported, and the next change replaces it.
    pub(crate) fn open(store: Option<Store>, now: Timestamp) -> (Self, Option<StoreError>) {
        let (kept, error) = match store.as_ref().map(Store::read) {
            None => (Vec::new(), None),
            Some(Ok(kept)) => (kept, None),
            Some(Err(error)) => (Vec::new(), Some(error)),
        };
        let mut allowances = Self { all: Vec::new(), store, seen: now };
        // A client cannot ask for more. Either the clock was ahead then, or another program has written the
        // file.
        let latest = now.after(allow::LONGEST);
        for Kept { network, since, until, why } in kept {
            let since = Timestamp::from_nanos(since.saturating_mul(1_000)).min(now);
            let until = Some(Timestamp::new(until, 0).min(latest));
            // The file has at most as many as fit.
            let _ = allowances.insert(Allowance { network, since, until, why });
        }
        allowances.expire(now);
        (allowances, error)
    }

    /// Adds an allowance, or replaces the one of the same network. Returns whether it survives a restart, or
    /// why not.
    ///
    /// # Errors
    ///
    /// There is no room.
    pub(crate) fn allow(&mut self, allowance: Allowance) -> Result<Result<(), String>, Full> {
        let has_end = allowance.until.is_some();
        self.insert(allowance)?;
        let saved = self.save();
        Ok(match (&self.store, has_end) {
            (_, false) => Err("it has no end (--for)".to_owned()),
            (None, true) => Err("there is no folder for it (--state-dir)".to_owned()),
            (Some(_), true) => saved.map_err(|error| error.to_string()),
        })
    }

    /// Whether this network is allowed for this reason, and ends within two seconds of that time.
    pub(crate) fn stands(&self, allowance: &Allowance) -> bool {
        let Ok(place) = self.place(allowance.network) else { return false };
        let Allowance { until, why, .. } = &self.all[place];
        let apart = |(one, other): (Timestamp, Timestamp)| one.since(other).max(other.since(one));
        let is_near = until.zip(allowance.until).is_some_and(|ends| apart(ends) <= Duration::from_secs(2));
        is_near && *why == allowance.why
    }

    /// Removes an allowance. Returns whether there was one. An error means that the file of an earlier run
    /// may restore it.
    pub(crate) fn take_back(&mut self, network: IpNet) -> Option<Result<(), StoreError>> {
        let place = self.place(network).ok()?;
        self.all.remove(place);
        Some(self.save())
    }

    /// Removes the allowances of these networks that were made before their times, and returns them. The caller saves.
    pub(crate) fn take_back_older(&mut self, all: &[(IpNet, Timestamp)]) -> Vec<IpNet> {
        let mut taken = Vec::new();
        for &(network, before) in all {
            let Ok(place) = self.place(network) else { continue };
            if self.all[place].since < before {
                self.all.remove(place);
                taken.push(network);
            }
        }
        taken
    }

    /// Tells the time of the machine's clock. Where it was set back, the ends go back with it, so that no allowance
    /// lasts longer than was asked for. Gives whether they did.
    pub(crate) fn set_clock(&mut self, now: Timestamp) -> bool {
        let back = self.seen.since(now);
        self.seen = now;
        if back.is_zero() {
            return false;
        }
        self.all.iter_mut().for_each(|allowance| allowance.since = allowance.since.before(back));
        let ends = self.all.iter_mut().filter_map(|allowance| allowance.until.as_mut());
        ends.map(|until| *until = until.before(back)).count() > 0
    }

    /// Removes and returns the allowances that have ended.
    pub(crate) fn expire(&mut self, now: Timestamp) -> Vec<Allowance> {
        let has_ended = |allowance: &Allowance| allowance.until.is_some_and(|until| until <= now);
        let (over, all) = std::mem::take(&mut self.all).into_iter().partition(has_ended);
        self.all = all;
        over
    }

    /// Whether any has an end.
    pub(crate) fn has_ends(&self) -> bool {
        self.all.iter().any(|allowance| allowance.until.is_some())
    }

    /// All of them, in order.
    pub(crate) fn all(&self) -> &[Allowance] {
        &self.all
    }

    /// The networks.
    pub(crate) fn networks(&self) -> impl Iterator<Item = IpNet> {
        self.all.iter().map(|allowance| allowance.network)
    }

    /// Writes those that have an end. Where nothing is kept, that is no error.
    pub(crate) fn save(&self) -> Result<(), StoreError> {
        let Some(store) = &self.store else { return Ok(()) };
        let kept = |allowance: &Allowance| {
            let Allowance { network, since, until, why } = allowance;
            // Rounded up: it lasts no shorter than it was promised.
            let until = (*until)?.after(Duration::from_nanos(999_999_999)).second();
            Some(Kept { network: *network, since: since.nanos() / 1_000, until, why: why.clone() })
        };
        store.write(&self.all.iter().filter_map(kept).collect::<Vec<_>>())
    }

    fn insert(&mut self, allowance: Allowance) -> Result<(), Full> {
        match self.place(allowance.network) {
            Ok(place) => self.all[place] = allowance,
            Err(_) if self.all.len() >= MOST => return Err(Full),
            Err(place) => self.all.insert(place, allowance),
        }
        Ok(())
    }

    fn place(&self, network: IpNet) -> Result<usize, usize> {
        self.all.binary_search_by_key(&network, |allowance| allowance.network)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::net::Ipv4Addr;

    use crate::report::sample::at;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    fn allowance(network: &str, until: Option<i64>) -> Allowance {
        Allowance { network: net(network), since: at(0), until: until.map(at), why: Some("audit".to_owned()) }
    }

    fn store(folder: &tempfile::TempDir) -> Option<Store> {
        Some(Store::new(folder.path().to_owned()))
    }

    #[test]
    fn those_with_an_end_outlast_the_run_and_the_others_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let (mut first, error) = Allowances::open(store(&folder), at(0));
        assert!(error.is_none() && first.all().is_empty());
        assert_eq!(first.allow(allowance("198.51.100.0/24", Some(60_000))), Ok(Ok(())));
        let lasting = Err("it has no end (--for)".to_owned());
        assert_eq!(first.allow(allowance("192.0.2.0/24", None)), Ok(lasting));
        assert_eq!(first.networks().collect::<Vec<_>>(), ["192.0.2.0/24", "198.51.100.0/24"].map(net));
        let all = |now| Allowances::open(store(&folder), at(now)).0.all().to_vec();
        assert_eq!(all(59_999), [allowance("198.51.100.0/24", Some(60_000))]);
        assert_eq!(all(60_000), []);
        assert!(first.take_back(net("198.51.100.0/24")).unwrap().is_ok());
        assert!(first.take_back(net("198.51.100.0/24")).is_none());
        assert_eq!(all(0), []);
    }

    #[test]
    fn one_is_taken_back_only_if_it_is_older() {
        for (before, is_taken) in [(-1, false), (0, false), (1, true)] {
            let folder = tempfile::tempdir().unwrap();
            let (mut first, _) = Allowances::open(store(&folder), at(0));
            let _ = first.allow(allowance("192.0.2.0/24", Some(60_000)));
            // A restart forgets none of that.
            let (mut again, _) = Allowances::open(store(&folder), at(10_000));
            for all in [&mut first, &mut again] {
                let network = net("192.0.2.0/24");
                let taken = all.take_back_older(&[(net("192.0.2.0/25"), at(1)), (network, at(before))]);
                assert_eq!(taken == [network], is_taken, "{before}");
                assert_eq!(all.all().is_empty(), is_taken, "{before}");
            }
        }
    }

    #[test]
    fn one_stands_that_has_the_same_reason_and_about_the_same_end() {
        let (mut all, _) = Allowances::open(None, at(0));
        let _ = all.allow(allowance("192.0.2.0/24", Some(60_000)));
        let other = Allowance { why: None, ..allowance("192.0.2.0/24", Some(60_000)) };
        for (asked, stands) in [
            (allowance("192.0.2.0/24", Some(62_000)), true),
            (allowance("192.0.2.0/24", Some(58_000)), true),
            (allowance("192.0.2.0/24", Some(62_001)), false),
            (allowance("192.0.2.0/24", Some(57_999)), false),
            (allowance("192.0.2.0/24", None), false),
            (allowance("192.0.2.0/25", Some(60_000)), false),
            (other, false),
        ] {
            assert_eq!(all.stands(&asked), stands, "{asked:?}");
        }
    }

    #[test]
    fn one_ends_at_its_time_and_not_before() {
        let (mut all, _) = Allowances::open(None, at(0));
        let without = Err("there is no folder for it (--state-dir)".to_owned());
        assert_eq!(all.allow(allowance("192.0.2.1/32", Some(60_000))), Ok(without));
        let _ = all.allow(allowance("192.0.2.2/32", None));
        assert!(all.has_ends() && all.expire(at(59_999)).is_empty());
        assert_eq!(all.expire(at(60_000)), [allowance("192.0.2.1/32", Some(60_000))]);
        assert!(!all.has_ends() && all.all().len() == 1);
    }

    #[test]
    fn the_same_network_is_allowed_anew_also_where_there_is_no_room() {
        let (mut all, _) = Allowances::open(None, at(0));
        for number in 0..MOST as u32 {
            let network = IpNet::from(std::net::IpAddr::from(Ipv4Addr::from(number)));
            assert!(
                all.allow(Allowance { network, since: at(0), until: None, why: None }).is_ok(),
                "{number}"
            );
        }
        assert_eq!(all.allow(allowance("192.0.2.1/32", None)), Err(Full));
        assert!(all.allow(allowance("0.0.0.7/32", Some(1))).is_ok());
        assert_eq!((all.all().len(), &all.all()[7]), (MOST, &allowance("0.0.0.7/32", Some(1))));
        assert!(all.take_back(net("0.0.0.9/32")).is_some());
        assert!(all.allow(allowance("192.0.2.1/32", None)).is_ok());
    }

    #[test]
    fn a_file_that_is_not_understood_is_reported_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("allowances.json"), "nonsense").unwrap();
        let (mut all, error) = Allowances::open(store(&folder), at(0));
        assert!(error.is_some() && all.all().is_empty());
        assert_eq!(all.allow(allowance("192.0.2.1/32", Some(60_000))), Ok(Ok(())));
        assert_eq!(Allowances::open(store(&folder), at(0)).0.all().len(), 1);
    }

    #[test]
    fn an_allowance_lasts_no_longer_where_the_clock_is_set_back() {
        let (mut all, _) = Allowances::open(None, at(0));
        let _ = all.allow(allowance("192.0.2.1/32", Some(60_000)));
        let _ = all.allow(allowance("192.0.2.2/32", None));
        assert!(!all.set_clock(at(10_000)));
        assert!(all.set_clock(at(-3_600_000)), "50 s are left");
        assert!(!all.set_clock(at(-3_550_001)) && all.expire(at(-3_550_001)).is_empty());
        assert_eq!(all.expire(at(-3_550_000)).len(), 1);
        assert!(!all.set_clock(at(-9_999_999)), "nothing has an end any more");
    }

    #[test]
    fn an_end_in_the_file_is_within_the_longest_time() {
        let folder = tempfile::tempdir().unwrap();
        let longest = allow::LONGEST.as_secs() as i64;
        let now = at(0).second();
        for (until, kept) in [
            (now + longest - 1, longest - 1),
            (now + longest, longest),
            (now + longest + 1, longest),
            (i64::MAX, longest),
        ] {
            let text = format!(r#"{{"v":1,"allow":[{{"network":"192.0.2.1","until":{until}}}]}}"#);
            std::fs::write(folder.path().join("allowances.json"), text).unwrap();
            let start = Timestamp::new(now, 0);
            let all = Allowances::open(store(&folder), start).0.all().to_vec();
            assert_eq!(all[0].until, Some(start.after(Duration::from_secs(kept as u64))), "{until}");
        }
    }
}
