//! `synwatch blocked` and `synwatch unblock` where no service does it: the kernel's table outlasts the service, and so
//! does what it blocks.

use ipnet::IpNet;
use serde::Serialize;

use crate::act::{Blocked, Nft, NftError, Standing, Target};
use crate::base::time::Timestamp;
use crate::base::zone::Zone;
use crate::capture;
use crate::control::{BlockRecord, Change, Form, Reply, Request, TargetRecord, Topic, unblocked_lines};
use crate::engine::subject::Source;

/// Does what the request asks for, if that needs no service.
pub(super) fn run(request: &Request) -> Option<Result<Reply, NftError>> {
    match &request.topic {
        Topic::Blocked => Some(blocked(request.form)),
        Topic::Change(Change::Unblock { network }) => Some(unblock(*network, request.form)),
        _ => None,
    }
}

fn blocked(form: Form) -> Result<Reply, NftError> {
    let (now, zone) = (capture::now(), Zone::local());
    let blocked = Nft::find()?.blocked()?;
    let records: Vec<_> =
        blocked.iter().map(|blocked| BlockRecord::new(&standing(blocked, now), &zone)).collect();
    Ok(match form {
        Form::Text => reply(records.iter().map(|record| record.line().to_owned())),
        Form::Json => reply(records.iter().map(json)),
    })
}

fn unblock(network: Option<IpNet>, form: Form) -> Result<Reply, NftError> {
    let unblocked = Nft::find()?.unblock(network)?;
    match (network, form) {
        (Some(network), _) if unblocked.is_empty() => Err(NftError::Other(format!(
            "{} is not blocked (synwatch blocked lists what is)",
            Source(network)
        ))),
        (_, Form::Text) => Ok(reply(unblocked_lines(&unblocked))),
        (_, Form::Json) => Ok(reply(unblocked.iter().map(TargetRecord::new).map(|record| json(&record)))),
    }
}

fn standing(blocked: &Blocked, now: Timestamp) -> Standing {
    let Blocked { target: Target { network, to }, time, left } = *blocked;
    let since = time.zip(left).map(|(time, left)| now.before(time.saturating_sub(left)));
    Standing { target: Target { network, to }, since, time, left, reason: None, is_effective: None }
}

fn reply(lines: impl Iterator<Item = String>) -> Reply {
    Reply { lines: lines.collect(), ..Reply::default() }
}

/// All of it has a form in JSON.
fn json(record: &impl Serialize) -> String {
    serde_json::to_string(record).unwrap_or_default()
}
