//! Blocks, allowances and changes, as objects and as lines.
//!
//! The structs fix the order of keys. Text from people is escaped in lines.

use std::time::Duration;

use ipnet::IpNet;
use serde::Serialize;

use super::allowances::{AllowDone, Allowance};
use super::fleet;
use super::hands::Handled;
use crate::act::{BlockReason, Done, Standing, Target};
use crate::base::time::Timestamp;
use crate::base::units::Span;
use crate::base::zone::Zone;
use crate::engine::subject::Source;
use crate::report::Escaped;

/// Maximum number of blocks in an answer.
const MOST_LISTED: usize = 4096;

/// The part of an answer that says what is or was done: an object or a list of them, the same as lines, and how many
/// are left out.
pub(super) struct Told {
    pub(super) json: serde_json::Result<Box<serde_json::value::RawValue>>,
    pub(super) lines: Vec<String>,
    pub(super) others: Option<usize>,
    /// A sentence beside that.
    pub(super) note: Option<String>,
}

/// A block.
#[derive(Debug, Serialize)]
pub(crate) struct BlockRecord {
    network: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    /// Its whole time in seconds; null: it does not expire.
    time: Option<u64>,
    left: Option<u64>,
    since: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    watch: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effective: Option<bool>,
    #[serde(skip)]
    line: String,
}

#[derive(Serialize)]
struct AllowanceRecord<'a> {
    network: String,
    until: Option<String>,
    why: Option<&'a str>,
}

#[derive(Serialize)]
struct AllowRecord<'a> {
    #[serde(flatten)]
    allowance: AllowanceRecord<'a>,
    kept: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_kept: Option<&'a str>,
    unblocked: Vec<TargetRecord>,
}

#[derive(Serialize)]
struct UnallowRecord<'a> {
    network: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_saved: Option<&'a str>,
}

#[derive(Serialize)]
pub(crate) struct TargetRecord {
    network: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
}

#[derive(Serialize)]
pub(super) struct MadeRecord {
    network: String,
    time: u64,
    until: String,
}

impl BlockRecord {
    pub(crate) fn new(standing: &Standing, zone: &Zone) -> Self {
        let Standing { target: Target { network, to }, since, time, left, reason, is_effective } = standing;
        let (why, watch) = match reason {
            Some(BlockReason::Episode(watch)) => (Some("episode"), Some(watch.to_string())),
            Some(BlockReason::Hand) => (Some("hand"), None),
            Some(BlockReason::Fleet) => (Some("fleet"), None),
            Some(BlockReason::Found) => (Some("found"), None),
            None => (None, None),
        };
        let since = since.map(|since| zone.eve(since).to_string());
        let mut line = Source(*network).to_string();
        let mut add = |key: &str, value: Option<String>| {
            if let Some(value) = value {
                line += &format!(" {key}={value}");
            }
        };
        add("to", to.map(|to| to.to_string()));
        add("time", time.map(|time| Span(time).to_string()));
        add("left", left.map(|left| Span(Duration::from_secs(left.as_secs())).to_string()));
        add("since", since.clone());
        add("why", why.map(str::to_owned));
        add("watch", watch.as_deref().map(|watch| Escaped::value(watch).to_string()));
        let yes_or_no = |is_effective: bool| if is_effective { "yes" } else { "no" };
        add("effective", is_effective.map(|is_effective| yes_or_no(is_effective).to_owned()));
        Self {
            network: Source(*network).to_string(),
            to: to.map(|to| to.to_string()),
            time: time.map(|time| time.as_secs()),
            left: left.map(|left| left.as_secs()),
            since,
            why,
            watch,
            effective: *is_effective,
            line,
        }
    }

    /// The same as a line.
    pub(crate) fn line(&self) -> &str {
        &self.line
    }
}

impl MadeRecord {
    pub(super) fn new(network: IpNet, time: Duration, now: Timestamp, zone: &Zone) -> Self {
        let until = zone.eve(now.after(time)).to_string();
        Self { network: Source(network).to_string(), time: time.as_secs(), until }
    }
}

impl TargetRecord {
    pub(crate) fn new(target: &Target) -> Self {
        Self { network: Source(target.network).to_string(), to: target.to.map(|to| to.to_string()) }
    }
}

