//! Eight clients at a control socket, as many as it takes of those who may only look: seven that read, and one that asks
//! and never reads.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use synwatch_testkit::PATIENCE;

/// Clients that read what they ask for. The one that does not makes eight.
pub(crate) const READERS: usize = 7;
/// The most that a client may ask for: all sources that are listed, as often as may be.
const REQUEST: &[u8] = b"{\"v\":1,\"do\":\"top\",\"limit\":500,\"every\":\"500ms\"}\n";
/// How a snapshot begins, and what one with a source contains.
const SNAPSHOT: &[u8] = b"{\"v\":1,\"ok\":true,\"top\":{";
const SOURCE: &[u8] = b"\"source\":\"";
/// How often a client looks whether it may end.
const LOOK: Duration = Duration::from_millis(100);

/// What clients have got so far.
#[derive(Debug, Default)]
pub(crate) struct Viewers {
    /// Snapshots with a source, of each client that reads.
    snapshots: [AtomicU64; READERS],
    bytes: AtomicU64,
    /// How often the one that never reads was disconnected. It comes again each time.
    disconnected: AtomicU64,
}

impl Viewers {
    /// Connects them all, each with a thread of its own, until that is done.
    pub(crate) fn attach<'scope>(
        &'scope self,
        scope: &'scope Scope<'scope, '_>,
        socket: &'scope Path,
        is_done: &'scope AtomicBool,
    ) -> Vec<ScopedJoinHandle<'scope, ()>> {
        let read = |snapshots| scope.spawn(move || self.read(socket, snapshots, is_done));
        let mut threads: Vec<_> = self.snapshots.iter().map(read).collect();
        threads.push(scope.spawn(move || self.never_read(socket, is_done)));
        threads
    }

    /// Waits until each one that reads has got a snapshot. None of their threads ends before.
    pub(crate) fn wait(&self, threads: &[ScopedJoinHandle<'_, ()>]) {
        let until = Instant::now() + PATIENCE;
        while self.fewest() == 0 {
            let has_failed = threads.iter().any(ScopedJoinHandle::is_finished);
            assert!(!has_failed && Instant::now() < until, "a client gets no snapshot: {self:?}");
            thread::sleep(LOOK);
        }
    }

    /// Snapshots of the client that got fewest.
    pub(crate) fn fewest(&self) -> u64 {
        self.snapshots.iter().map(load).min().unwrap_or_default()
    }

    /// Snapshots of all clients.
    pub(crate) fn all(&self) -> u64 {
        self.snapshots.iter().map(load).sum()
    }

    pub(crate) fn bytes(&self) -> u64 {
        load(&self.bytes)
    }

    pub(crate) fn disconnected(&self) -> u64 {
        load(&self.disconnected)
    }

    fn read(&self, socket: &Path, snapshots: &AtomicU64, is_done: &AtomicBool) {
        let stream = subscribe(socket);
        stream.set_read_timeout(Some(LOOK)).unwrap();
        let (mut lines, mut line) = (BufReader::new(stream), Vec::new());
        while !is_done.load(Ordering::Relaxed) {
            match lines.read_until(b'\n', &mut line) {
                Ok(_) if line.starts_with(SNAPSHOT) && line.ends_with(b"\n") => {
                    self.bytes.fetch_add(line.len() as u64, Ordering::Relaxed);
                    let has_source = line.windows(SOURCE.len()).any(|bytes| bytes == SOURCE);
                    snapshots.fetch_add(has_source.into(), Ordering::Relaxed);
                    line.clear();
                }
                Ok(_) => panic!("a client that reads is not served: {}", String::from_utf8_lossy(&line)),
                // What was read of the line so far stays there.
                Err(error)
                    if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                Err(error) => panic!("a client that reads is not served: {error}"),
            }
        }
    }

    fn never_read(&self, socket: &Path, is_done: &AtomicBool) {
        let mut stream = subscribe(socket);
        while !is_done.load(Ordering::Relaxed) {
            // Without an event to wait for, poll tells only that the other end has gone.
            let mut events = [PollFd::new(&stream, PollFlags::empty())];
            if poll(&mut events, Some(&Timespec::try_from(LOOK).unwrap())).unwrap() > 0 {
                self.disconnected.fetch_add(1, Ordering::Relaxed);
                stream = subscribe(socket);
            }
        }
    }
}

fn subscribe(socket: &Path) -> UnixStream {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.write_all(REQUEST).unwrap();
    stream
}

fn load(number: &AtomicU64) -> u64 {
    number.load(Ordering::Relaxed)
}
