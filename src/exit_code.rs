//! The program's exit codes, and which error has which: one table.
//!
//! A service manager starts a program again that failed, but not one that was used wrongly
//! (`RestartPreventExitStatus=2`). So what is missing of the environment, and may come (a mount, a downloaded list, a
//! user of LDAP, an address, a name server), is a failure; what is there and wrong stays wrong.

use std::io;

use crate::cli::Stop;
use crate::config::{Refused, UsageError};
use crate::error::{Error, FilterError, PrivilegeError};

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ExitCode {
    /// All was done.
    Done = 0,
    /// Something could not be opened, or not be read or written whole. A later start may succeed.
    Failure = 1,
    /// The usage, or the configuration, is wrong. Each start ends so until it is changed.
    Usage = 2,
    /// With `--fail-on-alert`: something was reported.
    Alerted = 3,
}

impl From<ExitCode> for std::process::ExitCode {
    fn from(code: ExitCode) -> Self {
        Self::from(code as u8)
    }
}

impl From<&Stop> for ExitCode {
    fn from(stop: &Stop) -> Self {
        if stop.is_wrong_usage() { Self::Usage } else { Self::Done }
    }
}

impl From<&Error> for ExitCode {
    fn from(error: &Error) -> Self {
        match error {
            Error::Filter(cause) => cause.into(),
            Error::Privileges(cause) => cause.into(),
            Error::Read { .. }
            | Error::Interface { .. }
            | Error::List(_)
            | Error::Write(_)
            | Error::Command { .. }
            | Error::WriteAs { .. }
            | Error::Listen { .. }
            | Error::Control { .. }
            | Error::StateDir { .. }
            | Error::Authorities { .. }
            | Error::Database { .. }
            | Error::Fleet(_)
            | Error::Firewall(_)
            | Error::Memory(_)
            | Error::Thread(_) => Self::Failure,
        }
    }
}

impl From<&UsageError> for ExitCode {
    fn from(error: &UsageError) -> Self {
        match error {
            UsageError::Config { cause, .. } | UsageError::AllowFile { cause, .. } => of_file(cause),
            UsageError::Expression { cause, .. } => cause.into(),
            UsageError::User { cause, .. } => cause.into(),
            UsageError::Database { .. } => Self::Failure,
            UsageError::NoInput
            | UsageError::NoSuchCommand(..)
            | UsageError::NoInputInFile(_)
            | UsageError::TwoInputs(..)
            | UsageError::SuggestLive
            | UsageError::Both(..)
            | UsageError::Value { .. }
            | UsageError::Key { .. }
            | UsageError::ConfigSize { .. }
            | UsageError::AllowFileSize { .. }
            | UsageError::AllowFileLine { .. } => Self::Usage,
        }
    }
}

impl From<&Refused> for ExitCode {
    /// That of the worst thing: what stays wrong keeps the rest from helping.
    fn from(refused: &Refused) -> Self {
        refused.errors().map(Self::from).max().unwrap_or(Self::Usage)
    }
}

impl From<&PrivilegeError> for ExitCode {
    fn from(error: &PrivilegeError) -> Self {
        match error {
            PrivilegeError::NotRoot(_) => Self::Usage,
            // Users come from LDAP, too.
            PrivilegeError::NoUser(_)
            | PrivilegeError::LookUp { .. }
            | PrivilegeError::Become { .. }
            | PrivilegeError::NoAdmin
            | PrivilegeError::Capabilities(_) => Self::Failure,
        }
    }
}

impl From<&FilterError> for ExitCode {
    fn from(error: &FilterError) -> Self {
        if error.is_unknown_name() { Self::Failure } else { Self::Usage }
    }
}

