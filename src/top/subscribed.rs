//! A subscription as a source of snapshots: to a service that may go and come again, or to an own capture or replay.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use super::source::{Change, Next, Source};
use crate::control::{self, AskError, Form, Request, Speed, Subscription, Top, Topic, ask};

/// The speeds of a replay that keys lead to.
const SPEEDS: [f64; 13] =
    [0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 1_000.0, 10_000.0, Speed::MAX];

/// A lost service is looked for once in so many times that the source is asked: about once a second.
const ASKED_BETWEEN: u32 = 10;

/// Snapshots by subscription.
pub(crate) struct Subscribed {
    /// None while the service is lost.
    subscription: Option<Subscription>,
    /// Where the service is found again, and what is asked of it; none for an own capture.
    service: Option<(PathBuf, Top)>,
    /// How often it was asked since the service was looked for.
    asked: u32,
    speed: Option<Speed>,
    has_come: bool,
}

impl Subscribed {
    /// To the service at this path.
    pub(crate) fn to_service(subscription: Subscription, path: PathBuf, wanted: Top) -> Self {
        Self::new(subscription, Some((path, wanted)))
    }

    /// To an own capture or replay.
    pub(crate) fn to_own(subscription: Subscription) -> Self {
        Self::new(subscription, None)
    }

    fn new(subscription: Subscription, service: Option<(PathBuf, Top)>) -> Self {
        let speed = subscription.own().and_then(|own| own.speed.clone());
        Self { subscription: Some(subscription), service, asked: 0, speed, has_come: false }
    }

    /// Looks for the service again, if it is time to.
    fn look_again(&mut self) {
        self.asked += 1;
        if self.asked >= ASKED_BETWEEN {
            self.asked = 0;
            if let Some((path, wanted)) = &self.service {
                self.subscription = Subscription::attach(path, *wanted).ok();
            }
        }
    }
}

impl Source for Subscribed {
    fn next(&mut self, wait: Duration) -> Next {
        if self.subscription.is_none() {
            self.look_again();
        }
        let Some(subscription) = &mut self.subscription else { return Next::Lost };
        match subscription.next(wait) {
            Ok(Some(snapshot)) => {
                self.has_come = true;
                Next::Snapshot(Box::new(snapshot))
            }
            Ok(None) => Next::Nothing,
            Err(AskError::Ended(_)) if self.service.is_none() && self.has_come => Next::Ended,
            // What has answered once may be busy, or another one, and may answer later.
            Err(_) if self.service.is_some() && self.has_come => {
                self.subscription = None;
                Next::Lost
            }
            Err(error) => Next::Failed(error.to_string()),
        }
    }

    fn speed(&self) -> Option<String> {
        let times = self.speed.as_ref()?.times();
        Some(if times == Speed::MAX { "max".to_owned() } else { format!("{times}x") })
    }

    /// Whether the run that is shown is another one, which can be asked.
    fn takes_changes(&self) -> bool {
        self.service.is_some()
    }

    fn change(&mut self, change: &Change) -> Result<String, String> {
        let Some((path, _)) = &self.service else { return Err("there is no service to ask".to_owned()) };
        let change = match change {
            Change::Unblock(source) => control::Change::Unblock { network: Some(network(source)?) },
            Change::Allow(source) => {
                let why = Some("by synwatch top".to_owned());
                control::Change::Allow { network: network(source)?, time: None, why }
            }
        };
        let request = Request { topic: Topic::Change(change), form: Form::Text };
        ask(path, &request).map(|reply| reply.lines.join("; ")).map_err(|error| error.to_string())
    }

    fn change_speed(&mut self, faster: bool) {
        if let Some(speed) = &self.speed {
            let times = speed.times();
            let next = if faster {
                SPEEDS.into_iter().find(|step| *step > times)
            } else {
                SPEEDS.into_iter().rev().find(|step| *step < times)
            };
            next.into_iter().for_each(|next| speed.set(next));
        }
    }
}

/// The network of a source, as snapshots show it.
fn network(source: &str) -> Result<IpNet, String> {
    let network = source.parse().or_else(|_| source.parse::<IpAddr>().map(IpNet::from));
    network.map_err(|_| format!("{source:?} is neither an address nor a network"))
}
