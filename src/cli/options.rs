//! The options, with their help and their defaults.

use std::path::PathBuf;

use clap::{ArgAction, Parser};

use super::block_options::BlockOptions;
use super::fleet_options::FleetOptions;
use super::help;
use super::located::Located;
use super::watch_options::{COUNTED, WatchOptions};

const INPUT: &str = "Input";
const REPORTS: &str = "Reports";
pub(super) const ACTIONS: &str = "Actions";
pub(super) const FLEET: &str = "Fleet";
const RESOURCES: &str = "Resources";
const SERVICE: &str = "Service";
const DIAGNOSTICS: &str = "Diagnostics";
const CONFIGURATION: &str = "Configuration";

/// Notices hosts that open TCP connections too fast: counts SYNs per source, live or from capture files.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "synwatch",
    version,
    long_version = super::version::long(),
    long_about = help::ABOUT,
    override_usage = help::usage(&super::commands()),
    after_help = help::EXAMPLES,
    after_long_help = help::long_end(&super::commands()),
    max_term_width = 100,
    disable_help_flag = true,
    disable_version_flag = true
)]
pub struct Cli {
    /// Watch this interface (repeatable; "any" is all of them)
    ///
    /// A connection that is seen on several interfaces counts once. Needs root, or the capability cap_net_raw.
    #[arg(short, long, value_name = "IF", help_heading = INPUT)]
    pub interface: Vec<Located>,

    /// Read this capture file (repeatable; "-": standard input)
    ///
    /// pcap or pcapng, plain, gzip or zstd: told by content, not by name. Several files are merged by time.
    #[arg(short, long, value_name = "FILE", help_heading = INPUT)]
    pub read: Vec<PathBuf>,

    /// List the interfaces that can be watched, and exit
    #[arg(short = 'D', long, help_heading = INPUT, hide_short_help = true)]
    pub list_interfaces: bool,

    /// Look only at packets that match this filter, as for tcpdump
    ///
    /// All words after the first one that is no option are the expression (see pcap-filter(7)), so options come
    /// before it. Quote what the shell would take for its own, such as parentheses.
    #[arg(value_name = "EXPRESSION", trailing_var_arg = true, help_heading = INPUT, hide_short_help = true)]
    pub expression: Vec<Located>,

    /// See what is addressed to other hosts, too (promiscuous mode)
    ///
    /// A gateway sees what it forwards without this; a host at a mirror port needs it.
    #[arg(long, help_heading = INPUT, hide_short_help = true)]
    pub promisc: bool,

    /// Bytes to capture of each packet
    ///
    /// From 64 to 262144. The default holds all of a packet of 1,500 bytes with its tags: a sender can put as much
    /// before the TCP header (IPv6 extension headers). What is cut off cannot be counted.
    #[arg(long, value_name = "BYTES", default_value = "1600", help_heading = INPUT, hide_short_help = true)]
    pub snap_length: Located,

    /// How long the kernel may hold packets back, to hand over many at once
    ///
    /// From 1ms to 10s. A report comes that much later, a longer time takes less of the processor.
    #[arg(long, value_name = "TIME", default_value = "15ms", help_heading = INPUT, hide_short_help = true)]
    pub read_timeout: Located,

    /// What is counted, and when it is too much.
    #[command(flatten)]
    pub watch: WatchOptions,

    /// Never report this network or address (repeatable)
    ///
    /// Its attempts are still counted in the summary, and for the limit of their destination: forged ones may have its
    /// addresses. A bare address is a network of its own. An IPv4 network holds for addresses behind NAT64 too (see
    /// --nat64).
    #[arg(long, value_name = "CIDR", help_heading = COUNTED)]
    pub allow: Vec<Located>,

    /// Never report the networks in this file (repeatable)
    ///
    /// One a line, as for --allow; # begins a comment.
    #[arg(long, value_name = "FILE", help_heading = COUNTED, hide_short_help = true)]
    pub allow_file: Vec<Located<PathBuf>>,

    /// Report the addresses of the watched interfaces too
    ///
    /// Without this they are allowed, and one of them that is over a limit is warned of once.
    #[arg(long, help_heading = COUNTED, hide_short_help = true)]
    pub no_allow_self: bool,