/// The answer, with times in `zone`.
pub(super) fn told(handled: &Handled, now: Timestamp, zone: &Zone) -> Told {
    match handled {
        Handled::Fleet(reply) => fleet::told(reply, now, zone),
        Handled::Block(Done::Listed(all)) => {
            let shown = all.iter().take(MOST_LISTED);
            let records: Vec<_> = shown.map(|standing| BlockRecord::new(standing, zone)).collect();
            let lines = records.iter().map(|record| record.line.clone()).collect();
            Told { others: Some(all.len() - records.len()), ..Told::new(&records, lines) }
        }
        Handled::Block(Done::Blocked { target, time }) => {
            let line = format!("{target} is blocked for {}", Span(*time));
            Told::new(&MadeRecord::new(target.network, *time, now, zone), vec![line])
        }
        Handled::Block(Done::Unblocked(targets)) => {
            let records: Vec<_> = targets.iter().map(TargetRecord::new).collect();
            Told::new(&records, unblocked_lines(targets).collect())
        }
        Handled::Allow(AllowDone::Listed(all)) => {
            let records: Vec<_> = all.iter().map(|one| AllowanceRecord::new(one, zone)).collect();
            Told {
                others: Some(0),
                ..Told::new(&records, records.iter().map(AllowanceRecord::line).collect())
            }
        }
        Handled::Allow(AllowDone::Allowed { allowance, kept, freed }) => {
            allowed(allowance, kept, freed, zone)
        }
        Handled::Allow(AllowDone::Unallowed { network, saved }) => {
            let network = Source(*network).to_string();
            let not_saved = saved.as_ref().err().map(String::as_str);
            let line = match not_saved {
                None => format!("{network} is allowed no more"),
                Some(why) => format!(
                    "{network} is allowed no more, but again after a restart: {}",
                    Escaped::message(why)
                ),
            };
            Told::new(&UnallowRecord { network, not_saved }, vec![line])
        }
    }
}

/// One line for each target.
pub(crate) fn unblocked_lines(targets: &[Target]) -> impl Iterator<Item = String> {
    targets.iter().map(|target| format!("unblocked {target}"))
}

fn allowed(allowance: &Allowance, kept: &Result<(), String>, freed: &[Target], zone: &Zone) -> Told {
    let record = AllowanceRecord::new(allowance, zone);
    let until = record.until.as_deref().unwrap_or("the run ends");
    let keeps = match kept {
        Ok(()) => "also over a restart".to_owned(),
        Err(why) => format!("not over a restart: {}", Escaped::message(why)),
    };
    let mut lines = vec![format!("{} is allowed until {until}, {keeps}", record.network)];
    lines.extend(unblocked_lines(freed));
    let not_kept = kept.as_ref().err().map(String::as_str);
    let unblocked = freed.iter().map(TargetRecord::new).collect();
    Told::new(&AllowRecord { allowance: record, kept: kept.is_ok(), not_kept, unblocked }, lines)
}

impl<'a> AllowanceRecord<'a> {
    fn new(allowance: &'a Allowance, zone: &Zone) -> Self {
        let Allowance { network, until, why, .. } = allowance;
        let until = until.map(|until| zone.eve(until).to_string());
        Self { network: Source(*network).to_string(), until, why: why.as_deref() }
    }

    fn line(&self) -> String {
        let Self { network, until, why } = self;
        let until = until.as_deref().map(|until| format!(" until={until}")).unwrap_or_default();
        let why = why.map(|why| format!(" why={}", Escaped::value(why))).unwrap_or_default();
        format!("{network}{until}{why}")
    }
}

