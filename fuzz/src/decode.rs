//! Any bytes, as a packet of any link type: what decode promises of each.

use synwatch::decode::{Skip, Tunnels, decode};
use synwatch::packet::{InterfaceId, LinkType, Packet};
use synwatch::segment::Segment;
use synwatch::time::Timestamp;

/// The first byte chooses the link type, the others are the packet.
///
/// # Panics
///
/// Where decode breaks a promise.
pub fn run(data: &[u8]) {
    let Some((choice, bytes)) = data.split_first() else { return };
    let (link, _) = LinkType::SUPPORTED[usize::from(*choice) % LinkType::SUPPORTED.len()];
    let entered = packet(link, bytes, Tunnels::Enter);
    let skipped = packet(link, bytes, Tunnels::Skip);
    assert!(
        skipped == entered || skipped == Err(Skip::Tunnel),
        "{skipped:?} without tunnels, {entered:?} with"
    );
    if let Ok(segment) = entered {
        let numbers = [
            &segment.src_port.to_be_bytes()[..],
            &segment.dst_port.to_be_bytes(),
            &segment.seq.to_be_bytes(),
            &segment.ack.to_be_bytes(),
        ]
        .concat();
        assert!(
            bytes.windows(numbers.len()).any(|window| window == numbers),
            "{segment:?} is not in the packet"
        );
    }
    for captured in 0..bytes.len() {
        let shorter = packet(link, &bytes[..captured], Tunnels::Enter);
        assert!(
            shorter == entered || shorter == Err(Skip::Truncated),
            "{shorter:?} of {captured} bytes, {entered:?} of all"
        );
    }
}

fn packet(link: LinkType, bytes: &[u8], tunnels: Tunnels) -> Result<Segment, Skip> {
    let wire_length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let packet = Packet { time: Timestamp::default(), link, interface: InterfaceId(0), bytes, wire_length };
    decode(&packet, tunnels)
}
