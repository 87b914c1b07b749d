//! A client's request: one JSON object on a line.
//!
//! `{"v":1,"do":"status"}`. Keys that are not known are ignored; the version changes when that would mislead.

use serde::Deserialize;

/// The version of the protocol.
pub const VERSION: u64 = 1;

/// Maximum length of a request, in bytes, its line end included.
pub const MOST_BYTES: usize = 64 * 1024;

/// Maximum length of a client's word in an error message, in characters.
const MOST_QUOTED: usize = 64;

/// What a client wants to know, and how it is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// What it wants to know.
    pub topic: Topic,
    /// How it is to be written.
    pub form: Form,
}

/// What can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// The counters, and how the service stands.
    Status,
    /// The open episodes.
    Episodes,
}

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// As the objects of `--json`.
    #[default]
    Json,
    /// As lines for people, each a string.
    Text,
}

/// Why a request has no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// A word for programs.
    pub code: &'static str,
    /// A sentence for people.
    pub error: String,
}

#[derive(Deserialize)]
struct Raw {
    v: u64,
    #[serde(rename = "do")]
    topic: String,
    form: Option<String>,
}

impl Request {
    /// Parses a line, with or without its end.
    ///
    /// # Errors
    ///
    /// It is no request, one of another version, or asks for something else.
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
        let topic = Topic::ALL.into_iter().find(|topic| topic.name() == raw.topic);
        let topic = topic.ok_or_else(|| unknown("do", &raw.topic, &Topic::ALL.map(Topic::name)))?;
        let form = raw.form.as_deref().unwrap_or(Form::default().name());
        let form = Form::ALL.into_iter().find(|known| known.name() == form);
        let form = form.ok_or_else(|| {
            unknown("form", raw.form.as_deref().unwrap_or_default(), &Form::ALL.map(Form::name))
        })?;
        Ok(Self { topic, form })
    }

    /// The request as a line.
    #[must_use]
    pub fn line(self) -> String {
        format!("{{\"v\":{VERSION},\"do\":\"{}\",\"form\":\"{}\"}}\n", self.topic.name(), self.form.name())
    }
}

impl Topic {
    /// All topics.
    pub const ALL: [Self; 2] = [Self::Status, Self::Episodes];

    /// Its name in a request, and of its part of the answer.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Episodes => "episodes",
        }
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
    /// Of a request that is longer than [`MOST_BYTES`].
    pub(super) fn too_long() -> Self {
        Self { code: "too-long", error: format!("a request has {MOST_BYTES} bytes at most") }
    }
}

fn unknown(key: &str, value: &str, known: &[&str]) -> Refusal {
    let error = format!("{key} {:?}: not one of {}", cut(value), known.join(", "));
    Refusal { code: "unknown", error }
}

/// The beginning of a text from outside.
fn cut(text: &str) -> String {
    text.chars().take(MOST_QUOTED).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
            assert_eq!(Request::parse(line.as_bytes()), Ok(request), "{line}");
            assert_eq!(Request::parse(request.line().as_bytes()), Ok(request));
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
