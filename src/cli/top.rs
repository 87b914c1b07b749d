//! `synwatch top`: the sources closest to a limit, of the running service, an own capture or a replay.
//!
//! It is recognised by the first word; a filter expression does not begin with it.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{CommandFactory as _, Parser};

use super::{Cli, Stop};
use crate::control::Speed;

/// Shows the sources closest to a limit and the open episodes, live
///
/// It shows the running service. With --interface or --read it captures itself, and reports, writes and blocks nothing.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "synwatch",
    override_usage = "synwatch top [--socket <PATH>] [--once [--json]]
       synwatch top -i <IF>... [OPTIONS]
       synwatch top -r <FILE>... [OPTIONS]",
    disable_help_subcommand = true
)]
pub(crate) struct TopCommand {
    /// The socket of the service
    #[arg(long, value_name = "PATH", default_value = crate::control::PATH, conflicts_with_all = ["interface", "read"])]
    pub(crate) socket: PathBuf,
    /// Capture on this interface, instead (repeatable; needs root)
    #[arg(short, long, value_name = "IF", conflicts_with = "read")]
    pub(crate) interface: Vec<OsString>,
    /// Replay this capture file, instead (repeatable)
    #[arg(short, long, value_name = "FILE")]
    pub(crate) read: Vec<PathBuf>,
    /// How many times as fast as its packets came a replay goes on, or "max"
    ///
    /// From 0.1 to 1000000.
    #[arg(long, value_name = "TIMES", default_value = "1", requires = "read", conflicts_with_all = ["interface", "once"])]
    pub(crate) speed: Speed,
    /// With --interface or --read: the ports to watch, as for synwatch itself
    #[arg(short, long, value_name = "LIST")]
    pub(crate) ports: Option<String>,
    /// With --interface or --read: a limit, as for synwatch itself (repeatable)
    #[arg(short, long, value_name = "N/W[:OUTCOME]")]
    pub(crate) limit: Vec<String>,
    /// Print one picture and exit, of a replay the state at its last packet
    #[arg(long)]
    pub(crate) once: bool,
    /// With --once: print it as one line of JSON
    #[arg(long, requires = "once")]
    pub(crate) json: bool,
}

impl TopCommand {
    /// Parses the arguments, beginning with the program's name, if they are this command.
    ///
    /// # Errors
    /// Help was requested, or the arguments are invalid.
    pub(crate) fn read(
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Result<Option<Self>, Stop> {
        let mut arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
        if arguments.get(1).is_none_or(|word| word != "top") {
            return Ok(None);
        }
        arguments.remove(1);
        let stop = |error| Stop(Box::new(error));
        let top = Self::try_parse_from(arguments).map_err(stop)?;
        if !top.is_own() && (top.ports.is_some() || !top.limit.is_empty()) {
            let why =
                "--ports and --limit are those of a service that runs (add --interface IF or --read FILE)";
            return Err(stop(Self::command().error(ErrorKind::MissingRequiredArgument, why)));
        }
        Ok(Some(top))
    }

    /// Whether it captures or replays itself.
    #[must_use]
    pub(crate) fn is_own(&self) -> bool {
        !self.interface.is_empty() || !self.read.is_empty()
    }

    /// The options of the run whose capture it shows: one without outputs and actions.
    ///
    /// # Errors
    /// An argument is no option's value.
    pub(crate) fn run(&self) -> Result<Cli, Stop> {
        let mut arguments: Vec<OsString> = ["synwatch", "--quiet", "--no-names"].map(Into::into).to_vec();
        // A replay has no socket.
        arguments.extend((!self.interface.is_empty()).then(|| "--control=off".into()));
        let mut add = |option: &str, value: &OsString| {
            let mut argument = OsString::from(option);
            argument.push(value);
            arguments.push(argument);
        };
        self.interface.iter().for_each(|name| add("--interface=", name));
        self.read.iter().for_each(|file| add("--read=", &file.clone().into_os_string()));
        self.ports.iter().for_each(|ports| add("--ports=", &ports.into()));
        self.limit.iter().for_each(|limit| add("--limit=", &limit.into()));
        Cli::read(arguments)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &str) -> Result<Option<TopCommand>, Stop> {
        TopCommand::read(std::iter::once("synwatch").chain(arguments.split_whitespace()))
    }

    #[test]
    fn the_first_word_selects_it_and_its_options_say_what_it_shows() {
        let top = read("top").unwrap().unwrap();
        assert_eq!(
            (top.socket.to_str(), top.is_own(), top.once),
            (Some("/run/synwatch/control"), false, false)
        );
        let top = read("top -r a -r b --speed max").unwrap().unwrap();
        assert!(top.is_own() && top.speed.times() == Speed::MAX);
        let cli = read("top -i eth0 -i lo -l 5/1s -l 6/1m -p 25").unwrap().unwrap().run().unwrap();
        let texts = |all: &[crate::cli::Located]| all.iter().map(|one| one.value.clone()).collect::<Vec<_>>();
        assert_eq!(
            (texts(&cli.interface), texts(&cli.watch.limit)),
            (vec!["eth0".to_owned(), "lo".to_owned()], vec!["5/1s".to_owned(), "6/1m".to_owned()])
        );
        for other in ["", "-i eth0 top", "tops", "status"] {
            assert!(read(other).unwrap().is_none(), "{other}");
        }
    }

    #[test]
    fn options_that_contradict_each_other_are_refused() {
        for wrong in [
            "top now",
            "top -i eth0 -r a",
            "top -i eth0 --socket x",
            "top -r a --socket x",
            "top --speed 2",
            "top -i eth0 --speed 2",
            "top -r a --speed 0",
            "top -r a --once --speed 2",
            "top --json",
            "top -l 5/1s",
            "top --socket x -p 25",
            "top --watch",
        ] {
            assert!(read(wrong).unwrap_err().is_wrong_usage(), "{wrong}");
        }
    }
}
