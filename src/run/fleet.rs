//! `synwatch fleet`, and `block`, `unblock`, `blocked`, `allow`, `unallow`, `allowed` with `--fleet`.
//!
//! They go by the running service, which has what opens the fleet's servers. Where none listens, or that one is in no
//! fleet, and where a configuration is named, they speak to the servers themselves. Each gateway hears of a change by
//! the fleet's log, the service of this host among them.

use std::path::Path;
use std::sync::Arc;

use crate::act::NotDone;
use crate::cli::{Cli, Client};
use crate::config::{Refused, Settings};
use crate::control::{AskError, FleetRefusal, FleetTopic, Reply, Request, ask, directly};
use crate::error::Error;
use crate::fleet::store::Store;
use crate::threads;

/// The configuration of the service.
const CONFIG: &str = "/etc/synwatch/synwatch.toml";
/// What a service says that is older than the request.
const UNKNOWN: &str = "unknown";

/// Why the fleet was not asked, or did not do it.
#[derive(Debug, thiserror::Error)]
pub(super) enum FleetError {
    /// The service cannot be asked.
    #[error(transparent)]
    Ask(AskError),
    /// The service has asked the fleet, and says what a direct request would have said.
    #[error("{0}")]
    Said(String),
    /// The configuration has errors.
    #[error("{0}")]
    Config(String),
    /// It names no fleet.
    #[error("{0:?} names no fleet: fleet = \"redis://HOST:PORT\" (or name another file with --config)")]
    None(String),
    /// A file of the fleet's cannot be used.
    #[error(transparent)]
    Files(Error),
    /// The fleet does not do it.
    #[error(transparent)]
    Refused(FleetRefusal),
}

/// Has the fleet do what the command asks for.
pub(super) fn run(command: &Client, topic: &FleetTopic, request: &Request) -> Result<Reply, FleetError> {
    match command.config() {
        Some(config) => at_servers(config, topic, request),
        None => {
            let config = (!command.names_socket()).then_some(Path::new(CONFIG));
            by_service(command.socket(), config, topic, request)
        }
    }
}

/// Asks the service that listens there, or where none does the servers that this configuration names.
fn by_service(
    socket: &Path,
    config: Option<&Path>,
    topic: &FleetTopic,
    request: &Request,
) -> Result<Reply, FleetError> {
    let error = match ask(socket, request) {
        Ok(reply) => return Ok(reply),
        Err(error) => error,
    };
    let has_service = match &error {
        AskError::NoService(_) | AskError::Denied(_) => false,
        AskError::Refused(_, _, code) => ![NotDone::OFF, UNKNOWN].contains(&code.as_str()),
        _ => true,
    };
    let Some(config) = config.filter(|_| !has_service) else { return Err(refused(error)) };
    match (at_servers(config, topic, request), error) {
        // A user with no right to the socket or to the files needs the socket.
        (Err(FleetError::Config(_) | FleetError::Files(_)), denied @ AskError::Denied(_)) => {
            Err(FleetError::Ask(denied))
        }
        (done, _) => done,
    }
}

/// The error of a service. What the fleet refused is said as it is without a service.
fn refused(error: AskError) -> FleetError {
    match error {
        AskError::Refused(_, why, code)
            if [FleetRefusal::SERVER, NotDone::NOTHING].contains(&code.as_str()) =>
        {
            FleetError::Said(why)
        }
        error => FleetError::Ask(error),
    }
}

/// Asks the servers that a configuration names.
fn at_servers(config: &Path, topic: &FleetTopic, request: &Request) -> Result<Reply, FleetError> {
    directly(&mut open(config)?, topic, request.form).map_err(FleetError::Refused)
}

fn open(config: &Path) -> Result<Store, FleetError> {
    let said = |refused: Refused| {
        FleetError::Config(
            refused.lines().map(|line| line.to_string()).collect::<Vec<_>>().join("\nsynwatch: "),
        )
    };
    let arguments = ["synwatch".as_ref(), "--config".as_ref(), config.as_os_str()];
    // The arguments are right.
    let cli = Cli::read(arguments).map_err(|_| FleetError::None(config.display().to_string()))?;
    let settings = Settings::new(cli).map_err(said)?;
    let fleet = settings.fleet.as_ref().ok_or_else(|| FleetError::None(config.display().to_string()))?;
    Ok(Store::new(Arc::new(threads::access(fleet).map_err(FleetError::Files)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::fs;
    use std::io::{BufRead as _, BufReader, Write as _};
    use std::os::unix::net::UnixListener;
    use std::thread;

    use crate::control::{Form, Topic};

    /// What `synwatch blocked --fleet` says where a service answers this, or none listens, and the server of the
    /// configuration does not run.
    fn said(answer: Option<&'static str>, has_config: bool) -> String {
        let folder = tempfile::tempdir().unwrap();
        let [socket, config, server] =
            ["control", "synwatch.toml", "server"].map(|name| folder.path().join(name));
        fs::write(
            &config,
            format!("interfaces = [\"lo\"]\nfleet = [\"redis+unix://{}\"]\n", server.display()),
        )
        .unwrap();
        let service = answer.map(|answer| {
            let listener = UnixListener::bind(&socket).unwrap();
            thread::spawn(move || {
                let (stream, _) = listener.accept().unwrap();
                BufReader::new(&stream).read_line(&mut String::new()).unwrap();
                (&stream).write_all(answer.as_bytes()).unwrap();
            })
        });
        let topic = FleetTopic::Blocked;
        let request = Request { topic: Topic::Fleet(topic.clone()), form: Form::Text };
        let config = has_config.then_some(config.as_path());
        let error = by_service(&socket, config, &topic, &request).unwrap_err().to_string();
        service.into_iter().for_each(|service| service.join().unwrap());
        error.replace(&format!("{}/", folder.path().display()), "")
    }

    #[test]
    fn the_servers_are_asked_where_no_service_of_the_fleet_listens() {
        let off = "{\"v\":1,\"ok\":false,\"error\":\"no fleet\",\"code\":\"off\"}\n";
        let older = "{\"v\":1,\"ok\":false,\"error\":\"what?\",\"code\":\"unknown\"}\n";
        for service in [None, Some(off), Some(older)] {
            let told = said(service, true);
            assert!(told.starts_with("fleet: server refuses connections "), "{service:?}: {told}");
        }
        assert!(said(None, false).starts_with("no synwatch listens at control: "), "it was named");
        assert_eq!(said(Some(off), false), "the synwatch at control refuses: no fleet");
    }

    #[test]
    fn what_a_service_refuses_is_not_tried_in_another_way() {
        let denied = "{\"v\":1,\"ok\":false,\"error\":\"only root\",\"code\":\"denied\"}\n";
        assert_eq!(said(Some(denied), true), "the synwatch at control refuses: only root");
        let down = "{\"v\":1,\"ok\":false,\"error\":\"fleet: x does not answer\",\"code\":\"fleet\"}\n";
        assert_eq!(said(Some(down), true), "fleet: x does not answer", "as without a service");
    }
}
