//! A heavy flood to each gateway beside what a test does: as much as a gateway's buffer holds, so that little is lost where
//! the machine keeps a gateway from reading.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::Fleet;
use crate::frames::{Frame, Kind, Wire};

/// The buffer that holds the flood: a frame takes less than 200 bytes of it.
pub(super) const BUFFER: &str = "--buffer 64MiB";
/// Frames to each gateway.
const FRAMES: u32 = 100_000;
/// Attempts of each forged source: fewer than the limit, and more than the share of it that makes a candidate.
const EACH: u16 = 20;
/// Forged sources that come at the same time.
const SOURCES: u32 = 50;
/// After 100 frames the sender pauses, so that 20,000 a second come to each gateway. All namespaces share the queue of a
/// processor, which holds 1,000 packets (net.core.netdev_max_backlog): a sender without pauses fills it, and what other
/// tests send at the same time is lost.
const PAUSE: Duration = Duration::from_millis(5);
/// An address that no gateway has.
const NOWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 99));

/// Does this while a flood goes on to each gateway: of forged sources, those of each gateway its own; and of one source,
/// which makes half of it.
pub(super) fn beside(fleet: &mut Fleet, body: impl FnOnce(&mut Fleet)) {
    let outside = &fleet.outside;
    let wires: Vec<Wire> = (0..)
        .zip(&fleet.gateways)
        .map(|(number, gateway): (u8, _)| {
            let (cable, namespace) = (format!("o{number}"), &gateway.namespace);
            outside.enter(|| Wire::between((outside, &cable), (namespace, "eth0")))
        })
        .collect();
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let _stop = StopAtEnd(&is_over);
        for (number, mut wire) in (1..).zip(wires) {
            let is_over = &is_over;
            scope.spawn(move || flood(&mut wire, number, is_over));
        }
        body(fleet);
    });
}

/// The source that makes half of the flood to the gateway with this number, from 1 on.
pub(super) fn flooder(gateway: u8) -> IpAddr {
    Ipv4Addr::new(10, gateway, 255, 255).into()
}

/// Ends a flood, also when an assertion fails meanwhile.
struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn flood(wire: &mut Wire, gateway: u8, is_over: &AtomicBool) {
    let mut sent = 0;
    for block in 0.. {
        for round in 0..EACH {
            for source in 0..SOURCES {
                if is_over.load(Ordering::Relaxed) || sent == FRAMES {
                    return;
                }
                let [_, _, high, low] = (block * SOURCES + source).to_be_bytes();
                wire.send(&syn(Ipv4Addr::new(10, gateway, high, low).into(), 20_000 + round, sent));
                let [_, _, high, low] = sent.to_be_bytes();
                wire.send(&syn(flooder(gateway), u16::from_be_bytes([high, low]), sent + 1));
                sent += 2;
            }
            thread::sleep(PAUSE);
        }
    }
}

fn syn(from: IpAddr, port: u16, seq: u32) -> Frame {
    Frame { from: (from, port), to: (NOWHERE, 25), seq, kind: Kind::Syn }
}
