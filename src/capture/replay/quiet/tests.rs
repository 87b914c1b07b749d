//! The messages of a replay beside packets: that no data comes at the moment, the clock of an interface, and
//! the key.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::mpsc;
use std::thread;

use rustix::fs::{CWD, Mode, mkfifoat};
use tempfile::TempDir;

use super::super::*;
use crate::capfile::sample;
use crate::wire::packet::{LinkType, Packet};

/// The messages, in order.
#[derive(Debug, Default)]
struct Told(Vec<What>);

#[derive(Debug, Clone, Copy, PartialEq)]
enum What {
    Packet(u8),
    Idle(Timestamp),
    TimedBy(usize),
    LanesEnd,
    Settle,
}

impl Receiver for Told {
    fn packet(&mut self, packet: &Packet<'_>) {
        self.0.push(What::Packet(packet.bytes.first().copied().unwrap_or_default()));
    }

    fn idle(&mut self, _: InterfaceId, now: Timestamp) {
        self.0.push(What::Idle(now));
    }

    fn timed_by(&mut self, lane: usize) {
        self.0.push(What::TimedBy(lane));
    }

    fn end_inputs(&mut self) {
        self.0.push(What::LanesEnd);
    }

    fn barrier(&mut self) {
        self.0.push(What::Settle);
    }
}

/// A pcap file with a packet at each of these seconds.
fn pcap(seconds: &[u32]) -> Vec<u8> {
    seconds.iter().fold(sample::Pcap::ethernet(), |file, second| file.record(*second, 0, 60, b"a")).bytes
}

fn open(path: &Path) -> Replay {
    let input = Input::Path(path.to_owned());
    Replay::open(&[input], &Interfaces::default(), Arc::default(), Progress::none()).unwrap()
}

/// The messages of a replay of this pipe while it stays open, until three times no data came, and then to the
/// end.
fn told_of_a_pipe(bytes: Vec<u8>) -> (Vec<What>, u64) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("pipe");
    mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
    let (close, closed) = mpsc::channel::<()>();
    let writer = thread::spawn({
        let path = path.clone();
        move || {
            let mut pipe = fs::OpenOptions::new().write(true).open(path).unwrap();
            pipe.write_all(&bytes).unwrap();
            let _ = closed.recv();
        }
    });
    let mut replay = open(&path);
    let mut told = Told::default();
    while told.0.iter().filter(|what| **what == What::Settle).count() < 3 {
        assert_eq!(replay.read(&mut told), Step::More);
    }
    drop(close);
    while replay.read(&mut told) == Step::More {}
    writer.join().unwrap();
    (told.0, replay.failures())
}

#[test]
fn a_pipe_that_goes_quiet_is_settled_and_time_goes_on_if_it_is_live() {
    let now = socket::now();
    let (told, failures) = told_of_a_pipe(pcap(&[now.second() as u32]));
    assert_eq!(told[..3], [What::TimedBy(0), What::Packet(b'a'), What::Settle]);
    let idle: Vec<_> =
        told.iter().filter_map(|what| if let What::Idle(time) = what { Some(*time) } else { None }).collect();
    assert!(idle.len() >= 2 && idle.is_sorted(), "{told:?}");
    assert!(idle.iter().all(|time| time.second() >= now.second()), "{told:?}");
    assert_eq!(failures, 0);
}

#[test]
fn time_stands_still_while_a_capture_of_long_ago_stalls() {
    let now = socket::now().second() as u32;
    for seconds in [1_714_978_800, now - 15, now + 15] {
        let (told, failures) = told_of_a_pipe(pcap(&[seconds]));
        assert!(!told.iter().any(|what| matches!(what, What::Idle(_))), "{seconds}: {told:?}");
        assert_eq!((told.iter().filter(|what| **what == What::Packet(b'a')).count(), failures), (1, 0));
    }
}

#[test]
fn a_quiet_pipe_is_read_on_in_the_middle_of_a_record() {
    let mut bytes = pcap(&[socket::now().second() as u32, 7]);
    bytes.truncate(bytes.len() - 1);
    let (told, failures) = told_of_a_pipe(bytes);
    assert_eq!(told.iter().filter(|what| matches!(what, What::Packet(_))).count(), 1);
    assert_eq!(failures, 1, "the record was cut in the end");
}

#[test]
fn each_interface_of_a_file_has_a_clock_until_the_file_ends() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("x");
    let file = sample::Pcapng::default().section(false).interface(LinkType::RAW, 0, &[]).interface(
        LinkType::RAW,
        0,
        &[],
    );
    let file = [1, 1, 0, 1].iter().fold(file, |file, interface| file.enhanced(*interface, 5, 1, b"x"));
    fs::write(&path, file.bytes).unwrap();
    let mut told = Told::default();
    let mut replay = open(&path);
    while replay.read(&mut told) == Step::More {}
    let packet = What::Packet(b'x');
    let [What::TimedBy(first), _, _, What::TimedBy(second), ..] = told.0[..] else { panic!("{told:?}") };
    assert!(first == 0 && second != 0);
    let [one, other] = [first, second].map(What::TimedBy);
    assert_eq!(told.0, [one, packet, packet, other, packet, one, packet, What::LanesEnd]);
}

#[test]
fn the_key_follows_from_how_the_first_file_begins() {
    let folder = TempDir::new().unwrap();
    let hash = |bytes: &[u8]| {
        let path = folder.path().join("x");
        fs::write(&path, bytes).unwrap();
        open(&path).key().address([192, 0, 2, 1].into())
    };
    let seconds: Vec<u32> = (1..=20).collect();
    let key = hash(&pcap(&seconds));
    assert_eq!(hash(&pcap(&seconds)), key);
    assert_eq!(hash(&zstd::encode_all(&pcap(&seconds)[..], 3).unwrap()), key, "packed or not");
    let with = |place: usize| {
        let mut changed = seconds.clone();
        changed[place] = 77;
        hash(&pcap(&changed))
    };
    assert!(with(0) != key && with(15) != key);
    assert_eq!(with(16), key, "the sixteenth packet is the last that counts");
    assert!(hash(&pcap(&[])) != hash(&pcap(&[1])));
    // A file without packets says nothing; the next one does.
    let [empty, path] = ["a", "b"].map(|name| folder.path().join(name));
    fs::write(&empty, pcap(&[])).unwrap();
    fs::write(&path, pcap(&seconds)).unwrap();
    let inputs = [empty, path].map(Input::Path);
    let replay = Replay::open(&inputs, &Interfaces::default(), Arc::default(), Progress::none()).unwrap();
    assert_eq!(replay.key().address([192, 0, 2, 1].into()), key);
}

#[test]
fn the_key_of_a_pcapng_file_follows_from_its_packets() {
    let folder = TempDir::new().unwrap();
    let hash = |last: u64| {
        let file = sample::Pcapng::default().section(false).interface(LinkType::RAW, 0, &[]);
        let file = (0..15).fold(file, |file, units| file.enhanced(0, units, 1, b"x"));
        let file = file.block(5, &[0; 12]).enhanced(0, last, 1, b"x").enhanced(0, 99, 1, b"x");
        let path = folder.path().join("x");
        fs::write(&path, file.bytes).unwrap();
        open(&path).key().address([192, 0, 2, 1].into())
    };
    assert_eq!(hash(20), hash(20));
    assert_ne!(hash(20), hash(21));
}
