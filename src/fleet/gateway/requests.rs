//! What the fleet wants of the blocker and of the allow list, in order, until they have room for it.
//!
//! After an outage that may be thousands of entries at once, and their queues have few places: those are left for people.

use std::collections::VecDeque;
use std::time::Duration;

use crossbeam_channel::{Sender, TrySendError};
use ipnet::IpNet;

use crate::act::{Asked, Done, NotDone, Requester, Wish};
use crate::base::time::Timestamp;

/// Maximum number of requests that wait.
const MOST: usize = 65_536;
/// Requests in the blocker's queue beyond which the fleet waits.
const LEFT_FOR_PEOPLE: usize = 8;

/// A request.
pub(crate) enum Request {
    /// Of the blocker.
    Block(Wish),
    /// Allow a network, as the fleet does since a time.
    Allow { network: IpNet, since: Timestamp, until: Timestamp, why: Option<String>, by: Requester },
    /// Allow networks no more, each if it was allowed before its time.
    Unallow { all: Vec<(IpNet, Timestamp)>, by: Requester },
}

/// Takes a request about what is allowed, or gives it back where there is no room.
pub(crate) type Allow = Box<dyn Fn(Request) -> Result<(), Request> + Send>;

/// A time in seconds: the firewall knows no parts of them.
pub(crate) fn whole(left: Duration) -> Duration {
    Duration::from_secs(left.saturating_add(Duration::from_millis(500)).as_secs())
}

/// The requests that wait, the oldest first.
#[derive(Default)]
pub(super) struct Requests(VecDeque<Request>);

impl Requests {
    /// Adds a request, if there is room. What is left out comes with the next list of all.
    pub(super) fn add(&mut self, request: Request) {
        if self.0.len() < MOST {
            self.0.push_back(request);
        }
    }

    /// Hands on what there is room for. Without a blocker its requests go nowhere.
    pub(super) fn hand_on(&mut self, asks: Option<&Sender<Asked>>, allow: &Allow) {
        while let Some(request) = self.0.pop_front() {
            let handed = match (request, asks) {
                (Request::Block(wish), Some(asks)) => ask(asks, wish),
                (Request::Block(_), None) => Ok(()),
                (request, _) => allow(request),
            };
            if let Err(request) = handed {
                return self.0.push_front(request);
            }
        }
    }
}

/// Asks the blocker. What it refuses is said here: it answers people otherwise.
fn ask(asks: &Sender<Asked>, wish: Wish) -> Result<(), Request> {
    if asks.len() >= LEFT_FOR_PEOPLE {
        return Err(Request::Block(wish));
    }
    let answer = Box::new(|done: Result<Done, NotDone>| {
        if let Err(NotDone { why, .. }) = done {
            log::info!("fleet: {why}");
        }
    });
    match asks.try_send(Asked { wish, answer }) {
        Err(TrySendError::Full(Asked { wish, .. })) => Err(Request::Block(wish)),
        // A blocker that has ended takes nothing.
        Ok(()) | Err(TrySendError::Disconnected(_)) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crossbeam_channel::bounded;

    fn network(number: u32) -> IpNet {
        IpNet::from(std::net::IpAddr::from(std::net::Ipv4Addr::from(0xc633_6400 + number)))
    }

    fn fleet() -> Requester {
        Requester::Fleet("by hand at mx2".into())
    }

    #[test]
    fn what_there_is_no_room_for_waits_and_keeps_its_order() {
        let (asks, asked) = bounded(16);
        let allow: Allow = Box::new(|_| Ok(()));
        let mut requests = Requests::default();
        let wish = |number| Wish::Block { network: network(number), time: None, by: fleet() };
        (0..20).for_each(|number| requests.add(Request::Block(wish(number))));
        let mut got = Vec::new();
        for taken in [8, 8, 4] {
            requests.hand_on(Some(&asks), &allow);
            assert_eq!(asked.len(), taken, "the other places are for people");
            got.extend(asked.try_iter().map(|asked| asked.wish));
        }
        assert_eq!(got, (0..20).map(wish).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_allowed_comes_before_the_blocks_that_were_announced_after_it() {
        let (asks, asked) = bounded(16);
        let full: Allow = Box::new(Err);
        let mut requests = Requests::default();
        requests.add(Request::Unallow { all: Vec::new(), by: fleet() });
        requests.add(Request::Block(Wish::Unblock { network: None, by: fleet() }));
        requests.hand_on(Some(&asks), &full);
        assert_eq!(asked.len(), 0);
        requests.hand_on(Some(&asks), &(Box::new(|_| Ok(())) as Allow));
        assert_eq!(asked.len(), 1);
    }
}
