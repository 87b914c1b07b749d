//! The shared standard error: reports, log lines and the progress bar, each line whole.
//!
//! If its reader has gone the program continues: a line that cannot be written is dropped and counted. Nothing here
//! logs, because the log is written here.

use std::env;
use std::ffi::OsStr;
use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use env_logger::{Target, WriteStyle};
use indicatif::ProgressBar;
use log::{Level, LevelFilter, SetLoggerError};

use super::escape::Escaped;
use super::journal::{LogFormat, Priority};

/// A handle on standard error. Clones share one lock, so that lines never mix.
#[derive(Clone)]
pub struct Console {
    colour: bool,
    has_priorities: bool,
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    out: Box<dyn Write + Send>,
    /// The progress bar on the terminal's last line. It makes way for each line.
    bar: Option<ProgressBar>,
}

impl Console {
    /// Standard error: in colour on a terminal that supports it, with priorities for the journal.
    #[must_use]
    pub fn stderr(format: LogFormat) -> Self {
        let (no_color, term) = (env::var_os("NO_COLOR"), env::var_os("TERM"));
        let colour = wants_colour(io::stderr().is_terminal(), no_color.as_deref(), term.as_deref());
        let has_priorities = format.has_priorities();
        Self { has_priorities, ..Self::new(io::stderr(), colour && !has_priorities) }
    }

    /// Another writer of lines.
    #[must_use]
    pub fn new(out: impl Write + Send + 'static, colour: bool) -> Self {
        Self {
            colour,
            has_priorities: false,
            inner: Arc::new(Mutex::new(Inner { out: Box::new(out), bar: None })),
        }
    }

    /// Whether lines may be coloured.
    #[must_use]
    pub(crate) fn colour(&self) -> bool {
        self.colour
    }

    /// Writes one line in one piece and returns whether it was written.
    pub fn line(&self, priority: Priority, line: &str) -> bool {
        let priority = self.has_priorities.then_some(priority);
        self.write_whole(format!("{}{line}\n", Prefix(priority)).as_bytes()).is_ok()
    }

    /// Shows this progress bar below the lines until [`Console::detach`].
    pub(crate) fn attach(&self, bar: ProgressBar) {
        self.lock().bar = Some(bar);
    }

    /// Removes the progress bar from the terminal.
    pub(crate) fn detach(&self) {
        if let Some(bar) = self.lock().bar.take() {
            bar.finish_and_clear();
        }
    }

    /// Sends the `log` crate's records here, up to `level` or as `RUST_LOG` says.
    ///
    /// A record is one line, `synwatch: warning: …`, without a time: a terminal shows it at once, and a journal adds
    /// its own. An error has no level, like the messages with which the program exits.
    ///
    /// # Errors
    ///
    /// A logger is set already.
    pub fn log(&self, level: LevelFilter) -> Result<(), SetLoggerError> {
        self.logger(level).parse_default_env().try_init()
    }

    fn logger(&self, level: LevelFilter) -> env_logger::Builder {
        let (colour, has_priorities) = (self.colour, self.has_priorities);
        let mut builder = env_logger::Builder::new();
        builder
            .filter_level(level)
            .format(move |buffer, record| {
                let message = record.args().to_string();
                let priority = has_priorities.then(|| record.level().into());
                writeln!(
                    buffer,
                    "{}{}",
                    Prefix(priority),
                    LogLine { level: record.level(), message: &message, colour }
                )
            })
            .write_style(WriteStyle::Always) // The format decides on colour; nothing strips it afterwards.
            .target(Target::Pipe(Box::new(self.clone())));
        builder
    }

    fn write_whole(&self, bytes: &[u8]) -> io::Result<()> {
        let mut inner = self.lock();
        let Inner { out, bar } = &mut *inner;
        match bar {
            Some(bar) => bar.suspend(|| out.write_all(bytes)),
            None => out.write_all(bytes),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes each buffer as one piece. It never fails: a logger could not report it.
impl Write for Console {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let _ = self.write_whole(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console").field("colour", &self.colour).finish_non_exhaustive()
    }
}

/// Whether to use colour: on a terminal that supports it, unless the user has disabled it (<https://no-color.org>).
fn wants_colour(terminal: bool, no_color: Option<&OsStr>, term: Option<&OsStr>) -> bool {
    terminal && no_color.is_none_or(OsStr::is_empty) && term.is_some_and(|term| term != "dumb")
}

/// Styles of text on a terminal (ECMA-48, 8.3.117).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// A fault.
    Bad,
    /// Something that needs attention.
    Notice,
    /// Something that has ended.
    Good,
}

impl Style {
    /// `text` in this style if `colour` is set, otherwise unchanged.
    pub(super) fn paint(self, text: &str, colour: bool) -> String {
        if !colour {
            return text.to_owned();
        }
        let code = match self {
            Self::Bad => "1;31",
            Self::Notice => "33",
            Self::Good => "32",
        };
        format!("\x1b[{code}m{text}\x1b[0m")
    }
}

/// The prefix of a line.
struct Prefix(Option<Priority>);

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |priority| priority.fmt(f))
    }
}

/// One record of the log.
struct LogLine<'a> {
    level: Level,
    message: &'a str,
    colour: bool,
}

