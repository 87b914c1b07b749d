//! `--block print`: prints blocks as commands for common firewalls.

use std::io::{self, Write};

use super::policy::Order;
use super::ruleset::{PAIRS4, PAIRS6, SET4, SET6, TABLE, seconds};
use super::selection::Scope;
use super::target::Target;
use crate::base::units::Span;
use crate::detect::alert::Alert;
use crate::engine::outcome::Proof;
use crate::engine::subject::Source;

/// Commands that the printed lines depend on.
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

/// The same for pairs of source and destination. pf has no tables of pairs.
const PREPARATION_FOR_PAIRS: &str = "\
# once, for nft:
nft 'add table inet synwatch'
nft 'add set inet synwatch pairs4 { type ipv4_addr . ipv4_addr; flags timeout; }'
nft 'add set inet synwatch pairs6 { type ipv6_addr . ipv6_addr; flags timeout; }'
nft 'add chain inet synwatch prerouting { type filter hook prerouting priority -500; }'
nft 'add rule inet synwatch prerouting ip saddr . ip daddr @pairs4 counter drop'
nft 'add rule inet synwatch prerouting ip6 saddr . ip6 daddr @pairs6 counter drop'
# once, for iptables:
ipset create pairs4 hash:net,net timeout 0
ipset create pairs6 hash:net,net family inet6 timeout 0
iptables -t raw -I PREROUTING -m set --match-set pairs4 src,dst -j DROP
ip6tables -t raw -I PREROUTING -m set --match-set pairs6 src,dst -j DROP
";

/// Prints lines.
pub(super) struct Printer {
    out: Box<dyn Write + Send>,
    scope: Scope,
    has_prepared: bool,
}

impl Printer {
    pub(super) fn new(out: impl Write + Send + 'static, scope: Scope) -> Self {
        Self { out: Box::new(out), scope, has_prepared: false }
    }

    /// Prints the lines that block this target.
    pub(super) fn print(&mut self, order: &Order, alert: &Alert) -> io::Result<()> {
        let preparation = match self.scope {
            _ if self.has_prepared => "",
            Scope::Source => PREPARATION,
            Scope::Destinations => PREPARATION_FOR_PAIRS,
        };
        let text = format!("{preparation}{}", lines(order, alert));
        self.out.write_all(text.as_bytes())?;
        self.has_prepared = true;
        self.out.flush()
    }
}

fn lines(order: &Order, alert: &Alert) -> String {
    let Target { network, to } = order.target;
    let is_v4 = network.addr().is_ipv4();
    let family = if is_v4 { "ipv4" } else { "ipv6" };
    let (from, time, seconds) = (Source(network), Span(order.time), seconds(order.time));
    // Watch names have no control characters.
    let (watch, limit) = (&alert.watch, alert.limit);
    let verified = match alert.verified {
        Proof::Yes => "verified",
        Proof::Wire => "verified by link-layer addresses alone",
        Proof::None => "not verified",
    };
    let (set, removed) = (set(&order.target), removed(&order.target, &order.replaces));
    let element = element(&order.target);
    let begin = format!(
        "# {target} for {time}: {watch}, {limit}, {verified}\n\
         {removed}\
         nft 'add element inet {TABLE} {set} {{ {element} timeout {seconds}s }}'\n",
        target = order.target
    );
    let rest = match to {
        None => format!(
            "ipset -exist add {set} {from} timeout {seconds}\n\
             pfctl -t synwatch -T add {from}\n\
             firewall-cmd --timeout={seconds} --add-rich-rule='rule family=\"{family}\" source address=\"{from}\" drop'\n"
        ),
        Some(to) => format!(
            "ipset -exist add {set} {from},{to} timeout {seconds}\n\
             firewall-cmd --timeout={seconds} --add-rich-rule='rule family=\"{family}\" source address=\"{from}\" \
             destination address=\"{to}\" drop'\n"
        ),
    };
    begin + &rest
}

/// The set that holds the target.
fn set(target: &Target) -> &'static str {
    match (target.network.addr().is_ipv4(), target.to.is_some()) {
        (true, false) => SET4,
        (false, false) => SET6,
        (true, true) => PAIRS4,
        (false, true) => PAIRS6,
    }
}

/// The form of nft's sets: a host has no prefix length.
fn element(target: &Target) -> String {
    let from = Source(target.network);
    target.to.map_or_else(|| from.to_string(), |to| format!("{from} . {to}"))
}

/// The line that deletes from nft's sets what overlaps the target or would keep an old timeout; other firewalls accept
/// overlaps. Elements may have expired, so the line adds them before it deletes them. This needs its own transaction:
/// nft checks overlaps first.
fn removed(target: &Target, replaces: &[Target]) -> String {
    // Overlaps in another set do not matter.
    let same: Vec<_> = replaces.iter().filter(|other| set(other) == set(target)).map(element).collect();
    if same.is_empty() {
        return String::new();
    }
    let elements = format!("element inet {TABLE} {} {{ {} }}", set(target), same.join(", "));
    format!("nft 'add {elements}; delete {elements}'\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::time::Duration;

    use crate::report::sample::start;

    fn printed(network: &str) -> String {
        let (network, time) = (network.parse().unwrap(), Duration::from_secs(7_200));
        lines(&Order { target: Target::source(network), time, replaces: Vec::new() }, &start())
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
    fn overlapping_elements_are_deleted_from_nft_first() {
        let [target, one, other] = ["192.0.2.0/24", "192.0.2.1/32", "192.0.2.9/32"]
            .map(|network| Target::source(network.parse().unwrap()));
        let order = Order { target, time: Duration::from_secs(60), replaces: vec![one, other] };
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

    #[test]
    fn a_pair_is_blocked_in_one_line_for_each_firewall_that_has_pairs() {
        let target = Target { network: "49.212.10.42/32".parse().unwrap(), to: "192.0.2.25".parse().ok() };
        let order = Order { target, time: Duration::from_secs(60), replaces: Vec::new() };
        assert_eq!(
            lines(&order, &start()),
            "# 49.212.10.42 to 192.0.2.25 for 1m: mail, 30/10s, verified\n\
             nft 'add element inet synwatch pairs4 { 49.212.10.42 . 192.0.2.25 timeout 60s }'\n\
             ipset -exist add pairs4 49.212.10.42,192.0.2.25 timeout 60\n\
             firewall-cmd --timeout=60 --add-rich-rule='rule family=\"ipv4\" source address=\"49.212.10.42\" \
             destination address=\"192.0.2.25\" drop'\n"
        );
    }
}
