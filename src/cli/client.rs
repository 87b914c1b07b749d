//! The commands that ask the running service: `synwatch status`, `synwatch episodes`.
//!
//! They are recognised by the first word; a filter expression does not begin with these words.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser};

use super::Stop;
use crate::control::{Form, Request, Topic};

/// A command that asks the running service.
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(name = "synwatch", disable_help_subcommand = true)]
pub(crate) enum Client {
    /// Shows how the running service stands, with its counters
    Status(ClientOptions),
    /// Lists the open episodes of the running service
    Episodes {
        #[command(flatten)]
        options: ClientOptions,
        /// List them again each second
        #[arg(long)]
        watch: bool,
    },
}

/// What all of them take.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub(crate) struct ClientOptions {
    /// The socket of the service
    #[arg(long, value_name = "PATH", default_value = crate::control::PATH)]
    pub(crate) socket: PathBuf,
    /// Print JSON: the status as one object, each episode as a record of its own
    #[arg(long)]
    pub(crate) json: bool,
}

impl Client {
    /// Parses the arguments, beginning with the program's name, if they are such a command.
    ///
    /// # Errors
    /// Help was requested, or the arguments are invalid.
    pub(crate) fn read(
        arguments: impl IntoIterator<Item = impl Into<OsString>>,
    ) -> Result<Option<Self>, Stop> {
        let arguments: Vec<OsString> = arguments.into_iter().map(Into::into).collect();
        let is_ours = |word: &OsString| Topic::ALL.iter().any(|topic| word == topic.name());
        if !arguments.get(1).is_some_and(is_ours) {
            return Ok(None);
        }
        Self::try_parse_from(arguments).map(Some).map_err(|error| Stop(Box::new(error)))
    }

    /// The path of the service's socket.
    pub(crate) fn socket(&self) -> &PathBuf {
        let (Self::Status(options) | Self::Episodes { options, .. }) = self;
        &options.socket
    }

    /// Whether to ask again each second.
    pub(crate) fn is_lasting(&self) -> bool {
        matches!(self, Self::Episodes { watch: true, .. })
    }

    /// The request to send.
    pub(crate) fn request(&self) -> Request {
        let (topic, options) = match self {
            Self::Status(options) => (Topic::Status, options),
            Self::Episodes { options, .. } => (Topic::Episodes, options),
        };
        Request { topic, form: if options.json { Form::Json } else { Form::Text } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &str) -> Result<Option<Client>, Stop> {
        Client::read(std::iter::once("synwatch").chain(arguments.split_whitespace()))
    }

    #[test]
    fn the_first_word_selects_a_topic_and_options_follow() {
        for (arguments, socket, topic, form) in [
            ("status", "/run/synwatch/control", Topic::Status, Form::Text),
            ("episodes --json", "/run/synwatch/control", Topic::Episodes, Form::Json),
            ("status --socket a/b --json", "a/b", Topic::Status, Form::Json),
        ] {
            let client = read(arguments).unwrap().unwrap();
            assert_eq!((client.socket().to_str(), client.request()), (Some(socket), Request { topic, form }));
        }
        assert!(read("episodes --watch").unwrap().unwrap().is_lasting());
        assert!(!read("episodes").unwrap().unwrap().is_lasting());
        for other in ["", "-i eth0 status", "blocked", "statuses"] {
            assert_eq!(read(other).unwrap(), None, "{other}");
        }
        for wrong in ["status now", "status --watch", "episodes --watch=x", "status --socket"] {
            assert!(read(wrong).unwrap_err().is_wrong_usage(), "{wrong}");
        }
    }
}
