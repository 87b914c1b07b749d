//! The command line: its options, their help text, and what is said when they cannot be understood.
//!
//! Opens nothing and judges no value: values stay as they were written until [`crate::config`] reads them, so that
//! every complaint about a value is worded in one place. Defaults stand here, as they would be written.

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::parser::ValueSource;
use clap::{ArgAction, Args, CommandFactory, FromArgMatches as _, Parser};

mod complaint;
mod firewall;
mod help;
mod written;

pub use firewall::Firewall;
pub use written::{FilePlace, Place, Written};

/// Notices hosts that open TCP connections too fast: counts SYNs per source, live or from capture files.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "synwatch",
    version,
    long_about = help::ABOUT,
    override_usage = help::USAGE,
    after_help = help::EXAMPLES,
    after_long_help = help::AFTER,
    max_term_width = 100,
    disable_help_flag = true,
    disable_version_flag = true
)]
pub struct Cli {
    /// Watch this interface (repeatable; "any" is all of them)
    ///
    /// A connection that is seen on several interfaces counts once. Needs root, or the capability cap_net_raw.
    #[arg(short, long, value_name = "IF", help_heading = INPUT)]
    pub interface: Vec<Written>,

    /// Read this capture file (repeatable; "-" is standard input)
    ///
    /// pcap or pcapng, plain, gzip or zstd: told by content, not by name. Several files are merged by time.
    #[arg(short, long, value_name = "FILE", help_heading = INPUT)]
    pub read: Vec<PathBuf>,

    /// List the interfaces that can be watched, and exit
    #[arg(short = 'D', long, help_heading = INPUT)]
    pub list_interfaces: bool,

    /// Look only at packets that match this filter, as for tcpdump
    ///
    /// All words after the first one that is no option are the expression (see pcap-filter(7)), so options come
    /// before it. Quote what the shell would take for its own, such as parentheses.
    #[arg(value_name = "EXPRESSION", trailing_var_arg = true, help_heading = INPUT)]
    pub expression: Vec<Written>,

    /// See what is addressed to other hosts, too (promiscuous mode)
    ///
    /// A gateway sees what it forwards without this; a host at a mirror port needs it.
    #[arg(long, help_heading = INPUT)]
    pub promisc: bool,

    /// Bytes to capture of each packet
    ///
    /// From 64 to 262144. The default holds what precedes and includes a TCP header: Ethernet, eight tags, PPPoE, IPv6
    /// with extension headers, one tunnel with the same inside it. What is cut off cannot be counted.
    #[arg(long, value_name = "BYTES", default_value = "512", help_heading = INPUT, hide_short_help = true)]
    pub snap_length: Written,

    /// How long the kernel may hold packets back, to hand over many at once
    ///
    /// From 1ms to 10s. A report comes that much later, a longer time takes less of the processor.
    #[arg(long, value_name = "TIME", default_value = "15ms", help_heading = INPUT, hide_short_help = true)]
    pub read_timeout: Written,

    /// What is counted, and when it is too much.
    #[command(flatten)]
    pub watch: WatchOptions,

    /// Never report this network or address (repeatable)
    ///
    /// Its attempts are still counted in the summary. A bare address is a network of its own.
    #[arg(long, value_name = "CIDR", help_heading = COUNTED)]
    pub allow: Vec<Written>,

    /// Never report the networks in this file (repeatable)
    ///
    /// One a line, as for --allow; # begins a comment.
    #[arg(long, value_name = "FILE", help_heading = COUNTED)]
    pub allow_file: Vec<Written<PathBuf>>,

    /// Report the addresses of the watched interfaces too
    ///
    /// Without this they are allowed, and one of them that is over a limit is warned of once.
    #[arg(long, help_heading = COUNTED, hide_short_help = true)]
    pub no_allow_self: bool,

    /// Look into tunnels: IP in IP, 6in4, 4in6, GRE, VXLAN
    ///
    /// Anyone can send an encapsulated packet that names someone else as its source, so this is off by default.
    #[arg(long, help_heading = COUNTED)]
    pub tunnels: bool,

    /// Write reports as JSON Lines, too ("-" is standard output)
    ///
    /// In Suricata's EVE form, so that Wazuh, Filebeat and EveBox read them. The text on standard error stays as it is.
    #[arg(long, value_name = "FILE", help_heading = REPORTS)]
    pub json: Option<Written<PathBuf>>,

