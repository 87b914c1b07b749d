//! A packet socket that sends at a rate.

use std::io::IoSlice;
use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, sendmmsg};
use pcap::{Active, Capture};
use rustix::thread::{CpuSet, sched_setaffinity};

use crate::cable::INTERFACE;
use synwatch_testkit::traffic::Traffic;

/// Packets in a system call.
const BATCH: usize = 64;
/// A shorter wait is not worth a sleep: the timer comes later than asked for.
const SHORT: Duration = Duration::from_micros(200);

/// A packet socket, opened by libpcap, on the sender's end of the cable.
pub(crate) struct Sender {
    socket: Capture<Active>,
    headers: MultiHeaders<()>,
}

/// How a sending went.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sent {
    pub(crate) packets: u64,
    pub(crate) took: Duration,
}

impl Sent {
    /// Packets a second.
    pub(crate) fn rate(&self) -> f64 {
        self.packets as f64 / self.took.as_secs_f64()
    }
}

impl Sender {
    /// To be called, and used, in the sender's namespace.
    pub(crate) fn open() -> Self {
        let socket = Capture::from_device(INTERFACE).unwrap().open().unwrap();
        Self { socket, headers: MultiHeaders::preallocate(BATCH, None) }
    }

    /// Sends these at once, [`BATCH`] of them at most.
    pub(crate) fn send(&mut self, frames: &[Vec<u8>]) {
        let mut rest = frames;
        while !rest.is_empty() {
            let slices: Vec<_> = rest.iter().map(|frame| [IoSlice::new(frame)]).collect();
            let addresses = vec![None; slices.len()];
            let fd = self.socket.as_raw_fd();
            let sent = sendmmsg(fd, &mut self.headers, &slices, &addresses, [], MsgFlags::empty());
            match sent.map(Iterator::count) {
                Ok(sent) => rest = &rest[sent..],
                // The other end has no room for the moment.
                Err(Errno::ENOBUFS | Errno::EAGAIN | Errno::EINTR) => thread::yield_now(),
                Err(error) => panic!("cannot send on {INTERFACE}: {error}"),
            }
        }
    }

    /// Sends so many packets a second, for so long or until it is told to stop. Keeps this thread on the first
    /// processor, so that the others are left to who captures.
    pub(crate) fn flood(
        &mut self,
        traffic: &mut dyn Traffic,
        rate: f64,
        long: Duration,
        stop: impl Fn() -> bool,
    ) -> Sent {
        let mut first = CpuSet::new();
        first.set(0);
        // Where that is not allowed, the figures vary more.
        let _ = sched_setaffinity(None, &first);
        let mut frames = vec![Vec::new(); BATCH];
        let start = Instant::now();
        let mut packets = 0;
        while start.elapsed() < long && !stop() {
            frames.iter_mut().for_each(|frame| {
                traffic.next(frame);
            });
            await_turn(start + Duration::from_secs_f64(packets as f64 / rate));
            self.send(&frames);
            packets += BATCH as u64;
        }
        Sent { packets, took: start.elapsed() }
    }
}

/// Ends a flood that looks at this, also when something fails meanwhile.
pub(crate) struct EndOfFlood<'a>(pub(crate) &'a AtomicBool);

impl Drop for EndOfFlood<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn await_turn(turn: Instant) {
    loop {
        let wait = turn.saturating_duration_since(Instant::now());
        if wait.is_zero() {
            return;
        }
        if wait > SHORT {
            thread::sleep(wait - SHORT);
        } else {
            std::hint::spin_loop();
        }
    }
}
