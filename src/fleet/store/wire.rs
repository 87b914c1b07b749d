//! What servers answer, made into values. A server may be anything that speaks the protocol: nothing it says is taken
//! for granted.

use redis::Value;

use super::error::StoreFault;
use super::keys;
use super::records::SharedEpisode;
use super::shared::Shared;
use crate::base::time::Timestamp;
use crate::fleet::store::clock::Reading;

/// Another answer than the script gives.
pub(super) fn unexpected(what: &str) -> StoreFault {
    StoreFault::Protocol(what.to_owned())
}

/// The elements of an answer.
pub(super) fn array(value: Value) -> Result<Vec<Value>, StoreFault> {
    match value {
        Value::Array(values) => Ok(values),
        Value::Nil => Ok(Vec::new()),
        _ => Err(unexpected("no list")),
    }
}

/// An element that is a text.
pub(super) fn text(value: Value) -> Result<String, StoreFault> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes).map_err(|_| unexpected("no text")),
        Value::SimpleString(text) => Ok(text),
        Value::Okay => Ok("OK".to_owned()),
        Value::Int(number) => Ok(number.to_string()),
        _ => Err(unexpected("no text")),
    }
}

/// So many texts.
pub(super) fn texts<const N: usize>(value: Value) -> Result<[String; N], StoreFault> {
    let texts = array(value)?.into_iter().map(text).collect::<Result<Vec<_>, _>>()?;
    texts.try_into().map_err(|_| unexpected("another number of texts"))
}

/// Pairs of texts: a hash, or the fields of an entry of a stream.
pub(super) fn pairs(value: Value) -> Result<Vec<(String, String)>, StoreFault> {
    let mut texts = array(value)?.into_iter().map(text);
    let mut pairs = Vec::new();
    while let Some(name) = texts.next() {
        pairs.push((name?, texts.next().ok_or_else(|| unexpected("a name without a value"))??));
    }
    Ok(pairs)
}

/// An episode as the script writes it: limit, first, met, verified, and `gateway=attempts,…`.
pub(super) fn episode(rest: &str, told: &str, clock: Reading, shared: &Shared) -> Option<SharedEpisode> {
    let (tally, source) = keys::parse(rest)?;
    let mut words = told.split(' ');
    let limit = words.next()?.parse().ok()?;
    let mut time = || words.next()?.parse().ok().map(|micros| clock.to_local(micros));
    let (first, met): (Timestamp, Timestamp) = (time()?, time()?);
    let verified = words.next()? == "1";
    let mut gateways: Vec<(String, u64)> = Vec::new();
    for count in words.next().unwrap_or_default().split(',').filter(|count| !count.is_empty()) {
        let (short, attempts) = count.split_once('=')?;
        gateways.push((shared.name(short), attempts.parse().ok()?));
        if gateways.len() > super::gateways::MOST_GATEWAYS {
            return None;
        }
    }
    gateways.sort_by(|(a, more), (b, less)| less.cmp(more).then_with(|| a.cmp(b)));
    Some(SharedEpisode { tally, source, limit, first, met, gateways, verified })
}
