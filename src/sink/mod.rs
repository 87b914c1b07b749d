//! Alert in, bytes out: how what is found is said.
//!
//! A sink is driven by the detector's thread and told the time. It adds nothing to an alert but form. Whatever it
//! cannot write (the disk is full, nobody reads any more) is warned of once and counted; the run goes on.

pub mod capture;
pub mod console;
mod escape;
mod eve;
mod governor;
mod lines;
mod pcapng;
mod record;
pub mod summary;
mod text;

use std::io;
use std::path::PathBuf;

pub use capture::{CaptureHandle, CaptureWriter, Kept};
pub use console::Console;
pub use escape::Escaped;
pub use eve::Eve;
pub use lines::Lines;
pub use text::Text;

use crate::alert::Alert;
use crate::stats::Stats;
use crate::time::Timestamp;

/// Where reports go. What a sink has no use for, it leaves at its default: nothing is done.
pub trait Sink: Send {
    /// Reports one event of an episode.
    fn alert(&mut self, alert: &Alert);

    /// Records the counters as they stand at `now`.
    fn stats(&mut self, _now: Timestamp, _stats: &Stats) {}

    /// Writes out what waits: all that happened before the second of `now` has been reported.
    fn tick(&mut self, _now: Timestamp) {}

    /// Opens its file again under the same name: the old one has been moved away (log rotation).
    fn reopen(&mut self) {}

    /// Says and writes out all that is left, at the end of the run.
    fn finish(&mut self, _now: Timestamp) {}

    /// Reports that were held back because there were too many in a second.
    fn held_back(&self) -> u64 {
        0
    }

    /// Reports that could not be written.
    fn lost(&self) -> u64 {
        0
    }
}

/// Several sinks as one, served in order.
#[derive(Default)]
pub struct Sinks(Vec<Box<dyn Sink>>);

impl Sinks {
    /// Adds one more.
    pub fn push(&mut self, sink: impl Sink + 'static) {
        self.0.push(Box::new(sink));
    }
}

impl Sink for Sinks {
    fn alert(&mut self, alert: &Alert) {
        self.0.iter_mut().for_each(|sink| sink.alert(alert));
    }

    fn stats(&mut self, now: Timestamp, stats: &Stats) {
        self.0.iter_mut().for_each(|sink| sink.stats(now, stats));
    }

    fn tick(&mut self, now: Timestamp) {
        self.0.iter_mut().for_each(|sink| sink.tick(now));
    }

    fn reopen(&mut self) {
        self.0.iter_mut().for_each(|sink| sink.reopen());
    }

    fn finish(&mut self, now: Timestamp) {
        self.0.iter_mut().for_each(|sink| sink.finish(now));
    }

    fn held_back(&self) -> u64 {
        self.0.iter().map(|sink| sink.held_back()).sum()
    }

    fn lost(&self) -> u64 {
        self.0.iter().map(|sink| sink.lost()).sum()
    }
}

/// A file for reports or packets could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path:?}: {}", cause(source))]
pub struct OpenError {
    /// The file, as it was given.
    pub path: PathBuf,
    /// Why not.
    pub source: io::Error,
}

/// What went wrong, as the end of a sentence: `no space left on device`, without the number that std appends.
fn cause(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error ").next().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_ends_a_sentence() {
        assert_eq!(cause(&io::Error::from_raw_os_error(28)), "no space left on device");
        assert_eq!(cause(&io::Error::other("Gone")), "gone");
    }

    #[test]
    fn an_open_error_names_the_file_and_the_cause() {
        let error = OpenError { path: "/no such/x".into(), source: io::Error::from_raw_os_error(2) };
        assert_eq!(error.to_string(), r#"cannot write "/no such/x": no such file or directory"#);
    }
}
