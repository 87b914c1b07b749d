//! A request for the fleet. Each has a name of its own, so that a service that knows no fleet refuses it, and does not
//! take it for a change at this host alone.

use crate::control::change::Change;
use crate::control::request::{Raw, Refusal};

/// What a client asks of the fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FleetTopic {
    /// The gateways, and how they stand.
    Gateways,
    /// What is blocked.
    Blocked,
    /// What is allowed.
    Allowed,
    /// A change for all gateways.
    Change(Change),
}

impl FleetTopic {
    /// Their names in requests; those of changes are in the order of [`Change::NAMES`].
    const NAMES: [&'static str; 7] = [
        "fleet",
        "fleet-blocked",
        "fleet-allowed",
        "fleet-block",
        "fleet-unblock",
        "fleet-allow",
        "fleet-unallow",
    ];

    /// The same in a message.
    pub(in crate::control) const SHORT_NAMES: [&'static str; 2] = ["fleet", "fleet-…"];

    /// Its name in a request, and in its part of the answer.
    #[must_use]
    pub fn name(&self) -> &'static str {
        let [gateways, blocked, allowed, block, unblock, allow, unallow] = Self::NAMES;
        match self {
            Self::Gateways => gateways,
            Self::Blocked => blocked,
            Self::Allowed => allowed,
            Self::Change(Change::Block { .. }) => block,
            Self::Change(Change::Unblock { .. }) => unblock,
            Self::Change(Change::Allow { .. }) => allow,
            Self::Change(Change::Unallow { .. }) => unallow,
        }
    }

    /// What a request asks of the fleet, if it does.
    pub(in crate::control) fn parse(raw: &Raw) -> Option<Result<Self, Refusal>> {
        let [gateways, blocked, allowed, ..] = Self::NAMES;
        match raw.topic.as_str() {
            name if name == gateways => Some(Ok(Self::Gateways)),
            name if name == blocked => Some(Ok(Self::Blocked)),
            name if name == allowed => Some(Ok(Self::Allowed)),
            name => {
                let change = Change::parse(name.strip_prefix("fleet-")?, raw)?;
                Some(change.map(Self::Change))
            }
        }
    }

    /// Fills in the keys of its request.
    pub(in crate::control) fn fill(&self, raw: &mut Raw) {
        if let Self::Change(change) = self {
            change.fill(raw);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::time::Duration;

    use crate::control::request::{Form, Request, Topic};

    #[test]
    fn what_is_for_the_fleet_has_names_of_its_own() {
        let network = "192.0.2.7/32".parse().unwrap();
        let block = Change::Block { network, time: Some(Duration::from_secs(3_600)) };
        for (line, topic) in [
            (r#"{"v":1,"do":"fleet"}"#, FleetTopic::Gateways),
            (r#"{"v":1,"do":"fleet-blocked"}"#, FleetTopic::Blocked),
            (r#"{"v":1,"do":"fleet-allowed"}"#, FleetTopic::Allowed),
            (r#"{"v":1,"do":"fleet-block","network":"192.0.2.7","for":"1h"}"#, FleetTopic::Change(block)),
            (
                r#"{"v":1,"do":"fleet-unblock","all":true}"#,
                FleetTopic::Change(Change::Unblock { network: None }),
            ),
            (
                r#"{"v":1,"do":"fleet-unallow","network":"192.0.2.7"}"#,
                FleetTopic::Change(Change::Unallow { network }),
            ),
        ] {
            let request = Request { topic: Topic::Fleet(topic), form: Form::Json };
            assert_eq!(Request::parse(line.as_bytes()).as_ref(), Ok(&request), "{line}");
            assert_eq!(Request::parse(request.line().as_bytes()), Ok(request));
        }
        for (line, expected) in [
            (r#"{"v":1,"do":"fleet-status"}"#, "unknown"),
            (r#"{"v":1,"do":"fleet-fleet"}"#, "unknown"),
            (r#"{"v":1,"do":"fleet-allow"}"#, "value"),
        ] {
            assert_eq!(Request::parse(line.as_bytes()).unwrap_err().code, expected, "{line}");
        }
    }
}
