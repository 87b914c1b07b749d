//! Named pipes, read by the thread that hands packets on.

use super::*;

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
