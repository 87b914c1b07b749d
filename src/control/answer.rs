//! The answers, each one line of JSON.

use serde::ser::{Serialize, SerializeMap as _, Serializer};

use super::records::Told;
use super::request::{Form, Refusal, VERSION};
use super::snapshot::TopSnapshot;
use super::status::Status;
use crate::base::zone::Zone;
use crate::detect::OpenEpisodes;
use crate::report::{AlertRecord, line_of};

/// The answer to `status`.
pub(super) fn status(status: &Status, form: Form) -> Vec<u8> {
    match form {
        Form::Json => ok("status", status, None, None),
        Form::Text => ok("status", &status.lines(), None, None),
    }
}

/// The answer to `episodes`.
pub(super) fn episodes(open: &OpenEpisodes, form: Form, zone: &Zone) -> Vec<u8> {
    let reports = open.reports.iter();
    match form {
        Form::Json => {
            let records: Vec<_> = reports.map(|alert| AlertRecord::new(alert, zone)).collect();
            ok("episodes", &records, Some(open.others), None)
        }
        Form::Text => {
            let lines: Vec<_> = reports.map(|alert| line_of(alert, zone)).collect();
            ok("episodes", &lines, Some(open.others), None)
        }
    }
}

/// The answer to what concerns blocks, allowances and the fleet.
pub(super) fn told(name: &str, told: &Told, form: Form) -> Vec<u8> {
    match (form, &told.json) {
        (Form::Text, _) => ok(name, &told.lines, told.others, told.note.as_deref()),
        (Form::Json, Ok(json)) => ok(name, json, told.others, told.note.as_deref()),
        (Form::Json, Err(error)) => {
            log::error!("cannot write an answer as JSON: {error}");
            vec![b'\n']
        }
    }
}

/// The answer to `top`.
pub(super) fn top(snapshot: &TopSnapshot) -> Vec<u8> {
    ok("top", snapshot, None, None)
}

/// The answer to what cannot be answered.
pub(super) fn refusal(refusal: &Refusal) -> Vec<u8> {
    line(|map| {
        map.serialize_entry("ok", &false)?;
        map.serialize_entry("error", &refusal.error)?;
        map.serialize_entry("code", refusal.code)
    })
}

fn ok(name: &str, value: &impl Serialize, others: Option<usize>, note: Option<&str>) -> Vec<u8> {
    line(|map| {
        map.serialize_entry("ok", &true)?;
        map.serialize_entry(name, value)?;
        others.map_or(Ok(()), |others| map.serialize_entry("others", &others))?;
        note.map_or(Ok(()), |note| map.serialize_entry("note", note))
    })
}

type Map<'a> = <&'a mut serde_json::Serializer<&'a mut Vec<u8>> as Serializer>::SerializeMap;

/// A line with these entries. Writing to memory does not fail, and all that is written has a form in JSON.
fn line(entries: impl FnOnce(&mut Map<'_>) -> serde_json::Result<()>) -> Vec<u8> {
    let mut line = Vec::new();
    let mut serializer = serde_json::Serializer::new(&mut line);
    let written = serializer.serialize_map(None).and_then(|mut map| {
        map.serialize_entry("v", &VERSION)?;
        entries(&mut map)?;
        map.end()
    });
    if let Err(error) = written {
        log::error!("cannot write an answer as JSON: {error}");
        line.clear();
    }
    line.push(b'\n');
    line
}
