//! One connection: a request is read, answered, and the answer written, without ever waiting for the other end.

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::PollFlags;

use super::answer;
use super::hands::{Hands, Pending, person};
use super::records;
use super::request::{Form, MOST_BYTES, Refusal, Request, Top, Topic};
use super::snapshot::TopSnapshot;
use super::state::State;
use super::status::Status;
use super::surveyor::Surveyor;
use super::top;
use super::viewing::Viewing;
use crate::act::Person;
use crate::base::zone::Zone;
use crate::capture;

/// Maximum time for a client to end a line that it has begun, or to read its answer, and for the detector to
/// give its part of it.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);

/// Pause of a client after each answer, so that a client with endless requests takes no processor from the
/// packets.
const REST: Duration = Duration::from_millis(50);

/// The pause after a large answer, which takes more of it.
const LONG_REST: Duration = Duration::from_secs(1);

/// An answer of more bytes counts as large.
const LARGE: usize = 64 * 1024;

/// Maximum size of one read, in bytes.
const CHUNK: usize = 8 * 1024;

/// The data for answers.
pub(super) struct Sources {
    pub(super) state: State,
    pub(super) zone: Zone,
    pub(super) hands: Hands,
    /// Ends the control thread's wait when an answer has come.
    pub(super) wake: Arc<OwnedFd>,
    pub(super) surveyor: Surveyor,
}

/// A connected client.
pub(super) struct Client {
    stream: UnixStream,
    /// Its process, as the kernel reported it at the connection.
    person: Option<Person>,
    /// Received bytes without an answer yet: less than a request and a chunk.
    input: Vec<u8>,
    /// The answer in transmission, and its progress.
    output: Vec<u8>,
    written: usize,
    /// An answer that needs another thread.
    waiting: Option<Waiting>,
    /// The parts of `top` that it gets, and its interval.
    viewing: Option<Viewing>,
    /// Deadline of the line or answer that has begun.
    deadline: Option<Instant>,
    rests_until: Instant,
    /// Whether it has closed its sending side.
    has_ended: bool,
}

struct Waiting {
    form: Form,
    topic: &'static str,
    awaited: Awaited,
}

/// The missing part of an answer.
enum Awaited {
    /// A list of the open episodes that is later than this number.
    Picture(u64),
    /// A change, or the list of blocks or allowances.
    Hands(Pending),
    /// The same of the fleet, from its servers.
    Fleet(Pending),
}

/// The connection is over.
struct Gone;

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

impl Client {
    /// Makes a client from a non-blocking stream.
    pub(super) fn new(stream: UnixStream, now: Instant) -> Self {
        Self {
            person: person(&stream),
            stream,
            input: Vec::new(),
            output: Vec::new(),
            written: 0,
            waiting: None,
            viewing: None,
            deadline: None,
            rests_until: now,
            has_ended: false,
        }
    }

    /// Makes a client that gets snapshots without a request.
    pub(super) fn viewing(stream: UnixStream, wanted: Top, state: &State, now: Instant) -> Self {
        let viewing = Some(Viewing::new(wanted, state.ask_for_episodes(), now));
        Self { viewing, ..Self::new(stream, now) }
    }

    /// The events to poll for. Nothing more is read from a client before it has read its answer.
    pub(super) fn events(&self, now: Instant) -> PollFlags {
        match () {
            () if !self.output.is_empty() => PollFlags::OUT,
            () if self.is_waiting() || self.rests_until > now || self.has_ended => PollFlags::empty(),
            () => PollFlags::IN,
        }
    }

