use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::thread;

use flate2::write::GzEncoder;
use rustix::fs::{CWD, Mode, mkfifoat};
use tempfile::TempDir;

use super::*;
use crate::capfile::sample;
use crate::wire::packet::{LinkType, Origin, Packet};

mod ahead;
mod pipes;

/// A directory with files in it.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Input {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        Input::Path(path)
    }

    fn fifo(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
        path
    }
}

fn open(inputs: &[Input]) -> Result<Replay, Error> {
    Replay::open(inputs, &Interfaces::default(), Arc::default(), Progress::none())
}

/// Why the one input cannot be read, without its name.
fn refused(input: &Input) -> String {
    let Err(error) = open(std::slice::from_ref(input)) else { panic!("{input} was accepted") };
    let text = error.to_string();
    let begin = format!("cannot read {input}: ");
    assert!(text.starts_with(&begin), "{text}");
    text[begin.len()..].to_owned()
}

/// The first byte of each packet, in order, and the failures.
fn read(replay: &mut Replay) -> (Vec<u8>, u64) {
    let mut seen = Vec::new();
    while replay.read(&mut |packet: &Packet<'_>| seen.push(packet.bytes.first().copied().unwrap_or_default()))
        == Step::More
    {}
    (seen, replay.failures())
}

fn replayed(inputs: &[Input]) -> (Vec<u8>, u64) {
    read(&mut open(inputs).unwrap())
}

/// A pcap file with a packet at each of these seconds, its first byte being `name`.
fn pcap(name: u8, seconds: &[u32]) -> Vec<u8> {
    seconds
        .iter()
        .fold(sample::Pcap::ethernet(), |file, second| file.record(*second, 0, 60, &[name, 0]))
        .bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

#[test]
fn compression_is_told_by_content() {
    let files = Files::new();
    let plain = pcap(b'a', &[1, 2, 3]);
    let (head, tail) = plain.split_at(70);
    let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3][..], &zstd(&plain)].concat();
    for (name, bytes) in [
        ("plain.gz", plain.clone()),
        ("gzip.pcap", gzip(&plain)),
        ("members.pcap", [gzip(head), gzip(tail)].concat()),
        ("zstd.pcap", zstd(&plain)),
        ("frames.pcap", [zstd(head), zstd(tail)].concat()),
        ("skippable.pcap", skipped),
    ] {
        let input = files.write(name, &bytes);
        assert_eq!(replayed(&[input]), (b"aaa".to_vec(), 0), "{name}");
    }
}