impl fmt::Display for LogLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Error => String::new(),
            Level::Warn => Style::Notice.paint("warning: ", self.colour),
            Level::Info => "info: ".to_owned(),
            Level::Debug => "debug: ".to_owned(),
            Level::Trace => "trace: ".to_owned(),
        };
        write!(f, "synwatch: {level}{}", Escaped::message(self.message))
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    use std::os::unix::net::UnixStream;

    use log::Record;

    use indicatif::{ProgressDrawTarget, ProgressStyle, TermLike};

    /// Collects written bytes.
    #[derive(Clone, Debug, Default)]
    pub(in crate::report) struct Paper(Arc<Mutex<Vec<u8>>>);

    impl Paper {
        pub(in crate::report) fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn clones_write_to_one_place_line_by_line() {
        let paper = Paper::default();
        let console = Console::new(paper.clone(), false);
        let writers: Vec<_> = ["a", "b", "c", "d"]
            .map(|letter| {
                let console = console.clone();
                std::thread::spawn(move || (0..100).all(|_| console.line(Priority::Info, &letter.repeat(80))))
            })
            .into_iter()
            .collect();
        assert!(writers.into_iter().all(|writer| writer.join().unwrap()));
        let text = paper.text();
        assert_eq!(text.lines().count(), 400);
        assert!(
            text.lines().all(|line| line.len() == 80 && line.bytes().all(|byte| byte == line.as_bytes()[0]))
        );
    }

    #[test]
    fn a_closed_standard_error_stops_nothing() {
        let (end, other) = UnixStream::pair().unwrap();
        drop(other);
        let mut console = Console::new(end, false);
        assert!(!console.line(Priority::Info, "its reader has gone"));
        assert!(console.write_all(b"nor this\n").is_ok());
    }

    #[test]
    fn the_progress_bar_makes_way_for_lines() {
        let paper = Paper::default();
        let target = ProgressDrawTarget::term_like(Box::new(Terminal(paper.clone())));
        let bar = ProgressBar::with_draw_target(Some(9), target);
        bar.set_style(ProgressStyle::with_template("BAR").unwrap());
        let console = Console::new(paper.clone(), false);
        console.attach(bar.clone());
        bar.tick();
        assert!(console.line(Priority::Info, "a report"));
        console.detach();
        assert!(console.line(Priority::Info, "another"));
        let text = paper.text().replace("CLEAR CLEAR ", "CLEAR ");
        assert_eq!(text, "BAR CLEAR a report\nBAR CLEAR another\n");
    }

    /// A terminal that records its operations in the same buffer as the lines.
    #[derive(Debug)]
    struct Terminal(Paper);

    impl Terminal {
        fn say(&self, what: &str) -> io::Result<()> {
            if what.trim().is_empty() { Ok(()) } else { write!(self.0.clone(), "{} ", what.trim()) }
        }
    }

    impl TermLike for Terminal {
        fn width(&self) -> u16 {
            40
        }

        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }

        fn write_line(&self, line: &str) -> io::Result<()> {
            self.say(line)
        }

        fn write_str(&self, text: &str) -> io::Result<()> {
            self.say(text)
        }

        fn clear_line(&self) -> io::Result<()> {
            self.say("CLEAR")
        }

        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn colour_needs_a_terminal_that_wants_it() {
        for (terminal, no_color, term, colour) in [
            (true, None, Some("xterm"), true),
            (true, Some(""), Some("xterm"), true),
            (true, Some("1"), Some("xterm"), false),
            (true, None, Some("dumb"), false),
            (true, None, None, false),
            (false, None, Some("xterm"), false),
        ] {
            assert_eq!(wants_colour(terminal, no_color.map(OsStr::new), term.map(OsStr::new)), colour);
        }
    }

    #[test]
    fn a_log_line_names_the_program_and_the_level() {
        for (level, colour, line) in [
            (Level::Error, false, "synwatch: cannot do it"),
            (Level::Warn, false, "synwatch: warning: cannot do it"),
            (Level::Warn, true, "synwatch: \x1b[33mwarning: \x1b[0mcannot do it"),
            (Level::Info, false, "synwatch: info: cannot do it"),
        ] {
            assert_eq!(LogLine { level, message: "cannot do it", colour }.to_string(), line);
        }
    }

    #[test]
    fn the_log_goes_to_the_console_as_far_as_its_level() {
        let paper = Paper::default();
        let logger = Console::new(paper.clone(), false).logger(LevelFilter::Warn).build();
        for level in [Level::Error, Level::Warn, Level::Info] {
            let record = Record::builder().level(level).args(format_args!("it happened")).build();
            log::Log::log(&logger, &record);
        }
        assert_eq!(paper.text(), "synwatch: it happened\nsynwatch: warning: it happened\n");
    }

    #[test]
    fn for_the_journal_each_line_begins_with_its_priority() {
        let paper = Paper::default();
        let console = Console { has_priorities: true, ..Console::new(paper.clone(), false) };
        assert!(console.line(Priority::Notice, "a report"));
        let logger = console.logger(LevelFilter::Warn).build();
        let record = Record::builder().level(Level::Warn).args(format_args!("it happened")).build();
        log::Log::log(&logger, &record);
        assert_eq!(paper.text(), "<5>a report\n<4>synwatch: warning: it happened\n");
    }

    #[test]
    fn a_log_line_is_one_line_without_control_characters() {
        let line = LogLine { level: Level::Error, message: "a\nb\x1b[2J", colour: true };
        assert_eq!(line.to_string(), "synwatch: a\\nb\\u{1b}[2J");
    }
}
