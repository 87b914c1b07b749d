use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::thread;

use flate2::write::GzEncoder;
use rustix::fs::{CWD, Mode, mkfifoat};
use tempfile::TempDir;

use super::*;
use crate::packet::{InterfaceId, LinkType, Origin, Packet};
use crate::source::sample;

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
    assert_eq!(replayed(&[without_packets]), (vec![], 1));

    let mut file = sample::Pcapng::default().section(false).interface(LinkType::ETHERNET, 0, &[]);
    for _ in 0..2 * MAX_NAMED {
        file = file.interface(LinkType(105), 0, &[]).enhanced(0, 1, 1, b"a");
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

#[test]
fn packets_of_a_pipe_are_handed_over_as_they_come() {
    let files = Files::new();
    let path = files.fifo("pipe");
    let bytes = parted();
    let (send, receive) = std::sync::mpsc::channel::<()>();
    let writer = thread::spawn({
        let path = path.clone();
        move || {
            let mut pipe = fs::OpenOptions::new().write(true).open(path)?;
            for part in bytes {
                pipe.write_all(&part)?;
                // The next part is not written before this one has been handed over.
                let _ = receive.recv();
            }
            io::Result::Ok(())
        }
    });
    let mut replay = open(&[Input::Path(path)]).unwrap();
    let mut seen = 0;
    loop {
        let before = seen;
        let step = replay.read(&mut |_: &Packet<'_>| seen += 1);
        if seen > before {
            send.send(()).unwrap();
        }
        if step == Step::End {
            break;
        }
    }
    assert_eq!((seen, replay.failures()), (2, 0));
    writer.join().unwrap().unwrap();
}

/// A file of two packets, parted between them.
fn parted() -> [Vec<u8>; 2] {
    let mut first = pcap(b'a', &[1, 2]);
    let second = first.split_off(24 + 16 + 2);
    [first, second]
}

#[test]
fn a_stop_ends_a_pipe_that_waits_and_is_no_failure() {
    let files = Files::new();
    let path = files.fifo("pipe");
    let stop = Arc::new(AtomicBool::new(false));
    let [first, second] = parted();
    let (ended, wait) = std::sync::mpsc::channel::<()>();
    let writer = thread::spawn({
        let path = path.clone();
        move || {
            let mut pipe = fs::OpenOptions::new().write(true).open(path)?;
            pipe.write_all(&first)?;
            // The rest of the second packet never comes, and the pipe stays open. The replay may have ended by now.
            let _ = pipe.write_all(&second[..10]);
            let _ = wait.recv();
            io::Result::Ok(())
        }
    });
    let interfaces = Interfaces::default();
    let mut replay = Replay::open(&[Input::Path(path)], &interfaces, stop.clone(), Progress::none()).unwrap();
    let mut seen = 0;
    while replay.read(&mut |_: &Packet<'_>| {
        seen += 1;
        stop.store(true, Ordering::Relaxed);
    }) == Step::More
    {}
    assert_eq!((seen, replay.failures()), (1, 0));
    drop(ended);
    writer.join().unwrap().unwrap();
}

#[test]
fn a_stop_ends_the_opening_of_a_pipe_without_a_writer() {
    let files = Files::new();
    let stop = Arc::new(AtomicBool::new(true));
    let input = Input::Path(files.fifo("pipe"));
    let mut replay = Replay::open(&[input], &Interfaces::default(), stop, Progress::none()).unwrap();
    assert_eq!(read(&mut replay), (vec![], 0));
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

/// More than enough packets for a file to be read ahead, one a second, their first byte being `name`.
fn long(name: u8) -> Vec<u8> {
    (0..LONG).fold(sample::Pcap::ethernet(), |file, second| file.record(second, 0, 60, &[name; 1000])).bytes
}

const LONG: u32 = 2000;

/// Runs what reads ahead.
fn run_ahead(replay: &mut Replay) -> Vec<thread::JoinHandle<()>> {
    let readers = replay.read_ahead(64);
    readers.into_iter().map(|reader| thread::spawn(|| reader.run())).collect()
}

fn join(threads: Vec<thread::JoinHandle<()>>) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// Writes the first part to a named pipe, and each of the others when it is told so. The pipe stays open until then.
fn feed(path: PathBuf, parts: Vec<Vec<u8>>) -> (std::sync::mpsc::Sender<()>, thread::JoinHandle<()>) {
    let (next, wait) = std::sync::mpsc::channel::<()>();
    let writer = thread::spawn(move || {
        let mut pipe = fs::OpenOptions::new().write(true).open(path).unwrap();
        for part in parts {
            // The replay may have left.
            let _ = pipe.write_all(&part);
            let _ = wait.recv();
        }
    });
    (next, writer)
}

#[test]
fn packed_files_are_read_ahead_and_all_where_processors_are_left() {
    let files = Files::new();
    let plain = pcap(b'a', &[1]);
    let mut inputs = vec![files.write("a", &plain), files.write("b", &gzip(&plain))];
    inputs.push(files.write("c", &zstd(&plain)));
    for (processors, readers) in [(1, 2), (2, 2), (3, 3), (64, 3)] {
        assert_eq!(open(&inputs).unwrap().read_ahead(processors).len(), readers, "{processors}");
    }
    let many: Vec<_> = inputs.iter().cycle().take(3 * MAX_AHEAD).cloned().collect();
    assert_eq!(open(&many).unwrap().read_ahead(64).len(), MAX_AHEAD);
    assert_eq!(open(&inputs[..1]).unwrap().read_ahead(BUSY).len(), 0);
}

#[test]
fn more_files_than_are_read_ahead_give_the_same_as_read_here() {
    let files = Files::new();
    let inputs: Vec<_> = (0..MAX_AHEAD as u8 + 2)
        .map(|name| {
            let mut bytes = long(name);
            if name % 4 == 0 {
                bytes.truncate(bytes.len() - 1 - 1100 * usize::from(name));
            }
            let bytes = match name % 3 {
                0 => bytes,
                1 => gzip(&bytes),
                _ => zstd(&bytes),
            };
            files.write(&name.to_string(), &bytes)
        })
        .collect();
    let here = replayed(&inputs);
    let mut replay = open(&inputs).unwrap();
    let threads = run_ahead(&mut replay);
    assert_eq!(threads.len(), MAX_AHEAD);
    assert!(read(&mut replay) == here);
    assert_eq!(descriptors(files.0.path()), 0);
    drop(replay);
    join(threads);
    assert_eq!(here.1, 3);
}

#[test]
fn packets_of_a_pipe_that_is_read_ahead_are_handed_over_as_they_come() {
    let files = Files::new();
    let path = files.fifo("pipe");
    let last = pcap(b'b', &[1, 2, 3]).split_off(24);
    let mut parts = vec![long(b'a')];
    parts.extend(last.chunks(18).map(<[u8]>::to_vec));
    let (next, writer) = feed(path.clone(), parts);
    let mut replay = open(&[Input::Path(path)]).unwrap();
    let threads = run_ahead(&mut replay);
    let (mut seen, mut answered) = (0, LONG);
    while replay.read(&mut |_: &Packet<'_>| seen += 1) == Step::More {
        if seen == answered {
            next.send(()).unwrap();
            answered += 1;
        }
    }
    assert_eq!((seen, replay.failures()), (LONG + 3, 0));
    writer.join().unwrap();
    drop(replay);
    join(threads);
}

#[test]
fn a_pipe_that_is_read_ahead_is_left_after_damage_although_it_goes_on() {
    let files = Files::new();
    let path = files.fifo("pipe");
    let damaged = [long(b'a'), vec![0xff; 100]].concat();
    let (next, writer) = feed(path.clone(), vec![damaged]);
    let mut replay = open(&[Input::Path(path)]).unwrap();
    let threads = run_ahead(&mut replay);
    let (seen, failures) = read(&mut replay);
    assert_eq!((seen.len(), failures), (LONG as usize, 1));
    drop(replay);
    join(threads);
    drop(next);
    writer.join().unwrap();
}

#[test]
fn a_stop_ends_a_pipe_that_is_read_ahead() {
    let files = Files::new();
    let path = files.fifo("pipe");
    let stop = Arc::new(AtomicBool::new(false));
    let (next, writer) = feed(path.clone(), vec![long(b'a')]);
    let interfaces = Interfaces::default();
    let mut replay = Replay::open(&[Input::Path(path)], &interfaces, stop.clone(), Progress::none()).unwrap();
    let threads = run_ahead(&mut replay);
    let mut seen = 0;
    while replay.read(&mut |_: &Packet<'_>| {
        seen += 1;
        stop.store(seen == LONG, Ordering::Relaxed);
    }) == Step::More
    {}
    assert_eq!((seen, replay.failures()), (LONG, 0));
    drop(replay);
    join(threads);
    drop(next);
    writer.join().unwrap();
}

#[test]
fn a_replay_can_move_to_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<Replay>();
}