#[test]
fn a_compressed_file_cut_anywhere_fails_and_counts_as_far_as_it_goes() {
    let files = Files::new();
    // Bytes that do not compress, so that packets stand all over the file.
    let noise: Vec<u8> = (0..600_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    let plain =
        noise.chunks(60).fold(sample::Pcap::ethernet(), |file, packet| file.record(1, 0, 60, packet)).bytes;
    for packed in [gzip(&plain), zstd(&plain)] {
        for cut in 1..packed.len() {
            let input = files.write("cut", &packed[..cut]);
            match open(&[input]) {
                Err(error) => assert!(matches!(error, Error::Read { .. }), "{error}"),
                Ok(mut replay) => {
                    let (seen, failures) = read(&mut replay);
                    assert_eq!(failures, 1, "{cut}");
                    assert!(seen.len() <= 10);
                }
            }
        }
    }
}

#[test]
fn a_zstd_stream_that_asks_for_too_much_memory_is_refused() {
    let files = Files::new();
    let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
    encoder.window_log(28).unwrap();
    encoder.write_all(&pcap(b'a', &[1])).unwrap();
    let input = files.write("large.zst", &encoder.finish().unwrap());
    assert_eq!(refused(&input), "frame requires too much memory for decoding");
}

#[test]
fn what_cannot_be_read_at_all_is_an_error_at_the_start() {
    let files = Files::new();
    assert_eq!(refused(&Input::Path(files.path("none"))), "no such file");
    assert_eq!(refused(&Input::Path(files.0.path().to_owned())), "is a directory (name the files in it)");
    assert_eq!(refused(&Input::Path("/dev/null".into())), "the file is empty");
    for (bytes, said) in [
        (&b""[..], "the file is empty"),
        (&gzip(b""), "the file is empty"),
        (
            b"snoop\0\0\0\0\0\0\x02\0\0\0\x04",
            "not a pcap or pcapng file (it is a snoop file: convert it with editcap)",
        ),
        (&gzip(&gzip(b"a")), "not a pcap or pcapng file (it is packed twice: unpack it first)"),
        (&pcap(b'a', &[])[..23], "damaged at byte 0: the file ends within the file header"),
        (
            &sample::Pcapng::default().section(false).bytes[..27],
            "damaged at byte 0: the file ends within a block",
        ),
        (&sample::Pcap::new(sample::Magic::LITTLE, 105).bytes, "link type 105 (IEEE802_11) is not supported"),
        (
            &sample::Pcapng::default()
                .section(false)
                .interface(LinkType(105), 0, &[])
                .enhanced(0, 1, 1, b"a")
                .bytes,
            "link type 105 (IEEE802_11) is not supported",
        ),
    ] {
        assert_eq!(refused(&files.write("x", bytes)), said);
    }
}

#[test]
fn each_unsupported_interface_among_others_is_one_failure() {
    let files = Files::new();
    let file = sample::Pcapng::default().section(false).interface(LinkType::ETHERNET, 0, &[]).interface(
        LinkType(105),
        0,
        &[],
    );
    let without_packets = files.write("x", &file.bytes);
    let file = file.enhanced(1, 1, 1, b"a").enhanced(0, 1, 1, b"b").enhanced(1, 1, 1, b"c");
    assert_eq!(replayed(&[files.write("y", &file.bytes)]), (b"abc".to_vec(), 1));
    assert_eq!(replayed(&[without_packets]), (vec![], 0), "nothing was missed");

    let mut file = sample::Pcapng::default().section(false).interface(LinkType::ETHERNET, 0, &[]);
    for number in 1..=2 * MAX_NAMED as u32 {
        file = file.interface(LinkType(105), 0, &[]).enhanced(number, 1, 1, b"a");
    }
    assert_eq!(replayed(&[files.write("z", &file.bytes)]).1, 2 * MAX_NAMED as u64);
}

#[test]
fn a_file_without_packets_is_no_failure() {
    let files = Files::new();
    assert_eq!(replayed(&[files.write("x", &pcap(b'a', &[]))]), (vec![], 0));
    assert_eq!(replayed(&[files.write("y", &sample::Pcapng::default().section(true).bytes)]), (vec![], 0));
    assert_eq!(replayed(&[]), (vec![], 0));
}

#[test]
fn damage_ends_its_file_and_the_others_go_on() {
    let files = Files::new();
    let mut cut = pcap(b'a', &[1, 3, 5]);
    cut.pop();
    let mut at_once = pcap(b'b', &[1]);
    at_once.pop();
    let inputs =
        [files.write("a", &cut), files.write("b", &at_once), files.write("c", &pcap(b'c', &[2, 4, 6]))];
    assert_eq!(replayed(&inputs), (b"acacc".to_vec(), 2));
}

#[test]
fn files_are_merged_by_the_time_of_their_next_packet() {
    let files = Files::new();
    let inputs = [
        files.write("a", &pcap(b'a', &[5, 1, 7, 8])),
        files.write("b", &pcap(b'b', &[2, 5, 8])),
        files.write("c", &pcap(b'c', &[2, 9])),
    ];
    assert_eq!(replayed(&inputs).0, b"bcaabaabc");
}

#[test]
fn every_packet_comes_once_and_in_order_when_files_take_turns_often() {
    let files = Files::new();
    let packets = BATCH as u32 * 3;
    let inputs: Vec<Input> = (0..3)
        .map(|name| {
            files.write(
                &name.to_string(),
                &pcap(name, &(0..packets).map(|i| i * 3 + u32::from(name)).collect::<Vec<_>>()),
            )
        })
        .collect();
    let mut replay = open(&inputs).unwrap();
    let mut count = 0;
    let mut most = 0;
    loop {
        let before = count;
        let step = replay.read(&mut |packet: &Packet<'_>| {
            assert_eq!(packet.time, Timestamp::new(count, 0));
            count += 1;
        });
        most = most.max(count - before);
        if step == Step::End {
            break;
        }
    }
    assert_eq!(count, i64::from(packets) * 3);
    assert!(most <= BATCH as i64 + 1, "{most} at once");
}

