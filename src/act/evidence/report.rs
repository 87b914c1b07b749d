//! `report.txt`: the report for people, as an abuse desk asks for it.
//!
//! Texts from outside are escaped; lines are no longer than in a mail.

use std::fmt::{self, Write as _};

use super::case::{Case, PACKETS};
use super::layout::{list, row, wrapped};
use super::reporter::Reporter;
use crate::base::time::Timestamp;
use crate::base::units;
use crate::base::zone::Zone;
use crate::detect::alert::{Alert, Ended, State};
use crate::engine::attempt::Before;
use crate::engine::episodes::{Addresses, Ports};
use crate::engine::outcome::{Outcome, Proof};
use crate::engine::subject::Kind;
use crate::report::{Elapsed, Escaped, Rate};

/// The contents of a report.
#[derive(Clone, Copy)]
pub(super) struct Report<'a> {
    pub(super) case: &'a Case,
    /// The episode's last report.
    pub(super) end: &'a Alert,
    /// The address to write to, from the zone of abuse contacts.
    pub(super) contact: Option<&'a str>,
    pub(super) reporter: Option<&'a Reporter>,
    pub(super) zone: &'a Zone,
}

/// A time in UTC, to the millisecond.
pub(super) fn utc(time: Timestamp) -> String {
    Zone::utc().text(time).to_string()
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.end.verified {
            Proof::Yes => {}
            Proof::Wire => f.write_str(WIRE)?,
            Proof::None => f.write_str(FORGED)?,
        }
        let title = format!("Connection flood from {}", self.end.source);
        writeln!(f, "{title}\n{}\n", "=".repeat(title.len()))?;
        self.write_source(f)?;
        self.write_times(f)?;
        self.write_counts(f)?;
        self.write_attempts(f)?;
        self.write_notes(f)
    }
}

const FORGED: &str = "\
WARNING: THE SOURCE ADDRESS IS NOT VERIFIED. IT MAY BE FORGED.
Anybody can send such packets in the name of somebody else. The attempts that
prove that the source received an answer meet no limit alone. Do not block or
accuse anybody because of this report alone.

";

const WIRE: &str = "\
WARNING: THE SOURCE ADDRESS IS VERIFIED BY LINK-LAYER ADDRESSES ALONE.
Any host on the segment where this was captured can forge these. Do not block
or accuse anybody because of this report alone.

";