    /// The time of the next check without an event.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        let rested = Some(self.rests_until).filter(|until| *until > now);
        let viewing = self.viewing.as_ref().map(Viewing::due).filter(|due| *due > now);
        self.deadline.into_iter().chain(rested).chain(viewing).min()
    }

    /// Does everything that is possible now. Returns whether the client stays.
    pub(super) fn attend(&mut self, happened: PollFlags, now: Instant, sources: &mut Sources) -> bool {
        self.go_on(happened, now, sources).is_ok()
    }

    fn go_on(&mut self, happened: PollFlags, now: Instant, sources: &mut Sources) -> Result<(), Gone> {
        let awaited = self.events(now);
        if awaited.contains(PollFlags::IN) && !happened.is_empty() {
            self.read(now)?;
        } else if awaited.is_empty() && happened.intersects(PollFlags::HUP | PollFlags::ERR) {
            return Err(Gone);
        }
        self.answer_waiting(now, sources);
        if self.output.is_empty() && !self.is_waiting() && self.rests_until <= now {
            self.answer_next(now, sources);
        }
        if self.output.is_empty() && self.waiting.is_none() {
            self.answer_viewing(now, sources);
        }
        if !self.output.is_empty() {
            self.write(now)?;
        }
        let is_idle = self.output.is_empty() && self.waiting.is_none() && self.viewing.is_none();
        let is_done = self.has_ended && is_idle && self.input.is_empty();
        let is_late = self.deadline.is_some_and(|deadline| deadline <= now);
        if is_done || is_late { Err(Gone) } else { Ok(()) }
    }

    fn read(&mut self, now: Instant) -> Result<(), Gone> {
        let mut chunk = [0; CHUNK];
        match self.stream.read(&mut chunk) {
            Ok(0) => {
                self.has_ended = true;
                // The last line may lack its end.
                if !self.input.is_empty() {
                    self.input.push(b'\n');
                }
            }
            Ok(length) => self.input.extend_from_slice(&chunk[..length]),
            Err(error) if is_for_later(&error) => {}
            Err(_) => return Err(Gone),
        }
        self.expect_line(now);
        Ok(())
    }

    /// Answers the first received line, if it is complete.
    fn answer_next(&mut self, now: Instant, sources: &mut Sources) {
        let request = match self.input.iter().take(MOST_BYTES).position(|byte| *byte == b'\n') {
            Some(end) => {
                let line: Vec<u8> = self.input.drain(..=end).collect();
                Request::parse(&line)
            }
            None if self.input.len() >= MOST_BYTES => {
                // The rest of that line follows.
                self.input.clear();
                self.has_ended = true;
                Err(Refusal::too_long())
            }
            None => return,
        };
        self.deadline = Some(now + PATIENCE);
        match request.and_then(|request| self.start(&request, now, sources)) {
            Ok(waiting) => self.waiting = waiting,
            Err(refusal) => self.output = answer::refusal(&refusal),
        }
    }

    /// Answers a request, or returns the part that the answer still needs.
    fn start(
        &mut self,
        Request { topic, form }: &Request,
        now: Instant,
        sources: &mut Sources,
    ) -> Result<Option<Waiting>, Refusal> {
        let Sources { state, zone, hands, wake, .. } = sources;
        let awaited = match topic {
            Topic::Status => {
                self.output = answer::status(&Status::new(state, zone, now), *form);
                return Ok(None);
            }
            Topic::Episodes => Awaited::Picture(state.ask_for_episodes()),
            Topic::Top(wanted) => {
                self.viewing = Some(Viewing::new(*wanted, state.ask_for_episodes(), now));
                return Ok(None);
            }
            Topic::Blocked => Awaited::Hands(hands.list_blocked(wake)?),
            Topic::Allowed => Awaited::Hands(hands.list_allowed(wake)?),
            Topic::Change(change) => Awaited::Hands(hands.change(change, self.person, wake)?),
            Topic::Fleet(topic) => Awaited::Fleet(hands.ask_fleet(topic, self.person, now, wake)?),
        };
        Ok(Some(Waiting { form: *form, topic: topic.name(), awaited }))
    }

    /// Whether a request has to be answered before the next one is read.
    fn is_waiting(&self) -> bool {
        self.waiting.is_some() || self.viewing.as_ref().is_some_and(Viewing::is_single)
    }

    /// Answers with the next snapshot, if it is due and there is one.
    fn answer_viewing(&mut self, now: Instant, sources: &mut Sources) {
        let Some(viewing) = &mut self.viewing else { return };
        let is_late = self.deadline.is_some_and(|deadline| deadline <= now);
        let seen = viewing.see(now, is_late, sources);
        if !viewing.waits_for_detector() {
            self.deadline = None;
        }
        let Some(seen) = seen else { return };
        self.output = match seen {
            Ok(top) => answer::top(&top),
            Err(refusal) => answer::refusal(&refusal),
        };
        self.deadline = Some(now + PATIENCE);
        if viewing.is_over() {
            self.viewing = None;
        }
    }

    /// Ends the connection, with the last snapshot if it gets snapshots.
    pub(super) fn finish(mut self, last: &TopSnapshot) {
        let Some(viewing) = self.viewing.filter(|viewing| !viewing.is_over()) else { return };
        self.output.extend(answer::top(&top::cut(last, viewing.wanted())));
        // A client that has left reads nothing.
        let _ = self.stream.set_nonblocking(false);
        let _ = self.stream.set_write_timeout(Some(PATIENCE));
        let _ = self.stream.write_all(&self.output[self.written..]);
    }

    /// Answers the pending request, if the other thread has given its part or has exceeded its time.
    fn answer_waiting(&mut self, now: Instant, Sources { state, zone, .. }: &Sources) {
        let Some(Waiting { form, topic, awaited }) = &self.waiting else { return };
        let answer = match awaited {
            Awaited::Picture(pictures) => {
                state.episodes_after(*pictures).map(|open| answer::episodes(&open, *form, zone))
            }
            Awaited::Hands(pending) | Awaited::Fleet(pending) => pending.answer().map(|done| match done {
                Ok(done) => answer::told(topic, &records::told(&done, capture::now(), zone), *form),
                Err(refusal) => answer::refusal(&refusal),
            }),
        };
        let is_late = self.deadline.is_some_and(|deadline| deadline <= now);
        self.output = match answer {
            Some(answer) => answer,
            None if is_late => answer::refusal(&awaited.timeout()),
            None => return,
        };
        self.waiting = None;
        self.deadline = Some(now + PATIENCE);
    }

    fn write(&mut self, now: Instant) -> Result<(), Gone> {
        match self.stream.write(&self.output[self.written..]) {
            Ok(length) => self.written += length,
            Err(error) if is_for_later(&error) => {}
            Err(_) => return Err(Gone),
        }
        if self.written == self.output.len() {
            // The memory is freed, because an answer may be large.
            self.rests_until = now + if self.written > LARGE { LONG_REST } else { REST };
            (self.output, self.written, self.deadline) = (Vec::new(), 0, None);
            self.expect_line(now);
        }
        Ok(())
    }

    /// A line that has begun must end in time.
    fn expect_line(&mut self, now: Instant) {
        if !self.input.is_empty() && self.deadline.is_none() {
            self.deadline = Some(now + PATIENCE);
        }
    }
}

impl Awaited {
    /// The error for a missing part.
    fn timeout(&self) -> Refusal {
        let seconds = PATIENCE.as_secs();
        let error = match self {
            Self::Picture(_) => return Refusal::no_detector(PATIENCE),
            Self::Hands(_) => format!(
                "no answer for {seconds} s, as the firewall or another thread is busy: a change may be made yet \
                 (synwatch blocked and synwatch allowed show it)"
            ),
            Self::Fleet(_) => format!(
                "no answer for {seconds} s, as a server of the fleet or another request takes long: a change may be \
                 made yet (synwatch blocked --fleet and synwatch allowed --fleet show it)"
            ),
        };
        Refusal { code: "timeout", error }
    }
}

fn is_for_later(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted)
}
