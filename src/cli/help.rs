//! Text of the help beside the options.

use std::fmt::Write as _;

use clap::Command;

/// The usage lines, with the names of these commands.
pub(super) fn usage(commands: &[Command]) -> String {
    let names: Vec<_> = commands.iter().map(Command::get_name).collect();
    format!("{USAGE}\n       synwatch {}", names.join("|"))
}

const USAGE: &str = "synwatch [OPTIONS] -i <IF>... [EXPRESSION]
       synwatch [OPTIONS] -r <FILE>... [EXPRESSION]
       synwatch [OPTIONS] -c <FILE>
       synwatch -D";

/// The first paragraphs of the long help.
pub(super) const ABOUT: &str = "\
Notices hosts that open TCP connections too fast: counts SYNs per source, live or from capture files.

An attempt is a TCP segment with SYN set and ACK clear, to a watched port. Copies and retransmissions of it are told \
apart and not counted. A source that makes N attempts within any time W is over the limit N/W: an episode begins. It \
is reported on standard error at its start, every minute while it lasts, and at its end, with the times of the \
packets. Nothing is blocked unless that is asked for (--block).";

/// The end of the long help, with a list of these commands.
pub(super) fn long_end(commands: &[Command]) -> String {
    let usages: Vec<_> = commands.iter().map(usage_of).collect();
    let width = usages.iter().map(String::len).max().unwrap_or_default();
    let mut text = "Commands:\n".to_owned();
    for (command, usage) in commands.iter().zip(usages) {
        // Writing to memory does not fail.
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(text, "  {usage:width$}  {about}");
    }
    let options = "  All but report take --socket PATH and --json; synwatch COMMAND --help has the rest.";
    format!("{text}{options}\n\n{AFTER}")
}

/// The name of a command, and what it is given beside options: `block <ADDR> [TIME]`.
fn usage_of(command: &Command) -> String {
    let mut usage = command.get_name().to_owned();
    for positional in command.get_positionals() {
        let name =
            positional.get_value_names().and_then(<[_]>::first).map(ToString::to_string).unwrap_or_default();
        usage += &if positional.is_required_set() { format!(" <{name}>") } else { format!(" [{name}]") };
    }
    usage
}

/// The end of the short help.
pub(super) const EXAMPLES: &str = "\
Examples:
  synwatch -i eth0                          watch mail ports on an interface
  synwatch -r monday.pcap.gz -l 20/10s      look through a capture file
  synwatch -i eth0 not net 192.0.2.0/24     leave packets out, as in tcpdump";

/// Examples and the rest of the long help.
const AFTER: &str = "\
Examples:
  Watch the mail ports on an interface, as root:
      synwatch -i eth0
  The same without root, once the program has been given the right to capture:
      sudo setcap cap_net_raw=ep \"$(command -v synwatch)\"
  Look through capture files, with limits of your own:
      synwatch -r monday.pcap.gz -r tuesday.pcap.zst -l 20/10s -l 500/1h
  Read from another program:
      ssh gateway tcpdump -i eth0 -U -w - tcp | synwatch -r -
  Watch SSH instead of mail, except from your own networks:
      synwatch -i eth0 -p ssh --allow 192.0.2.0/24 --allow 2001:db8::/32
  Narrow what is looked at by an expression, as in tcpdump:
      synwatch -i eth0 'dst net 198.51.100.0/24 and not src host 192.0.2.1'
  Choose limits by what a day's capture shows, and use them:
      synwatch -r monday.pcap --suggest > limits.toml
      synwatch -r tuesday.pcap -c limits.toml
  Test a configuration file, try it on a capture, run with it:
      synwatch -T -c /etc/synwatch/synwatch.toml
      synwatch -T --deep -c /etc/synwatch/synwatch.toml
      synwatch -c /etc/synwatch/synwatch.toml -r monday.pcap
      synwatch -c /etc/synwatch/synwatch.toml
  Block who floods, see who is blocked, let one in again, and keep it in for two hours:
      synwatch -i eth0 --block nft
      synwatch blocked
      synwatch unblock 192.0.2.1
      synwatch allow 192.0.2.1 --for 2h --why 'load test'
  See how the running service stands, and which episodes are open:
      synwatch status
      synwatch episodes --json
  See which sources are closest to a limit, now or at the end of a capture:
      synwatch top
      synwatch top -r monday.pcap --once --json
  Make a page of a run, and one of yesterday from the service's log:
      synwatch -r monday.pcap.gz --html monday.html
      synwatch report --day yesterday -o yesterday.html
  Keep evidence of each episode, for the provider of its source:
      synwatch -i eth0 --report-dir /var/lib/synwatch --report-from abuse@example.org
  List the sources and their attempts by means of jq:
      synwatch -q -r monday.pcap --json - |
          jq -r '.synwatch | select(.state == \"end\" and .kind == \"source\") | [.source, .attempts] | @tsv'

Values:
  Times are a number and a unit: ms, s, m, h, d (500ms, 60s, 7d).
  Sizes are a number and a unit: B, KiB, MiB, GiB, TiB, or K, M, G, T, in powers of 1024 (64MiB, 1G).

Exit codes:
  0  done, also when stopped by SIGINT or SIGTERM
  1  a failure, something that is not there (yet), or a damaged capture file
  2  wrong usage, or a configuration file that is not in order
  3  with --fail-on-alert: done, and something was reported

Signals:
  SIGINT, SIGTERM  report the end of open episodes, print the summary, exit;
                   again after a second or more: end at once
  SIGUSR1          print the statistics
  SIGHUP           open the files of --json and -w anew, after their rotation;
                   live, read the configuration and the allow files again

Logging:
  Reports, warnings, errors and the summary go to standard error.
  -q leaves reports and errors; -v adds what happens. The environment variable
  RUST_LOG (error, warn, info, debug, trace) overrides both for the log.
  NO_COLOR turns colours off.";
