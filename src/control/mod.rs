//! The control socket: answers clients of the running service and carries out their requests, as JSON Lines
//! over a Unix stream socket.
//!
//! ```text
//!   detector ──Heartbeat, OpenEpisodes──▶ Feed ──▶ State ◀── Server (thread "control") ◀──requests── clients
//!   main ──result of a reload──────────────▶   │  └──▶ the service manager's status text
//!                                              │
//!   blocker ◀──block, unblock, list────────── Hands ──allow, unallow, list──▶ main
//!                                               └──what is for the fleet──▶ Desk (thread "fleet-desk")
//! ```
//!
//! The permissions of the socket decide on reading, and the kernel's report about the client decides on
//! changes. The server reads the detector's data in `State`; it has no access to the packet path. A client
//! can delay nothing but its own answer: no read or write blocks, each client pauses between two requests,
//! and the capture thread lists the open episodes at a heartbeat, once for all waiting clients.

mod allowances;
mod answer;
mod ask;
mod change;
mod client;
mod fleet;
mod hands;
mod history;
mod records;
pub mod request;
mod server;
mod snapshot;
mod socket;
mod speed;
mod state;
mod status;
mod store;
mod subscription;
mod survey;
mod surveyor;
mod top;
mod viewing;

pub(crate) use allowances::{AllowAsked, AllowDone, AllowWish, Allowance, Allowances, MOST_ASKED};
pub(crate) use ask::{AskError, Reply, ask};
pub use change::Change;
pub(crate) use change::{allow_time, block_time, reason};
pub use fleet::FleetTopic;
pub(crate) use fleet::{Desk, FleetAsked, FleetRefusal, desk, directly};
pub(crate) use hands::Hands;
pub(crate) use records::{BlockRecord, TargetRecord, unblocked_lines};
pub(crate) use request::{Form, Request, Top, Topic};
pub(crate) use server::{Server, Stop};
pub use snapshot::{OutcomeShare, TopEpisode, TopLimit, TopSnapshot, TopSource, TopWatch};
pub(crate) use socket::{Socket, Unbound, wake};
pub(crate) use speed::Speed;
pub(crate) use state::State;
pub(crate) use store::{FOLDER, Store};
pub(crate) use subscription::{OwnRun, Subscription};

/// The socket of the service. systemd makes its folder (`RuntimeDirectory=`).
pub(crate) const PATH: &str = "/run/synwatch/control";