#[test]
fn each_interface_is_registered_once_with_its_files_name() {
    let files = Files::new();
    let inputs = [files.write("a", &pcap(b'a', &[2])), files.write("b", &pcap(b'b', &[1]))];
    let interfaces = Interfaces::default();
    let mut replay = Replay::open(&inputs, &interfaces, Arc::default(), Progress::none()).unwrap();
    let mut origins = Vec::new();
    while replay.read(&mut |packet: &Packet<'_>| origins.extend(interfaces.interface(packet.interface)))
        == Step::More
    {}
    let names: Vec<_> = origins.into_iter().map(|interface| interface.origin).collect();
    assert_eq!(names, [Origin::File(inputs[1].name()), Origin::File(inputs[0].name())]);
    assert_eq!(interfaces.interface(InterfaceId(2)), None);
}

/// How many files below `directory` this process has open.
fn descriptors(directory: &Path) -> usize {
    let open = fs::read_dir("/proc/self/fd").unwrap();
    open.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
        .filter(|path| path.starts_with(directory))
        .count()
}

#[test]
fn a_thousand_files_that_follow_each_other_need_few_descriptors() {
    let files = Files::new();
    let inputs: Vec<Input> = (0..1000)
        .map(|i: u32| files.write(&i.to_string(), &pcap((i % 251) as u8, &[i, i + 1])))
        .rev()
        .collect();
    let mut replay = open(&inputs).unwrap();
    assert_eq!(descriptors(files.0.path()), 0);
    let (mut most, mut seen) = (0, Vec::new());
    while replay.read(&mut |packet: &Packet<'_>| seen.push(packet.bytes[0])) == Step::More {
        most = most.max(descriptors(files.0.path()));
    }
    assert!((1..=3).contains(&most), "{most} descriptors");
    assert_eq!((seen.len(), replay.failures()), (2000, 0));
    assert_eq!(descriptors(files.0.path()), 0);
}

#[test]
fn a_file_that_is_gone_when_its_turn_comes_is_a_failure() {
    let files = Files::new();
    let inputs = [files.write("a", &pcap(b'a', &[1])), files.write("b", &pcap(b'b', &[2]))];
    let mut replay = open(&inputs).unwrap();
    fs::remove_file(files.path("a")).unwrap();
    assert_eq!(read(&mut replay), (b"b".to_vec(), 1));
}

/// A file of two packets, parted between them.
fn parted() -> [Vec<u8>; 2] {
    let mut first = pcap(b'a', &[1, 2]);
    let second = first.split_off(24 + 16 + 2);
    [first, second]
}

#[test]
fn a_stop_ends_regular_files_too() {
    let files = Files::new();
    let stop = Arc::new(AtomicBool::new(false));
    let input = files.write("a", &pcap(b'a', &[1, 2]));
    let mut replay = Replay::open(&[input], &Interfaces::default(), stop.clone(), Progress::none()).unwrap();
    stop.store(true, Ordering::Relaxed);
    assert_eq!(read(&mut replay), (vec![], 0));
}

#[test]
fn a_replay_can_move_to_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<Replay>();
}
