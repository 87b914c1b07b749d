//! The scripts that a server runs for the fleet, each as a whole: no gateway sees half of what another does.

use redis::{Connection, Value};

use super::error::StoreFault;

/// A script, by its place in [`Script::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Script {
    /// Merges attempts and judges them.
    Report,
    /// Tells that a gateway is there.
    Beat,
    /// Changes what is blocked or allowed.
    Change,
    /// Lists the open episodes.
    Episodes,
    /// Agrees on the version and the key of marks.
    Meta,
    /// Tries each command that the others use.
    Probe,
}

impl Script {
    const ALL: [&'static str; 6] = [
        include_str!("scripts/report.lua"),
        include_str!("scripts/beat.lua"),
        include_str!("scripts/change.lua"),
        include_str!("scripts/episodes.lua"),
        include_str!("scripts/meta.lua"),
        include_str!("scripts/probe.lua"),
    ];
}

/// The scripts as one server knows them: by their digests.
pub(super) struct Scripts([String; Script::ALL.len()]);

impl Scripts {
    /// Sends all of them.
    pub(super) fn load(connection: &mut Connection) -> Result<Self, StoreFault> {
        let mut pipe = redis::pipe();
        for text in Script::ALL {
            pipe.cmd("SCRIPT").arg("LOAD").arg(text);
        }
        let digests: Vec<String> = pipe.query(connection).map_err(|error| StoreFault::from(&error))?;
        let digests = digests.try_into().map_err(|_| StoreFault::Protocol("other scripts".to_owned()))?;
        Ok(Self(digests))
    }

    /// Runs one.
    pub(super) fn run(
        &self,
        connection: &mut Connection,
        script: Script,
        keys: &[&str],
        arguments: &[&[u8]],
    ) -> Result<Value, StoreFault> {
        let mut command = redis::cmd("EVALSHA");
        command.arg(&self.0[script as usize]).arg(keys.len()).arg(keys).arg(arguments);
        command.query(connection).map_err(|error| StoreFault::from(&error))
    }
    /// Runs one with each of these arguments.
    pub(super) fn run_each<const N: usize>(
        &self,
        connection: &mut Connection,
        script: Script,
        keys: &[&str],
        arguments: &[[Vec<u8>; N]],
    ) -> Result<Vec<Value>, StoreFault> {
        let mut pipe = redis::pipe();
        for arguments in arguments {
            pipe.cmd("EVALSHA").arg(&self.0[script as usize]).arg(keys.len()).arg(keys).arg(&arguments[..]);
        }
        pipe.query(connection).map_err(|error| StoreFault::from(&error))
    }
}
