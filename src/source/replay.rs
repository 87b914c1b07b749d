//! Packets from capture files, several of them merged by time.
//!
//! Every file is opened and looked at before the first packet is handed over, so that what cannot be read at all is
//! an error at the start. Regular files are then closed and opened again when their turn comes: a thousand rotated
//! files need no more memory or descriptors than those that overlap. A pipe is read only once and stays open; looking
//! at it waits for its first packet.
//!
//! Long files may be read, and unpacked, ahead by threads of their own ([`Replay::read_ahead`]): none is used before
//! the replay reads its first packet.
//!
//! Afterwards nothing is fatal: a damaged file ends where the damage is, with one warning, and the others go on.

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::merge::Turns;
use super::open::{self, Input, Shared, Wanted};
use super::progress::Progress;
use super::reader::{Bytes, HandOver, Idle, Pumped, ReadAhead, Reader};
use super::{Receiver, Source, Step};
use crate::error::{Damage, Error, Unreadable};
use crate::packet::Interfaces;
use crate::time::Timestamp;

/// Packets after which [`Source::read`] returns, where files take turns. A file alone returns when what has been read
/// of it is used up, which is some thousand packets too.
const BATCH: usize = 4096;

/// Interfaces of a file whose unsupported link type is warned of by name: a file can have thousands.
const MAX_NAMED: usize = 8;

/// Files that are read ahead at once, at most. Of more that overlap, the others are read when their bytes are wanted.
const MAX_AHEAD: usize = 8;

/// Threads that a replay keeps busy otherwise: one decodes, one counts. Reading is so much less work than these that a
/// third thread costs them more than it takes over, where it has no processor of its own; unpacking is more.
const BUSY: usize = 2;

/// Replays capture files as one source of packets.
pub struct Replay {
    files: Vec<File>,
    turns: Turns,
    /// The file whose next packet is not known yet, because it has to be read.
    dry: Option<usize>,
    /// How many files were packed when they were looked at.
    packed: usize,
    ahead: Option<Ahead>,
    interfaces: Interfaces,
    shared: Shared,
    progress: Progress,
    failures: u64,
}

/// How files are read ahead.
struct Ahead {
    idle: Idle,
    /// Not only packed ones.
    all: bool,
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
    hand_over: HandOver,
    _wanted: Wanted,
    /// How many interfaces with a link type that is not read have been warned of.
    warned: usize,
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
            packed: 0,
            ahead: None,
            interfaces: interfaces.clone(),
            shared: Shared { stop, read: progress.read() },
            progress,
            failures: 0,
        };
        let mut sizes = Some(0_u64);
        for input in inputs {
            let size = replay.add(input).map_err(|cause| Error::Read { file: input.to_string(), cause })?;
            sizes = sizes.zip(size).map(|(all, one)| all.saturating_add(one));
        }
        replay.progress.begin(sizes);
        Ok(replay)
    }

    /// Has long files read ahead from now on, the packed ones, and with `processors` to spare all. Each of what it
    /// returns is to be run on a thread of its own, and ends with the replay.
    #[must_use]
    pub fn read_ahead(&mut self, processors: usize) -> Vec<ReadAhead> {
        let all = processors > BUSY;
        let worth = if all { self.files.len() } else { self.packed };
        let (idle, readers) = ReadAhead::several(worth.min(MAX_AHEAD));
        self.ahead = Some(Ahead { idle, all });
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
        self.packed += usize::from(open.is_packed);
        match open.reader.peek() {
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
        let hand_over = if stream.is_regular { HandOver::Full } else { HandOver::Soon };
        Ok(Self { reader, is_packed: stream.is_packed, hand_over, _wanted: stream.wanted, warned: 0 })
    }

    /// The time of the next packet, for which further bytes have to be read, here or ahead.
    fn next(&mut self, ahead: Option<&Ahead>) -> Result<Option<Timestamp>, Damage> {
        if let Some(ahead) = ahead.filter(|ahead| ahead.all || self.is_packed) {
            self.reader.read_ahead(&ahead.idle, self.hand_over);
        }
        self.reader.peek()
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

impl Source for Replay {
    fn read(&mut self, receiver: &mut impl Receiver) -> Step {
        self.progress.show();
        let mut handed = 0;
        while !self.shared.is_stopped() {
            if let Some(index) = self.dry.take() {
                let next =
                    self.files[index].open.as_mut().map_or(Ok(None), |open| open.next(self.ahead.as_ref()));
                self.place(index, next, || receiver.settle());
            }
            let Some((index, through)) = self.turns.take() else { break };
            let Some(open) = self.opened(index, || receiver.settle()) else { continue };
            let pumped = open.reader.pump(through, |packet| {
                handed += 1;
                receiver.packet(packet);
            });
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
