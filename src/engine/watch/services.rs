//! Names of services: `smtp` for 25.
//!
//! Common names are built in, so that they mean the same on every machine; others are looked up in the text of a
//! services file (`/etc/services`) that the caller provides.

/// Built-in names with their TCP ports (IANA's, and Debian's aliases).
const WELL_KNOWN: &[(&str, u16)] = &[
    ("ftp", 21),
    ("ssh", 22),
    ("telnet", 23),
    ("smtp", 25),
    ("domain", 53),
    ("http", 80),
    ("pop3", 110),
    ("pop-3", 110),
    ("nntp", 119),
    ("imap", 143),
    ("imap2", 143),
    ("ldap", 389),
    ("https", 443),
    ("smtps", 465),
    ("ssmtp", 465),
    ("submissions", 465),
    ("submission", 587),
    ("ldaps", 636),
    ("imaps", 993),
    ("pop3s", 995),
    ("ms-sql-s", 1433),
    ("mysql", 3306),
    ("rdp", 3389),
    ("ms-wbt-server", 3389),
    ("sieve", 4190),
    ("managesieve", 4190),
    ("sip", 5060),
    ("postgresql", 5432),
];

/// The TCP port of a built-in name, ignoring case.
#[must_use]
pub fn well_known(name: &str) -> Option<u16> {
    WELL_KNOWN.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, port)| *port)
}

/// The first TCP port of a name or alias in a services file, ignoring case.
#[must_use]
pub(crate) fn in_file(text: &str, name: &str) -> Option<u16> {
    text.lines().find_map(|line| {
        let entry = line.split('#').next().unwrap_or_default();
        let mut words = entry.split_whitespace();
        let (official, port) = (words.next()?, words.next()?.strip_suffix("/tcp")?);
        let is_named = std::iter::once(official).chain(words).any(|word| word.eq_ignore_ascii_case(name));
        is_named.then(|| port.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usual_names_are_known_in_either_case() {
        assert_eq!(well_known("smtp"), Some(25));
        assert_eq!(well_known("POP3S"), Some(995));
        assert_eq!(well_known("nosuch"), None);
    }

    #[test]
    fn a_services_file_gives_tcp_ports_by_name_and_alias() {
        let text = "# services\n\
                    syslog 514/udp\n\
                    shell  514/tcp  cmd syslog # no passwords used\n\
                    broken\n\
                    odd 70000/tcp\n\
                    zabbix-agent\t10050/tcp\n\
                    shell 1/tcp\n";
        for (name, port) in [
            ("shell", Some(514)),
            ("CMD", Some(514)),
            ("syslog", Some(514)),
            ("zabbix-agent", Some(10050)),
            ("passwords", None),
            ("broken", None),
            ("odd", None),
            ("", None),
        ] {
            assert_eq!(in_file(text, name), port, "{name}");
        }
    }
}