    /// Write the statistics to the JSON file so often
    ///
    /// From 1s to 7d. There is always one such record at the end, and without this option no other.
    #[arg(long, value_name = "TIME", help_heading = REPORTS, hide_short_help = true)]
    pub stats_interval: Option<Written>,

    /// Write the attempts of reported sources to a capture file
    ///
    /// pcapng, from the first report on; tcpdump and Wireshark read it.
    #[arg(short, long, value_name = "FILE", help_heading = REPORTS)]
    pub write: Option<Written<PathBuf>>,

    /// Let that capture file grow to this size at most
    ///
    /// From 64KiB to 16TiB. What is not written any more is counted and said.
    #[arg(long, value_name = "SIZE", default_value = "1GiB", help_heading = REPORTS)]
    pub write_max: Written,

    /// Report an episode again so often while it lasts
    ///
    /// From 1s to 7d.
    #[arg(long, value_name = "TIME", default_value = "60s", help_heading = REPORTS)]
    pub update: Written,

    /// Show times in UTC instead of local time
    #[arg(long, help_heading = REPORTS)]
    pub utc: bool,

    /// Suggest limits from capture files, instead of reporting
    ///
    /// On standard output, as a part of a configuration file: for each limit, the most attempts that sources, networks
    /// and destinations made in any of its windows, who stands out, and the limit that reports those alone. With --json
    /// as a record, too; with --names and --mmdb it says who the sources on top are. Takes as much memory again as
    /// --memory says, at most.
    #[arg(long, help_heading = REPORTS)]
    pub suggest: bool,

    /// Exit with 3 when anything was reported
    #[arg(long, help_heading = REPORTS)]
    pub fail_on_alert: bool,

    /// Do not look up names of sources
    ///
    /// Live they are looked up by the system's resolver, meanwhile, and are in the reports as soon as they are known.
    #[arg(short, long, conflicts_with = "names", help_heading = REPORTS)]
    pub no_names: bool,

    /// Look up names of sources in a replay, too
    ///
    /// Each is waited for, 5 seconds at most.
    #[arg(long, help_heading = REPORTS)]
    pub names: bool,

    /// Look up whose network a source is in, in this database (repeatable)
    ///
    /// In MaxMind's format: the AS number, its organisation, the country. Read at the start.
    #[arg(long, value_name = "FILE", help_heading = REPORTS)]
    pub mmdb: Vec<Written<PathBuf>>,

