//! What is measured: this program, a bare libpcap loop, a bare read, and the tools that are installed.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::{Path, PathBuf};

use pcap::Capture;

use crate::Failure;
use synwatch_testkit::traffic::floods::MAIL;

/// Bytes in a read.
const PIECE: usize = 1 << 20;
/// They go to the middle of a page: a few bytes after its beginning, where memory of that size begins, the kernel takes
/// three to four times as long to copy them.
const PAGE: usize = 4096;
/// Packets that a slow tool gets.
const SLOW_PACKETS: u64 = 1_000_000;

/// A command, as it is to be run.
#[derive(Debug)]
pub(crate) struct Command {
    /// What it is called in the table.
    pub(crate) name: String,
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<OsString>,
    /// The one that is compared with the others.
    pub(crate) is_ours: bool,
    /// The one that the others are compared with.
    pub(crate) is_measure: bool,
    /// It takes minutes: it runs once.
    pub(crate) is_slow: bool,
    /// How many packets it looks at, if not at all of them.
    pub(crate) packets: Option<u64>,
}

/// All commands for a capture.
pub(crate) fn all(capture: &Path, slow_tools: bool) -> Result<Vec<Command>, Failure> {
    let myself = std::env::current_exe()?;
    let file = capture.as_os_str();
    let mut all = vec![
        Command {
            is_ours: true,
            ..command("synwatch -r", Path::new(env!("CARGO_BIN_EXE_synwatch")), ["-r".into(), file.into()])
        },
        Command {
            is_measure: true,
            ..command("libpcap's loop, counting", &myself, ["libpcap-loop".into(), file.into()])
        },
        command("read, 1 MiB pieces", &myself, ["read".into(), file.into()]),
    ];
    if let Some(tcpdump) = installed("tcpdump") {
        let name = "tcpdump, SYNs to the ports, -w /dev/null";
        let arguments = ["-nn", "-r"].map(OsString::from).into_iter().chain([file.into()]);
        let arguments = arguments.chain(["-w".into(), "/dev/null".into(), syns().into()]);
        all.push(command(name, &tcpdump, arguments));
    }
    if slow_tools {
        if let Some(tshark) = installed("tshark") {
            let ports = MAIL.map(|port| port.to_string()).join(",");
            let filter = format!("tcp.flags.syn == 1 && tcp.flags.ack == 0 && tcp.dstport in {{{ports}}}");
            let arguments = ["-n", "-c", &SLOW_PACKETS.to_string(), "-Y", &filter, "-r"].map(OsString::from);
            all.push(Command {
                is_slow: true,
                packets: Some(SLOW_PACKETS),
                ..command("tshark, SYNs to the ports", &tshark, arguments.into_iter().chain([file.into()]))
            });
        }
        if let Some(suricata) = installed("suricata") {
            all.push(Command { is_slow: true, ..self::suricata(&suricata, capture)? });
        }
    }
    Ok(all)
}

fn command(name: &str, program: &Path, arguments: impl IntoIterator<Item = OsString>) -> Command {
    Command {
        name: name.to_owned(),
        program: program.to_owned(),
        arguments: arguments.into_iter().collect(),
        is_ours: false,
        is_measure: false,
        is_slow: false,
        packets: None,
    }
}

/// tcpdump's expression for what this program counts.
fn syns() -> String {
    let ports = MAIL.map(|port| format!("dst port {port}")).join(" or ");
    format!("tcp[tcpflags] & (tcp-syn|tcp-ack) == tcp-syn and ({ports})")
}

/// Suricata with one rule, the nearest to what this program does: so many SYNs of a source in a fixed window.
fn suricata(program: &Path, capture: &Path) -> Result<Command, Failure> {
    let logs = capture.with_extension("suricata");
    fs::create_dir_all(&logs)?;
    let rules = logs.join("synwatch.rules");
    let ports = MAIL.map(|port| port.to_string()).join(",");
    let rule = format!(
        "alert tcp any any -> any [{ports}] (msg:\"flood\"; flags:S,CE; flow:stateless; \
         threshold:type both, track by_src, count 30, seconds 10; sid:1000025; rev:1;)\n"
    );
    fs::write(&rules, rule)?;
    let arguments = ["-k", "none", "--runmode", "single", "-S"].map(OsString::from).into_iter();
    let arguments = arguments.chain([rules.into(), "-l".into(), logs.into(), "-r".into(), capture.into()]);
    Ok(command("suricata, one rule, one thread", program, arguments))
}

fn installed(name: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

/// Reads what the commands will read, so that all find it in the page cache.
pub(crate) fn warm(commands: &[Command]) -> Result<(), Failure> {
    let file = commands.iter().find(|command| command.is_ours).and_then(|command| command.arguments.last());
    file.map_or(Ok(()), |file| read(Path::new(file)))
}

/// Reads a file to its end.
pub(crate) fn read(file: &Path) -> Result<(), Failure> {
    let mut file = File::open(file)?;
    let mut memory = vec![0; PIECE + 2 * PAGE];
    let start = memory.as_ptr().align_offset(PAGE).min(PAGE) + PAGE / 2;
    while file.read(&mut memory[start..start + PIECE])? > 0 {}
    Ok(())
}

/// Reads a capture with libpcap's loop, and counts its packets.
pub(crate) fn libpcap_loop(file: &Path) -> Result<(), Failure> {
    let mut packets = 0_u64;
    Capture::from_file(file)?.for_each(None, |_| packets += 1)?;
    std::hint::black_box(packets);
    Ok(())
}