impl Told {
    pub(super) fn new(value: &impl Serialize, lines: Vec<String>) -> Self {
        Self { json: serde_json::value::to_raw_value(value), lines, others: None, note: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::report::sample::{at, tokyo};

    fn target(network: &str) -> Target {
        Target::source(network.parse().unwrap())
    }

    /// The object and the lines.
    fn shown(handled: Handled) -> (String, Vec<String>) {
        let told = told(&handled, at(0), &tokyo());
        (told.json.unwrap().get().to_owned(), told.lines)
    }

    #[test]
    fn a_block_is_told_with_its_reason_and_whether_it_holds() {
        let standing = |reason, is_effective| Standing {
            target: target("192.0.2.7/32"),
            since: Some(at(0)),
            time: Some(Duration::from_secs(3_600)),
            left: Some(Duration::from_millis(59_999)),
            reason,
            is_effective,
        };
        let since = "2013-11-25T15:11:36.000000+0900";
        for (standing, json, line) in [
            (
                standing(Some(BlockReason::Episode("mail".into())), Some(true)),
                r#","why":"episode","watch":"mail","effective":true"#,
                " why=episode watch=mail effective=yes",
            ),
            (
                standing(Some(BlockReason::Hand), Some(false)),
                r#","why":"hand","effective":false"#,
                " why=hand effective=no",
            ),
            (standing(Some(BlockReason::Fleet), None), r#","why":"fleet""#, " why=fleet"),
            (standing(Some(BlockReason::Found), None), r#","why":"found""#, " why=found"),
            (standing(None, None), "", ""),
        ] {
            let record = BlockRecord::new(&standing, &tokyo());
            assert_eq!(
                serde_json::to_string(&record).unwrap(),
                format!(r#"{{"network":"192.0.2.7","time":3600,"left":59,"since":"{since}"{json}}}"#)
            );
            assert_eq!(record.line(), format!("192.0.2.7 time=1h left=59s since={since}{line}"));
        }
        let lasting = Standing {
            target: Target { to: "198.51.100.25".parse().ok(), ..target("2001:db8::/64") },
            since: None,
            time: None,
            left: None,
            reason: None,
            is_effective: None,
        };
        let record = BlockRecord::new(&lasting, &tokyo());
        assert_eq!(record.line(), "2001:db8::/64 to=198.51.100.25");
    }

    #[test]
    fn as_many_blocks_are_listed_as_an_answer_may_have() {
        let standing = Standing {
            target: target("192.0.2.7/32"),
            since: None,
            time: None,
            left: None,
            reason: None,
            is_effective: None,
        };
        for (blocks, listed, others) in
            [(0, 0, 0), (MOST_LISTED, MOST_LISTED, 0), (MOST_LISTED + 1, MOST_LISTED, 1)]
        {
            let told = told(&Handled::Block(Done::Listed(vec![standing.clone(); blocks])), at(0), &tokyo());
            assert_eq!((told.lines.len(), told.others), (listed, Some(others)));
        }
    }

    #[test]
    fn a_change_is_told_in_a_sentence() {
        let time = Duration::from_secs(7_200);
        assert_eq!(
            shown(Handled::Block(Done::Blocked { target: target("192.0.2.7/32"), time })),
            (
                r#"{"network":"192.0.2.7","time":7200,"until":"2013-11-25T17:11:36.000000+0900"}"#.to_owned(),
                vec!["192.0.2.7 is blocked for 2h".to_owned()]
            )
        );
        assert_eq!(
            shown(Handled::Block(Done::Unblocked(vec![target("192.0.2.7/32"), target("2001:db8::/64")]))),
            (
                r#"[{"network":"192.0.2.7"},{"network":"2001:db8::/64"}]"#.to_owned(),
                vec!["unblocked 192.0.2.7".to_owned(), "unblocked 2001:db8::/64".to_owned()]
            )
        );
        assert_eq!(
            shown(Handled::Allow(unallowed(Ok(())))),
            (r#"{"network":"192.0.2.0/24"}"#.to_owned(), vec!["192.0.2.0/24 is allowed no more".to_owned()])
        );
    }

    fn unallowed(saved: Result<(), String>) -> AllowDone {
        AllowDone::Unallowed { network: "192.0.2.0/24".parse().unwrap(), saved }
    }

    #[test]
    fn an_allowance_that_a_restart_brings_back_is_said_to() {
        let (json, lines) = shown(Handled::Allow(unallowed(Err("no space".to_owned()))));
        assert_eq!(json, r#"{"network":"192.0.2.0/24","not_saved":"no space"}"#);
        assert_eq!(lines, ["192.0.2.0/24 is allowed no more, but again after a restart: no space"]);
    }

    #[test]
    fn an_allowance_says_until_when_and_whether_it_is_kept() {
        let allowance = |until, why: Option<&str>| Allowance {
            network: "192.0.2.0/24".parse().unwrap(),
            since: at(0),
            until,
            why: why.map(str::to_owned),
        };
        let (json, lines) = shown(Handled::Allow(AllowDone::Allowed {
            allowance: allowance(Some(at(60_000)), Some("a\u{1b}[2J \"b\"")),
            kept: Ok(()),
            freed: vec![target("192.0.2.7/32")],
        }));
        let until = "2013-11-25T15:12:36.000000+0900";
        assert_eq!(
            json,
            format!(
                r#"{{"network":"192.0.2.0/24","until":"{until}","why":"a\u001b[2J \"b\"","kept":true,"unblocked":[{{"network":"192.0.2.7"}}]}}"#
            )
        );
        assert_eq!(
            lines,
            [
                format!("192.0.2.0/24 is allowed until {until}, also over a restart"),
                "unblocked 192.0.2.7".to_owned()
            ]
        );
        let (json, lines) = shown(Handled::Allow(AllowDone::Allowed {
            allowance: allowance(None, None),
            kept: Err("no end".to_owned()),
            freed: vec![],
        }));
        assert!(
            json.ends_with(r#""until":null,"why":null,"kept":false,"not_kept":"no end","unblocked":[]}"#),
            "{json}"
        );
        assert_eq!(lines, ["192.0.2.0/24 is allowed until the run ends, not over a restart: no end"]);
        let all = vec![allowance(Some(at(60_000)), Some("a\u{1b}b c")), allowance(None, None)];
        let (_, lines) = shown(Handled::Allow(AllowDone::Listed(all)));
        let first = format!("192.0.2.0/24 until={until} why=a\\u{{1b}}b\\u{{20}}c");
        assert_eq!(lines, [first, "192.0.2.0/24".to_owned()]);
    }
}
