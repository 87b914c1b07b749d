//! The ports of a watch: a set with a lookup of one load per packet.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use crate::engine::watch::services;
use crate::error::Quoted;

/// A set of TCP ports: one bit for each of the 65,536.
#[derive(Clone, PartialEq, Eq)]
pub struct PortSet {
    /// Port p is bit p % 64 of word p / 64.
    words: Box<[u64; 1024]>,
}

impl PortSet {
    /// The ports of mail: smtp, pop3, imap, submissions, submission, imaps, pop3s.
    pub const MAIL: [u16; 7] = [25, 110, 143, 465, 587, 993, 995];

    /// The empty set.
    #[must_use]
    pub fn empty() -> Self {
        Self { words: Box::new([0; 1024]) }
    }

    /// All ports, including 0.
    #[must_use]
    pub fn any() -> Self {
        Self { words: Box::new([u64::MAX; 1024]) }
    }

    /// The ports of mail.
    #[must_use]
    pub fn mail() -> Self {
        Self::MAIL.into_iter().collect()
    }

    /// Parses a list of numbers, ranges, names of services, `mail` and `any`, separated by commas
    /// (`mail,2525,8000-8010`).
    ///
    /// `service` returns the port of a name other than `mail` and `any`.
    ///
    /// # Errors
    /// An entry is invalid.
    pub fn parse(list: &str, service: impl Fn(&str) -> Option<u16>) -> Result<Self, PortsError> {
        let mut ports = Self::empty();
        for entry in list.split(',').map(str::trim) {
            if entry.is_empty() {
                return Err(PortsError::EmptyEntry);
            } else if entry.eq_ignore_ascii_case("any") {
                ports.insert(0..=u16::MAX);
            } else if entry.eq_ignore_ascii_case("mail") {
                Self::MAIL.into_iter().for_each(|port| ports.insert(port..=port));
            } else if let Some(range) = numbers(entry)? {
                ports.insert(range);
            } else {
                let port = service(entry).ok_or_else(|| PortsError::Unknown(entry.to_owned()))?;
                ports.insert(port..=port);
            }
        }
        Ok(ports)
    }

    /// The union of several sets.
    #[must_use]
    pub(crate) fn union<'a>(sets: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut all = Self::empty();
        for set in sets {
            all.words.iter_mut().zip(set.words.iter()).for_each(|(word, more)| *word |= more);
        }
        all
    }

    /// Adds a range of ports.
    pub fn insert(&mut self, range: RangeInclusive<u16>) {
        for port in range {
            self.words[usize::from(port / 64)] |= 1 << (port % 64);
        }
    }

    /// Whether the set contains a port.
    #[inline]
    #[must_use]
    pub fn contains(&self, port: u16) -> bool {
        self.words[usize::from(port / 64)] >> (port % 64) & 1 == 1
    }

    /// The number of ports, from 0 to 65,536.
    #[must_use]
    pub fn len(&self) -> usize {
        self.words.iter().map(|word| word.count_ones() as usize).sum()
    }

    /// Whether the set is empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    /// Whether the set has all ports, so that a filter need not name them.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.words.iter().all(|word| *word == u64::MAX)
    }

    /// The ports in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        (0..=u16::MAX).filter(|port| self.contains(*port))
    }

    /// The ports in the smallest number of ranges, in ascending order.
    pub fn ranges(&self) -> impl Iterator<Item = RangeInclusive<u16>> + '_ {
        let mut ports = self.iter().peekable();
        std::iter::from_fn(move || {
            let first = ports.next()?;
            let mut last = first;
            while let Some(next) = ports.next_if(|port| port - last == 1) {
                last = next;
            }
            Some(first..=last)
        })
    }
}

/// A number or a range; `None` if the entry may be a name.
fn numbers(entry: &str) -> Result<Option<RangeInclusive<u16>>, PortsError> {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = |text: &str| text.parse::<u16>().map_err(|_| PortsError::TooLarge(text.to_owned()));
    if is_number(entry) {
        let port = number(entry)?;
        return Ok(Some(port..=port));
    }
    let Some((first, last)) = entry.split_once('-').map(|(first, last)| (first.trim(), last.trim())) else {
        return Ok(None);
    };
    if !is_number(first) || !is_number(last) {
        return Ok(None);
    }
    let (first, last) = (number(first)?, number(last)?);
    if first > last {
        return Err(PortsError::Backwards { first, last });
    }
    Ok(Some(first..=last))
}

impl Default for PortSet {
    fn default() -> Self {
        Self::empty()
    }
}

impl FromIterator<u16> for PortSet {
    fn from_iter<I: IntoIterator<Item = u16>>(ports: I) -> Self {
        let mut set = Self::empty();
        ports.into_iter().for_each(|port| set.insert(port..=port));
        set
    }
}

impl FromStr for PortSet {
    type Err = PortsError;

    /// Parses a list with the built-in names of services.
    fn from_str(list: &str) -> Result<Self, PortsError> {
        Self::parse(list, services::well_known)
    }
}

