//! What tells a watch from all others of the run, whatever else of it changes.

use super::differences::counts_alike;
use crate::config::WatchSettings;

/// What tells a watch from all others of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::pipeline) struct Identity {
    /// In the keys of its episodes: no other watch has had it, nor the same one when it counted otherwise.
    pub(in crate::pipeline) number: u16,
    /// Which signature ids it has: no other watch has them now. A watch keeps them as long as its name is there.
    pub(in crate::pipeline) signature: u32,
}

/// Those of all watches, in the order of the watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::pipeline) struct Identities {
    pub(in crate::pipeline) all: Vec<Identity>,
    next_number: u16,
}

impl Identities {
    /// Those of the watches that a run starts with.
    pub(in crate::pipeline) fn first(watches: &[WatchSettings]) -> Self {
        let mut first = Self { all: Vec::new(), next_number: 0 };
        for (signature, _) in (0..).zip(watches) {
            first.all.push(Identity { number: first.next_number, signature });
            first.next_number += 1;
        }
        first
    }

    /// Those of the watches that come after these; `None` when all numbers have been used.
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
    fn when_all_numbers_have_been_used_there_are_no_more() {
        let used = Identities { all: Vec::new(), next_number: u16::MAX - 1 };
        let [one, other] = ["a", "b"].map(|name| WatchSettings {
            name: name.into(),
            ports: crate::watch::PortSet::mail(),
            limits: crate::watch::Limits::default(),
            prefix4: 32,
            prefix6: 64,
            quiet_time: std::time::Duration::from_secs(60),
        });
        assert!(used.after(&[], std::slice::from_ref(&one)).is_some());
        assert_eq!(used.after(&[], &[one, other]), None);
    }
}
