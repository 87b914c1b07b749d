//! The command that makes a page or a digest of a log: `synwatch report`.
//!
//! It is recognised by the first word; a filter expression does not begin with it.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use super::Stop;

/// Makes a page or a digest of JSON logs
///
/// Tells what happened: how many floods, from whom, when, and what became of the attempts. The page is one HTML file
/// that loads nothing and runs no script.
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(
    name = "report",
    override_usage = "synwatch report [OPTIONS] [EVE]...",
    after_help = EXAMPLES,
    max_term_width = 100
)]
pub(crate) struct Report {
    /// Logs that --json has written, plain, gzip or zstd, in any order; "-" is standard input
    ///
    /// Without one it is all files in /var/log/synwatch whose names begin with eve.json.
    #[arg(value_name = "EVE")]
    pub(crate) logs: Vec<PathBuf>,

    /// Write to this file; "-" is standard output
    ///
    /// It is written beside its place and renamed, so that no reader sees a half of it.
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub(crate) output: PathBuf,

    /// What to make
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Html)]
    pub(crate) format: Format,

    /// Leave out what was before this
    ///
    /// A day (2026-11-27) or a time (2026-11-27T15:00, 2026-11-27T15:00:00+01:00); without an offset it is local.
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,

    /// Leave out what was at this time or later
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<String>,

    /// Tell of this whole day: "yesterday", "today", 2026-11-27
    #[arg(long, value_name = "DAY", conflicts_with_all = ["since", "until"])]
    pub(crate) day: Option<String>,

    /// Link to the folders that --report-dir has filled
    ///
    /// Relative to the page; only to those that are there.
    #[arg(long, value_name = "DIR")]
    pub(crate) evidence: Option<PathBuf>,

    /// Show times in UTC instead of local time
    #[arg(long)]
    pub(crate) utc: bool,
}

/// What is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A page.
    Html,
    /// A digest.
    Text,
}

const EXAMPLES: &str = "\
Examples:
  synwatch report -o day.html --day yesterday        a page of yesterday
  synwatch report --day yesterday --format text      a digest for a mail
  synwatch report eve.json* -o all.html --utc        a page of these logs";

impl Report {
    /// Parses the arguments, beginning with the program's name, if they are this command.
    ///
    /// # Errors
    /// Help was requested, or the arguments are invalid.
    pub(crate) fn read(
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Result<Option<Self>, Stop> {
        let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
        if arguments.get(1).is_none_or(|word| word != "report") {
            return Ok(None);
        }
        Self::try_parse_from(&arguments[1..]).map(Some).map_err(|error| Stop(Box::new(error)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &str) -> Result<Option<Report>, Stop> {
        Report::read(std::iter::once("synwatch").chain(arguments.split_whitespace()))
    }

    #[test]
    fn the_first_word_selects_it() {
        let report = read("report a b.gz -o day.html --since 2026-11-27 --utc").unwrap().unwrap();
        assert_eq!(report.logs, [PathBuf::from("a"), PathBuf::from("b.gz")]);
        assert_eq!(
            (report.output, report.format, report.utc),
            (PathBuf::from("day.html"), Format::Html, true)
        );
        let digest = read("report --day yesterday --format text").unwrap().unwrap();
        assert_eq!((digest.day.as_deref(), digest.format), (Some("yesterday"), Format::Text));
        assert_eq!(digest.output, PathBuf::from("-"));
        for other in ["", "-i eth0 report", "reports", "status"] {
            assert_eq!(read(other).unwrap(), None, "{other}");
        }
        for wrong in ["report --day today --since 2026-11-27", "report --format pdf", "report -o"] {
            assert!(read(wrong).unwrap_err().is_wrong_usage(), "{wrong}");
        }
    }
}
