//! The thread that asks the fleet's servers for clients of the control socket.
//!
//! It has connections of its own, one request at a time and only for that: it delays neither what the gateway publishes
//! nor the control thread. After each request it rests, so that clients with endless requests leave a server time for the
//! gateways.

use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, bounded, select};

use super::perform::{FleetDone, FleetReply, perform};
use super::topic::FleetTopic;
use crate::act::{Answer, NotDone, Person};
use crate::base::units::Span;
use crate::capture;
use crate::engine::subject::Source;
use crate::fleet::store::Store;
use crate::report::ActionCounts;

/// Maximum number of requests that wait: one for each client, and those that were given up.
const MOST_ASKED: usize = 16;

/// The shortest and the longest rest after a request; between them as long as that took.
const REST: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(250));

/// A request, of a process that may make it.
pub(crate) struct FleetAsked {
    pub(in crate::control) topic: FleetTopic,
    /// The process that changes something.
    pub(in crate::control) by: Option<Person>,
    /// When its client has given up.
    pub(in crate::control) until: Instant,
    pub(in crate::control) answer: Answer<FleetReply>,
}

/// Serves requests.
pub(crate) struct Desk {
    store: Store,
    asked: Receiver<FleetAsked>,
    counts: ActionCounts,
    stopped: Receiver<()>,
}

/// Creates both ends. It ends when the other end of `stopped` is dropped.
pub(crate) fn desk(store: Store, counts: ActionCounts, stopped: Receiver<()>) -> (Desk, Sender<FleetAsked>) {
    let (asks, asked) = bounded(MOST_ASKED);
    (Desk { store, asked, counts, stopped }, asks)
}

impl Desk {
    /// Serves until it is stopped.
    pub(crate) fn run(self) {
        loop {
            let asked = select! {
                recv(self.asked) -> asked => asked,
                recv(self.stopped) -> _ => break,
            };
            let Ok(asked) = asked else { break };
            let began = Instant::now();
            self.serve(asked, began);
            // It wakes at once when it is stopped.
            let _ = self.stopped.recv_timeout(began.elapsed().clamp(REST.0, REST.1));
        }
    }

    fn serve(&self, FleetAsked { topic, by, until, answer }: FleetAsked, now: Instant) {
        if now >= until {
            return;
        }
        // A connection that was left open may have been closed, and one that failed rests: a new one tells what is wrong.
        let done = perform(&mut self.store.sibling(), &topic, capture::now());
        if let (FleetTopic::Change(change), Some(by)) = (&topic, by) {
            match &done {
                Ok(reply) => self.note(reply, by),
                Err(error) => log::warn!("{change} --fleet is not done for {by}: {error}"),
            }
        }
        answer(done.map_err(|error| NotDone::new(error.code(), error.to_string())));
    }

    /// Logs and counts a change.
    fn note(&self, FleetReply { done, .. }: &FleetReply, by: Person) {
        let counts = &self.counts;
        match done {
            FleetDone::Block { network, time } => {
                counts.blocked_by_hand.add(1);
                log::warn!("{} is blocked in the fleet for {} by hand ({by})", Source(*network), Span(*time));
            }
            FleetDone::Unblock(network, unblocked) => {
                counts.unblocked_by_hand.add(unblocked.len() as u64);
                let what =
                    network.map_or_else(|| "everything".to_owned(), |network| Source(network).to_string());
                log::warn!("{what} was unblocked in the fleet by hand ({by})");
            }
            FleetDone::Allow { network, time } => {
                counts.allowed_by_hand.add(1);
                log::warn!("{} is allowed in the fleet for {} by hand ({by})", Source(*network), Span(*time));
            }
            FleetDone::Unallow(network) => {
                counts.allowed_by_hand.add(1);
                log::warn!("{} is allowed in the fleet no more by hand ({by})", Source(*network));
            }
            FleetDone::Gateways(_) | FleetDone::Blocked(_) | FleetDone::Allowed(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::Arc;
    use std::sync::mpsc::channel;

    use crate::control::change::Change;
    use crate::fleet::store::{Access, AccessFiles, Address, Servers};

    /// What a desk answers whose server does not run.
    fn answer(change: Change, until: Instant, now: Instant) -> Option<Result<FleetReply, NotDone>> {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("redis+unix://{}", folder.path().join("none").display());
        let servers = Servers::new(vec![Address::parse(&url).unwrap()]).unwrap();
        let (fleet, gateway) = ("mx".parse().unwrap(), "mx1".parse().unwrap());
        let access = Access::new(servers, fleet, gateway, &AccessFiles::default()).unwrap();
        let (counts, (_stop, stopped)) = (ActionCounts::default(), bounded(0));
        let (desk, _asks) = desk(Store::new(Arc::new(access)), counts.clone(), stopped);
        let (answers, answered) = channel();
        let answer = Box::new(move |done| answers.send(done).unwrap());
        let by = Some(Person { uid: 0, pid: 7 });
        desk.serve(FleetAsked { topic: FleetTopic::Change(change), by, until, answer }, now);
        assert_eq!(counts.unblocked_by_hand.get(), 0, "nothing was done");
        answered.recv().ok()
    }

    #[test]
    fn a_server_that_is_down_is_told_each_time_and_a_client_that_has_left_is_not_served() {
        let (now, all) = (Instant::now(), || Change::Unblock { network: None });
        let refused = answer(all(), now + REST.0, now).unwrap().unwrap_err();
        assert_eq!(refused.code, "fleet");
        assert!(refused.why.ends_with(" refuses connections (is the server running?)"), "{}", refused.why);
        assert_eq!(answer(all(), now, now), None);
    }
}
