//! Alert in, action out: what is done about a report beside saying it.
//!
//! ```text
//!   detector ──Alert──▶ Feed ──queue──▶ exec ──Request──▶ helper ──▶ the command
//!                                            ◀──Reply────
//!           ──Alert──▶ Feed ──queue──▶ webhook ──▶ the web
//!           ──Alert──▶ Feed ──queue──▶ blocker ──Request──▶ guard ──▶ nft
//! ```
//!
//! An action may be slow, or hang. So each has a queue of its own and a thread of its own: what hangs holds up neither
//! a report nor another action. Live, a report that finds its queue full is dropped for that action, counted as lost,
//! and warned of. A replay waits instead.

mod block;
mod evidence;
mod exec;
mod feed;
mod helper;
mod hurry;
mod memory;
mod webhook;

pub use block::{Allowed, Blocked, Blocker, Blocks, Bounds, Guard, Nft, NftError, Protected, serve_guard};
pub use evidence::{
    Collector, Evidence, EvidenceFeed, Filer, Parts as EvidenceParts, Reporter, Tap, check_folder,
};
pub use exec::{CommandLine, Exec, Helper, Replies, serve};
pub use feed::{Feed, Inbox, Lost, QUEUE};
pub use webhook::{Post, Webhook, WebhookUrl};
