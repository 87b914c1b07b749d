//! A client's request: one JSON object on a line.
//!
//! `{"v":1,"do":"status"}`. Keys that are not known are ignored; the version changes when that would mislead.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::change::Change;
use super::fleet::FleetTopic;

use crate::base::units::{self, Span};

/// The version of the protocol.
pub const VERSION: u64 = 1;

/// Maximum length of a request, in bytes, its line end included.
pub const MOST_BYTES: usize = 64 * 1024;

/// Maximum length of a client's word in an error message, in characters.
const MOST_QUOTED: usize = 64;

/// Maximum length of the cause in an error message, which may quote the client, in characters.
pub(super) const MOST_CAUSE: usize = 90;

/// A client's request for data or for a change, and the form of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The subject of the request.
    pub topic: Topic,
    /// The form of the answer.
    pub form: Form,
}

/// The possible subjects of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topic {
    /// The counters and the state of the service.
    Status,
    /// The open episodes.
    Episodes,
    /// The blocks.
    Blocked,
    /// The networks that people have allowed at the socket.
    Allowed,
    /// A change.
    Change(Change),
    /// The gateways of the fleet, what it blocks and allows, or a change of that.
    Fleet(FleetTopic),
    /// The sources closest to a limit, with the open episodes.
    Top(Top),
}

/// The numbers of sources and episodes, and the interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Top {
    /// Maximum number of sources of each watch, and of episodes.
    pub limit: u16,
    /// Interval between snapshots, until the client leaves; `None` means one snapshot.
    pub every: Option<Duration>,
}

impl Default for Top {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Top {
    const DEFAULT: Self = Self { limit: 50, every: None };
    /// Maximum numbers that can be requested.
    pub const MOST: u16 = 500;
    /// Minimum and maximum interval between two snapshots.
    pub const EVERY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));

    fn new(limit: Option<u64>, every: Option<&str>) -> Result<Self, Refusal> {
        let refused = |error: String| Refusal { code: "value", error };
        let limit = limit.map(|limit| {
            let known = u16::try_from(limit).ok().filter(|limit| (1..=Self::MOST).contains(limit));
            known.ok_or_else(|| refused(format!("limit {limit}: not from 1 to {}", Self::MOST)))
        });
        let every = every.map(|text| {
            let (shortest, longest) = Self::EVERY;
            let time = units::duration(text);
            let time =
                time.map_err(|cause| refused(format!("every {:?}: {}", cut(text), cut(&cause.to_string()))))?;
            let is_within = (shortest..=longest).contains(&time);
            let wrong = || format!("every {:?}: not from {} to {}", cut(text), Span(shortest), Span(longest));
            is_within.then_some(time).ok_or_else(|| refused(wrong()))
        });
        Ok(Self { limit: limit.transpose()?.unwrap_or(Self::DEFAULT.limit), every: every.transpose()? })
    }
}

/// The form of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// Objects as in `--json`.
    #[default]
    Json,
    /// Lines for people, each a string.
    Text,
}

/// The reason why a request has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// A code for programs.
    pub code: &'static str,
    /// A sentence for people.
    pub error: String,
}

/// The keys of a request, in the form of JSON.
#[derive(Default, Serialize, Deserialize)]
pub(super) struct Raw {
    v: u64,
    #[serde(rename = "do")]
    pub(super) topic: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) network: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) all: Option<bool>,
    #[serde(rename = "for", skip_serializing_if = "Option::is_none")]
    pub(super) time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) why: Option<String>,
    form: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    every: Option<String>,
}

impl Request {
    /// Parses a line, with or without its end.
    ///
    /// # Errors
    ///
    /// It is not a request, it is one of another version, or its subject is unknown.
    pub fn parse(line: &[u8]) -> Result<Self, Refusal> {
        if line.len() > MOST_BYTES {
            return Err(Refusal::too_long());
        }
        let raw: Raw = serde_json::from_slice(line).map_err(|error| Refusal {
            code: "malformed",
            error: format!("no request ({{\"v\":1,\"do\":\"status\"}} is one): {}", cut(&error.to_string())),
        })?;
        if raw.v != VERSION {
            let error = format!("version {} is not spoken here (\"v\":{VERSION})", raw.v);
            return Err(Refusal { code: "version", error });
        }
        let known = Topic::READ.into_iter().find(|topic| topic.name() == raw.topic).map(Ok);
        let change = || Change::parse(&raw.topic, &raw).map(|change| change.map(Topic::Change));
        let fleet = || FleetTopic::parse(&raw).map(|topic| topic.map(Topic::Fleet));
        let known = known.or_else(change).or_else(fleet);
        let topic = known.unwrap_or_else(|| Err(unknown("do", &raw.topic, &Topic::names())))?;
        let form = raw.form.as_deref().unwrap_or(Form::default().name());
        let form = Form::ALL.into_iter().find(|known| known.name() == form);
        let form = form.ok_or_else(|| {
            unknown("form", raw.form.as_deref().unwrap_or_default(), &Form::ALL.map(Form::name))
        })?;
        let topic = match topic {
            Topic::Top(_) => Topic::Top(Top::new(raw.limit, raw.every.as_deref())?),
            other => other,
        };
        if form == Form::Text && matches!(topic, Topic::Top(_)) {
            return Err(unknown("form", form.name(), &[Form::Json.name()]));
        }
        Ok(Self { topic, form })
    }

