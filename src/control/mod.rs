//! The control socket: what the running service tells its clients, as JSON Lines over a Unix stream socket.
//!
//! ```text
//!   detector ──Beat, OpenEpisodes──▶ Feed ──▶ State ◀── Server (thread "control") ◀──requests── clients
//!   main ──result of a reload──────────────▶   │  └──▶ the service manager's status text
//! ```
//!
//! Reading is all that a client can do, and the permissions of the socket decide who may. The server looks at what the
//! detector has left in `State`; it has no way to the packet path. Nothing that a client does delays anything but its
//! own answer: no read or write waits, each client rests between two requests, and the capture thread lists the
//! open episodes at a heartbeat, once for all clients that wait.

mod answer;
mod ask;
mod client;
pub mod request;
mod server;
mod snapshot;
mod socket;
mod state;
mod status;

pub(crate) use ask::{AskError, ask};
pub(crate) use request::{Form, Request, Topic};
pub(crate) use server::Server;
pub use snapshot::{OutcomeShare, TopEpisode, TopLimit, TopSnapshot, TopSource, TopWatch};
pub(crate) use socket::{Socket, Unbound};
pub(crate) use state::State;

/// The socket of the service. systemd makes its folder (`RuntimeDirectory=`).
pub(crate) const PATH: &str = "/run/synwatch/control";