/// A text file that cannot be read: what is there and no text file stays wrong.
fn of_file(cause: &io::Error) -> ExitCode {
    match cause.kind() {
        io::ErrorKind::IsADirectory | io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            ExitCode::Usage
        }
        _ => ExitCode::Failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::path::PathBuf;

    use crate::base::units::Bytes;
    use crate::cli::Place;
    use crate::error::{CommandFault, InterfaceFault, OpenError, Unreadable};
    use crate::wire::packet::LinkType;

    fn path() -> PathBuf {
        "/srv/x".into()
    }

    fn io(kind: io::ErrorKind) -> io::Error {
        kind.into()
    }

    fn filter(cause: &str) -> FilterError {
        FilterError { expression: "host mail".to_owned(), link: LinkType(1), cause: cause.to_owned() }
    }

    #[test]
    fn each_error_has_its_exit_code() {
        let text = || "x".to_owned();
        let open = || OpenError { path: path(), source: io(io::ErrorKind::NotFound) };
        for (error, code) in [
            (Error::Read { file: text(), cause: Unreadable::Missing }, ExitCode::Failure),
            (Error::Interface { name: text(), cause: InterfaceFault::Missing }, ExitCode::Failure),
            (Error::List(text()), ExitCode::Failure),
            (Error::Filter(filter("syntax error")), ExitCode::Usage),
            (Error::Filter(filter("unknown host 'mail'")), ExitCode::Failure),
            (Error::Write(open()), ExitCode::Failure),
            (Error::WriteAs { user: text(), cause: open() }, ExitCode::Failure),
            (Error::Command { program: text(), fault: CommandFault::Refused(text()) }, ExitCode::Failure),
            (
                Error::Listen {
                    address: "192.0.2.1:9925".parse().unwrap(),
                    source: io(io::ErrorKind::AddrNotAvailable),
                },
                ExitCode::Failure,
            ),
            (Error::Control { path: path(), why: text() }, ExitCode::Failure),
            (Error::Privileges(PrivilegeError::NoUser(text())), ExitCode::Failure),
            (Error::Privileges(PrivilegeError::NotRoot(text())), ExitCode::Usage),
            (
                Error::Privileges(PrivilegeError::LookUp {
                    user: text(),
                    source: io(io::ErrorKind::TimedOut),
                }),
                ExitCode::Failure,
            ),
            (
                Error::Privileges(PrivilegeError::Become {
                    user: text(),
                    source: io(io::ErrorKind::PermissionDenied),
                }),
                ExitCode::Failure,
            ),
            (Error::Privileges(PrivilegeError::NoAdmin), ExitCode::Failure),
            (
                Error::Privileges(PrivilegeError::Capabilities(io(io::ErrorKind::PermissionDenied))),
                ExitCode::Failure,
            ),
            (Error::Authorities { url: text(), why: text() }, ExitCode::Failure),
            (Error::Database { path: path(), why: text() }, ExitCode::Failure),
            (Error::Fleet(text()), ExitCode::Failure),
            (Error::Firewall(text()), ExitCode::Failure),
            (Error::Memory(Bytes(1)), ExitCode::Failure),
            (Error::Thread(io(io::ErrorKind::WouldBlock)), ExitCode::Failure),
        ] {
            assert_eq!(ExitCode::from(&error), code, "{error}");
        }
    }

    fn usage() -> Vec<(UsageError, ExitCode)> {
        let place = || Place::CommandLine;
        let allow = |cause| UsageError::AllowFile { place: place(), path: path(), cause };
        let config = |cause| UsageError::Config { path: path(), cause };
        let mut all = vec![
            (UsageError::NoInput, ExitCode::Usage),
            (UsageError::NoInputInFile(path()), ExitCode::Usage),
            (UsageError::NoSuchCommand("blok".to_owned(), "block".to_owned()), ExitCode::Usage),
            (UsageError::TwoInputs("-i", "-r"), ExitCode::Usage),
            (UsageError::SuggestLive, ExitCode::Usage),
            (UsageError::Both("quiet", "verbose"), ExitCode::Usage),
            (
                UsageError::Value {
                    option: "limit",
                    place: place(),
                    value: "0/0".to_owned(),
                    cause: "no limit".to_owned(),
                },
                ExitCode::Usage,
            ),
            (UsageError::Expression { place: place(), cause: filter("syntax error") }, ExitCode::Usage),
            (
                UsageError::Expression { place: place(), cause: filter("unknown host 'mail'") },
                ExitCode::Failure,
            ),
            (
                UsageError::User { place: place(), cause: PrivilegeError::NoUser("mail".to_owned()) },
                ExitCode::Failure,
            ),
            (
                UsageError::User { place: place(), cause: PrivilegeError::NotRoot("mail".to_owned()) },
                ExitCode::Usage,
            ),
            (UsageError::Database { place: place(), path: path(), why: String::new() }, ExitCode::Failure),
            (UsageError::ConfigSize { path: path(), most: Bytes(1) }, ExitCode::Usage),
            (UsageError::AllowFileSize { place: place(), path: path(), most: Bytes(1) }, ExitCode::Usage),
            (
                UsageError::AllowFileLine {
                    place: place(),
                    path: path(),
                    cause: crate::engine::watch::allow::networks("no").unwrap_err(),
                },
                ExitCode::Usage,
            ),
        ];
        // ENOTDIR, ESTALE, EIO: a mount that is not there yet, or is gone.
        for number in [20, 116, 5] {
            all.push((allow(io::Error::from_raw_os_error(number)), ExitCode::Failure));
        }
        for kind in [io::ErrorKind::NotFound, io::ErrorKind::PermissionDenied] {
            all.extend([(allow(io(kind)), ExitCode::Failure), (config(io(kind)), ExitCode::Failure)]);
        }
        for kind in [io::ErrorKind::IsADirectory, io::ErrorKind::InvalidData] {
            all.extend([(allow(io(kind)), ExitCode::Usage), (config(io(kind)), ExitCode::Usage)]);
        }
        all
    }

    #[test]
    fn what_is_missing_is_a_failure_and_what_is_wrong_is_wrong_usage() {
        for (error, code) in usage() {
            assert_eq!(ExitCode::from(&error), code, "{error}");
            assert_eq!(ExitCode::from(&Refused::from(error)), code);
        }
    }

    #[test]
    fn codes_are_what_they_are_documented_as() {
        let all = [ExitCode::Done, ExitCode::Failure, ExitCode::Usage, ExitCode::Alerted];
        assert_eq!(all.map(|code| code as u8), [0, 1, 2, 3]);
    }
}
