//! Does what a person asks of a fleet, at its servers.

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

use super::topic::FleetTopic;
use crate::act::NotDone;
use crate::base::time::Timestamp;
use crate::control::change::Change;
use crate::engine::subject::Source;
use crate::engine::watch::allow;
use crate::fleet::store::{Answer, Gateway, Listed, Store, StoreError};

/// How long a block lasts without a time.
const BLOCK: Duration = Duration::from_secs(60 * 60);
/// How long is allowed what is allowed without a time: as long as there is one.
const ALLOW: Duration = allow::LONGEST;
/// Maximum number of entries of a list.
const MOST_LISTED: usize = 10_000;

/// What was done or found, and a server that did not take part in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::control) struct FleetReply {
    pub(super) done: FleetDone,
    pub(super) failed: Option<Arc<StoreError>>,
}

/// What was done or found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FleetDone {
    Gateways(Vec<Gateway>),
    Blocked(List),
    Allowed(List),
    Block {
        network: IpNet,
        time: Duration,
    },
    Allow {
        network: IpNet,
        time: Duration,
    },
    Unallow(IpNet),
    /// What was asked for, and what the fleet had blocked of it.
    Unblock(Option<IpNet>, Vec<Listed>),
}

/// Entries, and how many more there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct List {
    pub(super) all: Vec<Listed>,
    pub(super) others: usize,
}

/// Why the fleet did not do it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FleetRefusal {
    /// A server does not do it.
    #[error("fleet: {0}")]
    Server(Arc<StoreError>),
    /// It is not there to be taken back.
    #[error("{0} is not allowed in the fleet (synwatch allowed --fleet lists what is)")]
    NotAllowed(Source),
}

impl FleetRefusal {
    /// A server of the fleet does not do it.
    pub(crate) const SERVER: &'static str = "fleet";

    /// A word for programs.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Server(_) => Self::SERVER,
            Self::NotAllowed(_) => NotDone::NOTHING,
        }
    }
}

/// Does it. It returns within a second or two for each server that does not answer.
pub(super) fn perform(
    store: &mut Store,
    topic: &FleetTopic,
    now: Timestamp,
) -> Result<FleetReply, FleetRefusal> {
    match topic {
        FleetTopic::Gateways => of_all(store.gateways(), FleetDone::Gateways),
        FleetTopic::Blocked => of_all(store.blocked(), |all| FleetDone::Blocked(List::new(all))),
        FleetTopic::Allowed => of_all(store.allowed(), |all| FleetDone::Allowed(List::new(all))),
        FleetTopic::Change(change) => make(store, change, now).map(|done| FleetReply { done, failed: None }),
    }
}

/// What all servers answered together. Where none did that is an error.
fn of_all<T>(answer: Answer<Vec<T>>, done: impl Fn(Vec<T>) -> FleetDone) -> Result<FleetReply, FleetRefusal> {
    let Answer { value, failed } = answer;
    match failed.into_iter().next() {
        Some(error) if value.is_empty() => Err(FleetRefusal::Server(error)),
        failed => Ok(FleetReply { done: done(value), failed }),
    }
}

fn make(store: &mut Store, change: &Change, now: Timestamp) -> Result<FleetDone, FleetRefusal> {
    match change {
        Change::Block { network, time } => {
            let (network, time) = (*network, time.unwrap_or(BLOCK));
            store.block(network, now.after(time), Listed::HAND, true)?;
            Ok(FleetDone::Block { network, time })
        }
        Change::Allow { network, time, why } => {
            let (network, time) = (*network, time.unwrap_or(ALLOW));
            store.allow(network, now.after(time), why.as_deref().unwrap_or_default())?;
            Ok(FleetDone::Allow { network, time })
        }
        Change::Unallow { network } => match store.unallow(*network)? {
            true => Ok(FleetDone::Unallow(*network)),
            false => Err(FleetRefusal::NotAllowed(Source(*network))),
        },
        Change::Unblock { network } => {
            let unblocked = store.unblock(*network, now.after(BLOCK), Listed::HAND)?;
            Ok(FleetDone::Unblock(*network, unblocked))
        }
    }
}

impl List {
    fn new(mut all: Vec<Listed>) -> Self {
        let others = all.len().saturating_sub(MOST_LISTED);
        all.truncate(MOST_LISTED);
        Self { all, others }
    }
}

impl From<Arc<StoreError>> for FleetRefusal {
    fn from(error: Arc<StoreError>) -> Self {
        Self::Server(error)
    }
}
