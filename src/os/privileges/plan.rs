//! The privileges that a run needs after its start, from its settings.

use std::path::PathBuf;

use rustix::thread::CapabilitySet;

use super::Plan;
use super::files::folder;
use super::links::{folders, is_deep, linked};
use super::network::{needs_abstract_sockets, ports};
use crate::base::replacement;
use crate::config::{Input, Output, ReplayInput, Settings};
use crate::fleet::store::Address;

/// Files with an interface's state, statistics and kind. The first folder has links into the second.
const INTERFACES: [&str; 2] = ["/sys/class/net", "/sys/devices"];

/// Files for lookups of names: services when settings are parsed, hosts and protocols when libpcap compiles an
/// expression, which it does for each interface that is opened again and each link type of a file. Debian's resolver
/// has files in `/run`; the C library may load its own modules.
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

/// The folder of the first of these outputs: `--json`, `-w`, `--html`, evidence.
pub(super) fn written_folder(settings: &Settings) -> Option<PathBuf> {
    let json = match &settings.json {
        Some(Output::File(path)) => Some(path),
        Some(Output::Stdout) | None => None,
    };
    let html = || match &settings.html {
        Some(Output::File(path)) => Some(path),
        Some(Output::Stdout) | None => None,
    };
    let file = json.or_else(|| settings.write.as_ref().map(|write| &write.path)).or_else(html);
    file.map(|file| folder(file)).or_else(|| settings.report_dir.clone())
}

impl Plan {
    /// The same plan for the configuration test, which removes again what it creates to see whether that can be
    /// written.
    #[must_use]
    pub(crate) fn of_test(settings: &Settings) -> Self {
        let mut plan = Self::new(settings);
        plan.remove.extend(plan.write.iter().map(|file| folder(file)));
        plan.remove.extend(plan.fill.iter().cloned());
        plan
    }

    /// The plan for these settings.
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let mut plan = Self {
            user: settings.user().map(str::to_owned),
            capabilities: CapabilitySet::empty(),
            read: NAMES.map(PathBuf::from).to_vec(),
            write: Vec::new(),
            fill: settings.report_dir.iter().cloned().collect(),
            replace: Vec::new(),
            remove: settings.control.iter().map(|socket| folder(socket)).collect(),
            connect: ports(settings),
            abstract_sockets: needs_abstract_sockets(),
        };
        // resolv.conf is replaced in the folder of its link's target.
        plan.read
            .extend(NAMES.iter().flat_map(|name| linked(name.as_ref())).filter(|folder| is_deep(folder)));
        match &settings.input {
            Input::Live(_) => {
                // For an interface that goes away and comes back.
                plan.capabilities = CapabilitySet::NET_RAW;
                plan.read.extend(INTERFACES.map(PathBuf::from));
            }
            Input::Replay(inputs) => {
                // A regular file is opened again when it is read. A pipe stays open.
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
        if let (Some(_), Some(folder)) = (&settings.control, &settings.state_dir) {
            plan.read.push(folder.clone());
            plan.replace.push(folder.clone());
        }
        // An editor may replace a file instead of changing it.
        plan.read.extend(settings.files.iter().flat_map(|path| folders(path)));
        if let Some(Output::File(path)) = &settings.json {
            plan.write.push(path.clone());
        }
        if let Some(Output::File(path)) = &settings.html {
            // It is written beside its place, and renamed.
            let path = replacement::place(path);
            plan.remove.push(folder(&path));
            plan.write.push(path);
        }
        plan.write.extend(settings.write.iter().map(|write| write.path.clone()));
        // The socket of a server is connected to again when the server is back.
        let sockets = settings.fleet.iter().flat_map(|fleet| fleet.servers.iter().filter_map(Address::path));
        plan.read.extend(sockets.map(folder));
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
    fn a_page_is_renamed_in_its_folder() {
        let plan = plan("-r - --html out/day.html");
        assert_eq!(plan.write, [Path::new("out/day.html")]);
        assert_eq!(plan.remove, [Path::new("out")]);
        assert_eq!(self::plan("-r - --html -").write, Vec::<PathBuf>::new());
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
    fn what_the_control_socket_keeps_is_replaced_in_its_folder_alone() {
        let with = plan("-i eth0 --control /run/x --state-dir /var/lib/x");
        assert!(reads(&with, "/var/lib/x"));
        assert_eq!((with.replace, with.remove), (vec!["/var/lib/x".into()], vec!["/run".into()]));
        for without in ["-i eth0 --control off --state-dir /var/lib/x", "-i eth0 --state-dir off", "-r -"] {
            assert!(plan(without).replace.is_empty(), "{without}");
        }
    }

    #[test]
    fn ports_that_are_needed_can_be_connected_to_and_no_others() {
        // If the system looks up hosts in another way, all ports are permitted.
        let ports = |arguments: &str| plan(arguments).connect.unwrap_or_default();
        if !ports("-i eth0").is_empty() {
            assert_eq!(ports("-i eth0"), [53]);
            assert!(ports("-i eth0 --webhook https://192.0.2.1/hook").starts_with(&[53, 443]));
            assert!(ports("-i eth0 --webhook http://192.0.2.1:8080/hook").starts_with(&[53, 8080]));
        }
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
