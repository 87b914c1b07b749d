//! Replays packets from capture files, and merges several files by time.
//!
//! Every file is opened and checked before the first packet is delivered, so that an unreadable file is an
//! error at the start. Regular files are then closed, and reopened when their turn comes: a thousand rotated
//! files need no more memory or descriptors than those that overlap. A pipe can be read only once and stays
//! open; the check waits for its first packet.
//!
//! Separate threads read and decompress long files ahead ([`Replay::read_ahead`]). They start no work before
//! the replay reads its first packet.
//!
//! When a pipe brings no data for a moment, all of its packets so far are counted and reported. While it is
//! quiet, time continues, if its newest packet was from the present.
//!
//! After the start no error is fatal: a damaged file ends at the damage, with one warning, and the others
//! continue.

#[cfg(test)]
mod quiet {
    mod tests;
}
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::merge::Turns;
use super::open::{self, Input, Shared, Wanted};
use super::progress::Progress;
use super::socket;
use super::{LANES, Receiver, Source, Step};
use crate::base::hash::Key;
use crate::base::time::Timestamp;
use crate::capfile::{Bytes, Idle, Pumped, ReadAhead, Reader};
use crate::error::{Damage, Error, Fault, Unreadable};
use crate::wire::packet::{InterfaceId, Interfaces};

/// Packets after which [`Source::read`] returns, if files take turns. A single file returns when its read
/// bytes are used up, which is also after some thousand packets.
const BATCH: usize = 4096;

/// Maximum interfaces of a file whose unsupported link types are warned of by name, because a file can have
/// thousands.
const MAX_NAMED: usize = 8;

/// Maximum files that are read ahead at once. If more overlap, the others are read on demand.
const MAX_AHEAD: usize = 8;

/// A pipe whose newest packet was this close to the present is live: while it is quiet, time continues.
const LIVE: Duration = Duration::from_secs(10);

/// The hash key is derived from this many packets of the first file, with its header.
const KEY_PACKETS: usize = 16;

/// Replays capture files as one source of packets.
pub struct Replay {
    files: Vec<File>,
    turns: Turns,
    /// The file whose next packet is unknown, because it has to be read.
    dry: Option<usize>,
    /// The read-ahead that has not started yet.
    idle: Option<Idle>,
    interfaces: Interfaces,
    shared: Shared,
    progress: Progress,
    failures: u64,
    /// The hash key, from the first file with a packet.
    key: Option<Key>,
}

/// A file of the replay.
struct File {
    input: Input,
    name: Arc<str>,
    /// `None` before the file's turn and after its end.
    open: Option<Open>,
}

/// A file that is being read.
struct Open {
    reader: Reader<Bytes>,
    is_packed: bool,
    _wanted: Wanted,
    /// Number of warnings about interfaces with an unsupported link type.
    warned: usize,
    /// The interface of the first packet.
    first: Option<InterfaceId>,
    /// Whether later packets had another interface.
    has_several: bool,
    /// See [`open::Stream`].
    tells_quiet: Arc<AtomicBool>,
    /// The time of the newest packet, and its interface.
    newest: Option<(Timestamp, InterfaceId)>,
    /// The time since which no data has come, and whether the newest packet was from the present then.
    quiet: Option<(Instant, bool)>,
}

impl Replay {
    /// Opens all files and reads the first packet of each. When `stop` is set, the replay and any waiting
    /// end.
    pub fn open(
        inputs: &[Input],
        interfaces: &Interfaces,
        stop: Arc<AtomicBool>,
        progress: Progress,
    ) -> Result<Self, Error> {
        let mut replay = Self {
            files: Vec::with_capacity(inputs.len()),
            turns: Turns::default(),
            dry: None,
            idle: None,
            interfaces: interfaces.clone(),
            shared: Shared { stop, read: progress.read() },
            progress,
            failures: 0,
            key: None,
        };
        let mut sizes = Some(0_u64);
        for input in inputs {
            let size = replay.add(input).map_err(|cause| Error::Read { file: input.to_string(), cause })?;
            sizes = sizes.zip(size).map(|(all, one)| all.saturating_add(one));
        }
        replay.progress.begin(sizes);
        Ok(replay)
    }

    /// The hash key for this replay. It is derived from the beginning of the first file. So it is the same
    /// each time, and a sender that floods a link does not know it beforehand.
    #[must_use]
    pub fn key(&self) -> Key {
        self.key.unwrap_or(Key::derived(&[]))
    }

