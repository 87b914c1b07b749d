//! The visibility check: warns once of what the capture point cannot show, with a remedy.

use std::time::Duration;

use crate::base::time::Timestamp;
use crate::base::warn;
use crate::engine::stats::{Handshakes, Stats};
use crate::wire::packet::{Interface, InterfaceId, Interfaces, LinkType, Origin};

/// Minimum number of attempts for conclusions about the capture point.
const ENOUGH: u64 = 100;
/// Number of completed handshakes without any proof that show that an interface proves nothing: as many as the default
/// limit has.
const COMPLETED: u64 = 30;
/// Time without a watched packet after which to warn: the capture is wrong, or no client connects.
const SILENCE: Duration = Duration::from_secs(600);
/// Maximum number of warnings about unreadable protocols: a sender may make them up.
const UNREAD: usize = 8;

/// The state of the visibility check.
#[derive(Debug, Default)]
pub(super) struct VisibilityCheck {
    /// Whether the run is live: only then silence is suspicious.
    is_live: bool,
    since: Option<Timestamp>,
    has_said_one_way: bool,
    has_said_twice: bool,
    has_said_silence: bool,
    has_said_fragments: bool,
    has_said_unproven: [bool; Handshakes::INTERFACES],
    has_said_one_sided: bool,
    /// Unreadable protocols that were warned of, and the time of the last warning.
    unread: Vec<String>,
    said_unread_at: Option<Timestamp>,
}

impl VisibilityCheck {
    pub(super) fn new(is_live: bool) -> Self {
        Self { is_live, ..Self::default() }
    }

    /// Logs the warnings that have become due.
    pub(super) fn look(&mut self, now: Timestamp, stats: &Stats, interfaces: &Interfaces) {
        for warning in self.warnings(now, stats) {
            log::warn!("{warning}");
        }
        for (id, completed) in self.unproven(stats) {
            let interface = interfaces.interface(id);
            if let Some(warning) = interface.and_then(|interface| unproven(&interface, completed)) {
                log::warn!("{warning}");
            }
        }
    }

    /// Interfaces that prove nothing, each once.
    fn unproven(&mut self, stats: &Stats) -> Vec<(InterfaceId, u64)> {
        let mut found = Vec::new();
        for ((id, completed), has_said) in stats.handshakes.unproven().zip(&mut self.has_said_unproven) {
            if completed >= COMPLETED && !std::mem::replace(has_said, true) {
                found.push((id, completed));
            }
        }
        found
    }

    fn warnings(&mut self, now: Timestamp, stats: &Stats) -> Vec<String> {
        let Stats { attempts, copies, answers, last_watched, .. } = *stats;
        let since = *self.since.get_or_insert(now);
        let last = last_watched.map_or(since, |last| last.max(since));
        let found = [
            (
                attempts >= ENOUGH && answers == 0,
                &mut self.has_said_one_way,
                "SYNs are seen, but no answer to any: one direction only (mirror both, or outcomes stay unknown)",
            ),
            (
                attempts >= ENOUGH && copies >= attempts,
                &mut self.has_said_twice,
                "every packet is seen twice (watch one interface, or one side of the mirror, to halve the work)",
            ),
            (
                self.is_live && now.since(last) >= SILENCE,
                &mut self.has_said_silence,
                "no packet of the watched ports for 10 minutes (is it the right interface, is the mirror on?)",
            ),
            (
                stats.skipped.fragments_given_up() > 0,
                &mut self.has_said_fragments,
                "more fragments of TCP headers come than are put together: attempts may be missed",
            ),
            (
                stats.one_sided > 0,
                &mut self.has_said_one_sided,
                "of some servers only their own direction is seen (asymmetric routing): attempts are inferred from \
                 their SYN-ACKs, and nothing is verified (watch where both directions pass)",
            ),
        ];
        let mut due = Vec::new();
        for (is_so, has_said, warning) in found {
            if is_so && !std::mem::replace(has_said, true) {
                due.push(warning.to_owned());
            }
        }
        due.extend(self.unread(now, stats));
        due
    }

    /// A protocol that a large part of the packets has and synwatch cannot read: each once, at most one a minute.
    fn unread(&mut self, now: Timestamp, stats: &Stats) -> Option<String> {
        let share = stats.skipped.unread()?;
        let what = share.what.to_string();
        if self.unread.contains(&what) {
            return None;
        }
        let is_soon = self.said_unread_at.is_some_and(|last| now >= last && now.since(last) < warn::INTERVAL);
        if is_soon || self.unread.len() == UNREAD {
            return None;
        }
        self.unread.push(what);
        self.said_unread_at = Some(now);
        Some(share.to_string())
    }
}

