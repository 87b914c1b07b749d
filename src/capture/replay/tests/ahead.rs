//! Files and pipes that threads of their own read ahead.

use super::*;

/// More than enough packets for a file to be read ahead, one a second, their first byte being `name`.
fn long(name: u8) -> Vec<u8> {
    (0..LONG).fold(sample::Pcap::ethernet(), |file, second| file.record(second, 0, 60, &[name; 1000])).bytes
}

const LONG: u32 = 2000;

/// Runs what reads ahead.
fn run_ahead(replay: &mut Replay) -> Vec<thread::JoinHandle<()>> {
    let readers = replay.read_ahead();
    readers.into_iter().map(|reader| thread::spawn(|| reader.run())).collect()
}

fn join(threads: Vec<thread::JoinHandle<()>>) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

/// Writes the first part to a named pipe, and each of the others on request. The pipe stays open until then.
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
