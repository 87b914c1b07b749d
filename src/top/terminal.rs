//! The terminal: taken for the picture, and given back whole however the program ends.
//!
//! The alternate screen, raw mode and the hidden cursor outlive a process. So they are taken back when this is dropped,
//! and by a hook where a panic ends the process before that (`panic = "abort"`). SIGTERM and SIGINT become a flag; a
//! terminal that has gone ends the loop.

use std::env;
use std::io::{self, IsTerminal as _, Stdout, Write as _};
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::cursor::Show;
use ratatui::crossterm::event::{self, Event};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::{
    EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode, size,
};
use ratatui::{Frame, Terminal as Ratatui};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use super::keys::Key;

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// Input or output is a file or a pipe.
    #[error("standard input and output are no terminal (one picture as text: synwatch top --once)")]
    NoTerminal,
    /// `TERM` names one that cannot move its cursor, or none.
    #[error("the terminal {0:?} cannot show this (one picture as text: synwatch top --once)")]
    Dumb(String),
    /// The system says why.
    #[error("cannot use the terminal: {0}")]
    System(#[from] io::Error),
    /// The source of snapshots says why.
    #[error("{0}")]
    Source(String),
}

/// What came from the terminal.
pub(super) enum Input {
    Key(Key),
    Resized,
    /// Nothing in this time.
    Nothing,
    /// A signal asks for the end, or the terminal has gone.
    End,
}

/// A terminal that shows the picture.
pub(super) struct Terminal {
    inner: Ratatui<CrosstermBackend<Stdout>>,
    stop: Arc<AtomicBool>,
}

impl Terminal {
    /// Takes the terminal.
    ///
    /// # Errors
    ///
    /// There is none, or it cannot show pictures.
    pub(super) fn enter() -> Result<Self, Refused> {
        check()?;
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [SIGTERM, SIGINT] {
            flag::register(signal, Arc::clone(&stop))?;
        }
        // Whatever else handles it in this process: without a terminal there is nothing to go on for.
        flag::register_conditional_default(SIGHUP, Arc::new(AtomicBool::new(true)))?;
        let previous = panic::take_hook();
        panic::set_hook(Box::new(move |panic| {
            leave();
            previous(panic);
        }));
        // From here on dropping it takes everything back.
        let mut terminal = Self { inner: Ratatui::new(CrosstermBackend::new(io::stdout()))?, stop };
        enable_raw_mode()?;
        execute!(io::stdout(), EnterAlternateScreen)?;
        terminal.inner.clear()?;
        Ok(terminal)
    }

    /// Draws a picture.
    pub(super) fn draw(&mut self, picture: impl FnOnce(&mut Frame<'_>)) -> io::Result<()> {
        self.inner.draw(picture).map(|_| ())
    }

    /// Waits for a key or another size of the terminal, for this long at most.
    pub(super) fn wait(&self, patience: Duration) -> io::Result<Input> {
        // In this order: crossterm would read from a terminal that has gone without end.
        if self.must_end(Duration::ZERO)? {
            return Ok(Input::End);
        }
        // There may be something that crossterm has read already.
        if !event::poll(Duration::ZERO)? {
            if self.must_end(patience)? {
                return Ok(Input::End);
            }
            if !event::poll(Duration::ZERO)? {
                return Ok(Input::Nothing);
            }
        }
        Ok(match event::read()? {
            Event::Key(key) => Key::new(key).map_or(Input::Nothing, Input::Key),
            Event::Resize(..) => Input::Resized,
            _ => Input::Nothing,
        })
    }

    /// Waits until there is something to read, for this long at most. Says whether a signal asks for the end, or the
    /// terminal has gone.
    fn must_end(&self, patience: Duration) -> io::Result<bool> {
        let stdin = io::stdin();
        let mut events = [PollFd::new(&stdin, PollFlags::IN)];
        let patience = Timespec::try_from(patience).unwrap_or_default();
        match poll(&mut events, Some(&patience)) {
            // A signal: it asks for the end, or tells that the terminal has another size.
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let has_gone = events[0].revents().intersects(PollFlags::HUP | PollFlags::ERR);
        Ok(has_gone || self.stop.load(Ordering::Relaxed))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        leave();
    }
}

/// Whether there is a terminal that can show pictures.
///
/// # Errors
///
/// There is none.
pub(crate) fn check() -> Result<(), Refused> {
    if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
        return Err(Refused::NoTerminal);
    }
    let term = env::var_os("TERM").unwrap_or_default();
    if term.is_empty() || term == "dumb" {
        return Err(Refused::Dumb(term.to_string_lossy().into_owned()));
    }
    Ok(())
}

/// How wide the terminal is that standard output goes to, if it goes to one.
pub(crate) fn columns() -> Option<u16> {
    let size = if io::stdout().is_terminal() { size().ok() } else { None };
    size.map(|(columns, _)| columns)
}

/// Takes back what [`Terminal::enter`] did. What fails here cannot be helped, and the rest is tried.
fn leave() {
    let _ = disable_raw_mode();
    let mut out = io::stdout();
    let _ = execute!(out, LeaveAlternateScreen, Show);
    let _ = out.flush();
}
