//! What `--block print` prints, and what is refused.

use super::{SEED, run};

#[test]
fn what_would_be_blocked_is_printed_once_for_each_firewall() {
    let ran = run(&["-r", SEED, "--block", "print", "--block-time", "30m"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.stderr, run(&["-r", SEED]).stderr, "nothing is blocked, and no report says so");
    let (once, each) = ran.stdout.split_once("# 49.212.10.42 for 30m: mail, 30/10s, verified\n").unwrap();
    assert_eq!(once.matches("# once, ").count(), 3, "{once}");
    let lines = [
        "nft 'add element inet synwatch blocked4 { 49.212.10.42 timeout 1800s }'",
        "ipset -exist add blocked4 49.212.10.42 timeout 1800",
        "pfctl -t synwatch -T add 49.212.10.42",
        "firewall-cmd --timeout=1800 --add-rich-rule='rule family=\"ipv4\" source address=\"49.212.10.42\" drop'",
    ];
    assert_eq!(each.lines().collect::<Vec<_>>(), lines);
}

#[test]
fn a_block_that_is_over_is_printed_again_for_twice_the_time() {
    let ran = run(&["-r", SEED, "--block", "print", "--block-time", "90s"]);
    let blocks: Vec<_> = ran.stdout.lines().filter(|line| line.starts_with("# 49.212.10.42 for ")).collect();
    // Reports come each minute; the first block is over by the third, the second one just as the sixth comes.
    assert_eq!(
        blocks,
        ["90s", "3m", "6m"].map(|time| format!("# 49.212.10.42 for {time}: mail, 30/10s, verified"))
    );
}

#[test]
fn forged_sources_are_printed_only_when_that_is_wanted() {
    let arguments = ["-r", "captures/forged.pcap", "--block", "print"];
    assert_eq!(run(&arguments).stdout.matches(", not verified\n").count(), 0);
    let ran = run(&[&arguments[..], &["--block-unverified"]].concat());
    assert!(ran.stdout.contains(", not verified\n"), "{ran:?}");
}

#[test]
fn a_slash64_of_one_customer_is_printed_whole_and_a_shared_one_by_its_hosts() {
    let blocked = |capture: &str, options: &[&str]| {
        let capture = format!("captures/{capture}.pcap");
        let ran = run(&[&["-r", capture.as_str(), "--block", "print"], options].concat());
        let blocks = ran.stdout.lines().filter_map(|line| line.strip_prefix("# ")?.split_once(" for 1h: "));
        blocks.map(|(target, _)| target.to_owned()).collect::<Vec<_>>()
    };
    let (alone, beside) = ("2001:db8:66::66", "2001:db8:67::66");
    assert_eq!(blocked("ipv6-customers", &[]), ["2001:db8:66::/64", beside]);
    let neighbour = ["--allow", "2001:db8:66::99"];
    assert_eq!(blocked("ipv6-customers", &neighbour), [alone, beside], "an allowed host is in the /64");
    assert_eq!(blocked("ipv6-customers", &["--prefix6", "128"]), [alone, beside]);
    assert_eq!(blocked("ipv6-customers", &["--prefix6", "56"]), [alone, beside]);
    let pairs = ["--block-scope", "destinations"];
    let server = "2001:db8::25";
    assert_eq!(blocked("ipv6-customers", &pairs), [alone, beside].map(|host| format!("{host} to {server}")));
    let whole = [0x66, 0x67, 0x68].map(|network| format!("2001:db8:{network:x}::/64"));
    assert_eq!(blocked("ipv6-customers", &["--block-networks"]), whole);
    assert_eq!(blocked("nat64-local-use", &[]), ["64:ff9b:1:c633:64:c800::"], "IPv4 hosts share its /64");
}

#[test]
fn no_more_are_printed_than_may_be_blocked() {
    let arguments = ["-r", "captures/closings.pcap", "-l", "4/10s", "--block", "print"];
    let all = run(&arguments).stdout.matches("\nnft 'add element ").count();
    assert!(all > 1, "{all}");
    let ran = run(&[&arguments[..], &["--max-blocks", "1"]].concat());
    assert_eq!(ran.stdout.matches("\nnft 'add element ").count(), 1, "{ran:?}");
    assert!(ran.stderr.contains(" is not blocked, as many are as may be ("), "{}", ran.stderr);
}

#[test]
fn options_that_make_no_sense_are_refused() {
    for (arguments, said) in [
        (
            &["-r", SEED, "--block", "nft"][..],
            "block \"nft\": a replay blocks nothing (print shows what it would block)",
        ),
        (
            &["-r", SEED, "--block", "dry-run"],
            "block \"dry-run\": a replay blocks nothing (print shows what it would block)",
        ),
        (
            &["-r", SEED, "--block", "print", "--json", "-"],
            "block \"print\": standard output has the JSON already (--json FILE)",
        ),
        (&["-T", "--block", "pf"], "block \"pf\": not one of nft, print, dry-run"),
        (&["-T", "--max-blocks", "7"], "max-blocks \"7\": nothing is blocked (say how with --block nft)"),
        (&["-T", "--block", "print", "--max-blocks", "0"], "max-blocks \"0\": not from 1 to 65536"),
    ] {
        let ran = run(arguments);
        assert_eq!((ran.code, ran.stderr), (Some(2), format!("synwatch: {said}\n")));
    }
}
