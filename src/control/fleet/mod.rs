//! What people ask of a fleet, and what it answers: the same by a service and without one.
//!
//! ```text
//!   synwatch block --fleet ──▶ control socket ──▶ Desk ──▶ perform ──▶ the fleet's servers
//!            └── no service, or -c FILE ──────────────────▶ perform
//! ```
//!
//! A service has what opens the servers. So a user of its socket needs no right to read the password. The thread
//! of [`Desk`] alone waits for a server: the control thread goes on.

mod desk;
mod directly;
mod perform;
mod records;
mod topic;

pub(crate) use desk::{Desk, FleetAsked, desk};
pub(crate) use directly::directly;
pub(crate) use perform::FleetRefusal;
pub(super) use perform::FleetReply;
pub(super) use records::told;
pub use topic::FleetTopic;
