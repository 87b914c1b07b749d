//! Enriches the top sources of a suggestion, after all packets are counted.

use std::time::Duration;

use ipnet::IpNet;

use crate::base::time::Timestamp;
use crate::report::enrich::{Databases, Names};
use crate::suggest::Top;

/// Time for all names together.
const PATIENCE: Duration = Duration::from_secs(10);

/// Adds names and database values to these sources. Destinations and networks of many hosts have no name; for a network
/// the databases are asked for its first address.
pub(crate) fn enrich<'a>(
    tops: impl Iterator<Item = &'a mut Top>,
    names: Option<&Names>,
    databases: &Databases,
    now: Timestamp,
) {
    let mut sources: Vec<_> = tops.filter_map(|top| top.party.source().map(|source| (source, top))).collect();
    if let Some(names) = names {
        // Starts all lookups first, so that several run at a time.
        for host in sources.iter().map(|(source, _)| *source).filter(is_host) {
            let _ = names.find(host.addr(), now, Duration::ZERO);
        }
        names.settle(PATIENCE);
    }
    for (source, top) in &mut sources {
        top.about = databases.about(source.addr());
        if let Some(names) = names.filter(|_| is_host(source)) {
            top.about.name = names.find(source.addr(), now, Duration::ZERO);
        }
    }
}

fn is_host(network: &IpNet) -> bool {
    network.prefix_len() == network.max_prefix_len()
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::Arc;
    use std::thread;

    use crate::engine::baseline::{Most, Party};
    use crate::engine::subject::{Kind, Source};

    fn top(kind: Kind, source: &str) -> Top {
        Top {
            party: Party::new(kind, Source(source.parse().unwrap())),
            most: Most { attempts: 1, and_more: false },
            is_outlier: false,
            about: crate::detect::alert::Enrichment::default(),
        }
    }

    #[test]
    fn hosts_have_names_and_networks_and_destinations_have_none() {
        let (names, resolvers) = Names::new(1, Arc::new(|address| Some(format!("{address}.example"))));
        for resolver in resolvers {
            thread::spawn(move || resolver.run());
        }
        let mut tops = [
            top(Kind::Source, "192.0.2.1/32"),
            top(Kind::Source, "2001:db8::/64"),
            top(Kind::Network, "192.0.2.0/24"),
            top(Kind::Destination(25), "192.0.2.25/32"),
        ];
        enrich(tops.iter_mut(), Some(&names), &Databases::default(), Timestamp::default());
        let names = tops.map(|top| top.about.name.map(|name| name.to_string()));
        assert_eq!(names, [Some("192.0.2.1.example".to_owned()), None, None, None]);
    }
}
