//! The loop: snapshots and keys in, pictures out, until the user or a signal ends it.

use std::time::Duration;

use super::draw::{Look, draw};
use super::source::{Next, Source};
use super::state::{Effect, Link, State};
use super::terminal::{Input, Refused, Terminal};

/// How long a key is waited for before the source is looked at: a snapshot comes once a second.
const TICK: Duration = Duration::from_millis(100);

/// Shows what the source has, until the user or a signal ends it.
///
/// # Errors
///
/// There is no terminal for it, or nothing comes from the source.
pub fn run(source: &mut dyn Source) -> Result<(), Refused> {
    let mut terminal = Terminal::enter()?;
    let look = Look::from_environment();
    let mut state = State::default();
    state.takes_changes = source.takes_changes();
    let mut is_changed = true;
    loop {
        state.speed = source.speed();
        if is_changed {
            terminal.draw(|frame| draw(&state, look, frame))?;
        }
        let input = terminal.wait(TICK)?;
        is_changed = !matches!(input, Input::Nothing);
        match input {
            Input::Key(key) => match state.press(key) {
                Some(Effect::Quit) => return Ok(()),
                Some(Effect::Faster) => source.change_speed(true),
                Some(Effect::Slower) => source.change_speed(false),
                Some(Effect::Change(change)) => {
                    let (Ok(said) | Err(said)) = source.change(&change);
                    state.message = Some(said);
                }
                None => {}
            },
            Input::Resized | Input::Nothing => {}
            Input::End => return Ok(()),
        }
        if state.link != Link::Ended {
            let before = state.link;
            match source.next(Duration::ZERO) {
                Next::Snapshot(snapshot) => {
                    state.take(*snapshot);
                    is_changed = true;
                }
                Next::Nothing => {}
                Next::Lost => state.link = Link::Lost,
                Next::Ended => state.link = Link::Ended,
                Next::Failed(why) => return Err(Refused::Source(why)),
            }
            is_changed |= state.link != before;
        }
    }
}
