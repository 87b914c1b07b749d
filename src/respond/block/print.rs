//! `--block print`: what would be blocked, as lines for the firewalls that there are.

use std::io::{self, Write};

use ipnet::IpNet;

use super::nft::{SET4, SET6, TABLE, seconds};
use super::policy::Order;
use crate::alert::Alert;
use crate::units::Span;

/// What has to be there for the lines to work.
const PREPARATION: &str = "\
# once, for nft:
nft 'add table inet synwatch'
nft 'add set inet synwatch blocked4 { type ipv4_addr; flags interval,timeout; }'
nft 'add set inet synwatch blocked6 { type ipv6_addr; flags interval,timeout; }'
nft 'add chain inet synwatch prerouting { type filter hook prerouting priority -500; }'
nft 'add rule inet synwatch prerouting ip saddr @blocked4 counter drop'
nft 'add rule inet synwatch prerouting ip6 saddr @blocked6 counter drop'
# once, for iptables:
ipset create blocked4 hash:net timeout 0
ipset create blocked6 hash:net family inet6 timeout 0
iptables -t raw -I PREROUTING -m set --match-set blocked4 src -j DROP
ip6tables -t raw -I PREROUTING -m set --match-set blocked6 src -j DROP
# once, in pf.conf:
table <synwatch> persist
block drop in quick from <synwatch>
";

/// Prints lines.
pub(super) struct Printer {
    out: Box<dyn Write + Send>,
    has_prepared: bool,
}

impl Printer {
    pub(super) fn new(out: impl Write + Send + 'static) -> Self {
        Self { out: Box::new(out), has_prepared: false }
    }

    /// Prints what would block this source: all of it at once.
    pub(super) fn print(&mut self, order: &Order, alert: &Alert) -> io::Result<()> {
        let preparation = if self.has_prepared { "" } else { PREPARATION };
        let text = format!("{preparation}{}", lines(order, alert));
        self.out.write_all(text.as_bytes())?;
        self.has_prepared = true;
        self.out.flush()
    }
}

fn lines(order: &Order, alert: &Alert) -> String {
    let is_v4 = order.network.addr().is_ipv4();
    let (set, family) = if is_v4 { (SET4, "ipv4") } else { (SET6, "ipv6") };
    let (who, time, seconds) = (shown(order.network), Span(order.time), seconds(order.time));
    let verified = if alert.is_verified() { "verified" } else { "not verified" };
    // A name of a watch has no control characters.
    let watch = &alert.watch;
    let removed = removed(set, &order.replaces);
    format!(
        "# {who} for {time}: {watch}, {limit}, {verified}\n\
         {removed}\
         nft 'add element inet {TABLE} {set} {{ {who} timeout {seconds}s }}'\n\
         ipset -exist add {set} {who} timeout {seconds}\n\
         pfctl -t synwatch -T add {who}\n\
         firewall-cmd --timeout={seconds} --add-rich-rule='rule family=\"{family}\" source address=\"{who}\" drop'\n",
        limit = alert.limit,
    )
}

/// The line that has nft forget what would overlap, or would keep its old time-out; the others overlook that. Some of
/// it may have expired by now, and is added so that it can be deleted. Not in one transaction with what is added: nft
/// looks for overlaps before it does anything.
fn removed(set: &str, networks: &[IpNet]) -> String {
    if networks.is_empty() {
        return String::new();
    }
    let networks: Vec<_> = networks.iter().map(|network| shown(*network)).collect();
    let elements = format!("element inet {TABLE} {set} {{ {} }}", networks.join(", "));
    format!("nft 'add {elements}; delete {elements}'\n")
}

/// A host without its prefix length.
fn shown(network: IpNet) -> String {
    crate::alert::Source(network).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::time::Duration;

    use crate::sink::sample::start;

    fn printed(network: &str) -> String {
        let (network, time) = (network.parse().unwrap(), Duration::from_secs(7_200));
        lines(&Order { network, time, replaces: Vec::new() }, &start())
    }

    #[test]
    fn a_source_is_blocked_in_one_line_for_each_firewall() {
        assert_eq!(
            printed("49.212.10.42/32"),
            "# 49.212.10.42 for 2h: mail, 30/10s, verified\n\
             nft 'add element inet synwatch blocked4 { 49.212.10.42 timeout 7200s }'\n\
             ipset -exist add blocked4 49.212.10.42 timeout 7200\n\
             pfctl -t synwatch -T add 49.212.10.42\n\
             firewall-cmd --timeout=7200 --add-rich-rule='rule family=\"ipv4\" source address=\"49.212.10.42\" drop'\n"
        );
        let network = printed("2001:db8:1::/64");
        assert!(network.contains("blocked6 { 2001:db8:1::/64 timeout 7200s }"), "{network}");
        assert!(network.contains("family=\"ipv6\" source address=\"2001:db8:1::/64\""), "{network}");
    }

    #[test]
    fn nft_is_told_to_forget_what_is_in_the_way() {
        let [network, one, other] =
            ["192.0.2.0/24", "192.0.2.1/32", "192.0.2.9/32"].map(|n| n.parse().unwrap());
        let order = Order { network, time: Duration::from_secs(60), replaces: vec![one, other] };
        let text = lines(&order, &start());
        let nft: Vec<_> = text.lines().filter(|line| line.starts_with("nft ")).collect();
        let both = "element inet synwatch blocked4 { 192.0.2.1, 192.0.2.9 }";
        assert_eq!(
            nft,
            [
                format!("nft 'add {both}; delete {both}'"),
                "nft 'add element inet synwatch blocked4 { 192.0.2.0/24 timeout 60s }'".to_owned(),
            ]
        );
    }
}
