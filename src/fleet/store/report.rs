//! Publishing attempts, and what comes of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use super::clock::{self, Reading};
use super::error::{StoreError, StoreFault};
use super::records::{Answer, Report, SharedEpisode, Verdict};
use super::scripts::Script;
use super::shared::Shared;
use super::tally::Tally;
use super::{Store, wire};

/// The most attempts of one request: it keeps the server busy for 10 ms, and no other gateway waits longer.
const MOST_ATTEMPTS: usize = 512;
/// The most sources of one request, for the same reason.
const MOST_SOURCES: usize = 128;
/// The most episodes that are listed.
const MOST_EPISODES: usize = 1_000;

/// A part of a report, for one request.
struct Part<'a> {
    /// The report's place.
    report: usize,
    key: String,
    tally: &'a Arc<Tally>,
    packed: Vec<u8>,
}

impl Store {
    /// Publishes attempts. Returns a verdict for each report, in the same order.
    ///
    /// What fails can be published again: an attempt counts once, however often it is published.
    pub fn report(&mut self, reports: &[Report]) -> Vec<Verdict> {
        self.report_at(reports, 0)
    }

    /// As [`Store::report`], with attempts by the clock of a server whose time is this, in microseconds: for tests alone.
    /// 0 is the server's own clock.
    #[doc(hidden)]
    pub fn report_at(&mut self, reports: &[Report], now: u64) -> Vec<Verdict> {
        let mut by_server: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (place, report) in reports.iter().enumerate() {
            let server = self.shared.access.servers.of(&report.source.to_string());
            by_server.entry(server).or_default().push(place);
        }
        let mut verdicts = vec![Verdict::Below; reports.len()];
        for (server, places) in by_server {
            if let Err(error) = self.report_to(server, reports, &places, now, &mut verdicts) {
                // Some may have arrived. The others fail, and to publish the former again does no harm.
                for place in places {
                    let verdict = &mut verdicts[place];
                    if *verdict == Verdict::Below {
                        *verdict = Verdict::Failed(Arc::clone(&error));
                    }
                }
            }
        }
        verdicts
    }

    fn report_to(
        &mut self,
        server: usize,
        reports: &[Report],
        places: &[usize],
        now: u64,
        verdicts: &mut [Verdict],
    ) -> Result<(), Arc<StoreError>> {
        let clock = self.ready(server)?;
        let clock = if now == 0 { clock } else { clock.level() };
        let mut parts: Vec<Part<'_>> = Vec::new();
        let mut attempts = 0;
        for &place in places {
            let report = &reports[place];
            let mut chunks = report.attempts.chunks(MOST_ATTEMPTS).peekable();
            let mut more = report.more;
            loop {
                let chunk = chunks.next().unwrap_or_default();
                if !parts.is_empty()
                    && (parts.len() == MOST_SOURCES || attempts + chunk.len() > MOST_ATTEMPTS)
                {
                    self.send(server, &parts, now, clock, verdicts)?;
                    parts.clear();
                    attempts = 0;
                }
                attempts += chunk.len();
                let mut packed = vec![0; 2];
                packed.extend(more.to_be_bytes());
                packed.extend(report.number.to_be_bytes());
                for attempt in chunk {
                    packed.extend(clock::micros_of(attempt.time).to_be_bytes());
                    packed.extend(attempt.mark.to_be_bytes());
                    packed.extend(attempt.port.to_be_bytes());
                    packed.push(u8::from(attempt.proven) | u8::from(attempt.known) << 1);
                }
                let key = self.shared.keys.attempts(report.tally.id(), report.source);
                parts.push(Part { report: place, key, tally: &report.tally, packed });
                more = 0;
                if chunks.peek().is_none() {
                    break;
                }
            }
        }
        if parts.is_empty() { Ok(()) } else { self.send(server, &parts, now, clock, verdicts) }
    }