    /// The request as a line.
    #[must_use]
    pub fn line(&self) -> String {
        let (topic, form) = (self.topic.name().to_owned(), Some(self.form.name().to_owned()));
        let mut raw = Raw { v: VERSION, topic, form, ..Raw::default() };
        match &self.topic {
            Topic::Change(change) => change.fill(&mut raw),
            Topic::Fleet(topic) => topic.fill(&mut raw),
            Topic::Top(Top { limit, every }) => {
                raw.limit = Some((*limit).into());
                raw.every = every.map(|every| Span(every).to_string());
            }
            Topic::Status | Topic::Episodes | Topic::Blocked | Topic::Allowed => {}
        }
        // All of it has a form in JSON.
        serde_json::to_string(&raw).unwrap_or_default() + "\n"
    }
}

impl Topic {
    /// The subjects without a change.
    const READ: [Self; 5] =
        [Self::Status, Self::Episodes, Self::Blocked, Self::Allowed, Self::Top(Top::DEFAULT)];

    /// Its name in a request, and in its part of the answer.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Episodes => "episodes",
            Self::Blocked => "blocked",
            Self::Allowed => "allowed",
            Self::Top(_) => "top",
            Self::Change(change) => change.name(),
            Self::Fleet(topic) => topic.name(),
        }
    }

    fn names() -> Vec<&'static str> {
        Self::READ.iter().map(Self::name).chain(Change::NAMES).chain(FleetTopic::SHORT_NAMES).collect()
    }
}

impl Form {
    const ALL: [Self; 2] = [Self::Json, Self::Text];

    fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Text => "text",
        }
    }
}

impl Refusal {
    /// The error for a request whose part from the detector is late by this much.
    pub(super) fn no_detector(time: Duration) -> Self {
        let error = format!("the detector has not answered for {} s", time.as_secs());
        Self { code: "timeout", error }
    }

    /// The error for a request that is longer than [`MOST_BYTES`].
    pub(super) fn too_long() -> Self {
        Self { code: "too-long", error: format!("a request has {MOST_BYTES} bytes at most") }
    }
}

fn unknown(key: &str, value: &str, known: &[&str]) -> Refusal {
    let error = format!("{key} {:?}: not one of {}", cut(value), known.join(", "));
    Refusal { code: "unknown", error }
}

