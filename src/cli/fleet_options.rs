//! The options of a fleet.

use std::path::PathBuf;

use clap::Args;

use super::located::Located;
use super::options::FLEET;

/// Which gateways count as one, and by which servers.
#[derive(Debug, Clone, Args)]
pub struct FleetOptions {
    /// Count as one with the other gateways at this Redis or Valkey server (repeatable)
    ///
    /// redis://HOST:PORT, rediss://USER@HOST:PORT with TLS, redis+unix:///PATH. A source that spreads its attempts over
    /// gateways is reported by each of them as soon as all of them together counted as many as a limit allows. Over
    /// several servers, sources are shared out. While no server answers, each gateway counts alone. Live only.
    #[arg(long, value_name = "URL", help_heading = FLEET, hide_short_help = true)]
    pub fleet: Vec<Located>,

    /// Name of the fleet: its gateways give the same one
    ///
    /// Letters, digits, "-", "_" and ".": at most 64. All keys at the server begin with "synwatch:{NAME}:".
    #[arg(long, value_name = "NAME", default_value = "synwatch", help_heading = FLEET, hide_short_help = true)]
    pub fleet_name: Located,

    /// Name of this gateway in the fleet, which no other gateway has
    ///
    /// By default the host name. Letters, digits, "-", "_" and ".": at most 64.
    #[arg(long, value_name = "NAME", help_heading = FLEET, hide_short_help = true)]
    pub gateway: Option<Located>,

    /// Block what another gateway of the fleet blocks, too
    ///
    /// As with --block, which it needs: never what is allowed or protected here, and not more than --max-blocks.
    /// Any client that can write to the server chooses what is blocked.
    #[arg(long, help_heading = FLEET, hide_short_help = true)]
    pub fleet_blocks: bool,

    /// File with the password for the fleet's servers
    ///
    /// Its first line. It is read at the start, with the rights of the start.
    #[arg(long, value_name = "FILE", help_heading = FLEET, hide_short_help = true)]
    pub fleet_password_file: Option<Located<PathBuf>>,

    /// File with the certificates that prove the fleet's servers (PEM)
    ///
    /// By default those of the system.
    #[arg(long, value_name = "FILE", help_heading = FLEET, hide_short_help = true)]
    pub fleet_ca: Option<Located<PathBuf>>,

    /// File with the certificate that proves this gateway to the servers (PEM)
    ///
    /// With --fleet-key.
    #[arg(long, value_name = "FILE", help_heading = FLEET, hide_short_help = true)]
    pub fleet_cert: Option<Located<PathBuf>>,

    /// File with the key of that certificate (PEM)
    #[arg(long, value_name = "FILE", help_heading = FLEET, hide_short_help = true)]
    pub fleet_key: Option<Located<PathBuf>>,
}
