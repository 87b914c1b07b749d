//! Identities of watches across reloads.

use super::differences::counts_alike;
use crate::config::WatchSettings;

/// The identity of a watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::threads) struct Identity {
    /// The number in the keys of its episodes: never reused, not even for the same watch with changed counting.
    pub(in crate::threads) number: u16,
    /// The base of its signature ids, unique at any time. A watch keeps it as long as its name exists.
    pub(in crate::threads) signature: u32,
}

/// The identities of all watches, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::threads) struct Identities {
    pub(in crate::threads) all: Vec<Identity>,
    next_number: u16,
}

impl Identities {
    /// The identities at the start of a run.
    pub(in crate::threads) fn first(watches: &[WatchSettings]) -> Self {
        let mut first = Self { all: Vec::new(), next_number: 0 };
        for (signature, _) in (0..).zip(watches) {
            first.all.push(Identity { number: first.next_number, signature });
            first.next_number += 1;
        }
        first
    }

    /// The identities after a change; `None` when all numbers are used up.
    pub(super) fn after(&self, old: &[WatchSettings], new: &[WatchSettings]) -> Option<Self> {
        let known = |name: &str| old.iter().zip(&self.all).find(|(watch, _)| watch.name.as_ref() == name);
        let mut taken: Vec<_> = new
            .iter()
            .filter_map(|watch| known(&watch.name))
            .map(|(_, identity)| identity.signature)
            .collect();
        let mut after = Self { all: Vec::new(), next_number: self.next_number };
        for watch in new {
            let known = known(&watch.name);
            let signature = match known {
                Some((_, identity)) => identity.signature,
                None => {
                    let free = (0..).find(|signature| !taken.contains(signature))?;
                    taken.push(free);
                    free
                }
            };
            let number = match known {
                Some((old, identity)) if counts_alike(old, watch) => identity.number,
                _ => {
                    let number = after.next_number;
                    after.next_number = number.checked_add(1)?;
                    number
                }
            };
            after.all.push(Identity { number, signature });
        }
        Some(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn when_all_numbers_are_used_up_there_are_no_more() {
        let used = Identities { all: Vec::new(), next_number: u16::MAX - 1 };
        let [one, other] = ["a", "b"].map(|name| WatchSettings {
            name: name.into(),
            ports: crate::engine::watch::PortSet::mail(),
            limits: crate::engine::watch::Limits::default(),
            prefix4: 32,
            prefix6: 64,
            quiet_time: std::time::Duration::from_secs(60),
        });
        assert!(used.after(&[], std::slice::from_ref(&one)).is_some());
        assert_eq!(used.after(&[], &[one, other]), None);
    }
}