impl Report<'_> {
    fn write_source(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let about = &self.end.about;
        row(f, "Source", &self.end.source.to_string())?;
        if let Some(name) = &about.name {
            row(f, "Name", &format!("{} (reverse DNS)", Escaped::message(name)))?;
        }
        let system = about.system.map(|number| format!("AS{number}"));
        let organisation = about.organisation.as_deref().map(|name| Escaped::message(name).to_string());
        let country = about.country.as_deref().map(|code| Escaped::message(code).to_string());
        let network: Vec<_> = [system, organisation, country].into_iter().flatten().collect();
        if !network.is_empty() {
            row(f, "Network", &network.join(", "))?;
        }
        if let Some(contact) = self.contact {
            row(f, "Abuse contact", &format!("{} (abuse-contacts.abusix.zone)", Escaped::message(contact)))?;
        }
        if let Some(reporter) = self.reporter {
            row(f, "Reported by", &Escaped::message(&reporter.to_string()).to_string())?;
        }
        self.write_hosts(f)?;
        row(f, "Verified", &self.verified())?;
        f.write_char('\n')
    }

    /// Writes the number and the addresses of the hosts, if the source is several.
    fn write_hosts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Alert { hosts, hosts_estimate, within, .. } = self.end;
        let Some(estimate) = hosts_estimate else { return Ok(()) };
        let about = if hosts.others > 0 || self.end.kind != Kind::Source { "about " } else { "" };
        let number = (*estimate).max(hosts.kept.len() as u64);
        row(f, "Hosts", &format!("{about}{number}: {}", addresses(hosts)))?;
        if !within.kept.is_empty() {
            let own: Vec<_> = within.kept.iter().map(ToString::to_string).collect();
            let more = if within.others > 0 { format!(" and {} more", within.others) } else { String::new() };
            row(f, "Not counted", &format!("{}{more}, which have a report of their own", own.join(", ")))?;
        }
        Ok(())
    }

    fn verified(&self) -> String {
        let (attempts, proven, limit) = (self.end.attempts, self.end.proven(), self.end.limit);
        match self.end.verified {
            Proof::Yes => format!(
                "yes: {proven} of {attempts} attempts prove the source's address. In each it acknowledged a number that \
                 only a receiver of the server's answer can know. They alone meet a limit."
            ),
            Proof::Wire => format!(
                "by link-layer addresses alone: {proven} of {attempts} attempts prove the source's address, unless a \
                 host on the segment forged both directions."
            ),
            Proof::None => format!(
                "NO: {proven} of {attempts} attempts prove the source's address, too few to meet a limit ({limit}) \
                 alone. The address may be forged."
            ),
        }
    }

    fn write_times(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { case, end, .. } = self;
        for (label, time) in [
            ("First attempt", end.first_seen),
            ("Limit met", case.start.time),
            ("Last attempt", end.last_seen),
        ] {
            let [utc, local] = [utc(time), self.zone.text(time).to_string()];
            row(f, label, &if utc == local { utc } else { format!("{utc} = {local}") })?;
        }
        let ended = match end.state {
            State::End(Ended::Quiet) => "no limit was met for the quiet time",
            State::End(Ended::Clock) => "not seen: the clock of the capture was set back",
            State::End(Ended::Reload) => "not seen: the configuration has changed",
            State::End(Ended::Room) => "not seen: the episode gave way to one of a higher rank",
            State::End(Ended::Capture) | State::Start | State::Update => "not seen: the capture ended",
        };
        row(f, "End", ended)?;
        f.write_char('\n')
    }

    fn write_counts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.end;
        row(
            f,
            "Attempts",
            &format!("{} TCP connections (SYN) in {}", end.attempts, Elapsed(end.duration())),
        )?;
        let mean = end.rate().filter(|rate| rate.is_finite());
        let mean = mean.map_or_else(|| "not known".to_owned(), |rate| Rate(rate).to_string());
        let most = Some(end.peak).filter(|rate| rate.is_finite());
        let most = most.map_or_else(|| "not known".to_owned(), |rate| Rate(rate).to_string());
        let in_a_row = end.limit.attempts;
        row(f, "Rate", &format!("{mean} on average; {most} at most, over {in_a_row} in a row"))?;
        row(f, "Limit", &format!("{} (watch {})", end.limit, Escaped::message(&end.watch)))?;
        row(f, "Destinations", &addresses(&end.destinations))?;
        row(f, "Ports", &ports(&end.ports))?;
        for (outcome, count) in end.outcomes.iter().filter(|(_, count)| *count > 0) {
            row(f, "Outcome", &format!("{count} {outcome}: {}", meaning(outcome)))?;
        }
        row(
            f,
            "Bytes",
            &format!("{} from the source, {} to it, in connections that closed", end.sent, end.received),
        )?;
        if end.copies + end.retransmissions > 0 {
            let (copies, again) = (end.copies, end.retransmissions);
            row(f, "Not counted", &format!("{copies} copies of packets, {again} retransmissions"))?;
        }
        if let Some(time) = end.blocked {
            row(f, "Blocked", &format!("here, for {}", units::Span(time)))?;
        }
        if !end.losses.is_zero() {
            row(f, "Lost", "some packets were lost meanwhile (of all sources): the counts are too low")?;
        }
        f.write_char('\n')
    }

    fn write_attempts(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let case = self.case;
        let (outcome, what) = match self.end.limit.outcome {
            Some(outcome) => (format!("{outcome} "), "when that showed"),
            None => (String::new(), "what had become of it by then"),
        };
        let (listed, all) = (case.before.len(), usize::from(self.end.limit.attempts));
        let of = if listed < all { format!("last {listed} of the {all}") } else { listed.to_string() };
        writeln!(f, "The {of} {outcome}attempts that met the limit (UTC, destination port,\n{what}):\n")?;
        for Before { time, port, code } in &case.before {
            let (outcome, ..) = code.life();
            writeln!(f, "  {}  port {port:<5}  {outcome}", utc(*time))?;
        }
        list(f, "The first attempts after that", &case.first)?;
        list(f, "The last attempts", case.last())
    }

    fn write_notes(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Case { seen, packets, not_logged, .. } = self.case;
        let mut notes = format!(
            "evidence.pcapng holds the headers of the first {} of the {seen} attempts after the limit was met ({PACKETS} at \
             most), and none before it.",
            packets.len(),
        );
        if *not_logged > 0 {
            let _ = write!(notes, " {not_logged} further attempts came too fast to be listed here.");
        }
        let _ = write!(
            notes,
            " Times are those of the packets, by the clock of the host that captured them. An attempt is a TCP segment \
             with SYN set and ACK clear; retransmissions do not count. Written by synwatch {}, which sends nothing to \
             anybody.",
            env!("CARGO_PKG_VERSION")
        );
        f.write_char('\n')?;
        wrapped(f, 0, 0, &notes)
    }
}

fn meaning(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Silent => "connected, and closed without a byte from the source",
        Outcome::Spoke => "connected, and closed after bytes from the source",
        Outcome::Open => "connected, and not closed when this was written",
        Outcome::Refused => "refused by the server",
        Outcome::HalfOpen => "answered by the server, not acknowledged by the source",
        Outcome::Unanswered => "not answered by the server",
        Outcome::Pending => "too early to say",
        Outcome::Unknown => "not to be told",
    }
}

fn addresses(addresses: &Addresses) -> String {
    let kept: Vec<_> = addresses.kept.iter().map(ToString::to_string).collect();
    match addresses.others {
        0 => kept.join(", "),
        others => format!("{}, and others in {others} attempts", kept.join(", ")),
    }
}

fn ports(ports: &Ports) -> String {
    let mut counts: Vec<_> = ports.counts.iter().map(|(port, count)| format!("{port}: {count}")).collect();
    if ports.others > 0 {
        counts.push(format!("others: {}", ports.others));
    }
    counts.join(", ")
}
