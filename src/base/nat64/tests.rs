use proptest::prelude::*;

use super::*;

fn nat64(prefixes: &[&str]) -> Nat64 {
    let mut nat64 = Nat64::default();
    prefixes.iter().for_each(|prefix| nat64.add(prefix).unwrap());
    nat64
}

/// The examples of RFC 6052, 2.4: prefix, 192.0.2.33 within it, and the network of 192.0.2.0/24.
const EXAMPLES: [(&str, &str, &str); 7] = [
    ("2001:db8::/32", "2001:db8:c000:221::", "2001:db8:c000:200::/56"),
    ("2001:db8:100::/40", "2001:db8:1c0:2:21::", "2001:db8:1c0:2::/64"),
    ("2001:db8:122::/48", "2001:db8:122:c000:2:2100::", "2001:db8:122:c000:2::/80"),
    ("2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::", "2001:db8:122:3c0:0:200::/88"),
    ("2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::", "2001:db8:122:344:c0:2::/96"),
    ("2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33", "2001:db8:122:344::192.0.2.0/120"),
    ("64:ff9b::/96", "64:ff9b::192.0.2.33", "64:ff9b::192.0.2.0/120"),
];

#[test]
fn the_examples_of_rfc_6052_are_read() {
    for (prefix, address, network) in EXAMPLES {
        let nat64 = nat64(&[prefix]);
        let address = address.parse().unwrap();
        assert_eq!(nat64.embedded(address), Some(Ipv4Addr::new(192, 0, 2, 33)), "{prefix}");
        assert_eq!(nat64.network(address), network.parse().ok(), "{prefix}");
        assert!(nat64.contains(address), "{prefix}");
    }
}

#[test]
fn a_prefix_ends_where_its_length_says() {
    let nat64 = nat64(&["64:ff9b:1::/48", "2001:db8:64::/96"]);
    for (address, expected) in [
        ("64:ff9a:ffff:ffff:ffff:ffff:ffff:ffff", None),
        ("64:ff9b::", Some("0.0.0.0")),
        ("64:ff9b::255.255.255.255", Some("255.255.255.255")),
        ("64:ff9b::1:0:0", None),
        ("64:ff9b:0:ffff:ffff:ffff:ffff:ffff", None),
        ("64:ff9b:1::", Some("0.0.0.0")),
        ("64:ff9b:1:ffff:ff:ffff::", Some("255.255.255.255")),
        ("64:ff9b:2::", None),
        ("2001:db8:63:ffff:ffff:ffff:ffff:ffff", None),
        ("2001:db8:64::192.0.2.1", Some("192.0.2.1")),
        ("2001:db8:64::1:0:0", None),
        ("::192.0.2.1", None),
        ("::ffff:192.0.2.1", None),
    ] {
        let embedded = nat64.embedded(address.parse().unwrap());
        assert_eq!(embedded, expected.map(|address| address.parse().unwrap()), "{address}");
    }
}

#[test]
fn octet_u_and_suffix_are_ignored() {
    let nat64 = nat64(&["2001:db8:122::/48"]);
    for address in ["2001:db8:122:c000:ff02:2100::", "2001:db8:122:c000:2:21ff:ffff:ffff"] {
        assert_eq!(nat64.embedded(address.parse().unwrap()), Some(Ipv4Addr::new(192, 0, 2, 33)), "{address}");
    }
}

#[test]
fn without_configuration_the_well_known_prefix_alone_is_known() {
    let known = Nat64::default();
    assert!(known.contains("64:ff9b::192.0.2.1".parse().unwrap()));
    assert!(!known.contains("64:ff9b:1::192.0.2.1".parse().unwrap()));
    assert!(!known.contains(Ipv6Addr::UNSPECIFIED));
    assert_eq!(nat64(&["64:ff9b::/96", " 64:ff9b::192.0.2.1/96 "]), known);
}

