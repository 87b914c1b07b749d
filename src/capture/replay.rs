//! Packets from capture files, several of them merged by time.
//!
//! Every file is opened and looked at before the first packet is handed over, so that what cannot be read at all is
//! an error at the start. Regular files are then closed and opened again when their turn comes: a thousand rotated
//! files need no more memory or descriptors than those that overlap. A pipe is read only once and stays open; looking
//! at it waits for its first packet.
//!
//! Threads of their own read, and unpack, long files ahead ([`Replay::read_ahead`]): none is used before
//! the replay reads its first packet.
//!
//! A pipe that brings nothing for a moment is settled: all that it brought is counted and reported. While it is quiet,
//! time goes on, if its newest packet was from the present.
//!
//! Afterwards nothing is fatal: a damaged file ends where the damage is, with one warning, and the others go on.

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

/// Packets after which [`Source::read`] returns, where files take turns. A file alone returns when what has been read
/// of it is used up, which is some thousand packets too.
const BATCH: usize = 4096;

/// Interfaces of a file whose unsupported link type is warned of by name: a file can have thousands.
const MAX_NAMED: usize = 8;

/// Files that are read ahead at once, at most. Of more that overlap, the others are read when their bytes are wanted.
const MAX_AHEAD: usize = 8;

/// A pipe whose newest packet was this near to the present is live: while it is quiet, time goes on.
const LIVE: Duration = Duration::from_secs(10);

/// So many packets of the first file, with its header, make the key of the hashes.
const KEY_PACKETS: usize = 16;

/// Replays capture files as one source of packets.
pub struct Replay {
    files: Vec<File>,
    turns: Turns,
    /// The file whose next packet is not known yet, because it has to be read.
    dry: Option<usize>,
    /// What reads files ahead.
    idle: Option<Idle>,
    interfaces: Interfaces,
    shared: Shared,
    progress: Progress,
    failures: u64,
    /// Of the first file that has a packet.
    key: Option<Key>,
}

/// A file of the replay.
struct File {
    input: Input,
    name: Arc<str>,
    /// There is none before the file's turn and after its end.
    open: Option<Open>,
}

/// A file that is being read.
struct Open {
    reader: Reader<Bytes>,
    is_packed: bool,
    _wanted: Wanted,
    /// How many interfaces with a link type that is not read have been warned of.
    warned: usize,
    /// The interface that the first packet came from.
    first: Option<InterfaceId>,
    /// Whether others came from another one.
    has_several: bool,
    /// See [`open::Stream`].
    tells_quiet: Arc<AtomicBool>,
    /// The time of the newest packet, and where it came from.
    newest: Option<(Timestamp, InterfaceId)>,
    /// Since when nothing has come, and whether the newest packet was from the present then.
    quiet: Option<(Instant, bool)>,
}

impl Replay {
    /// Opens all files and looks at the first packet of each. `stop` ends the replay, and any waiting, when it is set.
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

    /// The key of the hashes for this replay. It follows from how the first file begins: so it is the same each time,
    /// and a sender that fills a link does not know it beforehand.
    #[must_use]
    pub fn key(&self) -> Key {
        self.key.unwrap_or(Key::derived(&[]))
    }

    /// Has long files read ahead from now on. Each of what it returns is to be run on a thread of its own, and ends
    /// with the replay.
    #[must_use]
    pub fn read_ahead(&mut self) -> Vec<ReadAhead> {
        let (idle, readers) = ReadAhead::several(self.files.len().min(MAX_AHEAD));
        self.idle = Some(idle);
        readers
    }

    /// Looks at an input and gives it its first turn. Tells the size of a regular file.
    fn add(&mut self, input: &Input) -> Result<Option<u64>, Unreadable> {
        let size = input.size()?;
        let is_regular = size.is_some();
        let index = self.files.len();
        let mut file = File { input: input.clone(), name: input.name(), open: None };
        // A regular file's interfaces are registered when it is opened again.
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

    /// Gives a file its next turn, or ends it, by what it says of its next packet. What there is to complain about is
    /// said after `settle`.
    fn place(&mut self, index: usize, next: Result<Option<Timestamp>, Damage>, mut settle: impl FnMut()) {
        let is_stopped = self.shared.is_stopped();
        let file = &mut self.files[index];
        if let Some(open) = file.open.as_mut().filter(|open| open.has_new_link_types()) {
            settle();
            self.failures += open.warn_of_link_types(&file.input);
        }
        match next {
            Ok(Some(time)) => return self.turns.wait(time, index),
            Ok(None) => {}
            // A stop ends a pipe anywhere, also within a packet.
            Err(_) if is_stopped => {}
            Err(damage) => {
                let is_packed = file.open.as_ref().is_some_and(|open| open.is_packed);
                let counted = if is_packed { " (counted in unpacked bytes)" } else { "" };
                settle();
                log::error!("{} is {damage}{counted}; what comes before it counts", file.input);
                self.failures += 1;
            }
        }
        file.open = None;
    }

    /// The file of this index, opened if it is not; if that fails, its turns are over.
    fn opened(&mut self, index: usize, mut settle: impl FnMut()) -> Option<&mut Open> {
        let file = &mut self.files[index];
        if file.open.is_none() {
            match Open::new(file, &self.interfaces, &self.shared) {
                Ok(open) => file.open = Some(open),
                Err(_) if self.shared.is_stopped() => {}
                Err(cause) => {
                    settle();
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

    /// The time of the next packet, for which further bytes have to be read, here or ahead.
    fn next(&mut self, idle: Option<&Idle>) -> Result<Option<Timestamp>, Damage> {
        if let Some(idle) = idle {
            self.reader.read_ahead(idle);
        }
        self.reader.peek()
    }

    /// Hands over packets up to that time, and gives their number.
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

    /// The time that has come without packets. A capture of long ago may stall in its pipe: its time stands still.
    fn time_without_packets(&mut self) -> Option<(InterfaceId, Timestamp)> {
        let (newest, interface) = self.newest?;
        let now = socket::now();
        let (since, is_live) = *self
            .quiet
            .get_or_insert_with(|| (Instant::now(), now.since(newest) <= LIVE && newest.since(now) <= LIVE));
        is_live.then(|| (interface, newest.after(since.elapsed())))
    }

    /// Whether there are interfaces that cannot be understood and have not been warned of.
    fn has_new_link_types(&self) -> bool {
        self.reader.unsupported().len() > self.warned
    }

    /// Warns of the interfaces that cannot be understood, each once, and says how many that were.
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

/// Whether nothing comes for the moment.
fn is_quiet(next: &Result<Option<Timestamp>, Damage>) -> bool {
    matches!(
        next,
        Err(Damage { fault: Fault::Read(error), .. }) if error.kind() == io::ErrorKind::WouldBlock
    )
}

/// The clock of an interface. Files are merged by time: the first interface of each has the same one.
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
                    receiver.settle();
                    let time = self.files[index].open.as_mut().and_then(Open::time_without_packets);
                    if let Some((interface, now)) = time {
                        receiver.idle(interface, now);
                    }
                    return Step::More;
                }
                let had_several = self.files[index].open.as_ref().is_some_and(|open| open.has_several);
                self.place(index, next, || receiver.settle());
                if had_several && self.files[index].open.is_none() {
                    receiver.end_inputs();
                }
            }
            let Some((index, through)) = self.turns.take() else { break };
            let Some(open) = self.opened(index, || receiver.settle()) else { continue };
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