    /// Write reports to the system's log, too
    ///
    /// Facility daemon; severity 1 is a warning, 2 a notice, 3 an information. Name the socket behind a "=" where it is
    /// not /dev/log. Live only.
    #[arg(long, value_name = "SOCKET", num_args = 0..=1, require_equals = true,
        default_missing_value = crate::sink::Syslog::SOCKET, help_heading = REPORTS)]
    pub syslog: Option<Written<PathBuf>>,

    /// Run this command on each report
    ///
    /// It reads the report as JSON on standard input, and finds its main values in its environment (SYNWATCH_STATE,
    /// SYNWATCH_SOURCE, SYNWATCH_VERIFIED, …). Words are split as a shell does; there is no shell. At most four run at
    /// a time; 256 reports wait. It has no capability, and runs as the user that synwatch becomes.
    #[arg(long, value_name = "CMD", help_heading = ACTIONS)]
    pub exec: Option<Written>,

    /// End a command that is not done by then
    ///
    /// From 1s to 1h: by SIGTERM, and 2 seconds later by SIGKILL, with all that it has started.
    #[arg(long, value_name = "TIME", default_value = "10s", help_heading = ACTIONS, hide_short_help = true)]
    pub exec_timeout: Written,

    /// Post each report to this address, as JSON
    ///
    /// By HTTP, https:// or http://, in order. What is not taken is tried again three times within 7 seconds, unless
    /// the answer says that it never will; then it is counted as lost and said. Give it in the configuration file where
    /// it holds a secret: the command line is there for all to see.
    #[arg(long, value_name = "URL", help_heading = ACTIONS)]
    pub webhook: Option<Written>,

    /// Put evidence of each episode into a folder of its own in this one
    ///
    /// For the provider of the source: report.txt for people, xarf.json for machines (XARF 4), evidence.pcapng with the
    /// headers of the first 256 attempts after the report. Written when an episode of a source or a network has ended;
    /// sent to nobody. DIR must be there, and writable for the user that synwatch becomes.
    #[arg(long, value_name = "DIR", help_heading = ACTIONS)]
    pub report_dir: Option<Written<PathBuf>>,

    /// Name whom an abuse desk is to answer, in that evidence
    ///
    /// As in a mail: "Example Ltd <abuse@example.org>", or the address alone. Without it xarf.json has no reporter, who
    /// is to be filled in before it is sent.
    #[arg(long, value_name = "WHO", help_heading = ACTIONS)]
    pub report_from: Option<Written>,

    /// Block verified sources: by "nft", or "print" what would
    ///
    /// "nft" drops their packets by a table of its own, inet synwatch; it needs root, or the capability cap_net_admin.
    /// "print" writes lines for nft, ipset, pf and firewalld on standard output. Never blocked are allowed networks,
    /// this host's addresses, gateways and name servers, and networks that hold one of these.
    #[arg(long, value_name = "HOW", help_heading = ACTIONS)]
    pub block: Option<Written>,

    /// Block a source for this long, twice as long each further time, up to 24h
    ///
    /// From 1s to 7d. A longer time than 24h is not doubled.
    #[arg(long, value_name = "TIME", default_value = "1h", help_heading = ACTIONS)]
    pub block_time: Written,

    /// Block sources that are not verified, too
    ///
    /// Their addresses may be forged: whoever forges them chooses who is blocked.
    #[arg(long, help_heading = ACTIONS, hide_short_help = true)]
    pub block_unverified: bool,

    /// Sources that can be blocked at once
    ///
    /// From 1 to 65536. Those beyond are not blocked, which is warned of.
    #[arg(long, value_name = "N", default_value = "1024", help_heading = ACTIONS, hide_short_help = true)]
    pub max_blocks: Written,

    /// Memory for the tables of sources and connections
    ///
    /// From 1MiB to 1TiB. Reserved at the start and never exceeded. When a table is full, the least active sources give
    /// way; that is counted and said.
    #[arg(long, value_name = "SIZE", default_value = "64MiB", help_heading = RESOURCES)]
    pub memory: Written,

    /// Episodes that can be open at once
    ///
    /// From 1 to 1000000. Sources over a limit beyond these are counted, and said in one line.
    #[arg(long, value_name = "N", default_value = "4096", help_heading = RESOURCES)]
    pub max_episodes: Written,

    /// The kernel's buffer for each interface
    ///
    /// From 64KiB to 1GiB, as often as there are --threads. A larger one outlasts longer bursts. Packets that do not
    /// fit are lost; that is counted and said.
    #[arg(long, value_name = "SIZE", default_value = "16MiB", help_heading = RESOURCES)]
    pub buffer: Written,

    /// Threads that read packets, each with a buffer of its own on every interface
    ///
    /// From 1 to 64. One more counts what they read, in order of time, so that reports are the same; they come up to 50
    /// ms later, since the threads wait for each other. Worth it where one thread cannot read all that passes: with
    /// tunnels, tags or PPPoE, which the kernel's filter cannot judge. Live only.
    #[arg(long, value_name = "N", default_value = "1", help_heading = RESOURCES, hide_short_help = true)]
    pub threads: Written,

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

    /// Go on as this user, once all is open that needs root
    ///
    /// By default root becomes the user "synwatch", if there is one; "root" keeps it root. Whoever starts the program,
    /// it gives up all capabilities but those that it needs again, and where the kernel has Landlock it opens no more
    /// files but those of its options. What holds is said at the start, in a replay with -v.
    #[arg(long, value_name = "USER", help_heading = SERVICE)]
    pub user: Option<Written>,

    /// Show the counters to Prometheus at this address
    ///
    /// At /metrics. A port alone is one of 127.0.0.1; give an address with it (192.0.2.1:9925) to be asked
    /// from elsewhere: whoever reaches it can read them. Live only.
    #[arg(long, value_name = "ADDR", help_heading = SERVICE)]
    pub metrics: Option<Written>,

    /// Begin lines of the log with their priority: auto, plain, journald
    ///
    /// "journald" puts a priority as <4> before each line on standard error, which systemd's journal takes for its own:
    /// warnings and reports of severity 1 are 4, of severity 2 are 5, of severity 3 are 6. "auto" does so where the
    /// journal reads it.
    #[arg(long, value_name = "FORMAT", default_value = "auto", help_heading = SERVICE, hide_short_help = true)]
    pub log_format: Written,

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

    #[arg(short = 'V', long, action = ArgAction::Version, help_heading = DIAGNOSTICS, help = "Print the version")]
    version: Option<bool>,

    /// The options that were given, by their ids: no file overrides these.
    #[arg(skip)]
    given: Vec<String>,
}