#[test]
fn a_network_embeds_the_bits_of_ipv4_that_it_tells() {
    let nat64 = nat64(&["2001:db8:100::/40", "2001:db8:222::/48", "2001:db8:223:344::/64"]);
    for (network, expected) in [
        ("::/0", Some("0.0.0.0/0")),
        ("64:ff9b::/48", Some("0.0.0.0/0")),
        ("64:ff9b::/96", Some("0.0.0.0/0")),
        ("64:ff9b::192.0.0.0/97", Some("128.0.0.0/1")),
        ("64:ff9b::192.0.2.0/120", Some("192.0.2.0/24")),
        ("64:ff9b::192.0.2.1/128", Some("192.0.2.1/32")),
        ("64:ff9b::1:0:0/96", None),
        ("2001:db8:1c0::/48", Some("192.0.0.0/8")),
        ("2001:db8:1c0:2::/64", Some("192.0.2.0/24")),
        ("2001:db8:1c0:2::/72", Some("192.0.2.0/24")),
        ("2001:db8:1c0:2:20::/73", Some("192.0.2.0/25")),
        ("2001:db8:1c0:2:21::/80", Some("192.0.2.33/32")),
        ("2001:db8:1c0:2:21::/128", Some("192.0.2.33/32")),
        ("2001:db8:222:c000::/63", Some("192.0.0.0/15")),
        ("2001:db8:222:c000::/71", Some("192.0.0.0/16")),
        ("2001:db8:223:344::/71", Some("0.0.0.0/0")),
        ("2001:db8:223:344:c0::/80", Some("192.0.0.0/8")),
        ("2001:db8:300::/48", None),
        ("2001:db9::/32", None),
    ] {
        let embedded = nat64.embedded_network(network.parse().unwrap());
        assert_eq!(embedded, expected.map(|network| network.parse().unwrap()), "{network}");
    }
}

#[test]
fn what_is_no_prefix_says_why() {
    let form = "no IPv6 prefix (64:ff9b:1::/48, 2001:db8:64::/96)";
    for (text, cause) in [
        ("", form),
        ("64:ff9b:1::", form),
        ("192.0.2.0/24", form),
        ("2001:db8::/129", form),
        ("2001:db8::/33", "a prefix of 33 bits (RFC 6052 has 32, 40, 48, 56, 64 and 96)"),
        ("64:ff9b::/48", "overlaps 64:ff9b::/96"),
        ("2001:db8:1::/96", "overlaps 2001:db8::/32"),
    ] {
        let error = nat64(&["2001:db8::/32"]).add(text).unwrap_err();
        assert_eq!(error.to_string(), cause, "{text}");
    }
}

#[test]
fn there_are_eight_prefixes_and_no_ninth() {
    let mut all = Nat64::default();
    for n in 0..Nat64::MOST {
        assert_eq!(all.add(&format!("2001:db8:{n:x}::/48")), Ok(()));
    }
    assert_eq!(all.add("2001:db8:7::/48"), Ok(()));
    assert_eq!(all.add("2001:db8:8::/48").unwrap_err().to_string(), "more than 8 prefixes");
}

/// The address of RFC 6052, 2.2, octet by octet.
fn embed(prefix: [u8; 16], length: u8, v4: Ipv4Addr) -> Ipv6Addr {
    let mut octets = [0; 16];
    let mut place = usize::from(length / 8);
    octets[..place].copy_from_slice(&prefix[..place]);
    for octet in v4.octets() {
        if place == 8 {
            place += 1;
        }
        octets[place] = octet;
        place += 1;
    }
    octets.into()
}

proptest! {
    #[test]
    fn what_is_embedded_octet_by_octet_is_read_back(
        prefix: [u8; 16],
        length in proptest::sample::select(&LENGTHS[..]),
        v4: [u8; 4],
        noise: u128,
    ) {
        let mut nat64 = Nat64::default();
        let text = format!("{}/{length}", Ipv6Addr::from(prefix));
        prop_assert_eq!(nat64.add(&text), Ok(()));
        let v4 = Ipv4Addr::from(v4);
        let address = embed(prefix, length, v4);
        prop_assert_eq!(nat64.embedded(address), Some(v4));

        // Addresses are of one network if their IPv4 addresses are.
        let [a, b, c, d] = v4.octets();
        let network = nat64.network(address).unwrap();
        for (other, expected) in
            [([a, b, c, !d], true), ([a, b, c ^ 1, d], false), ([a ^ 0x80, b, c, d], false)]
        {
            let other = embed(prefix, length, other.into());
            prop_assert_eq!(network.contains(&other), expected);
            prop_assert_eq!(nat64.network(other) == Some(network), expected);
        }
        let embedded = nat64.embedded_network(network);
        prop_assert_eq!(embedded, Some(Ipv4Net::new(v4, 24).unwrap().trunc()));
        prop_assert_eq!(nat64.embedded_network(address.into()), Some(v4.into()));

        // Whatever stands beyond the prefix is an address of IPv4, and nothing else is.
        let within = u128::from_be_bytes(prefix) ^ noise >> length;
        prop_assert!(nat64.contains(Ipv6Addr::from_bits(within)));
        let outside = u128::from_be_bytes(prefix) ^ noise.max(1) << (128 - length);
        let is_outside = noise.max(1) << (128 - length) != 0 && outside >> 32 != WELL_KNOWN;
        prop_assert!(!is_outside || !nat64.contains(Ipv6Addr::from_bits(outside)));
    }

    #[test]
    fn any_text_is_a_prefix_or_refused(text in "(?s).*|[0-9a-f:]{0,20}/[0-9]{1,3}") {
        let _ = Nat64::default().add(&text);
    }
}