/// The beginning of a text from outside.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(MOST_QUOTED).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn top_says_how_much_and_how_often() {
        let most = Duration::from_secs(60);
        for (rest, limit, every) in [
            ("", 50, None),
            (r#","limit":1,"every":"500ms""#, 1, Some(Duration::from_millis(500))),
            (r#","limit":500,"every":"1m""#, 500, Some(most)),
            (r#","limit":null,"every":null"#, 50, None),
        ] {
            let line = format!(r#"{{"v":1,"do":"top"{rest}}}"#);
            let request = Request { topic: Topic::Top(Top { limit, every }), form: Form::Json };
            assert_eq!(Request::parse(line.as_bytes()).as_ref(), Ok(&request), "{line}");
            assert_eq!(Request::parse(request.line().as_bytes()), Ok(request));
        }
        let refused =
            |rest: &str| Request::parse(format!(r#"{{"v":1,"do":"top",{rest}}}"#).as_bytes()).unwrap_err();
        for (rest, code, error) in [
            (r#""limit":0"#, "value", "limit 0: not from 1 to 500"),
            (r#""limit":501"#, "value", "limit 501: not from 1 to 500"),
            (r#""every":"499ms""#, "value", "every \"499ms\": not from 500ms to 1m"),
            (r#""every":"61s""#, "value", "every \"61s\": not from 500ms to 1m"),
            (r#""form":"text""#, "unknown", "form \"text\": not one of json"),
        ] {
            assert_eq!(refused(rest), Refusal { code, error: error.to_owned() });
        }
        assert_eq!(refused(r#""every":"soon""#).code, "value");
        assert_eq!(refused(r#""limit":-1"#).code, "malformed");
    }

    fn code(line: &str) -> &'static str {
        Request::parse(line.as_bytes()).unwrap_err().code
    }

    #[test]
    fn a_request_names_a_topic_and_may_name_a_form() {
        use Form::{Json, Text};
        use Topic::{Episodes, Status};
        for (line, topic, form) in [
            (r#"{"v":1,"do":"status"}"#, Status, Json),
            (r#" { "do" : "status" , "v" : 1 } "#, Status, Json),
            (r#"{"v":1,"do":"episodes","form":"text"}"#, Episodes, Text),
            (r#"{"v":1,"do":"episodes","form":"json","later":[{}]}"#, Episodes, Json),
            (r#"{"v":1,"do":"status","form":null}"#, Status, Json),
        ] {
            let request = Request { topic, form };
            assert_eq!(Request::parse(line.as_bytes()).as_ref(), Ok(&request), "{line}");
            assert_eq!(Request::parse(request.line().as_bytes()), Ok(request));
        }
    }

    #[test]
    fn a_change_names_its_network_and_may_name_a_time_and_a_reason() {
        let network = |text: &str| text.parse().unwrap();
        let (hour, why) = (Some(std::time::Duration::from_secs(3_600)), Some("a \"b\"\n".to_owned()));
        for (line, change) in [
            (
                r#"{"v":1,"do":"block","network":"192.0.2.7","for":"1h"}"#,
                Change::Block { network: network("192.0.2.7/32"), time: hour },
            ),
            (
                r#"{"v":1,"do":"block","network":"2001:db8::7/64"}"#,
                Change::Block { network: network("2001:db8::/64"), time: None },
            ),
            (
                r#"{"v":1,"do":"unblock","network":"192.0.2.7","all":false}"#,
                Change::Unblock { network: Some(network("192.0.2.7/32")) },
            ),
            (r#"{"v":1,"do":"unblock","all":true}"#, Change::Unblock { network: None }),
            (
                r#"{"v":1,"do":"allow","network":"192.0.2.0/24","for":"60m","why":"a \"b\"\n"}"#,
                Change::Allow { network: network("192.0.2.0/24"), time: hour, why },
            ),
            (
                r#"{"v":1,"do":"unallow","network":"192.0.2.0/24"}"#,
                Change::Unallow { network: network("192.0.2.0/24") },
            ),
        ] {
            let request = Request { topic: Topic::Change(change), form: Form::Json };
            assert_eq!(Request::parse(line.as_bytes()).as_ref(), Ok(&request), "{line}");
            assert_eq!(Request::parse(request.line().as_bytes()), Ok(request));
        }
    }

    #[test]
    fn a_change_with_a_wrong_value_is_refused_with_key_value_and_cause() {
        let form = "no address or network (192.0.2.1, 192.0.2.0/24, 2001:db8::/32)";
        for (rest, expected) in [
            (r#""do":"block""#, "network is missing".to_owned()),
            (r#""do":"unblock""#, "network is missing".to_owned()),
            (r#""do":"unallow","network":"mx1""#, format!("network \"mx1\": {form}")),
            (
                r#""do":"block","network":"192.0.2.7","for":"8d""#,
                "for \"8d\": not from 1s to 7d, in whole seconds".to_owned(),
            ),
            (
                r#""do":"unblock","network":"192.0.2.7","all":true"#,
                "network and \"all\":true exclude each other (leave one out)".to_owned(),
            ),
        ] {
            let refusal = Request::parse(format!("{{\"v\":1,{rest}}}").as_bytes()).unwrap_err();
            assert_eq!((refusal.code, refusal.error), ("value", expected));
        }
    }

    #[test]
    fn what_is_no_request_has_a_code_that_tells_why() {
        for (line, expected) in [
            ("", "malformed"),
            ("status", "malformed"),
            ("[]", "malformed"),
            (r#"{"v":1}"#, "malformed"),
            (r#"{"do":"status"}"#, "malformed"),
            (r#"{"v":-1,"do":"status"}"#, "malformed"),
            (r#"{"v":1,"v":1,"do":"status"}"#, "malformed"),
            (r#"{"v":1,"do":"status"} {}"#, "malformed"),
            (r#"{"v":2,"do":"status"}"#, "version"),
            (r#"{"v":1,"do":"Status"}"#, "unknown"),
            (r#"{"v":1,"do":"status","form":"xml"}"#, "unknown"),
        ] {
            assert_eq!(code(line), expected, "{line}");
        }
        assert_eq!(Request::parse(b"{\"v\":1,\"do\":\"\xff\"}").unwrap_err().code, "malformed");
    }

    #[test]
    fn a_long_or_deep_request_is_refused_and_its_message_is_short() {
        assert_eq!(code(&" ".repeat(MOST_BYTES + 1)), "too-long");
        assert_eq!(code(&"[".repeat(MOST_BYTES)), "malformed");
        let refusal =
            Request::parse(format!(r#"{{"v":1,"do":"{}"}}"#, "x".repeat(60_000)).as_bytes()).unwrap_err();
        assert!(refusal.code == "unknown" && refusal.error.len() < 200, "{refusal:?}");
    }
}
