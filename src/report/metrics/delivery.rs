//! Counters of the reports for an action. The action counts; metrics, summary and status show them.

use std::ops::Deref;
use std::sync::Arc;

use serde::Serialize;

use super::actions::Count;

/// The counters of one action. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Delivery(Arc<Counters>);

/// Written by the action's thread, `dropped` by the detector's, too. They publish nothing.
#[derive(Debug, Default)]
pub struct Counters {
    /// Reports that were delivered: the command succeeded, the server or the log took it.
    pub(crate) done: Count,
    /// Reports that the action could not deliver.
    pub(crate) failed: Count,
    /// Reports that the action never got to: the queue was full, or the run ended.
    pub(crate) dropped: Count,
    /// Tries after the first one.
    pub(crate) retried: Count,
}

impl Deref for Delivery {
    type Target = Counters;

    fn deref(&self) -> &Counters {
        &self.0
    }
}

/// The actions of a run that deliver reports, by their names, in one order.
#[derive(Debug, Clone, Default)]
pub struct Deliveries(Vec<(&'static str, Delivery)>);

impl Deliveries {
    /// Adds an action.
    pub(crate) fn add(&mut self, action: &'static str, delivery: Delivery) {
        self.0.push((action, delivery));
    }

    /// The counters as they stand.
    pub(crate) fn now(&self) -> Vec<Delivered> {
        self.0.iter().map(|(action, delivery)| Delivered::new(action, delivery)).collect()
    }
}

/// The counters of one action at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Delivered {
    /// The action: `command`, `webhook`, `syslog`.
    pub action: &'static str,
    /// Reports that were delivered.
    pub done: u64,
    /// Reports that could not be delivered.
    pub failed: u64,
    /// Reports that the action never got to.
    pub dropped: u64,
    /// Tries after the first one.
    pub retried: u64,
}

impl Delivered {
    fn new(action: &'static str, delivery: &Delivery) -> Self {
        Self {
            action,
            done: delivery.done.get(),
            failed: delivery.failed.get(),
            dropped: delivery.dropped.get(),
            retried: delivery.retried.get(),
        }
    }

    /// The counters as `key=value` for people.
    #[must_use]
    pub fn counts(&self) -> String {
        let Self { action: _, done, failed, dropped, retried } = self;
        format!("done={done} failed={failed} dropped={dropped} retried={retried}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_actions_of_a_run_are_told_in_their_order() {
        let (command, webhook) = (Delivery::default(), Delivery::default());
        let mut deliveries = Deliveries::default();
        deliveries.add("command", command.clone());
        deliveries.add("webhook", webhook.clone());
        command.done.add(1);
        webhook.done.add(2);
        webhook.failed.add(3);
        webhook.dropped.add(4);
        webhook.retried.add(5);
        let now: Vec<_> = deliveries.now().iter().map(|now| (now.action, now.counts())).collect();
        let expected = [
            ("command", "done=1 failed=0 dropped=0 retried=0".to_owned()),
            ("webhook", "done=2 failed=3 dropped=4 retried=5".to_owned()),
        ];
        assert_eq!(now, expected);
    }
}
