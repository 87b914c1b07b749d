//! The interfaces of one capture file, with their ids in the run.

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::Fault;
use crate::wire::packet::{Interface, InterfaceId, Interfaces, LinkType, Origin};

/// Maximum interfaces of a file, over all its sections. The run keeps a name for each.
pub(super) const MAX_INTERFACES: usize = 4096;

/// Maps each interface of a file to its id, which is the same for the same index and link type in every
/// section.
pub(super) struct Catalog {
    file: Arc<str>,
    all: Interfaces,
    known: HashMap<(u32, LinkType), Known>,
    /// Number of those with a supported link type.
    supported: usize,
    unsupported: Vec<(u32, LinkType)>,
}

/// An interface with a description.
struct Known {
    id: InterfaceId,
    /// Whether a packet came from it, if its link type is unsupported.
    is_missed: bool,
}

impl Catalog {
    pub(super) fn new(file: Arc<str>, all: Interfaces) -> Self {
        Self { file, all, known: HashMap::new(), supported: 0, unsupported: Vec::new() }
    }

    /// The id of the interface with this index and link type.
    pub(super) fn id(&mut self, index: u32, link: LinkType) -> Result<InterfaceId, Fault> {
        if let Some(known) = self.known.get(&(index, link)) {
            return Ok(known.id);
        }
        if self.known.len() == MAX_INTERFACES {
            return Err(Fault::TooManyInterfaces(MAX_INTERFACES));
        }
        let id = self.all.add(Interface { origin: Origin::File(self.file.clone()), link });
        self.known.insert((index, link), Known { id, is_missed: false });
        self.supported += usize::from(link.is_supported());
        Ok(id)
    }

    /// Notes a packet from an interface with an unsupported link type. Without packets such an interface does
    /// not matter.
    pub(super) fn miss(&mut self, index: u32, link: LinkType) {
        if let Some(known) = self.known.get_mut(&(index, link)).filter(|known| !known.is_missed) {
            known.is_missed = true;
            self.unsupported.push((index, link));
        }
    }

    /// Index and link type of each interface with packets and an unsupported link type, in the order of their
    /// first packets.
    pub(super) fn unsupported(&self) -> &[(u32, LinkType)] {
        &self.unsupported
    }

    /// Whether there were packets, and no interface has a supported link type.
    pub(super) fn is_unsupported(&self) -> bool {
        !self.unsupported.is_empty() && self.supported == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_cannot_enlarge_the_list_without_bound() {
        let all = Interfaces::default();
        let mut catalog = Catalog::new("x".into(), all.clone());
        for _ in 0..3 {
            for index in 0..MAX_INTERFACES as u32 {
                assert_eq!(catalog.id(index, LinkType::ETHERNET).unwrap(), InterfaceId(index));
            }
        }
        assert!(matches!(catalog.id(0, LinkType::RAW), Err(Fault::TooManyInterfaces(MAX_INTERFACES))));
        assert_eq!(all.interface(InterfaceId(MAX_INTERFACES as u32)), None);
    }

    #[test]
    fn unsupported_interfaces_are_told_once() {
        let mut catalog = Catalog::new("x".into(), Interfaces::default());
        assert!(!catalog.is_unsupported());
        catalog.id(0, LinkType(105)).unwrap();
        assert!(!catalog.is_unsupported(), "nothing came from it");
        for _ in 0..2 {
            catalog.id(0, LinkType(105)).unwrap();
            catalog.miss(0, LinkType(105));
        }
        assert!(catalog.is_unsupported());
        catalog.id(1, LinkType::ETHERNET).unwrap();
        assert!(!catalog.is_unsupported());
        assert_eq!(catalog.unsupported(), [(0, LinkType(105))]);
    }
}