    /// Sources in this IPv6 prefix are IPv4 hosts behind NAT64 or SIIT (repeatable)
    ///
    /// A prefix of 32, 40, 48, 56, 64 or 96 bits, as in RFC 6052: 2001:db8:64::/96, 64:ff9b:1::/48; at most 8.
    /// 64:ff9b::/96 is always known. Each such address is counted alone, whatever --prefix6 says; its network is the
    /// /24 of the embedded IPv4 address.
    #[arg(long, value_name = "PREFIX", help_heading = COUNTED, hide_short_help = true)]
    pub nat64: Vec<Located>,

    /// Look into tunnels: IP in IP, 6in4, 4in6, GRE, ERSPAN, VXLAN, GENEVE
    ///
    /// Anyone can send an encapsulated packet that names someone else as its source, so this is off by default.
    #[arg(long, help_heading = COUNTED, hide_short_help = true)]
    pub tunnels: bool,

    /// UDP ports of VXLAN, for --tunnels
    ///
    /// At most eight.
    #[arg(long, value_name = "PORTS", default_value = "4789,8472", help_heading = COUNTED, hide_short_help = true)]
    pub vxlan_ports: Located,

    /// Write reports as JSON Lines, too ("-" is standard output)
    ///
    /// In Suricata's EVE form, so that Wazuh, Filebeat and EveBox read them. The text on standard error stays as it is.
    #[arg(long, value_name = "FILE", help_heading = REPORTS)]
    pub json: Option<Located<PathBuf>>,

    /// Write the statistics to the JSON file so often
    ///
    /// From 1s to 7d. There is always one such record at the end, and without this option no other.
    #[arg(long, value_name = "TIME", help_heading = REPORTS, hide_short_help = true)]
    pub stats_interval: Option<Located>,

    /// Write a page of the run, with pictures, at its end ("-" is standard output)
    ///
    /// One HTML file that loads nothing and runs no script: to look at, to send, to print. It is written beside its
    /// place and renamed. synwatch report makes the same of the JSON file, also of a day.
    #[arg(long, value_name = "FILE", help_heading = REPORTS, hide_short_help = true)]
    pub html: Option<Located<PathBuf>>,

    /// Write the attempts of reported sources to a capture file
    ///
    /// pcapng, from the first report on; tcpdump and Wireshark read it.
    #[arg(short, long, value_name = "FILE", help_heading = REPORTS, hide_short_help = true)]
    pub write: Option<Located<PathBuf>>,

    /// Let that capture file grow to this size at most
    ///
    /// From 64KiB to 16TiB. What is not written any more is counted and said.
    #[arg(long, value_name = "SIZE", default_value = "1GiB", help_heading = REPORTS, hide_short_help = true)]
    pub write_max: Located,

    /// Report an episode again so often while it lasts
    ///
    /// From 1s to 7d.
    #[arg(long, value_name = "TIME", default_value = "60s", help_heading = REPORTS, hide_short_help = true)]
    pub update: Located,

    /// Show times in UTC instead of local time
    #[arg(long, help_heading = REPORTS, hide_short_help = true)]
    pub utc: bool,

    /// Suggest limits from capture files, instead of reporting
    ///
    /// On standard output, as a part of a configuration file: for each limit, the most attempts that sources, networks
    /// and destinations made in any of its windows, who stands out, and the limit that reports those alone. With --json
    /// as a record, too; with --names and --mmdb it says who the sources on top are. Takes as much memory again as
    /// --memory says, at most.
    #[arg(long, help_heading = REPORTS, hide_short_help = true)]
    pub suggest: bool,

    /// Exit with 3 when anything was reported
    #[arg(long, help_heading = REPORTS, hide_short_help = true)]
    pub fail_on_alert: bool,

    /// Do not look up names of sources
    ///
    /// Live they are looked up by the system's resolver, meanwhile, and are in the reports as soon as they are known.
    #[arg(short, long, conflicts_with = "names", help_heading = REPORTS, hide_short_help = true)]
    pub no_names: bool,

    /// Look up names of sources in a replay, too
    ///
    /// Each is waited for, 5 seconds at most.
    #[arg(long, help_heading = REPORTS, hide_short_help = true)]
    pub names: bool,

    /// Look up whose network a source is in, in this database (repeatable)
    ///
    /// In MaxMind's format: the AS number, its organisation, the country. Read at the start.
    #[arg(long, value_name = "FILE", help_heading = REPORTS, hide_short_help = true)]
    pub mmdb: Vec<Located<PathBuf>>,