impl fmt::Display for PortSet {
    /// The form of the option: `25,110,8000-8010`, or `any`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_any() {
            return f.write_str("any");
        }
        for (index, range) in self.ranges().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            match (range.start(), range.end()) {
                (port, last) if port == last => write!(f, "{comma}{port}")?,
                (first, last) => write!(f, "{comma}{first}-{last}")?,
            }
        }
        Ok(())
    }
}

impl fmt::Debug for PortSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PortSet({self})")
    }
}

/// Why a text is not a list of ports.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PortsError {
    /// An entry is empty.
    #[error("an entry is empty (25,110,8000-8010)")]
    EmptyEntry,
    /// The number is too large for a port.
    #[error("{0} is no port: they end at 65535")]
    TooLarge(String),
    /// The range's end is lower than its start.
    #[error("{first}-{last} runs backwards ({last}-{first})")]
    Backwards {
        /// Its start.
        first: u16,
        /// Its end.
        last: u16,
    },
    /// The entry is neither a number, a range nor a known name.
    #[error("{} is no number, range or known service (25, 8000-8010, smtp, mail, any)", Quoted(.0))]
    Unknown(String),
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_list_mixes_numbers_ranges_and_names() {
        for (list, shown) in [
            ("mail", "25,110,143,465,587,993,995"),
            ("MAIL", "25,110,143,465,587,993,995"),
            ("smtp,pop3,imap,smtps,submission,imaps,pop3s", "25,110,143,465,587,993,995"),
            ("0", "0"),
            ("65535", "65535"),
            ("110,25,25", "25,110"),
            (" 8000 - 8010 , smtp ", "25,8000-8010"),
            ("63-64,65", "63-65"),
            ("0-65534", "0-65534"),
            ("0-65535", "any"),
            ("any", "any"),
            ("mail,any", "any"),
            ("ms-sql-s", "1433"),
            ("0025", "25"),
        ] {
            assert_eq!(list.parse::<PortSet>().unwrap().to_string(), shown, "{list}");
        }
    }

    #[test]
    fn an_invalid_list_is_refused_with_its_cause() {
        for (list, cause) in [
            ("", "an entry is empty (25,110,8000-8010)"),
            ("25,,110", "an entry is empty (25,110,8000-8010)"),
            ("25,", "an entry is empty (25,110,8000-8010)"),
            ("65536", "65536 is no port: they end at 65535"),
            ("1-65536", "65536 is no port: they end at 65535"),
            ("99999999999999999999", "99999999999999999999 is no port: they end at 65535"),
            ("110-25", "110-25 runs backwards (25-110)"),
            ("-25", r#""-25" is no number, range or known service (25, 8000-8010, smtp, mail, any)"#),
            ("25-", r#""25-" is no number, range or known service (25, 8000-8010, smtp, mail, any)"#),
            ("25 110", r#""25 110" is no number, range or known service (25, 8000-8010, smtp, mail, any)"#),
            (
                "25,nosuch",
                r#""nosuch" is no number, range or known service (25, 8000-8010, smtp, mail, any)"#,
            ),
        ] {
            assert_eq!(list.parse::<PortSet>().unwrap_err().to_string(), cause, "{list}");
        }
    }

    #[test]
    fn the_caller_provides_other_names() {
        let ports = PortSet::parse("zabbix-agent,25", |name| (name == "zabbix-agent").then_some(10050));
        assert_eq!(ports.unwrap().to_string(), "25,10050");
    }

    #[test]
    fn a_port_is_in_the_set_and_its_neighbours_are_not() {
        for port in PortSet::MAIL.into_iter().chain([0, 63, 64, 127, 65535]) {
            let set = PortSet::from_iter([port]);
            assert!(set.contains(port));
            assert!(!set.contains(port.wrapping_add(1)));
            assert!(!set.contains(port.wrapping_sub(1)));
            assert_eq!(set.len(), 1);
        }
    }

    #[test]
    fn only_all_ports_are_any() {
        let all_but_one: PortSet = (1..=u16::MAX).collect();
        assert!(!all_but_one.is_any());
        assert_eq!(all_but_one.len(), 65_535);
        assert!(PortSet::any().is_any());
        assert_eq!(PortSet::any().len(), 65_536);
        assert_eq!(PortSet::any().ranges().collect::<Vec<_>>(), [0..=u16::MAX]);
        assert!(PortSet::empty().is_empty());
        assert_eq!(PortSet::union([]), PortSet::empty());
        let [one, other, both] =
            ["25,63-64", "64-65,110", "25,63-65,110"].map(|list| list.parse::<PortSet>().unwrap());
        assert_eq!(PortSet::union([&one, &other]), both);
        assert_eq!(PortSet::empty().ranges().count(), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_shown_reads_back_the_same(ports in proptest::collection::btree_set(any::<u16>(), 1..300)) {
            let set: PortSet = ports.iter().copied().collect();
            prop_assert_eq!(set.len(), ports.len());
            prop_assert!(set.iter().eq(ports.iter().copied()));
            prop_assert_eq!(set.to_string().parse(), Ok(set));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".*") {
            let _ = text.parse::<PortSet>();
        }

        #[test]
        fn text_that_is_nearly_right_is_read_or_refused(text in "[0-9, -]{0,30}(smtp|mail)?") {
            let _ = text.parse::<PortSet>();
        }
    }
}
