//! What the threads that capture do, from the first packet to the last.
//!
//! Live, one thread reads and counts, or several read and one counts; in a replay one reads and follows connections,
//! and one counts; further ones may read its files ahead.

use std::net::IpAddr;
use std::num::NonZero;
use std::thread::{JoinHandle, available_parallelism};

use super::reload::Changes;
use super::{join, spawn};
use crate::census::Census;
use crate::count::{Ahead, Counting, Gathering, Reader, Reload, Watching};
use crate::error::Error;
use crate::packet::InterfaceId;
use crate::signals::Signals;
use crate::source::{Filter, Live, Received, Replay, Source, Step};

/// The threads that read, and the one that counts. Where one does both, it is the one that counts.
pub(super) struct Capturing {
    readers: Vec<JoinHandle<u64>>,
    /// In replay, the threads that read files ahead.
    others: Vec<JoinHandle<()>>,
    counter: JoinHandle<Vec<Vec<Census>>>,
}

/// What the thread that counts live heeds beside packets.
pub(super) struct Heeds {
    pub(super) signals: Signals,
    pub(super) changes: Changes,
    /// Whether own addresses are allowed, to begin with.
    pub(super) allow_self: bool,
}

impl Capturing {
    /// A thread for each source reads and one more counts, or one alone does both.
    ///
    /// # Errors
    ///
    /// When the system starts no thread.
    pub(super) fn live(mut sources: Vec<Live>, counting: Counting, heeds: Heeds) -> Result<Self, Error> {
        if sources.len() == 1 {
            if let Some(source) = sources.pop() {
                let alone = Alone { source, counting };
                let counter = spawn("capture", || capture(alone, heeds))?;
                return Ok(Self { readers: Vec::new(), others: Vec::new(), counter });
            }
        }
        let lag = sources.first().map(Live::lag).unwrap_or_default();
        let interfaces = sources.first().map_or(1, |source| source.received_by_interface().len());
        let (readers, gathering) = counting.gather(sources.len(), interfaces, lag);
        let counter = spawn("ledger", || capture(gathering, heeds))?;
        let readers = sources.into_iter().zip(readers);
        let readers = readers.map(|(source, reader)| spawn("capture", || read(source, reader)));
        Ok(Self { readers: readers.collect::<Result<_, _>>()?, others: Vec::new(), counter })
    }

    /// A thread reads and follows connections, and another one counts: the first runs ahead. Further ones read its
    /// files ahead.
    ///
    /// # Errors
    ///
    /// The same.
    pub(super) fn replay(mut source: Replay, counting: Counting, signals: Signals) -> Result<Self, Error> {
        let processors = available_parallelism().map_or(1, NonZero::get);
        let (ahead, behind) = counting.split();
        let counter = spawn("ledger", || behind.run())?;
        let streams =
            source.read_ahead(processors).into_iter().map(|stream| spawn("read-ahead", || stream.run()));
        let others = streams.collect::<Result<_, _>>()?;
        let reader = spawn("capture", move || replay(source, ahead, &signals))?;
        Ok(Self { readers: vec![reader], others, counter })
    }

    /// Waits for their end. Gives how many inputs could not be read whole, and the censuses of each watch, where they
    /// were taken.
    pub(super) fn join(self) -> (u64, Vec<Vec<Census>>) {
        let failures = self.readers.into_iter().map(join).sum();
        self.others.into_iter().for_each(join);
        (failures, join(self.counter))
    }
}

/// What is counted live, however many threads read.
trait Counts {
    /// Counts what there is.
    fn read(&mut self) -> Step;

    /// The addresses of the interfaces, when they have changed since they were asked for.
    fn own_addresses(&mut self) -> Option<Vec<IpAddr>>;

    /// What was received and lost at each interface, once a second.
    fn beat(&mut self) -> Option<Vec<(InterfaceId, Received)>>;

