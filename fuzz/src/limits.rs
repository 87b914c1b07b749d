//! Any text, as whatever an option takes that bounds or selects: limits, ports, durations, sizes, networks.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use synwatch::base::units::{self, Bytes, Span};
use synwatch::engine::watch::{Limit, LimitError, PortSet, allow};

/// What is read is shown, and what is shown reads back the same; what is refused is refused with a cause.
///
/// # Panics
///
/// Where that is not so.
pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    limit(text);
    ports(text);
    if let Some(bytes) = read::<Bytes>(text) {
        assert_reads_back(&bytes);
    }
    match units::duration(text) {
        Ok(duration) => assert_eq!(units::duration(&Span(duration).to_string()), Ok(duration)),
        Err(error) => assert_says_why(&error),
    }
    networks(text);
}

fn limit(text: &str) {
    match text.parse::<Limit>() {
        Ok(limit) => {
            assert!((1..=Limit::MAX_ATTEMPTS).contains(&limit.attempts), "{limit:?}");
            assert!((Limit::MIN_WINDOW..=Limit::MAX_WINDOW).contains(&limit.window), "{limit:?}");
            assert_reads_back(&limit);
        }
        Err(error) => {
            assert_says_why(&error);
            if let LimitError::TooMany { instead: Some(instead) } = error {
                assert_reads_back(&instead);
            }
        }
    }
}

fn ports(text: &str) {
    let Some(ports) = read::<PortSet>(text) else { return };
    assert!(!ports.is_empty(), "{text:?} is no port at all");
    assert_reads_back(&ports);
    let ranges: Vec<_> = ports.ranges().collect();
    let in_ranges: usize = ranges.iter().map(|range| range.clone().count()).sum();
    assert_eq!(in_ranges, ports.len());
    assert!(ranges.iter().flat_map(|range| range.clone()).all(|port| ports.contains(port)));
    let are_apart =
        |pair: &[std::ops::RangeInclusive<u16>]| u32::from(*pair[0].end()) + 1 < u32::from(*pair[1].start());
    assert!(ranges.windows(2).all(are_apart), "{ranges:?} are not as few as will do");
    assert_eq!(ports.is_any(), ranges == [0..=u16::MAX]);
}

fn networks(text: &str) {
    match allow::network(text) {
        Ok(network) => {
            assert_eq!(network, network.trunc());
            assert_eq!(allow::network(&network.to_string()), Ok(network));
        }
        Err(error) => assert_says_why(&error),
    }
    match allow::networks(text) {
        Ok(networks) => {
            let list: allow::AllowList = networks.iter().copied().collect();
            assert_eq!(list.is_empty(), networks.is_empty());
            assert!(networks.iter().all(|network| list.contains(network.addr())));
        }
        Err(error) => assert!((1..=text.lines().count()).contains(&error.line), "{error}"),
    }
}

fn read<T: FromStr<Err: Display>>(text: &str) -> Option<T> {
    let read = text.parse();
    if let Err(error) = &read {
        assert_says_why(error);
    }
    read.ok()
}

fn assert_reads_back<T: FromStr<Err: Debug> + Display + Debug + PartialEq>(value: &T) {
    let shown = value.to_string();
    assert_eq!(&shown.parse::<T>().unwrap_or_else(|error| panic!("{shown:?}: {error:?}")), value);
}

fn assert_says_why(error: &impl Display) {
    assert!(!error.to_string().is_empty());
}
