//! Environment variables for commands: the report's main values, for scripts that do not parse JSON.

use std::sync::Arc;

use crate::base::units::Span;
use crate::base::zone::Zone;
use crate::detect::alert::{Alert, State};
use crate::engine::subject::Kind;

/// The variables of a report, `SYNWATCH_…`. A variable without a value is left out.
pub(super) fn variables(alert: &Alert, zone: &Zone) -> Vec<(String, String)> {
    let is_destination = matches!(alert.kind, Kind::Destination(_));
    let source = (!is_destination).then(|| alert.source.to_string());
    let ended = match alert.state {
        State::End(ended) => Some(ended.name().to_owned()),
        State::Start | State::Update => None,
    };
    // Environment variables cannot hold a NUL.
    let text = |value: &Option<Arc<str>>| value.as_deref().map(|value| value.replace('\0', ""));
    let all = [
        ("STATE", Some(alert.state.name().to_owned())),
        ("KIND", Some(alert.kind.name().to_owned())),
        ("SOURCE", source),
        ("NAME", text(&alert.about.name)),
        ("AS", alert.about.system.map(|number| number.to_string())),
        ("ORG", text(&alert.about.organisation)),
        ("COUNTRY", text(&alert.about.country)),
        ("DESTINATION", Some(alert.trigger.dst.to_string())),
        ("PORT", Some(alert.trigger.dst_port.to_string())),
        ("WATCH", Some(alert.watch.to_string())),
        ("LIMIT", Some(alert.limit.to_string())),
        ("ATTEMPTS", Some(alert.attempts.to_string())),
        ("PROVEN", Some(alert.proven().to_string())),
        ("VERIFIED", Some(alert.verified_name().to_owned())),
        ("SEVERITY", Some(alert.severity().to_string())),
        ("TIME", Some(zone.text(alert.time).to_string())),
        ("FIRST_SEEN", Some(zone.text(alert.first_seen).to_string())),
        ("LAST_SEEN", Some(zone.text(alert.last_seen).to_string())),
        ("BLOCKED", alert.blocked.map(|time| Span(time).to_string())),
        ("ENDED", ended),
    ];
    let named = |(name, value): (&str, Option<String>)| Some((format!("SYNWATCH_{name}"), value?));
    all.into_iter().filter_map(named).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::collections::HashMap;

    use crate::report::sample::{end, full, start, tokyo};

    fn of(alert: &Alert) -> HashMap<String, String> {
        variables(alert, &tokyo()).into_iter().collect()
    }

    #[test]
    fn a_report_in_variables() {
        let found = of(&end());
        for (name, value) in [
            ("STATE", "end"),
            ("KIND", "source"),
            ("SOURCE", "49.212.10.42"),
            ("DESTINATION", "116.58.172.107"),
            ("PORT", "25"),
            ("WATCH", "mail"),
            ("LIMIT", "30/10s"),
            ("ATTEMPTS", "1788"),
            ("PROVEN", "1788"),
            ("VERIFIED", "yes"),
            ("SEVERITY", "1"),
            ("TIME", "2013-11-25T15:18:33.470+09:00"),
            ("FIRST_SEEN", "2013-11-25T15:11:36.370+09:00"),
            ("LAST_SEEN", "2013-11-25T15:17:33.470+09:00"),
            ("ENDED", "quiet"),
        ] {
            assert_eq!(found[&format!("SYNWATCH_{name}")], value, "{name}");
        }
    }

    #[test]
    fn what_is_known_of_the_source_is_in_variables() {
        let found = of(&full());
        for (name, value) in
            [("NAME", "a b.example"), ("AS", "64500"), ("ORG", "Example \u{1b}Net"), ("COUNTRY", "JP")]
        {
            assert_eq!(found[&format!("SYNWATCH_{name}")], value, "{name}");
        }
        assert!(!of(&start()).contains_key("SYNWATCH_NAME"));
    }

    #[test]
    fn a_flood_of_one_destination_names_no_source() {
        let found = of(&Alert { kind: Kind::Destination(25), ..start() });
        assert!(!found.contains_key("SYNWATCH_SOURCE") && !found.contains_key("SYNWATCH_ENDED"));
        assert_eq!(found["SYNWATCH_KIND"], "destination");
    }
}
