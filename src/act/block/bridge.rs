//! Interfaces whose packets the firewall may not see.

use std::fs;
use std::path::Path;

/// Whether bridged IPv4 packets pass the rules of IPv4: the file exists while the module br_netfilter is loaded.
const PASSES_RULES: &str = "/proc/sys/net/bridge/bridge-nf-call-iptables";

/// Warns if one of these interfaces is a bridge, or a port of one, whose packets pass no rule of synwatch's table.
pub(crate) fn warn_of_bridges<'a>(interfaces: impl IntoIterator<Item = &'a str>) {
    if fs::read_to_string(PASSES_RULES).is_ok_and(|value| value.trim() == "1") {
        return;
    }
    for interface in interfaces.into_iter().filter(|name| is_bridged(Path::new("/sys/class/net"), name)) {
        log::warn!(
            "{interface} belongs to a bridge: what is bridged, and not routed by this host, passes the table inet \
             synwatch only with the module br_netfilter (modprobe br_netfilter; sysctl -w \
             net.bridge.bridge-nf-call-iptables=1 net.bridge.bridge-nf-call-ip6tables=1)"
        );
    }
}

/// Whether an interface is a bridge or a port of one.
fn is_bridged(devices: &Path, interface: &str) -> bool {
    ["bridge", "brport"].iter().any(|kind| devices.join(interface).join(kind).is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bridges_and_their_ports_are_found() {
        let devices = tempfile::tempdir().unwrap();
        for folder in ["br0/bridge", "eth0/brport", "eth1/queues"] {
            fs::create_dir_all(devices.path().join(folder)).unwrap();
        }
        for (interface, expected) in [("br0", true), ("eth0", true), ("eth1", false), ("any", false)] {
            assert_eq!(is_bridged(devices.path(), interface), expected, "{interface}");
        }
    }
}