/// The options of a watch. In a configuration file each watch has its own.
#[derive(Debug, Clone, Args)]
pub struct WatchOptions {
    /// Ports to count: numbers, ranges, names, "mail", "any"
    ///
    /// Destination ports or names of services, separated by commas: mail,2525,8000-8010. Here "mail" is 25, 110, 143,
    /// 465, 587, 993 and 995, and "any" is every port; names beyond the usual ones are looked up in /etc/services.
    /// Reports name the watch "mail" when these are its ports, otherwise "custom". Given, it is the one watch there is,
    /// in place of those of the configuration file.
    #[arg(short, long, value_name = "LIST", default_value = "mail", action = ArgAction::Set, num_args = 1,
        help_heading = COUNTED)]
    pub ports: Vec<Written>,

    /// Report N attempts of a source in any W (repeatable)
    ///
    /// What is given replaces the default limits. N is from 1 to 4096, W from 1ms to 7d, in ms, s, m, h or d: 30/10s,
    /// 60/1m, 500/1h. The window slides: a limit is met whenever an attempt and the N-1 before it lie within W. Say a
    /// higher rate with a shorter window. With an outcome (silent, spoke, refused, half-open, unanswered, unknown) only
    /// attempts that became that count, when it shows: 10/60s:silent.
    #[arg(short, long, value_name = "N/W[:OUTCOME]", default_values = ["30/10s", "60/60s", "32/60s:silent"], help_heading = COUNTED)]
    pub limit: Vec<Written>,

    /// Report N attempts from one network in any W ("off": none)
    ///
    /// A network is a /24 of IPv4, a /48 of IPv6. Attempts of a source that is reported itself do not count.
    #[arg(long, value_name = "N/W", default_value = "300/10s", help_heading = COUNTED)]
    pub network_limit: Written,

    /// Report N attempts to one address and port in any W ("off": none)
    ///
    /// From whatever sources: a flood that is spread over many, or forged, is one episode.
    #[arg(long, value_name = "N/W", default_value = "2000/10s", help_heading = COUNTED)]
    pub destination_limit: Written,

    /// Count IPv4 sources by networks of this prefix length
    ///
    /// From 1 to 32; 32 counts each address for itself.
    #[arg(long, value_name = "BITS", default_value = "32", help_heading = COUNTED)]
    pub prefix4: Written,

    /// Count IPv6 sources by networks of this prefix length
    ///
    /// From 1 to 128. One customer holds at least a /64, and can send from each of its addresses.
    #[arg(long, value_name = "BITS", default_value = "64", help_heading = COUNTED)]
    pub prefix6: Written,

    /// End an episode when its source met no limit for this long
    ///
    /// From 1s to 7d.
    #[arg(long, value_name = "TIME", default_value = "60s", help_heading = COUNTED)]
    pub quiet_time: Written,
}

const INPUT: &str = "Input";
const COUNTED: &str = "What is counted";
const REPORTS: &str = "Reports";
const ACTIONS: &str = "Actions";
const RESOURCES: &str = "Resources";
const SERVICE: &str = "Service";
const DIAGNOSTICS: &str = "Diagnostics";
const CONFIGURATION: &str = "Configuration";

impl Cli {
    /// Reads the arguments, the program's name first.
    ///
    /// # Errors
    /// Help or the version is asked for, or the arguments cannot be understood: see [`Stop`].
    pub fn read(arguments: impl IntoIterator<Item = impl Into<OsString> + Clone>) -> Result<Self, Stop> {
        let stop = |error| Stop(Box::new(error));
        let matches = Self::command().try_get_matches_from(arguments).map_err(stop)?;
        let mut cli = Self::from_arg_matches(&matches).map_err(stop)?;
        let is_given = |id: &&str| matches.value_source(id) == Some(ValueSource::CommandLine);
        cli.given = matches.ids().map(clap::Id::as_str).filter(is_given).map(str::to_owned).collect();
        Ok(cli)
    }

    /// Whether an option was given, by its long name with `_` for `-`, rather than left at its default.
    #[must_use]
    pub fn is_given(&self, option: &str) -> bool {
        self.given.iter().any(|given| given == option)
    }
}