    /// Write reports to the system's log, too
    ///
    /// Facility daemon; severity 1 is a warning, 2 a notice, 3 an information. Name the socket behind a "=" where it is
    /// not /dev/log. Live only.
    #[arg(long, value_name = "SOCKET", num_args = 0..=1, require_equals = true,
        default_missing_value = crate::report::Syslog::SOCKET, help_heading = REPORTS, hide_short_help = true)]
    pub syslog: Option<Located<PathBuf>>,

    /// Write only these reports to the system's log
    ///
    /// Words as for --exec-notify.
    #[arg(long, value_name = "WHICH", help_heading = REPORTS, hide_short_help = true)]
    pub syslog_notify: Option<Located>,

    /// Run this command on each report
    ///
    /// It reads the report as JSON on standard input, and finds its main values in its environment (SYNWATCH_STATE,
    /// SYNWATCH_SOURCE, SYNWATCH_VERIFIED, …); what a shell could misread in them is escaped, and quoting them is wise
    /// all the same. Words are split as a shell does; there is no shell. At most four run at a time; 256 reports wait.
    /// It has no capability, and runs as the user that synwatch becomes.
    #[arg(long, value_name = "CMD", help_heading = ACTIONS, hide_short_help = true)]
    pub exec: Option<Located>,

    /// End a command that is not done by then
    ///
    /// From 1s to 1h: by SIGTERM, and 2 seconds later by SIGKILL, with all that it has started.
    #[arg(long, value_name = "TIME", default_value = "10s", help_heading = ACTIONS, hide_short_help = true)]
    pub exec_timeout: Located,

    /// Run the command only on these reports
    ///
    /// Words with commas between them: the states "start", "update", "end" (all, where none is given); "severity=N" for
    /// severity N or worse (1 is the worst); "verified" for verified sources, or "wire" for those that link-layer
    /// addresses verify, too. An episode that meets severity and proof later is told as a start then, and from then on
    /// in each of these states. "start,end,verified" tells the begin and the end of each that is verified.
    #[arg(long, value_name = "WHICH", help_heading = ACTIONS, hide_short_help = true)]
    pub exec_notify: Option<Located>,

    /// Post each report to this address, as JSON
    ///
    /// By HTTP, https:// or http://, in order. What is not taken is tried again three times within 7 seconds, unless
    /// the answer says that it never will; then it is counted as lost and said. Give it in the configuration file where
    /// it holds a secret: the command line is there for all to see.
    #[arg(long, value_name = "URL", help_heading = ACTIONS, hide_short_help = true)]
    pub webhook: Option<Located>,

    /// Post only these reports
    ///
    /// Words as for --exec-notify.
    #[arg(long, value_name = "WHICH", help_heading = ACTIONS, hide_short_help = true)]
    pub webhook_notify: Option<Located>,

    /// Put evidence of each episode into a folder of its own in this one
    ///
    /// For the provider of the source: report.txt for people, xarf.json for machines (XARF 4), evidence.pcapng with the
    /// headers of the first 256 attempts after the report. Written when an episode of a source or a network has ended;
    /// never sent. DIR must be there, and writable for the user that synwatch becomes.
    #[arg(long, value_name = "DIR", help_heading = ACTIONS, hide_short_help = true)]
    pub report_dir: Option<Located<PathBuf>>,

    /// Name whom an abuse desk is to answer, in that evidence
    ///
    /// As in a mail: "Example Ltd <abuse@example.org>", or the address alone. Without it xarf.json has no reporter, who
    /// is to be filled in before it is sent.
    #[arg(long, value_name = "WHO", help_heading = ACTIONS, hide_short_help = true)]
    pub report_from: Option<Located>,

    /// Whether sources are blocked, and which.
    #[command(flatten)]
    pub blocking: BlockOptions,

    /// Which gateways count as one.
    #[command(flatten)]
    pub fleet: FleetOptions,

    /// Memory for the tables of sources and connections
    ///
    /// From 1MiB to 1TiB. Reserved at the start and never exceeded. When a table is full, the least active sources give
    /// way; that is counted and said.
    #[arg(long, value_name = "SIZE", default_value = "64MiB", help_heading = RESOURCES, hide_short_help = true)]
    pub memory: Located,

    /// Episodes that can be open at once
    ///
    /// From 1 to 1000000. Sources over a limit beyond these are counted, and said in one line.
    #[arg(long, value_name = "N", default_value = "4096", help_heading = RESOURCES, hide_short_help = true)]
    pub max_episodes: Located,

    /// The kernel's buffer for each interface
    ///
    /// From 64KiB to 1GiB. A larger one outlasts longer bursts. Packets that do not fit are lost; that is counted and
    /// said.
    #[arg(long, value_name = "SIZE", default_value = "16MiB", help_heading = RESOURCES, hide_short_help = true)]
    pub buffer: Located,

    /// Read this configuration file (TOML), too
    ///
    /// It has a key for each option of a lasting run, and any number of watches. Options win over it. None is read
    /// without this.
    #[arg(short, long, value_name = "FILE", help_heading = CONFIGURATION)]
    pub config: Option<PathBuf>,

    /// Check the configuration, open nothing, and exit
    ///
    /// With 0 when all options, the file, the allow files, the databases and the expression are in order, otherwise
    /// with 2.
    #[arg(short = 'T', long, help_heading = CONFIGURATION)]
    pub test_config: bool,

    /// With -T: try what a start needs, too, without starting
    ///
    /// Interfaces, outputs, programs, rights, the firewall and the webhook's server, as the user that synwatch becomes:
    /// a line for each on standard output, ok, warning or failed. Leaves nothing behind, runs no command and posts
    /// nothing. Exits with 1, or 2, where one has failed.
    #[arg(long, requires = "test_config", help_heading = CONFIGURATION, hide_short_help = true)]
    pub deep: bool,

    /// Go on as this user, once all is open that needs root
    ///
    /// By default root becomes the user "synwatch". Where there is none, it becomes live the owner of the folder that
    /// is written to (that of --json, else of -w, else of --html, else of --report-dir), and without one "nobody"; a
    /// replay keeps its user. "root" keeps it root. What that user cannot write is refused at the start. Started by any
    /// user, the program gives up all capabilities but those that it needs again, and where the kernel has Landlock it
    /// opens no more files but those of its options. What holds is said at the start, in a replay with -v.
    #[arg(long, value_name = "USER", help_heading = SERVICE, hide_short_help = true)]
    pub user: Option<Located>,

    /// Show the counters to Prometheus at this address
    ///
    /// At /metrics. A port alone is one of 127.0.0.1; give an address with it (192.0.2.1:9925) to be asked
    /// from elsewhere: any host that reaches it can read them. Live only.
    #[arg(long, value_name = "ADDR", help_heading = SERVICE, hide_short_help = true)]
    pub metrics: Option<Located>,

    /// Socket where clients ask how the service stands, and change what it blocks, or "off"
    ///
    /// For synwatch status, top, blocked, allow and the like. Root and members of the group synwatch can connect and
    /// read; root alone can change something. By default there is none where its folder is not there: systemd makes
    /// it. Live only.
    #[arg(long, value_name = "PATH", default_value = crate::control::PATH, help_heading = SERVICE, hide_short_help = true)]
    pub control: Located,

    /// Folder that keeps what synwatch allow --for has allowed over a restart, or "off"
    ///
    /// By default nothing is kept where the folder is not there: systemd makes it. Only the run that has the control
    /// socket uses it. Live only.
    #[arg(long, value_name = "DIR", default_value = crate::control::FOLDER, help_heading = SERVICE, hide_short_help = true)]
    pub state_dir: Located,

    /// Begin lines of the log with their priority: auto, plain, journald
    ///
    /// "journald" puts a priority as <4> before each line on standard error, which systemd's journal takes for its own:
    /// warnings and reports of severity 1 are 4, of severity 2 are 5, of severity 3 are 6. "auto" does so where the
    /// journal reads it.
    #[arg(long, value_name = "FORMAT", default_value = "auto", help_heading = SERVICE, hide_short_help = true)]
    pub log_format: Located,

    /// Leave out warnings and the summary
    ///
    /// Reports and errors are shown all the same.
    #[arg(short, long, conflicts_with = "verbose", help_heading = DIAGNOSTICS)]
    pub quiet: bool,

    /// Say more: -v what happens, -vv details, -vvv everything
    #[arg(short, long, action = ArgAction::Count, help_heading = DIAGNOSTICS)]
    pub verbose: u8,

    #[arg(short, long, action = ArgAction::Help, help_heading = DIAGNOSTICS,
        help = "Print help: -h the short one, --help all of it")]
    help: Option<bool>,

    #[arg(short = 'V', long, action = ArgAction::Version, help_heading = DIAGNOSTICS, help = "Print the version",
        long_help = "Print the version; --version says from which commit, for what and with what it was built")]
    version: Option<bool>,

    /// The options that were given, by their ids: no file overrides these.
    #[arg(skip)]
    pub(super) given: Vec<String>,
}
