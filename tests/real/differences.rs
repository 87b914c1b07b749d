//! In what synwatch and tshark differ about these captures, and why. What is not listed here has to agree.

/// A difference that is known and meant.
#[derive(Debug)]
pub(crate) struct Difference {
    pub(crate) file: &'static str,
    pub(crate) what: What,
    /// Why it is right so, for whoever doubts it.
    #[allow(dead_code, reason = "for the reader")]
    pub(crate) why: &'static str,
}

/// What differs.
#[derive(Debug)]
pub(crate) enum What {
    /// synwatch does not read the file, and gives this as the cause.
    NotRead(&'static str),
    /// The number of packets.
    Packets { theirs: u64, ours: u64 },
    /// The attempts of a source in these queries, and how many of its SYNs synwatch does not see at all.
    Attempts { queries: &'static [&'static str], source: &'static str, theirs: u64, ours: u64, unseen: u64 },
}

const NOT_SUPPORTED: &str =
    "wireless, laboratory and historical link types are not read; an error names them";

/// All of them.
pub(crate) const DIFFERENCES: [Difference; 19] = [
    not_read("link-radiotap-80211.pcap", "link type 127 (IEEE802_11_RADIO) is not supported"),
    not_read("link-ppi-80211.pcap", "link type 192 (PPI) is not supported"),
    not_read("link-ipoib-242-big-endian.pcap", "link type 242 (IPOIB) is not supported"),
    not_read("link-arcnet.pcap", "link type 129 (ARCNET_LINUX) is not supported"),
    not_read("link-user13-160.pcap", "link type 160 is not supported"),
    not_read("link-80211-105-fcs.pcap", "link type 105 (IEEE802_11) is not supported"),
    not_read("link-fddi-10-none.pcap", "link type 10 (FDDI) is not supported"),
    not_read("link-dsa-tag-284.pcap", "link type 284 (DSA_TAG_DSA) is not supported"),
    not_read("snap-llc-1210-cut.pcap", "link type 10 (FDDI) is not supported"),
    not_read("fuzz-radiotap-overflow.pcap", "link type 127 (IEEE802_11_RADIO) is not supported"),
    not_read("fuzz-pktap-overflow.pcap", "link type 149 is not supported"),
    not_read("fuzz-sl-heapoverflow.pcap", "link type 8 (SLIP) is not supported"),
    Difference {
        file: "fmt-solaris.snoop",
        what: What::NotRead("not a pcap or pcapng file (it is a snoop file: convert it with editcap)"),
        why: "pcap and pcapng are read",
    },
    Difference {
        file: "bad-fuzz-record.pcap",
        what: What::Packets { theirs: 2, ours: 1 },
        why: "the second record claims 1,409,179,648 bytes: the file is damaged; tshark guesses at other variants of \
              the format, reads a packet of the year 1925, and gives up at the third record",
    },
    Difference {
        file: "scan-slow-445-vlan.pcap",
        what: What::Attempts { queries: &["any"], source: "176.192.150.3", theirs: 9, ours: 11, unseen: 0 },
        why: "the packets are not in order of time: two SYNs come again after steps back of 9 s and 40 s, and after \
              such a step counting starts anew",
    },
    Difference {
        file: "mail-imaps.pcapng",
        what: What::Attempts {
            queries: &["mail", "any"],
            source: "192.168.0.1",
            theirs: 1,
            ours: 2,
            unseen: 0,
        },
        why: "the same SYN comes again after 1.5 ms: too late for a mirror's copy, too early for a retransmission",
    },
    Difference {
        file: "link-ipv4-228-ip-options.pcap",
        what: What::Attempts { queries: &["any"], source: "9.10.11.12", theirs: 3, ours: 4, unseen: 0 },
        why: "a crafted SYN comes eight times, 0.6 ms apart: every second one is within 1 ms of the one before it; \
              tshark folds all of one destination, and takes the last hop of a source route for that",
    },
    Difference {
        file: "tunnel-geneve.pcap",
        what: What::Attempts { queries: &["any"], source: "30.0.0.2", theirs: 1, ours: 0, unseen: 1 },
        why: "of tunnels in UDP, VXLAN alone is read",
    },
    Difference {
        file: "tunnel-gtp.pcap",
        what: What::Attempts { queries: &["any"], source: "10.222.10.10", theirs: 1, ours: 0, unseen: 2 },
        why: "of tunnels in UDP, VXLAN alone is read",
    },
];

const fn not_read(file: &'static str, cause: &'static str) -> Difference {
    Difference { file, what: What::NotRead(cause), why: NOT_SUPPORTED }
}