    /// Reads long files ahead from now on. The caller must run each returned value on a thread of its own.
    /// They end with the replay.
    #[must_use]
    pub fn read_ahead(&mut self) -> Vec<ReadAhead> {
        let (idle, readers) = ReadAhead::several(self.files.len().min(MAX_AHEAD));
        self.idle = Some(idle);
        readers
    }

    /// Checks an input and gives it its first turn. Returns the size of a regular file.
    fn add(&mut self, input: &Input) -> Result<Option<u64>, Unreadable> {
        let size = input.size()?;
        let is_regular = size.is_some();
        let index = self.files.len();
        let mut file = File { input: input.clone(), name: input.name(), open: None };
        // The interfaces of a regular file are registered when it is reopened.
        let interfaces = if is_regular { &Interfaces::default() } else { &self.interfaces };
        let mut open = match Open::new(&file, interfaces, &self.shared) {
            Err(_) if self.shared.is_stopped() => return Ok(size),
            opened => opened?,
        };
        let next = open.reader.peek();
        open.tells_quiet.store(!is_regular, Ordering::Relaxed);
        if self.key.is_none() && matches!(next, Ok(Some(_))) {
            self.key = Some(Key::derived(&open.reader.beginning(KEY_PACKETS)));
        }
        match next {
            Err(damage) if damage.offset == 0 && !self.shared.is_stopped() => {
                return Err(Unreadable::Damaged(damage));
            }
            _ if open.reader.is_unsupported() => {
                let links = open.reader.unsupported().iter().map(|(_, link)| *link);
                return Err(Unreadable::LinkTypes(links.collect()));
            }
            Ok(Some(first)) if is_regular => {
                self.turns.wait(first, index);
                self.files.push(file);
            }
            next => {
                file.open = Some(open);
                self.files.push(file);
                self.place(index, next, || {});
            }
        }
        Ok(size)
    }

    /// Gives a file its next turn, or ends it, depending on its next packet. Warnings follow after `barrier`.
    fn place(&mut self, index: usize, next: Result<Option<Timestamp>, Damage>, mut barrier: impl FnMut()) {
        let is_stopped = self.shared.is_stopped();
        let file = &mut self.files[index];
        if let Some(open) = file.open.as_mut().filter(|open| open.has_new_link_types()) {
            barrier();
            self.failures += open.warn_of_link_types(&file.input);
        }
        match next {
            Ok(Some(time)) => return self.turns.wait(time, index),
            Ok(None) => {}
            // A stop ends a pipe anywhere, even within a packet.
            Err(_) if is_stopped => {}
            Err(damage) => {
                let is_packed = file.open.as_ref().is_some_and(|open| open.is_packed);
                let counted = if is_packed { " (counted in unpacked bytes)" } else { "" };
                barrier();
                log::error!("{} is {damage}{counted}; what comes before it counts", file.input);
                self.failures += 1;
            }
        }
        file.open = None;
    }

    /// The file with this index, opened if necessary. If that fails, it gets no more turns.
    fn opened(&mut self, index: usize, mut barrier: impl FnMut()) -> Option<&mut Open> {
        let file = &mut self.files[index];
        if file.open.is_none() {
            match Open::new(file, &self.interfaces, &self.shared) {
                Ok(open) => file.open = Some(open),
                Err(_) if self.shared.is_stopped() => {}
                Err(cause) => {
                    barrier();
                    log::error!("cannot read {} again: {cause}", file.input);
                    self.failures += 1;
                }
            }
        }
        file.open.as_mut()
    }
}

impl Open {
    fn new(file: &File, interfaces: &Interfaces, shared: &Shared) -> Result<Self, Unreadable> {
        let stream = open::stream(&file.input, shared)?;
        let reader = Reader::new(stream.bytes, &file.name, interfaces)?;
        Ok(Self {
            reader,
            is_packed: stream.is_packed,
            _wanted: stream.wanted,
            warned: 0,
            first: None,
            has_several: false,
            tells_quiet: stream.tells_quiet,
            newest: None,
            quiet: None,
        })
    }

    /// The time of the next packet, for which more bytes have to be read, here or ahead.
    fn next(&mut self, idle: Option<&Idle>) -> Result<Option<Timestamp>, Damage> {
        if let Some(idle) = idle {
            self.reader.read_ahead(idle);
        }
        self.reader.peek()
    }

