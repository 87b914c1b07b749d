//! Two network namespaces, and a cable between them: one sends, the other is watched.

use std::process::Command;
use std::thread;
use std::time::Duration;

use rustix::process::Signal;
use synwatch::capture::kernel_filter;
use synwatch::wire::packet::LinkType;

use synwatch_testkit::namespace::{Namespace, ip};
use synwatch_testkit::program::{Ended, Program};
use synwatch_testkit::traffic::floods::MAIL;

/// Both ends' name, each in its namespace.
pub(crate) const INTERFACE: &str = "eth0";
/// The kernel's buffer and the snap length, this program's defaults, as tcpdump takes them: in KiB, and in bytes.
const BUFFER: &str = "16384";
const SNAP_LENGTH: &str = "1600";
/// How long what was sent last may lie in tcpdump's ring: it has a read time-out of a second.
const REST: Duration = Duration::from_millis(1500);

/// The cable.
pub(crate) struct Cable {
    pub(crate) sender: Namespace,
    pub(crate) watcher: Namespace,
}

impl Cable {
    /// Makes namespaces and cable, or says why that cannot be.
    pub(crate) fn lay() -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("only root can make network namespaces".to_owned());
        }
        if Command::new("tcpdump").arg("--version").output().is_err() {
            return Err("tcpdump is missing (apt-get install tcpdump)".to_owned());
        }
        let [sender, watcher] = [Namespace::new("send")?, Namespace::new("watch")?];
        let names = [sender.name(), watcher.name()];
        ip(&[
            "link", "add", INTERFACE, "netns", names[0], "type", "veth", "peer", "name", INTERFACE, "netns",
            names[1],
        ])?;
        for namespace in [&sender, &watcher] {
            // No address at all: the kernels at both ends have nothing to say.
            namespace.ip(&format!("link set {INTERFACE} addrgenmode none"));
            namespace.ip(&format!("link set {INTERFACE} up"));
        }
        Ok(Self { sender, watcher })
    }
}

/// A program that captures at the watched end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    /// With these options beside the interface.
    Synwatch(&'static str),
    /// With the same filter, buffer and snap length.
    Tcpdump,
    /// Without a filter, and with whole packets: as it is usually run.
    TcpdumpOfAll,
}

impl Tool {
    pub(crate) fn name(self) -> String {
        match self {
            Self::Synwatch(options) => format!("synwatch {options}").trim_end().to_owned(),
            Self::Tcpdump => "tcpdump, same filter".to_owned(),
            Self::TcpdumpOfAll => "tcpdump, no filter".to_owned(),
        }
    }

    /// Starts it, and waits until it captures.
    pub(crate) fn start(self, cable: &Cable) -> Program {
        let tcpdump = |options: &[&str]| {
            let mut command = cable.watcher.command("tcpdump");
            command.args(["-nn", "-i", INTERFACE, "-B", BUFFER, "-w", "/dev/null"]).args(options);
            let mut program = Program::start(command);
            program.err.wait_for("listening on");
            program
        };
        match self {
            Self::Synwatch(options) => Program::watch(&cable.watcher, &format!("-i {INTERFACE} {options}")),
            Self::Tcpdump => {
                let ports: Vec<_> = MAIL.iter().map(|&port| port..=port).collect();
                let filter = kernel_filter(LinkType::ETHERNET, &ports, None, None).unwrap().unwrap();
                tcpdump(&["-s", SNAP_LENGTH, &filter])
            }
            Self::TcpdumpOfAll => tcpdump(&[]),
        }
    }

    /// Stops it when it has taken what was sent, and gives how many packets it has seen.
    pub(crate) fn stop(self, program: Program) -> u64 {
        thread::sleep(REST);
        let ended = program.stop(Signal::INT);
        match self {
            Self::Synwatch(_) => ended.summary("packets") as u64,
            Self::Tcpdump | Self::TcpdumpOfAll => captured(&ended),
        }
    }
}

/// What tcpdump says at its end: `12 packets captured`.
fn captured(ended: &Ended) -> u64 {
    let number = ended.err.iter().find_map(|line| line.strip_suffix(" packets captured")?.parse().ok());
    number.unwrap_or_else(|| panic!("tcpdump does not say what it has captured: {ended:#?}"))
}
