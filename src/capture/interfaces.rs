//! Reads the stacking and the kinds of interfaces from the system.

use std::fs;
use std::path::Path;

use super::directed::number;
use super::kinds::{Kinds, kinds};
use crate::wire::links::{Interface, Kind, Links};

/// The system's list of interfaces.
const ALL: &str = "/sys/class/net";

/// The present interfaces of this host. Unreadable ones are left out.
#[must_use]
pub fn links() -> Links {
    let names = fs::read_dir(ALL).into_iter().flatten().flatten();
    let kinds = kinds().unwrap_or_default();
    Links::new(names.filter_map(|entry| interface(entry.file_name().to_str()?, &kinds)))
}

fn interface(name: &str, kinds: &Kinds) -> Option<Interface> {
    let index = number(name, "ifindex")?;
    let at = Path::new(ALL).join(name);
    let master = fs::read_link(at.join("master"));
    let master = master.ok().and_then(|path| number(path.file_name()?.to_str()?, "ifindex"));
    let lower = fs::read_dir(&at).into_iter().flatten().flatten().find_map(|entry| {
        let entry = entry.file_name();
        let below = number(entry.to_str()?.strip_prefix("lower_")?, "ifindex");
        // A port is also below its bridge or bond, and says so itself.
        below.filter(|_| !at.join("bridge").exists() && !at.join("bonding").exists())
    });
    let told = kinds.iter().find(|(of, _)| *of == index).map(|(_, kind)| *kind);
    let kind = told.unwrap_or_else(|| kind(name, &at));
    Some(Interface { index, master: master.unwrap_or(0), lower: lower.unwrap_or(0), kind })
}

/// Its kind by `ARPHRD_` types (linux/if_arp.h) and by what sysfs says of a device.
fn kind(name: &str, at: &Path) -> Kind {
    const LOOPBACK: u32 = 772;
    /// IPIP, IPv6 tunnels, SIT, GRE over IPv4 and over IPv6.
    const TUNNELS: [u32; 5] = [768, 769, 776, 778, 823];
    let event = fs::read_to_string(at.join("uevent")).unwrap_or_default();
    let device = event.lines().find_map(|line| line.strip_prefix("DEVTYPE=")).unwrap_or_default();
    match number(name, "type") {
        Some(LOOPBACK) => Kind::Loopback,
        Some(kind) if TUNNELS.contains(&kind) => Kind::Tunnel,
        _ if matches!(device, "vxlan" | "geneve") => Kind::Tunnel,
        _ if device == "bond" || at.join("bonding").exists() => Kind::Bond,
        _ => Kind::Plain,
    }
}
