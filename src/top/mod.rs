//! The screen of `synwatch top`: sources against each of their limits, and open episodes, live.
//!
//! ```text
//!   Source ──TopSnapshot──▶ State ──▶ draw ──lines──▶ Terminal
//!   Terminal ──Key────────▶   │
//!   Source ◀──Effect──────────┘
//! ```
//!
//! `State` takes snapshots and keys, `draw` makes lines of it; both are pure. [`run`] is the loop around them and the
//! only part that waits. The terminal is as it was before when the loop ends: by `q`, by an error, by a signal and by
//! a panic. [`plain`] is the same picture as text, for what is no terminal.

mod draw;
mod keys;
mod order;
mod past;
mod plain;
mod run;
mod source;
mod state;
mod subscribed;
mod terminal;
#[cfg(test)]
mod tests;

pub use plain::plain;
pub use run::run;
pub use source::{Change, Next, Source};
pub(crate) use subscribed::Subscribed;
pub use terminal::Refused;
pub(crate) use terminal::{check as check_terminal, columns};
