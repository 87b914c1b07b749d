//! `--block`: blocks flooding sources for a time.
//!
//! ```text
//!   detector ──Alert──▶ BlockFeed ──queue──▶ Blocker: policy ──▶ guard (a process of its own) ──▶ nft
//!                                       │           └──▶ or lines are printed
//!   reports ◀──what is blocked── Blocks ◀──┘    ◀──what the kernel's table holds, once a second
//! ```
//!
//! A source is blocked as soon as a report says that it is verified, unless it is protected. Of a network, only the
//! hosts that made many of its proven attempts are blocked. Reports that are no reason for a block do not enter the
//! queue, so that forged ones take no room there. All sources that wait are blocked in one transaction. A failed block
//! is logged and never fatal; it is tried again each second, and with the next report of the source.
//!
//! People ask at the control socket, and their requests go the same way as reports: queue, blocker, guard.
//!
//! The kernel's table is the truth: what another program flushes is made again, and what a person unblocks stays so.

mod blocker;
mod blocks;
mod bridge;
mod by_hand;
mod feed;
mod generation;
mod guard;
mod history;
mod listing;
mod never;
mod nft;
mod policy;
mod print;
mod protected;
mod ruleset;
mod run;
#[cfg(test)]
mod sample;
mod selection;
mod table;
mod target;
mod transaction;
mod trial;
mod waiting;

pub(crate) use blocker::Blocker;
pub use blocks::Blocks;
pub(crate) use blocks::Reason as BlockReason;
pub(crate) use bridge::warn_of_bridges;
pub(crate) use by_hand::{Answer, Asked, Done, NotDone, Person, Requester, Standing, Wish};

pub(crate) use guard::{Guard, serve_guard};
pub use nft::Nft;
pub(crate) use nft::NftError;
pub(crate) use protected::{Allowed, Protected};
pub use ruleset::Blocked;
pub(crate) use selection::{Bounds, Scope};
pub use target::Target;
pub(crate) use trial::{TRIAL, serve_trial, try_firewall};
