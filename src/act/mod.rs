//! Actions: what synwatch does about a report beside writing it.
//!
//! ```text
//!   detector ──Alert──▶ ReportSender ──queue──▶ exec ──Request──▶ helper ──▶ the command
//!                                                    ◀──Reply────
//!            ──Alert──▶ ReportSender ──queue──▶ webhook ──▶ the web server
//!            ──Alert──▶ ReportSender ──queue──▶ blocker ──Request──▶ guard ──▶ nft
//! ```
//!
//! An action may be slow or hang. So each has its own queue and thread, and delays neither a report nor another action.
//! A live queue serves reports of verified sources first. A full queue drops a report that may be forged, counts it as
//! lost and warns. A replay waits instead.

mod block;
mod evidence;
mod exec;
mod channel;
mod helper;
mod shutdown;
mod memory;
mod queue;
mod webhook;

pub(crate) use block::{
    Allowed, Answer, Asked, BlockReason, Blocker, Bounds, Done, Guard, NftError, NotDone, Person, Protected,
    Requester, Scope, Standing, TRIAL, Wish, serve_guard, serve_trial, try_firewall, warn_of_bridges,
};
pub use block::{Blocked, Blocks, Nft, Target};
pub(crate) use channel::{Lost, ReportReceiver, ReportSender};
pub use evidence::Evidence;
pub(crate) use evidence::{Reporter, check_folder};
pub(crate) use exec::{CommandLine, Helper, serve};
pub use queue::Reports;
pub(crate) use webhook::{Reach, Reached, Webhook, WebhookUrl, proxy_port};