/// The warning about an interface that proves nothing: the reason and a better interface. `None` if captures there can
/// prove attempts, so that the handshakes may be forged.
fn unproven(interface: &Interface, completed: u64) -> Option<String> {
    let (why, remedy) = match (&interface.origin, interface.link) {
        (_, LinkType::NFLOG) => {
            ("the firewall's log tells no directions", "watch the network interface itself, with -i")
        }
        (Origin::Interface(_), LinkType::LINUX_SLL2) => (
            "no answer went the other way than its SYN: they come out of a tunnel, any shows a mirror port, or both \
             directions are forged",
            "watch the interface of the servers, or the mirror port by itself with --promisc",
        ),
        (_, LinkType::ETHERNET | LinkType::LINUX_SLL | LinkType::LINUX_SLL2) => return None,
        (Origin::Interface(_), _) => {
            ("neither directions nor MAC addresses are told there", "watch with -i any, or another interface")
        }
        (Origin::File(_), _) => (
            "neither directions nor MAC addresses are told there",
            "capture on an Ethernet interface, or with tcpdump -i any",
        ),
    };
    Some(format!(
        "interface {interface}: {completed} handshakes completed and none is proven: {why} ({remedy})"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thirty_handshakes_without_a_proof_are_warned_of_once_for_each_interface() {
        let mut check = VisibilityCheck::new(true);
        let mut stats = Stats::default();
        let mut add = |id: u32, count: u64, is_proven: bool| {
            (0..count).for_each(|_| stats.handshakes.add(InterfaceId(id), true, is_proven));
            check.unproven(&stats)
        };
        assert_eq!(add(0, 29, false), []);
        assert_eq!(add(1, 100, true), []);
        assert_eq!(add(0, 1, false), [(InterfaceId(0), 30)]);
        assert_eq!(add(0, 100, false), []);
        assert_eq!(add(1, 100, false), []);
        let last = u32::try_from(Handshakes::INTERFACES).unwrap();
        assert_eq!(add(last, 100, false), []);
        assert_eq!(add(last - 1, 100, false), [(InterfaceId(last - 1), 100)]);
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::new(seconds, 0)
    }

    fn seen(attempts: u64, copies: u64, answers: u64) -> Stats {
        Stats { attempts, copies, answers, last_watched: Some(at(0)), ..Stats::default() }
    }

    #[test]
    fn a_hundred_attempts_without_an_answer_are_one_direction_and_warned_of_once() {
        let mut check = VisibilityCheck::new(false);
        assert!(check.warnings(at(0), &seen(99, 0, 0)).is_empty());
        assert!(check.warnings(at(0), &seen(100, 0, 1)).is_empty());
        assert!(check.warnings(at(0), &seen(100, 0, 0))[0].contains("one direction only"));
        assert!(check.warnings(at(0), &seen(200, 0, 0)).is_empty());
    }

    #[test]
    fn a_server_seen_in_its_own_direction_only_is_warned_of_once() {
        let mut check = VisibilityCheck::new(false);
        assert!(check.warnings(at(0), &seen(1, 0, 1)).is_empty());
        let stats = Stats { one_sided: 1, ..seen(1, 0, 1) };
        assert!(check.warnings(at(0), &stats)[0].contains("their own direction"));
        assert!(check.warnings(at(0), &stats).is_empty());
    }

    #[test]
    fn as_many_copies_as_attempts_mean_that_everything_is_seen_twice() {
        let mut check = VisibilityCheck::new(false);
        assert!(check.warnings(at(0), &seen(100, 99, 1)).is_empty());
        assert!(check.warnings(at(0), &seen(100, 100, 1))[0].contains("twice"));
        assert!(check.warnings(at(0), &seen(100, 100, 1)).is_empty());
    }

    #[test]
    fn ten_minutes_without_a_watched_packet_are_warned_of_once_and_live_only() {
        let mut check = VisibilityCheck::new(true);
        assert!(check.warnings(at(0), &Stats::default()).is_empty());
        assert!(check.warnings(at(599), &Stats::default()).is_empty());
        assert!(check.warnings(at(600), &Stats::default())[0].contains("10 minutes"));
        assert!(check.warnings(at(1200), &Stats::default()).is_empty());
        let mut check = VisibilityCheck::new(true);
        let watched = Stats { last_watched: Some(at(100)), ..Stats::default() };
        assert!(check.warnings(at(0), &watched).is_empty());
        assert!(check.warnings(at(699), &watched).is_empty());
        assert_eq!(check.warnings(at(700), &watched).len(), 1);
        let mut check = VisibilityCheck::new(false);
        assert!(check.warnings(at(0), &watched).is_empty());
        assert!(check.warnings(at(5000), &watched).is_empty());
    }
}
