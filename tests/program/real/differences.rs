//! In what synwatch and tshark differ about these captures, and why. What is not listed here has to agree.

/// A difference that is known and meant.
#[derive(Debug)]
pub(crate) struct Difference {
    pub(crate) file: &'static str,
    pub(crate) what: What,
    /// Why that is right, for a reader who doubts it.
    #[allow(dead_code, reason = "for the reader")]
    pub(crate) why: &'static str,
}

/// What differs.
#[derive(Debug)]
pub(crate) enum What {
    /// synwatch does not read the file, and gives this as the cause.
    NotRead(&'static str),
    /// tshark does not read the file; synwatch finds so many packets, and no damage.
    NotByThem { packets: u64 },
    /// The number of packets.
    Packets { theirs: u64, ours: u64 },
    /// The attempts of a source in these queries, and how many of its SYNs synwatch does not see at all.
    Attempts { queries: &'static [&'static str], source: &'static str, theirs: u64, ours: u64, unseen: u64 },
}

const NOT_SUPPORTED: &str =
    "wireless, laboratory and historical link types are not read; an error names them";

/// All of them.
pub(crate) const DIFFERENCES: [Difference; 17] = [
    not_read("link-radiotap-80211.pcap", "link type 127 (IEEE802_11_RADIO) is not supported"),
    not_read("link-ppi-80211.pcap", "link type 192 (PPI) is not supported"),
    not_read("link-arcnet.pcap", "link type 129 (ARCNET_LINUX) is not supported"),
    not_read("link-user13-160.pcap", "link type 160 is not supported"),
    not_read("link-80211-105-fcs.pcap", "link type 105 (IEEE802_11) is not supported"),
    not_read("link-fddi-10-none.pcap", "link type 10 (FDDI) is not supported"),
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
        file: "link-dsa-tag-284.pcap",
        what: What::NotByThem { packets: 8 },
        why: "tshark 4.0 does not know the number of the link type",
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
        file: "link-ipv4-228-ip-options.pcap",
        what: What::Attempts { queries: &["any"], source: "9.10.11.12", theirs: 3, ours: 1, unseen: 0 },
        why: "a crafted SYN comes eight times, 0.6 ms apart and with one identification; tshark folds all of one \
              destination, and takes the last hop of a source route for that",
    },
    Difference {
        file: "bad-file-cut-mid-packet.pcap",
        what: What::Attempts { queries: &["any"], source: "24.4.97.251", theirs: 1, ours: 2, unseen: 0 },
        why: "the SYN of one connection came before the capture began: it is inferred from its SYN-ACK and the ACK of that",
    },
    Difference {
        file: "tunnel-gtp.pcap",
        what: What::Attempts { queries: &["any"], source: "10.222.10.10", theirs: 1, ours: 0, unseen: 2 },
        why: "of tunnels in UDP, VXLAN and GENEVE are read",
    },
];

const fn not_read(file: &'static str, cause: &'static str) -> Difference {
    Difference { file, what: What::NotRead(cause), why: NOT_SUPPORTED }
}
