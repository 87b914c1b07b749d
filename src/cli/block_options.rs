//! The options of blocking.

use clap::Args;

use super::located::Located;
use super::options::ACTIONS;

/// Whether sources are blocked, and which.
#[derive(Debug, Clone, Args)]
pub struct BlockOptions {
    /// Block verified sources: "nft", "print" or "dry-run"
    ///
    /// "nft" drops their packets by a table of its own, inet synwatch; it needs root, or the capability cap_net_admin.
    /// "print" writes lines for nft, ipset, pf and firewalld on standard output. "dry-run" touches nothing: live
    /// reports carry would-block=. Never blocked are allowed networks, this host's addresses, gateways and name
    /// servers, and networks that hold one of these; networks as a whole only with --block-networks.
    #[arg(long, value_name = "HOW", help_heading = ACTIONS)]
    pub block: Option<Located>,

    /// Block a source for this long, twice as long each further time, up to 24h
    ///
    /// From 1s to 7d. A longer time than 24h is not doubled.
    #[arg(long, value_name = "TIME", default_value = "1h", help_heading = ACTIONS, hide_short_help = true)]
    pub block_time: Located,

    /// Block sources that are not verified, too
    ///
    /// Their addresses may be forged: the sender that forges them chooses which ones are blocked.
    #[arg(long, help_heading = ACTIONS, hide_short_help = true)]
    pub block_unverified: bool,

    /// Block sources that are verified by link-layer addresses alone, too
    ///
    /// At a mirror port, or on a router with one interface: reports say verified=wire. Any host on the segment can
    /// forge such addresses, and so choose who is blocked.
    #[arg(long, help_heading = ACTIONS, hide_short_help = true)]
    pub block_wire: bool,

    /// Block networks as a whole, not only their hosts with proven attempts
    ///
    /// Otherwise only the hosts of a network are blocked that made many of the proven attempts within the window. An
    /// IPv6 source (/64 or longer) is blocked as a whole where one host of it made all of them.
    #[arg(long, help_heading = ACTIONS, hide_short_help = true)]
    pub block_networks: bool,

    /// Drop all that a source sends, or what it sends to the "destinations" of its proven attempts
    ///
    /// "source" or "destinations". The owner of a server behind the watch can prove any address; with "destinations"
    /// that address is cut off from that server alone.
    #[arg(long, value_name = "WHAT", default_value = "source", help_heading = ACTIONS, hide_short_help = true)]
    pub block_scope: Located,

    /// Sources that can be blocked at once
    ///
    /// From 1 to 65536. Those beyond are not blocked, which is warned of.
    #[arg(long, value_name = "N", default_value = "1024", help_heading = ACTIONS, hide_short_help = true)]
    pub max_blocks: Located,
}