/// Whether a word is one of the options: `-q`, `--utc`, `--limit=30/10s`.
pub(crate) fn is_option(word: &str) -> bool {
    let command = Cli::command();
    let mut options = command.get_arguments();
    if let Some(long) = word.strip_prefix("--") {
        let name = long.split('=').next();
        options.any(|option| option.get_long().is_some() && option.get_long() == name)
    } else if let Some(short) = word.strip_prefix('-') {
        let mut letters = short.chars();
        let (letter, rest) = (letters.next(), letters.next());
        rest.is_none() && options.any(|option| option.get_short().is_some() && option.get_short() == letter)
    } else {
        false
    }
}

/// Why there is nothing to run: help or the version was asked for, or the arguments cannot be understood.
#[derive(Debug)]
pub struct Stop(Box<clap::Error>);

impl Stop {
    /// 0 for help and version, 2 for wrong usage.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        if self.0.use_stderr() { 2 } else { 0 }
    }

    /// Shows it: help and version on standard output, a complaint on standard error. A reader that has gone away is
    /// no failure.
    pub fn show(&self) {
        let _ = match self.0.use_stderr() {
            true => writeln!(io::stderr(), "synwatch: {}", complaint::complaint(&self.0)),
            false => self.0.print(),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &str) -> Result<Cli, Stop> {
        Cli::read(std::iter::once("synwatch").chain(arguments.split_whitespace()))
    }

    fn texts(written: &[Written]) -> Vec<&str> {
        written.iter().map(|written| written.value.as_str()).collect()
    }

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn words_after_the_options_are_an_expression() {
        for (arguments, expression) in [
            ("-i eth0", ""),
            ("-i eth0 host 192.0.2.1 and not port 25", "host 192.0.2.1 and not port 25"),
            ("-r - tcp[13] & 2 != 0", "tcp[13] & 2 != 0"),
            ("-qi eth0 ip[2:2] - 20 > -1", "ip[2:2] - 20 > -1"),
            ("-i eth0 -- port 25", "port 25"),
            ("-i eth0 port 25 -q", "port 25 -q"),
        ] {
            let words = texts(&read(arguments).unwrap().expression).join(" ");
            assert_eq!(words, expression, "{arguments}");
        }
    }

    #[test]
    fn options_can_be_repeated() {
        let cli =
            read("-i eth0 --interface any -l 5/1s -l6/1m -l=7/1h --allow ::1 --allow 192.0.2.1 -vv").unwrap();
        assert_eq!(texts(&cli.interface), ["eth0", "any"]);
        assert_eq!(texts(&cli.watch.limit), ["5/1s", "6/1m", "7/1h"]);
        assert_eq!(texts(&cli.allow), ["::1", "192.0.2.1"]);
        assert_eq!(cli.verbose, 2);
        let cli = read("-r a -r - --json -").unwrap();
        assert_eq!(cli.read, [PathBuf::from("a"), PathBuf::from("-")]);
        assert_eq!(cli.json, Some(PathBuf::from("-").into()));
        assert_eq!(texts(&cli.watch.limit), ["30/10s", "60/60s", "32/60s:silent"]);
    }

    #[test]
    fn what_was_given_is_told_from_defaults() {
        let cli = read("-i eth0 --memory 64MiB -qp mail not port 25").unwrap();
        for option in ["interface", "memory", "quiet", "ports", "expression"] {
            assert!(cli.is_given(option), "{option}");
        }
        for option in ["read", "buffer", "limit", "verbose", "promisc", "quiet_time"] {
            assert!(!cli.is_given(option), "{option}");
        }
    }

    #[test]
    fn options_are_known_by_either_name() {
        for word in ["-q", "-i", "-h", "-V", "--utc", "--limit=30/10s", "--help"] {
            assert!(is_option(word), "{word}");
        }
        for word in ["-", "--", "-1", "-x", "-qv", "--limits", "q", "port", ""] {
            assert!(!is_option(word), "{word}");
        }
    }

    #[test]
    fn help_is_no_error_and_names_every_option() {
        let stop = read("--help").unwrap_err();
        assert_eq!(stop.exit_code(), 0);
        let text = stop.0.render().to_string();
        for option in Cli::command().get_arguments().filter_map(clap::Arg::get_long) {
            assert!(text.contains(&format!("--{option}")), "{option}");
        }
        assert_eq!(
            read("-V").unwrap_err().0.render().to_string(),
            concat!("synwatch ", env!("CARGO_PKG_VERSION"), "\n")
        );
    }
}
