//! The TCP ports that a run may connect to, and its need of abstract Unix sockets.
//!
//! Landlock restricts `connect` and `bind` of TCP, but not UDP, which the C library uses for name servers. Nor does it
//! restrict Multipath TCP and TCP Fast Open (`MSG_FASTOPEN`; tried with Linux 6.18): the ports raise the effort of an
//! attack and do not prevent it.

use std::env;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;

use crate::act::proxy_port;
use crate::config::Settings;
use crate::fleet::store::Address;

/// For name servers whose answer is too long for UDP.
const DNS: u16 = 53;

const NAME_SERVICES: &str = "/etc/nsswitch.conf";

/// The TCP ports that a run with these settings may connect to; `None`: all, because the C library may look up hosts
/// through a service with unknown ports.
pub(super) fn ports(settings: &Settings) -> Option<Vec<u16>> {
    // Without this file the C library uses files and name servers.
    let services = fs::read_to_string(NAME_SERVICES).unwrap_or_default();
    if !looks_up_by_known_means(&services) {
        return None;
    }
    let webhook = settings.webhook.as_ref();
    let mut ports = vec![DNS];
    ports.extend(webhook.map(|webhook| webhook.url.port()));
    ports.extend(webhook.and_then(|_| proxy_port()));
    ports.extend(settings.fleet.iter().flat_map(|fleet| fleet.servers.iter().filter_map(Address::port)));
    Some(ports)
}

/// Whether nsswitch.conf(5) only uses files, name servers and local services with path-based Unix sockets for hosts.
fn looks_up_by_known_means(nsswitch: &str) -> bool {
    const KNOWN: [&str; 5] = ["files", "dns", "resolve", "myhostname", "mymachines"];
    let hosts = nsswitch.lines().filter_map(|line| line.trim_start().strip_prefix("hosts:"));
    let words = hosts.flat_map(|line| line.split('#').next().unwrap_or_default().split_whitespace());
    // Brackets contain actions; mdns uses UDP, or avahi's socket.
    let mut is_action = false;
    let mut services = words.filter(|word| {
        let was_action = std::mem::replace(&mut is_action, false) || word.starts_with('[');
        is_action = was_action && !word.ends_with(']');
        !was_action
    });
    services.all(|service| KNOWN.contains(&service) || service.starts_with("mdns"))
}

/// Whether the service manager listens at an abstract socket (sd_notify(3)); systemd itself uses a path.
pub(super) fn needs_abstract_sockets() -> bool {
    env::var_os("NOTIFY_SOCKET").is_some_and(|socket| socket.as_bytes().starts_with(b"@"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_files_and_name_servers_need_no_other_port() {
        for known in [
            "",
            "passwd: files ldap\n",
            "hosts: files dns\n",
            "hosts:\tfiles mdns4_minimal [NOTFOUND=return] dns myhostname # nis\n",
            " hosts: mymachines resolve [!UNAVAIL=return] files myhostname dns",
            "hosts: files [SUCCESS=continue NOTFOUND=return] dns",
        ] {
            assert!(looks_up_by_known_means(known), "{known}");
        }
        for other in ["hosts: files ldap dns", "hosts: nis", "hosts: files dns [NOTFOUND=return] wins"] {
            assert!(!looks_up_by_known_means(other), "{other}");
        }
    }
}