    /// Delivers packets up to that time, and returns their number.
    fn pump(&mut self, through: Timestamp, receiver: &mut impl Receiver) -> (Pumped, usize) {
        let Self { reader, first, has_several, newest, .. } = self;
        let (mut handed, mut of) = (0, None);
        let mut last = newest.map_or(Timestamp::MIN, |(time, _)| time);
        let pumped = reader.pump(through, |packet| {
            handed += 1;
            if of.replace(packet.interface) != Some(packet.interface) {
                let first = *first.get_or_insert(packet.interface);
                *has_several |= packet.interface != first;
                receiver.timed_by(clock_of(packet.interface, first));
            }
            last = last.max(packet.time);
            receiver.packet(packet);
        });
        if let Some(interface) = of {
            (*newest, self.quiet) = (Some((last, interface)), None);
        }
        (pumped, handed)
    }

    /// The time that has passed without packets. For an old capture in a stalled pipe, time stands still.
    fn time_without_packets(&mut self) -> Option<(InterfaceId, Timestamp)> {
        let (newest, interface) = self.newest?;
        let now = socket::now();
        let (since, is_live) = *self
            .quiet
            .get_or_insert_with(|| (Instant::now(), now.since(newest) <= LIVE && newest.since(now) <= LIVE));
        is_live.then(|| (interface, newest.after(since.elapsed())))
    }

    /// Whether there are unsupported interfaces without a warning so far.
    fn has_new_link_types(&self) -> bool {
        self.reader.unsupported().len() > self.warned
    }

    /// Warns of the unsupported interfaces, once of each, and returns their number.
    fn warn_of_link_types(&mut self, input: &Input) -> u64 {
        let all = self.reader.unsupported();
        for (interface, link) in all.iter().take(MAX_NAMED).skip(self.warned) {
            log::error!("interface {interface} of {input} is skipped: link type {link} is not supported");
        }
        if all.len() > MAX_NAMED && self.warned <= MAX_NAMED {
            log::error!("more interfaces of {input} are skipped, for the same reason");
        }
        let new = all.len() - self.warned;
        self.warned = all.len();
        new as u64
    }
}

/// Whether no data comes at the moment.
fn is_quiet(next: &Result<Option<Timestamp>, Damage>) -> bool {
    matches!(
        next,
        Err(Damage { fault: Fault::Read(error), .. }) if error.kind() == io::ErrorKind::WouldBlock
    )
}

/// The clock of an interface. Files are merged by time, so the first interface of each has the same clock.
fn clock_of(interface: InterfaceId, first: InterfaceId) -> usize {
    if interface == first { 0 } else { 1 + interface.0 as usize % (LANES - 1) }
}

impl Source for Replay {
    fn read(&mut self, receiver: &mut impl Receiver) -> Step {
        self.progress.show();
        let mut handed = 0;
        while !self.shared.is_stopped() {
            if let Some(index) = self.dry.take() {
                let next =
                    self.files[index].open.as_mut().map_or(Ok(None), |open| open.next(self.idle.as_ref()));
                if is_quiet(&next) {
                    self.dry = Some(index);
                    receiver.barrier();
                    let time = self.files[index].open.as_mut().and_then(Open::time_without_packets);
                    if let Some((interface, now)) = time {
                        receiver.idle(interface, now);
                    }
                    return Step::More;
                }
                let had_several = self.files[index].open.as_ref().is_some_and(|open| open.has_several);
                self.place(index, next, || receiver.barrier());
                if had_several && self.files[index].open.is_none() {
                    receiver.end_inputs();
                }
            }
            let Some((index, through)) = self.turns.take() else { break };
            let Some(open) = self.opened(index, || receiver.barrier()) else { continue };
            let (pumped, count) = open.pump(through, receiver);
            handed += count;
            match pumped {
                Pumped::Later(next) => self.turns.wait(next, index),
                Pumped::Dry => self.dry = Some(index),
            }
            if pumped == Pumped::Dry || handed >= BATCH {
                return Step::More;
            }
        }
        self.dry = None;
        self.turns.clear();
        self.files.clear();
        self.progress.end();
        Step::End
    }

    fn failures(&self) -> u64 {
        self.failures
    }
}
