//! Where packets come from: live interfaces or capture files. Only here is capture time learnt.

mod merge;
mod open;
mod progress;
pub mod reader;
mod replay;
#[cfg(test)]
mod sample;

pub use open::Input;
pub use progress::Progress;
pub use replay::Replay;

use crate::packet::Packet;
use crate::time::Timestamp;

/// A source of packets: live and replay differ here and nowhere else.
pub trait Source {
    /// Hands over the packets that are there, at most some thousand, and says how it stands.
    ///
    /// Trouble after the start is logged and counted (see [`Source::failures`]), it does not end the run: what can
    /// still be read is read.
    fn read(&mut self, each: impl FnMut(&Packet<'_>)) -> Step;

    /// How many times something could not be read, so that the run has to end in failure: a damaged file, an
    /// interface in a file whose link type is not known.
    fn failures(&self) -> u64;
}

/// How a source stands after [`Source::read`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// There may be more at once.
    More,
    /// Nothing more is there now, and no packet older than this will come.
    Idle(Timestamp),
    /// There will be nothing more.
    End,
}