    /// One request.
    fn send(
        &mut self,
        server: usize,
        parts: &[Part<'_>],
        now: u64,
        clock: Reading,
        verdicts: &mut [Verdict],
    ) -> Result<(), Arc<StoreError>> {
        let shared = Arc::clone(&self.shared);
        let mut tallies: Vec<&Arc<Tally>> = Vec::new();
        let packed: Vec<Vec<u8>> = parts.iter().map(|part| with_tally(part, &mut tallies)).collect();
        let specifications: Vec<[String; 4]> = tallies.iter().map(|tally| specification(tally)).collect();
        let numbers =
            [now.to_string(), clock.ahead.to_string(), self.others.run.clone(), tallies.len().to_string()];
        let short = shared.access.gateway.short();
        let mut arguments: Vec<&[u8]> = vec![&short, shared.access.gateway.as_str().as_bytes()];
        arguments.extend(numbers.iter().map(String::as_bytes));
        arguments.extend(specifications.iter().flatten().map(String::as_bytes));
        arguments.extend(packed.iter().map(Vec::as_slice));
        let mut keys: Vec<&str> = parts.iter().map(|part| part.key.as_str()).collect();
        keys.extend([&*shared.keys.episodes, &*shared.keys.log]);
        let answer = self.run(server, Script::Report, &keys, &arguments)?;
        let wrong = |fault| shared.error(server, fault);
        let answers = wire::array(answer).map_err(wrong)?;
        if answers.len() != parts.len() {
            return Err(wrong(wire::unexpected("another number of verdicts")));
        }
        for (part, answer) in parts.iter().zip(answers) {
            let told = wire::text(answer).map_err(wrong)?;
            let prefix = shared.keys.prefix().len() + "c:".len();
            let verdict = verdict(&told, |told| wire::episode(&part.key[prefix..], told, clock, &shared));
            let verdict = verdict.ok_or_else(|| wrong(wire::unexpected(&told)))?;
            let old = &mut verdicts[part.report];
            // A later part of the same report finds the episode open that an earlier one opened.
            *old = match (&*old, verdict) {
                (Verdict::Met(_), Verdict::Open(episode)) => Verdict::Met(episode),
                (_, verdict) => verdict,
            };
        }
        Ok(())
    }

    /// The open episodes of the fleet, those first that end last, at most 1,000 of each server; and how many
    /// there are.
    pub fn episodes(&mut self) -> Answer<(Vec<SharedEpisode>, u64)> {
        let mut answer = Answer { value: (Vec::new(), 0), failed: Vec::new() };
        for server in 0..self.links.len() {
            match self.episodes_of(server) {
                Ok((mut episodes, all)) => {
                    answer.value.0.append(&mut episodes);
                    answer.value.1 += all;
                }
                Err(error) => answer.failed.push(error),
            }
        }
        answer
    }

    fn episodes_of(&mut self, server: usize) -> Result<(Vec<SharedEpisode>, u64), Arc<StoreError>> {
        let clock = self.ready(server)?;
        let shared = Arc::clone(&self.shared);
        let most = MOST_EPISODES.to_string();
        let arguments: [&[u8]; 2] = [shared.keys.prefix().as_bytes(), most.as_bytes()];
        let answer = self.run(server, Script::Episodes, &[&shared.keys.episodes], &arguments)?;
        open_episodes(answer, clock, &shared).map_err(|fault| shared.error(server, fault))
    }
}

/// The open episodes of an answer, and how many there are.
pub(super) fn open_episodes(
    answer: redis::Value,
    clock: Reading,
    shared: &Shared,
) -> Result<(Vec<SharedEpisode>, u64), StoreFault> {
    let mut values = wire::array(answer)?.into_iter();
    let all = values.next().map(wire::text).transpose()?.and_then(|all| all.parse().ok());
    let all = all.ok_or_else(|| wire::unexpected("no number of episodes"))?;
    let pairs = wire::pairs(redis::Value::Array(values.collect()))?;
    let episodes = pairs.iter().filter_map(|(rest, told)| wire::episode(rest, told, clock, shared));
    Ok((episodes.take(MOST_EPISODES).collect(), all))
}

/// What is sent of a part, with the number of its tally.
fn with_tally<'a>(part: &Part<'a>, tallies: &mut Vec<&'a Arc<Tally>>) -> Vec<u8> {
    let known = tallies.iter().position(|tally| tally.id() == part.tally.id());
    let number = known.unwrap_or_else(|| {
        tallies.push(part.tally);
        tallies.len() - 1
    });
    let mut packed = part.packed.clone();
    // A request has at most MOST_SOURCES tallies.
    packed[..2].copy_from_slice(&u16::try_from(number).unwrap_or(u16::MAX).to_be_bytes());
    packed
}

/// A tally as the script reads it.
fn specification(tally: &Tally) -> [String; 4] {
    let mut limits = String::new();
    for (place, limit) in tally.limits() {
        // Writing to memory does not fail.
        let _ = write!(limits, "{place}:{}:{},", limit.attempts, limit.window.as_micros());
    }
    let keep = (tally.window() + Tally::SLACK).as_micros();
    let quiet = (tally.quiet() + Tally::SLACK).as_millis();
    [limits, keep.to_string(), quiet.to_string(), tally.announced_again().as_micros().to_string()]
}

/// The verdict that the script gives.
pub(super) fn verdict(told: &str, episode: impl Fn(&str) -> Option<SharedEpisode>) -> Option<Verdict> {
    match told.split_once(' ') {
        None if told.is_empty() => Some(Verdict::Below),
        Some(("met", told)) => episode(told).map(Verdict::Met),
        Some(("open", told)) => episode(told).map(Verdict::Open),
        _ => None,
    }
}
