//! Every capture: its bytes, its story, and what is to be seen in it.

mod bytes;
mod closings;
mod clocks;
mod conversation;
mod damage;
mod encapsulation;
mod floods;
mod formats;
mod forms;
mod gateway;
mod link;
mod links;
mod mail;
mod nat64;
mod numbers;
mod oddities;
mod outcomes;
mod packet;
mod pcap;
mod pcapng;
mod proofs;
mod random;
mod repeats;
mod seed_attack;
mod small_story;
mod spread;
mod trace;
mod tunnels;
mod unseen;

use std::fmt::Write as _;

use pcap::{Frame, Pcap};
use trace::Trace;

/// One capture file.
pub struct Capture {
    /// The file's name; its ending says the format.
    pub name: &'static str,
    /// What happens in it, in a sentence or two.
    pub story: &'static str,
    /// How many attempts there are with default options.
    pub attempts: u64,
    /// What is over a default limit: sources and networks as reports name them, destinations as address and port.
    pub over: Vec<String>,
    /// What became of some of these sources' attempts, as the report of their end says it.
    pub ends: Vec<(String, &'static str)>,
    /// The file.
    pub bytes: Vec<u8>,
}

impl Capture {
    fn new(name: &'static str, story: &'static str, attempts: u64, over: &[&str], bytes: Vec<u8>) -> Self {
        let over = over.iter().map(|source| (*source).to_owned()).collect();
        Self { name, story, attempts, over, ends: Vec::new(), bytes }
    }

    /// With what becomes of the attempts of these sources, which are over a limit.
    fn ending(mut self, ends: Vec<(String, &'static str)>) -> Self {
        self.over = ends.iter().map(|(source, _)| source.clone()).collect();
        self.ends = ends;
        self
    }

    /// A trace on Ethernet.
    fn ethernet(name: &'static str, story: &'static str, trace: &mut Trace, over: &[&str]) -> Self {
        let frames: Vec<Frame> =
            trace.packets().iter().map(|p| Frame::new(p.time, link::ethernet(p))).collect();
        Self::new(name, story, trace.attempts, over, Pcap::plain(link::ETHERNET).file(&frames))
    }
}

/// All captures, in the order in which the README lists them.
pub fn all() -> Vec<Capture> {
    let mut all = vec![seed_attack::capture()];
    all.extend(mail::captures());
    all.extend(floods::captures());
    all.extend(spread::captures());
    all.extend(nat64::captures());
    all.extend(outcomes::captures());
    all.extend(closings::captures());
    all.extend(numbers::captures());
    all.extend(proofs::captures());
    all.extend(unseen::captures());
    all.extend(gateway::captures());
    all.extend(repeats::captures());
    all.extend(clocks::captures());
    all.extend(links::captures());
    all.extend(encapsulation::captures());
    all.extend(tunnels::captures());
    all.extend(oddities::captures());
    all.extend(formats::captures());
    all.extend(damage::captures());
    all
}

/// `captures/README.md`.
pub fn readme(captures: &[Capture]) -> String {
    let mut text = README_HEAD.to_owned();
    for Capture { name, story, attempts, over, .. } in captures {
        let over = if over.is_empty() { "none".to_owned() } else { over.join(", ") };
        // Writing to a String does not fail.
        let _ = writeln!(text, "| `{name}` | {story} | {attempts} | {over} |");
    }
    text
}

const README_HEAD: &str = "\
# Captures

Small captures for the tests, each with one story. All of them, this file too, come from the project's own
generator, `examples/make_captures.rs`; none was captured anywhere. To make them again:

    cargo run --example make_captures

It makes the same bytes each time, and a test compares the committed files with them. Change the generator, never
a file. The addresses are those set aside for documentation (192.0.2.0/24, 198.51.100.0/24, 203.0.113.0/24,
2001:db8::/32), with two exceptions: `seed-attack.pcap` keeps the addresses of the log that it follows, and the forged
sources of `spoofed-flood.pcap` are from 10.0.0.0/8 and 198.18.0.0/15. Unless a story says otherwise, time begins
on 2024-05-06 at 07:00 UTC, and the packets are Ethernet in a little-endian pcap file.

*Attempts* are what is counted with default options; *over* are the sources over a default limit (30 in 10 s,
60 in 60 s, or 32 silent ones in 60 s). The *small story*: 192.0.2.66 sends 35 SYNs to port 25 of the server within 6.8 s, 2001:db8:66::66 does likewise
over IPv6, and an innocent client delivers three mails. It makes 73 attempts; 38 over one IP version alone. The files
named `damaged-*` and `unknown-link*`, and `empty-file.pcap`, make synwatch end with exit code 1; what could be read
counts all the same.

| file | story | attempts | over |
|---|---|---|---|
";
