//! Any bytes, as a packet of any link type: what decode promises of each.

use std::cell::RefCell;

use synwatch::base::hash::Key;
use synwatch::base::time::Timestamp;
use synwatch::wire::decode::{Decoder, Skip, Skipped, Tunnels, decode};
use synwatch::wire::packet::{InterfaceId, LinkType, Packet};
use synwatch::wire::segment::{Checksum, Segment};

/// The first byte chooses the link type, the others are the packet.
///
/// # Panics
///
/// Where decode breaks a promise.
pub fn run(data: &[u8]) {
    let Some((choice, bytes)) = data.split_first() else { return };
    let (link, _) = LinkType::SUPPORTED[usize::from(*choice) % LinkType::SUPPORTED.len()];
    let entered = packet(link, bytes, Tunnels::ENTER);
    let skipped = packet(link, bytes, Tunnels::Skip);
    assert!(
        skipped == entered || skipped == Err(Skip::Tunnel),
        "{skipped:?} without tunnels, {entered:?} with"
    );
    assert_eq!(differs_in_a_decoder(link, bytes, entered), None, "another outcome than that of decode");
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
    let entered = entered.map(without_end);
    for captured in 0..bytes.len() {
        let shorter = packet(link, &bytes[..captured], Tunnels::ENTER).map(without_end);
        assert!(
            shorter == entered || shorter == Err(Skip::Truncated),
            "{shorter:?} of {captured} bytes, {entered:?} of all"
        );
    }
}

/// Without what only a longer capture tells.
fn without_end(segment: Segment) -> Segment {
    Segment { checksum: Checksum::Unknown, fast_open: false, digest: 0, ..segment }
}

thread_local! {
    /// One for all packets: it remembers fragments, and what it remembers changes nothing else.
    static DECODER: RefCell<Decoder> = RefCell::new(Decoder::new(Tunnels::ENTER, Key::fixed()));
}

/// What a decoder says, where it may not say that.
fn differs_in_a_decoder(
    link: LinkType,
    bytes: &[u8],
    decoded: Result<Segment, Skip>,
) -> Option<Result<Segment, Skip>> {
    let packet =
        Packet { time: Timestamp::default(), link, interface: InterfaceId(0), bytes, wire_length: 0 };
    let read = DECODER.with_borrow_mut(|decoder| decoder.read(&packet, &mut Skipped::default()));
    (read != decoded && decoded != Err(Skip::Fragment)).then_some(read)
}

fn packet(link: LinkType, bytes: &[u8], tunnels: Tunnels) -> Result<Segment, Skip> {
    let wire_length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    let packet = Packet { time: Timestamp::default(), link, interface: InterfaceId(0), bytes, wire_length };
    decode(&packet, tunnels)
}
