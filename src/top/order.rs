//! Which sources are shown, and in which order.

use std::cmp::Ordering;
use std::net::IpAddr;

use crate::control::TopSource;

/// What sources are sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Order {
    /// As the snapshot has them: the one closest to a limit first.
    #[default]
    Closest,
    /// The highest rate first.
    Rate,
    /// By address: the order in which rows hold still.
    Address,
    /// By name, those without one last.
    Name,
}

impl Order {
    const ALL: [Self; 4] = [Self::Closest, Self::Rate, Self::Address, Self::Name];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Closest => "closest to a limit",
            Self::Rate => "rate",
            Self::Address => "address",
            Self::Name => "name",
        }
    }

    /// The one after this, the first after the last.
    pub(super) fn following(self) -> Self {
        let mut rest = Self::ALL.into_iter().skip_while(|order| *order != self).skip(1);
        rest.next().unwrap_or_default()
    }

    /// The sources that contain the filter, in this order.
    pub(super) fn sort<'a>(
        self,
        sources: &'a [TopSource],
        filter: &str,
        reversed: bool,
    ) -> Vec<&'a TopSource> {
        let filter = filter.to_lowercase();
        let mut rows: Vec<_> = sources.iter().filter(|source| contains(source, &filter)).collect();
        match self {
            Self::Closest => {}
            Self::Rate => rows.sort_by(|a, b| b.rate.total_cmp(&a.rate).then_with(|| by_address(a, b))),
            Self::Address => rows.sort_by(|a, b| by_address(a, b)),
            Self::Name => rows.sort_by(|a, b| by_name(a, b).then_with(|| by_address(a, b))),
        }
        if reversed {
            rows.reverse();
        }
        rows
    }
}

/// Whether a source, its name or its network contains this text, which is in lower case.
fn contains(source: &TopSource, text: &str) -> bool {
    let texts = [Some(&source.source), source.host.as_ref(), source.asn.as_ref()];
    texts.into_iter().flatten().any(|known| known.to_lowercase().contains(text))
}

/// IPv4 first, each by its number; what is no address last.
fn by_address(a: &TopSource, b: &TopSource) -> Ordering {
    let key = |source: &TopSource| {
        let address = source.source.split('/').next().unwrap_or_default().parse::<IpAddr>().ok();
        (address.is_none(), address)
    };
    key(a).cmp(&key(b)).then_with(|| a.source.cmp(&b.source))
}

fn by_name(a: &TopSource, b: &TopSource) -> Ordering {
    let key =
        |source: &TopSource| (source.host.is_none(), source.host.as_ref().map(|name| name.to_lowercase()));
    key(a).cmp(&key(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(source: &str, rate: f64, host: Option<&str>) -> TopSource {
        TopSource { source: source.to_owned(), rate, host: host.map(str::to_owned), ..TopSource::default() }
    }

    fn sorted(order: Order, filter: &str, reversed: bool) -> Vec<String> {
        let sources = [
            source("2001:db8:0:1::/64", 1.0, None),
            source("203.0.113.9", 9.0, Some("b.example")),
            source("198.51.100.66", 1.0, Some("A.example")),
            source("203.0.113.10", f64::NAN, None),
        ];
        let rows = order.sort(&sources, filter, reversed);
        rows.iter()
            .map(|source| source.source.chars().rev().take(4).collect::<Vec<_>>())
            .map(|end| end.into_iter().rev().collect())
            .collect()
    }

    #[test]
    fn each_order_is_total_and_can_be_reversed() {
        assert_eq!(
            sorted(Order::Closest, "", false),
            ["::/64"[1..].to_owned(), "13.9".into(), "0.66".into(), "3.10".into()]
        );
        assert_eq!(sorted(Order::Address, "", false), ["0.66", "13.9", "3.10", ":/64"]);
        assert_eq!(sorted(Order::Address, "", true), [":/64", "3.10", "13.9", "0.66"]);
        assert_eq!(sorted(Order::Rate, "", false), ["3.10", "13.9", "0.66", ":/64"]);
        assert_eq!(sorted(Order::Name, "", false), ["0.66", "13.9", "3.10", ":/64"]);
    }

    #[test]
    fn a_filter_looks_into_address_and_name_whatever_the_case() {
        assert_eq!(sorted(Order::Closest, "EXAMPLE", false), ["13.9", "0.66"]);
        assert_eq!(sorted(Order::Closest, "203.", true), ["3.10", "13.9"]);
        assert_eq!(sorted(Order::Closest, "nothing", false), [""; 0]);
    }

    #[test]
    fn orders_follow_each_other_in_a_circle() {
        let mut order = Order::default();
        for name in ["rate", "address", "name", "closest to a limit"] {
            order = order.following();
            assert_eq!(order.name(), name);
        }
    }
}
