//! Addresses that are forged, in ways that could be taken for a proof that they are not.

use super::Capture;
use super::conversation::Conversation;
use super::link;
use super::outcomes::Hosts;
use super::packet::{ACK, MS, Packet, server};
use super::pcap::{Frame, Pcap};

pub(crate) fn captures() -> Vec<Capture> {
    vec![forged(), one_sided()]
}

fn forged() -> Capture {
    let mut hosts = Hosts::new(75);
    hosts.host("half-open:30 verified=no", |trace, start, client| {
        // The host whose address it is lives, and its kernel resets what it does not know.
        let mut forged = Conversation::attempt(trace, start, 20 * MS, client, server(25));
        forged.answer();
        forged.client_denies();
    });
    hosts.host("half-open:30 verified=no", |trace, start, client| {
        let mut forged = Conversation::attempt(trace, start, 20 * MS, client, server(25));
        forged.answer();
        for guess in 1..=3 {
            forged.client_guesses(guess * 0x3000_0000);
        }
    });
    hosts.host("silent:2,half-open:28 verified=no", |trace, start, client| {
        // Two lucky guesses.
        let mut forged = Conversation::attempt(trace, start, 20 * MS, client, server(25));
        forged.answer();
        if client.port() < 40_002 {
            forged.client_guesses(0);
            forged.client_closes();
        } else {
            forged.client_guesses(0x3000_0000);
        }
    });
    hosts.host("silent:29,half-open:1 verified=no", |trace, start, client| {
        let mut real = Conversation::attempt(trace, start, 20 * MS, client, server(25));
        real.answer();
        if client.port() < 40_029 {
            real.client_sends(ACK, b"");
            real.client_closes();
        }
    });
    hosts.host("open:30 verified=yes", |trace, start, client| {
        // Wrong numbers before the right one void nothing: whoever knows that has the answer.
        let mut forged = Conversation::attempt(trace, start, 20 * MS, client, server(25));
        forged.answer();
        for guess in [0x3000_0000_u32, 0x6000_0000, 0] {
            forged.client_guesses(guess);
        }
    });
    hosts.afterwards();
    hosts.capture(
        "forged.pcap",
        "30 attempts in 8.7 s of one address after the other, none of them verified but the last: a live host whose \
         address is forged, and whose kernel resets the SYN-ACK; guessed acknowledgments, all wrong; two of them right; \
         29 honest ones, one less than meets a limit; two wrong acknowledgments before each right one.",
    )
}

/// Whoever forges a client can forge the server's answer to it as well; but all that comes from one side.
fn one_sided() -> Capture {
    let mut hosts = Hosts::new(76);
    hosts.host("silent:30 verified=no", |trace, start, client| {
        Conversation::open(trace, start, 20 * MS, client, server(25)).client_closes();
    });
    let (attempts, ends) = (hosts.trace.attempts, hosts.ends);
    let from_outside = |packet: &Packet| {
        // All of it comes from the router, to the server.
        let (from, to) = (packet.from, packet.to);
        let (from, to) = if from == server(25).ip() { (to, from) } else { (from, to) };
        link::ethernet(&Packet { from, to, ..packet.clone() })
    };
    let frames: Vec<_> =
        hosts.trace.packets().iter().map(|packet| Frame::new(packet.time, from_outside(packet))).collect();
    Capture::new(
        "forged-one-sided.pcap",
        "30 silent connections in 8.7 s, of which SYN, SYN-ACK, ACK and FINs all come from the router's side, those of the \
         server too: whoever sends them is neither.",
        attempts,
        &[],
        Pcap::plain(link::ETHERNET).file(&frames),
    )
    .ending(ends)
}
