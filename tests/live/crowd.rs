//! A forged flood of 43,000 sources, each over the limit, beside real attackers: it displaces no report or action about
//! these.

use std::fs;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use etherparse::{PacketBuilder, TcpHeader};
use pcap::Capture;
use rustix::process::Signal;
use synwatch::act::Nft;

use crate::actions::{script, wait_for_lines};
use crate::program::Program;
use crate::scene::{ATTACKER, INNOCENT, PATIENCE, SERVER, Scene, give_up, visit};

/// Forged sources, one after the other, and how often each of them comes: as often as the limit of the run has it.
const SOURCES: u32 = 43_000;
const ATTEMPTS: u32 = 10;
/// SYNs in a second: 14 Mbit/s of frames of 64 bytes on the wire, with what goes between them.
const RATE: u32 = 20_800;
/// It ends by itself, however slow the machine sends.
const LONGEST: Duration = Duration::from_secs(30);
/// How many SYNs must have passed before the second attacker begins.
const CROWD: u64 = 100_000;

#[test]
fn a_forged_flood_leaves_every_line_folder_command_and_block_of_real_attackers_in_place() {
    if let Err(error) = Nft::find() {
        return give_up(&error.to_string());
    }
    let Some(scene) = Scene::set() else { return };
    // The forged SYNs get no answer.
    scene.gateway.ip("route add blackhole 203.0.113.0/24");
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let exec = script(
        folder.path(),
        "case $SYNWATCH_SOURCE in 198.51.100.*) echo $SYNWATCH_SOURCE $SYNWATCH_STATE $SYNWATCH_VERIFIED >> real;; esac",
    );
    let reports = folder.path().join("reports");
    fs::create_dir(&reports).unwrap();
    let options = format!(
        "-i outer -l {ATTEMPTS}/1h --destination-limit off --network-limit off --block nft --report-dir {} {exec}",
        reports.display()
    );
    let program = Program::watch(&scene.gateway, &options);
    let sent = AtomicU64::new(0);
    let took = thread::scope(|scope| {
        attack(&scene, INNOCENT);
        let forger = scope.spawn(|| forge(&scene, &sent));
        let until = Instant::now() + PATIENCE;
        while sent.load(Ordering::Relaxed) < CROWD && !forger.is_finished() {
            assert!(Instant::now() < until, "nothing is sent");
            thread::sleep(Duration::from_millis(10));
        }
        attack(&scene, ATTACKER);
        forger.join().unwrap()
    });
    let sent = sent.into_inner();
    let _ =
        writeln!(std::io::stderr(), "{sent} forged SYNs of {SOURCES} sources in {:.1} s", took.as_secs_f64());
    let blocked = scene.gateway.enter(|| Nft::find().unwrap().blocked()).unwrap();
    let blocked: Vec<_> = blocked.iter().map(|blocked| blocked.target.network.addr()).collect();
    assert_eq!(blocked, [INNOCENT, ATTACKER], "these alone");
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.code, Some(0));
    let done = wait_for_lines(&folder.path().join("real"), 2);
    for real in [INNOCENT, ATTACKER] {
        let own = format!("src={real} ");
        let verified = |state| -> Vec<_> {
            let lines = ended.reports(state).into_iter().filter(|line| line.contains(&own));
            lines.map(|line| line.contains(" verified=yes ")).collect()
        };
        // Whether the start is verified depends on which came first, the report or the last ACK.
        let [was_verified] = verified("start")[..] else { panic!("starts of {real}: {ended:#?}") };
        assert!(
            was_verified || verified("update").contains(&true),
            "no update of {real} when it was verified"
        );
        assert_eq!(verified("end"), [true], "ends of {real}");
        assert!(
            done.lines().any(|line| line.starts_with(&format!("{real} ")) && line.ends_with(" yes")),
            "{done}"
        );
        assert_eq!(folders_of(&reports, real), 1, "one folder of {real}");
    }
    let seen = ended.summary("attempts");
    let dropped = ended.summary("kernel-drops");
    let _ = writeln!(std::io::stderr(), "{seen} attempts seen, {dropped} packets dropped by the kernel");
}

/// A real host connects until it is blocked: of what a busy machine's program is too slow for, the kernel drops some.
fn attack(scene: &Scene, host: IpAddr) {
    let is_blocked = || {
        let blocked = scene.gateway.enter(|| Nft::find().unwrap().blocked()).unwrap_or_default();
        blocked.iter().any(|blocked| blocked.target.network.addr() == host)
    };
    let until = Instant::now() + PATIENCE;
    while !is_blocked() {
        assert!(Instant::now() < until, "{host} is not blocked");
        // The last ones are dropped, so the test does not wait for them.
        scene.outside.enter(|| drop(thread::spawn(move || visit(host, SocketAddr::new(SERVER, 25)))));
    }
}

/// Sends it, and says how long that took.
fn forge(scene: &Scene, sent: &AtomicU64) -> Duration {
    /// At once.
    const BURST: u32 = 200;
    let begin = Instant::now();
    scene.outside.enter(|| {
        let mut interface = Capture::from_device("eth0").unwrap().open().unwrap();
        let link = PacketBuilder::ethernet2(
            scene.outside.hardware_address("eth0"),
            scene.gateway.hardware_address("outer"),
        );
        let mut tcp = TcpHeader::new(0, 25, 0, 65_535);
        tcp.syn = true;
        let mut frame = Vec::new();
        link.ipv4([10, 0, 0, 0], [203, 0, 113, 25], 64).tcp_header(tcp).write(&mut frame, &[]).unwrap();
        for number in 0..SOURCES * ATTEMPTS {
            if number % BURST == 0 {
                let due = Duration::from_secs(1) * number / RATE;
                thread::sleep(due.saturating_sub(begin.elapsed()));
                sent.store(number.into(), Ordering::Relaxed);
                if begin.elapsed() > LONGEST {
                    return;
                }
            }
            readdress(&mut frame, number);
            interface.sendpacket(frame.as_slice()).unwrap();
        }
        sent.store((SOURCES * ATTEMPTS).into(), Ordering::Relaxed);
    });
    begin.elapsed()
}

/// Gives it the source, the port and the number of the SYN of this number. Its checksums stay as they were: of an
/// attempt none is asked for.
fn readdress(frame: &mut [u8], number: u32) {
    const SOURCE: usize = 14 + 12;
    const PORT: usize = 14 + 20;
    const SEQUENCE: usize = PORT + 4;
    let [_, high, middle, low] = (number % SOURCES).to_be_bytes();
    // Neighbours in number are of different networks.
    frame[SOURCE..SOURCE + 4].copy_from_slice(&Ipv4Addr::new(10, low, middle, high).octets());
    let port = u16::try_from(20_000 + number / SOURCES).unwrap_or(0);
    frame[PORT..PORT + 2].copy_from_slice(&port.to_be_bytes());
    frame[SEQUENCE..SEQUENCE + 4].copy_from_slice(&number.to_be_bytes());
}

fn folders_of(dir: &Path, source: IpAddr) -> usize {
    let names = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    let name = format!("Z-{source}-mail");
    names.filter(|folder| folder.to_str().is_some_and(|folder| folder.ends_with(&name))).count()
}
