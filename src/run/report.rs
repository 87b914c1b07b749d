//! `synwatch report`: reads logs into a chronicle and makes a page or a digest of it.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use jiff::civil::{Date, DateTime};

use crate::base::replacement::Replacement;
use crate::base::time::Timestamp;
use crate::base::zone::Zone;
use crate::chronicle::{Chronicle, Log, Period};
use crate::cli::{Format, Report};
use crate::error::Cause;
use crate::exit_code::ExitCode;
use crate::picture::{Evidence, Story, digest, offset, page};

/// The folder of the service's logs, and the form of their names.
const FOLDER: &str = "/var/log/synwatch";
const NAME: &str = "eve.json";
/// Maximum number of damaged lines that are named.
const NAMED: u64 = 20;

/// Runs the command; `say` prints errors.
pub(super) fn run(command: &Report, say: &dyn Fn(&dyn Display)) -> ExitCode {
    let zone = if command.utc { Zone::utc() } else { Zone::local() };
    let period = match period(command, &zone) {
        Ok(period) => period,
        Err(error) => {
            say(&error);
            return ExitCode::Usage;
        }
    };
    match make(command, &zone, period, say) {
        Ok(true) => ExitCode::Done,
        Ok(false) => ExitCode::Failure,
        Err(error) => {
            say(&error);
            ExitCode::Failure
        }
    }
}

/// Makes the page or digest. Returns whether all logs could be read.
fn make(command: &Report, zone: &Zone, period: Period, say: &dyn Fn(&dyn Display)) -> Result<bool, String> {
    // An output that cannot be written is reported before minutes of reading.
    let output = match command.output == Path::new("-") {
        true => None,
        false => Some(Replacement::create(&command.output).map_err(|error| unwritten(command, &error))?),
    };
    let evidence = match &command.evidence {
        None => None,
        Some(dir) => {
            let from = command.output.parent().unwrap_or(Path::new("."));
            let evidence = Evidence::new(dir, from);
            Some(evidence.map_err(|error| format!("cannot read {dir:?}: {} (--evidence)", Cause(&error)))?)
        }
    };
    let logs = if command.logs.is_empty() { own_logs()? } else { command.logs.clone() };
    let mut faults = 0;
    let mut fault = |what: &dyn Display| {
        faults += 1;
        if faults <= NAMED {
            say(what);
        }
    };
    let log = Log::open(&logs, |error| fault(&error));
    if log.is_empty() {
        return Ok(false);
    }
    let begin = period.since.or(log.starts()).unwrap_or_default();
    let mut chronicle = Chronicle::new(period, offset(begin, zone));
    log.read(&mut chronicle, |damaged| fault(&damaged));
    if faults > NAMED {
        say(&format!("{} more lines are damaged", faults - NAMED));
    }
    let story = Story { chronicle: &chronicle, zone, evidence: evidence.as_ref() };
    let text = match command.format {
        Format::Html => page(&story),
        Format::Text => digest(&story),
    };
    match output {
        Some(output) => output.finish(text.as_bytes()).map_err(|error| unwritten(command, &error))?,
        // A closed stream is not a failure.
        None => _ = io::stdout().write_all(text.as_bytes()),
    }
    Ok(faults == 0)
}

fn unwritten(command: &Report, error: &io::Error) -> String {
    format!("cannot write {:?}: {}", command.output, Cause(error))
}

/// The logs of the service.
fn own_logs() -> Result<Vec<PathBuf>, String> {
    let none =
        |why: &dyn Display| format!("cannot read logs in {FOLDER:?}: {why} (name them: synwatch report EVE)");
    let entries = std::fs::read_dir(FOLDER).map_err(|error| none(&Cause(&error)))?;
    let is_log = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(NAME.as_bytes()))
    };
    let mut logs: Vec<_> = entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_log).collect();
    logs.sort();
    if logs.is_empty() { Err(none(&"no file there begins with eve.json")) } else { Ok(logs) }
}

/// The period of the report.
fn period(command: &Report, zone: &Zone) -> Result<Period, String> {
    let moment = |option: &str, text: &Option<String>| {
        let wrong = |text: &String| {
            format!(
                "--{option} {text:?}: no day or time (2026-11-27, 2026-11-27T15:00, 2026-11-27T15:00:00+01:00)"
            )
        };
        text.as_ref().map(|text| time(text, zone).ok_or_else(|| wrong(text))).transpose()
    };
    let period = match &command.day {
        Some(text) => {
            let day = day(text, zone)
                .ok_or_else(|| format!("--day {text:?}: no day (yesterday, today, 2026-11-27)"))?;
            let next = day.tomorrow().map_err(|_| format!("--day {text:?}: there is no day after it"))?;
            let midnight = |day: Date| zone.instant(DateTime::from(day));
            Period { since: midnight(day), until: midnight(next) }
        }
        None => Period { since: moment("since", &command.since)?, until: moment("until", &command.until)? },
    };
    match (period.since, period.until) {
        (Some(since), Some(until)) if since >= until => {
            Err("--until is not after --since (exchange them)".to_owned())
        }
        _ => Ok(period),
    }
}

fn day(text: &str, zone: &Zone) -> Option<Date> {
    let today = || zone.date(jiff::Timestamp::now());
    match text {
        "today" => Some(today()),
        "yesterday" => today().yesterday().ok(),
        _ => text.parse().ok(),
    }
}

/// A time with an offset, else a local time, else the begin of a local day.
fn time(text: &str, zone: &Zone) -> Option<Timestamp> {
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return i64::try_from(time.as_nanosecond()).ok().map(Timestamp::from_nanos);
    }
    let local = text.parse::<DateTime>().ok().or_else(|| text.parse::<Date>().ok().map(DateTime::from));
    zone.instant(local?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_local_unless_it_has_an_offset() {
        let tokyo = crate::report::sample::tokyo();
        let shown = |text: &str| time(text, &tokyo).map(|time| Zone::utc().text(time).to_string());
        for (text, expected) in [
            ("2026-11-27", Some("2026-11-26T15:00:00.000+00:00")),
            ("2026-11-27T15:00", Some("2026-11-27T06:00:00.000+00:00")),
            ("2026-11-27 15:00:01", Some("2026-11-27T06:00:01.000+00:00")),
            ("2026-11-27T15:00:00+01:00", Some("2026-11-27T14:00:00.000+00:00")),
            ("2026-11-27T15:00:00Z", Some("2026-11-27T15:00:00.000+00:00")),
            ("2026-13-27", None),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(shown(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_day_lasts_from_midnight_to_midnight_also_where_the_clock_changes() {
        let berlin = Zone::from(jiff::tz::TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap());
        for (day, hours) in [("2026-03-29", 23), ("2026-10-25", 25), ("2026-11-27", 24)] {
            let command = ["report", "--day", day].map(str::to_owned);
            let command =
                Report::read(std::iter::once("synwatch".to_owned()).chain(command)).unwrap().unwrap();
            let Period { since, until } = period(&command, &berlin).unwrap();
            assert_eq!(until.unwrap().since(since.unwrap()).as_secs(), hours * 3_600, "{day}");
        }
    }
}