    /// Changes what is counted, and what the kernel passes where that changes, too.
    fn reload(&mut self, reload: Reload, filter: Option<Filter>) -> Vec<Watching>;

    /// What counts.
    fn counting(&mut self) -> &mut Counting;

    /// Counts what is left.
    fn finish(self);
}

/// One thread that reads and counts.
struct Alone<S> {
    source: S,
    counting: Counting,
}

impl<S: Source> Counts for Alone<S> {
    fn read(&mut self) -> Step {
        let step = self.source.read(&mut self.counting);
        self.counting.note(self.source.received());
        step
    }

    fn own_addresses(&mut self) -> Option<Vec<IpAddr>> {
        self.source.own_addresses()
    }

    fn beat(&mut self) -> Option<Vec<(InterfaceId, Received)>> {
        self.source.is_beat().then(|| self.source.received_by_interface())
    }

    fn reload(&mut self, reload: Reload, filter: Option<Filter>) -> Vec<Watching> {
        if let Some(filter) = filter {
            self.source.refilter(filter);
        }
        self.counting.reload(reload)
    }

    fn counting(&mut self) -> &mut Counting {
        &mut self.counting
    }

    fn finish(self) {
        self.counting.finish();
    }
}

impl Counts for Gathering {
    fn read(&mut self) -> Step {
        Gathering::read(self)
    }

    fn own_addresses(&mut self) -> Option<Vec<IpAddr>> {
        Gathering::own_addresses(self)
    }

    fn beat(&mut self) -> Option<Vec<(InterfaceId, Received)>> {
        self.is_beat().then(|| self.received_by_interface())
    }

    fn reload(&mut self, reload: Reload, filter: Option<Filter>) -> Vec<Watching> {
        Gathering::reload(self, reload, filter.as_ref())
    }

    fn counting(&mut self) -> &mut Counting {
        Gathering::counting(self)
    }

    fn finish(self) {
        Gathering::finish(self);
    }
}

/// The thread that counts live. No censuses are taken there.
fn capture(mut live: impl Counts, heeds: Heeds) -> Vec<Vec<Census>> {
    let Heeds { signals, changes, mut allow_self } = heeds;
    let mut own = Vec::new();
    loop {
        if let Some(changed) = live.own_addresses() {
            own = changed;
            live.counting().set_own(if allow_self { own.clone() } else { Vec::new() });
        }
        let step = live.read();
        if let Some(interfaces) = live.beat() {
            live.counting().beat(interfaces);
        }
        if signals.take_reopen() {
            live.counting().reopen();
            changes.ask();
        }
        if let Some(change) = changes.take() {
            allow_self = change.allow_self;
            live.counting().set_own(if allow_self { own.clone() } else { Vec::new() });
            changes.done(live.reload(change.reload, change.filter));
        }
        if signals.take_show() {
            live.counting().show();
        }
        if step == Step::End {
            break;
        }
    }
    live.finish();
    Vec::new()
}

/// A thread that reads live, where another one counts.
fn read(mut source: impl Source, mut reader: Reader) -> u64 {
    loop {
        if let Some(own) = source.own_addresses() {
            reader.tell_own(own);
        }
        let step = source.read(&mut reader);
        reader.report();
        if source.is_beat() || step == Step::End {
            reader.tell_received(source.received_by_interface());
        }
        if step == Step::End {
            break;
        }
        reader.heed(|filter| source.refilter(filter));
    }
    reader.finish();
    source.failures()
}

/// The thread of a replay that reads, decodes and follows connections, ahead of the one that counts.
fn replay(mut source: impl Source, mut ahead: Ahead, signals: &Signals) -> u64 {
    loop {
        let step = source.read(&mut ahead);
        if signals.take_reopen() {
            ahead.reopen();
        }
        if signals.take_show() {
            ahead.show();
        }
        if step == Step::End {
            break;
        }
    }
    ahead.finish();
    source.failures()
}
