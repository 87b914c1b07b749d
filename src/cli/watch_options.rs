//! The options of a watch, with their help and their defaults.

use clap::{ArgAction, Args};

use super::located::Located;

/// The heading of these options in the help.
pub(super) const COUNTED: &str = "What is counted";

/// The options of a watch. In a configuration file each watch has its own.
#[derive(Debug, Clone, Args)]
pub struct WatchOptions {
    /// Ports to count: 25,80-89,ssh,any
    ///
    /// Destination ports or names of services, separated by commas: mail,2525,8000-8010. Here "mail" is 25, 110, 143,
    /// 465, 587, 993 and 995, and "any" is every port; names beyond the usual ones are looked up in /etc/services.
    /// Reports name the watch "mail" when these are its ports, otherwise "custom". Given, it is the one watch there is,
    /// in place of those of the configuration file.
    #[arg(short, long, value_name = "LIST", default_value = "mail", action = ArgAction::Set, num_args = 1,
        help_heading = COUNTED)]
    pub ports: Vec<Located>,

    /// Report N attempts of a source in any W (repeatable)
    ///
    /// What is given replaces the default limits. N is from 1 to 4096, W from 1ms to 7d, in ms, s, m, h or d: 30/10s,
    /// 60/1m, 500/1h. The window slides: a limit is met whenever an attempt and the N-1 before it lie within W. Say a
    /// higher rate with a shorter window. With an outcome (silent, spoke, refused, half-open, unanswered, unknown) only
    /// attempts that became that count, when it shows: 10/60s:silent.
    #[arg(short, long, value_name = "N/W[:OUTCOME]", default_values = ["30/10s", "60/60s", "32/60s:silent"], help_heading = COUNTED)]
    pub limit: Vec<Located>,

    /// Report N attempts from one network in any W ("off": none)
    ///
    /// A network is a /24 of IPv4, a /48 of IPv6. Attempts of a source that is reported itself do not count.
    #[arg(long, value_name = "N/W", default_value = "300/10s", help_heading = COUNTED, hide_short_help = true)]
    pub network_limit: Located,

    /// Report N attempts to one address and port in any W ("off": none)
    ///
    /// From whatever sources: a flood that is spread over many, or forged, is one episode.
    #[arg(long, value_name = "N/W", default_value = "2000/10s", help_heading = COUNTED, hide_short_help = true)]
    pub destination_limit: Located,

    /// Count IPv4 sources by networks of this prefix length
    ///
    /// From 1 to 32; 32 counts each address for itself.
    #[arg(long, value_name = "BITS", default_value = "32", help_heading = COUNTED, hide_short_help = true)]
    pub prefix4: Located,

    /// Count IPv6 sources by networks of this prefix length
    ///
    /// From 1 to 128. One customer holds at least a /64, and can send from each of its addresses.
    #[arg(long, value_name = "BITS", default_value = "64", help_heading = COUNTED, hide_short_help = true)]
    pub prefix6: Located,

    /// End an episode when its source met no limit for this long
    ///
    /// From 1s to 7d.
    #[arg(long, value_name = "TIME", default_value = "60s", help_heading = COUNTED, hide_short_help = true)]
    pub quiet_time: Located,
}
