//! What a run may need again after its start, told from its settings.

use std::path::PathBuf;

use rustix::thread::CapabilitySet;

use super::Plan;
use super::files::folder;
use crate::config::{Input, Output, ReplayInput, Settings};

/// What an interface is asked for: whether it is up, its statistics, its kind. The former is full of links into the
/// latter.
const INTERFACES: [&str; 2] = ["/sys/class/net", "/sys/devices"];

/// What names are looked up in: services when settings are read, hosts and protocols when libpcap compiles an
/// expression, which it does for each interface that is opened again and each link type of a file. Debian's resolver
/// keeps its part under `/run`; the C library may load parts of itself.
const NAMES: [&str; 13] = [
    "/etc/services",
    "/etc/protocols",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/networks",
    "/etc/ethers",
    "/etc/nsswitch.conf",
    "/etc/resolv.conf",
    "/etc/gai.conf",
    "/etc/ld.so.cache",
    "/run/systemd/resolve",
    "/usr/lib",
    "/lib",
];

impl Plan {
    /// What a run with these settings may need again.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let mut plan = Self {
            user: settings.user().map(str::to_owned),
            capabilities: CapabilitySet::empty(),
            read: NAMES.map(PathBuf::from).to_vec(),
            write: Vec::new(),
            fill: settings.report_dir.iter().cloned().collect(),
        };
        match &settings.input {
            Input::Live(_) => {
                // To open an interface that went away.
                plan.capabilities = CapabilitySet::NET_RAW;
                plan.read.extend(INTERFACES.map(PathBuf::from));
            }
            Input::Replay(inputs) => {
                // A regular file is opened again when its turn comes. A pipe stays open.
                let files = inputs.iter().filter_map(|input| match input {
                    ReplayInput::File(path) if path.is_file() => Some(path.clone()),
                    ReplayInput::File(_) | ReplayInput::Stdin => None,
                });
                let before = plan.read.len();
                plan.read.extend(files);
                if plan.read.len() > before {
                    plan.capabilities = CapabilitySet::DAC_READ_SEARCH;
                }
            }
            Input::ListInterfaces | Input::Nothing => {}
        }
        // An editor may replace a file instead of changing it.
        plan.read.extend(settings.files.iter().map(|path| folder(path)));
        if let Some(Output::File(path)) = &settings.json {
            plan.write.push(path.clone());
        }
        plan.write.extend(settings.write.iter().map(|write| write.path.clone()));
        plan
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::path::Path;

    use crate::cli::Cli;

    fn plan(arguments: &str) -> Plan {
        let cli = Cli::read(std::iter::once("synwatch").chain(arguments.split_whitespace())).unwrap();
        Plan::new(&Settings::new(cli).unwrap())
    }

    fn reads(plan: &Plan, path: &str) -> bool {
        plan.read.iter().any(|read| read == Path::new(path))
    }

    #[test]
    fn an_interface_may_have_to_be_opened_again() {
        let plan = plan("-i eth0 --user nobody --json /var/log/a.json -w b.pcapng");
        assert_eq!(plan.user.as_deref(), Some("nobody"));
        assert_eq!(plan.capabilities, CapabilitySet::NET_RAW);
        assert!(reads(&plan, "/sys/class/net"));
        assert_eq!(plan.write, [Path::new("/var/log/a.json"), Path::new("b.pcapng")]);
    }

    #[test]
    fn a_replay_opens_its_files_again_and_no_interface() {
        let plan = plan("-r captures/seed-attack.pcap --json -");
        assert_eq!(plan.capabilities, CapabilitySet::DAC_READ_SEARCH);
        assert!(reads(&plan, "captures/seed-attack.pcap") && !reads(&plan, "/sys/class/net"));
        assert!(plan.write.is_empty());
    }

    #[test]
    fn standard_input_needs_nothing() {
        assert_eq!(plan("-r -").capabilities, CapabilitySet::empty());
    }

    #[test]
    fn folders_are_made_where_evidence_is_put_and_nowhere_else() {
        assert_eq!(plan("-r - --report-dir reports").fill, [Path::new("reports")]);
        assert!(plan("-r - -w b.pcapng").fill.is_empty());
    }

    #[test]
    fn an_allow_file_may_be_replaced_in_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("allow");
        std::fs::write(&file, "192.0.2.0/24\n").unwrap();
        let plan = plan(&format!("-i eth0 --allow-file {}", file.display()));
        assert!(reads(&plan, folder.path().to_str().unwrap()));
    }
}
