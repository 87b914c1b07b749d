//! How long decode takes: for one frame of each usual kind, and for each packet of a mail server's traffic.

use std::hint::black_box;

use divan::Bencher;
use divan::counter::ItemsCount;
use synwatch::base::time::Timestamp;
use synwatch::capfile::Reader;
use synwatch::wire::decode::{Tunnels, decode};
use synwatch::wire::packet::{InterfaceId, Interfaces, LinkType, Packet};
use synwatch_testkit::packets;

fn main() {
    divan::main();
}

/// Samples of the tests, by name. The first is what nearly all packets are.
const FRAMES: [&str; 8] =
    ["ethernet-ipv4", "ethernet-ipv6", "tag", "qinq", "pppoe", "cooked-v2", "hop-by-hop", "vxlan"];

#[divan::bench(args = FRAMES)]
fn frame(bencher: Bencher<'_, '_>, name: &str) {
    let sample = packets::samples().into_iter().find(|(sample, ..)| *sample == name);
    let Some((_, link, bytes)) = sample else { return };
    bencher
        .counter(ItemsCount::new(1u8))
        .bench_local(|| decode(&packet(link, black_box(&bytes)), Tunnels::ENTER));
}

/// SYNs, answers and data as they come, one after the other.
#[divan::bench]
fn normal_mail(bencher: Bencher<'_, '_>) {
    let file = include_bytes!("../captures/normal-mail.pcap");
    let mut traffic = Vec::new();
    let mut keep = |packet: &Packet<'_>| traffic.push((packet.link, packet.bytes.to_vec()));
    let read = Reader::new(&file[..], &"normal-mail.pcap".into(), &Interfaces::default())
        .map(|mut reader| reader.read_all(&mut keep).is_ok());
    assert!(matches!(read, Ok(true)), "captures/normal-mail.pcap cannot be read");
    bencher.counter(ItemsCount::new(traffic.len())).bench_local(|| {
        for (link, bytes) in &traffic {
            let _ = black_box(decode(&packet(*link, bytes), Tunnels::Skip));
        }
    });
}

fn packet(link: LinkType, bytes: &[u8]) -> Packet<'_> {
    Packet { time: Timestamp::default(), link, interface: InterfaceId(0), bytes, wire_length: 0 }
}
