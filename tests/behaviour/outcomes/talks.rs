//! Connections that go as planned, with the numbers of both sides given: what proxies and re-used numbers are tried
//! with.

use proptest::prelude::*;

use super::endpoints::Sent;

/// How a connection ends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Ending {
    ClientFin,
    ServerFin,
    ClientReset,
}

/// What is said on it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) said: u32,
    pub(crate) greeting: u32,
    pub(crate) ending: Ending,
}

pub(crate) fn any_plan() -> impl Strategy<Value = Plan> {
    let ending = prop::sample::select(vec![Ending::ClientFin, Ending::ServerFin, Ending::ClientReset]);
    let said = prop_oneof![Just(0u32), 2..3000u32];
    (said, prop_oneof![Just(0u32), 2..3000u32], ending).prop_map(|(said, greeting, ending)| Plan {
        said,
        greeting,
        ending,
    })
}

/// Segments with sequence numbers counted from those of the SYNs.
fn sent(from_client: bool, seq: u32, ack: u32, len: u32) -> Sent {
    Sent { from_client, seq, ack: Some(ack), syn: false, fin: false, rst: false, len, refuses: false }
}

impl Plan {
    pub(crate) fn handshake() -> [Sent; 3] {
        let syn = Sent { ack: None, syn: true, ..sent(true, 0, 0, 0) };
        [syn, Sent { syn: true, ..sent(false, 0, 1, 0) }, sent(true, 1, 1, 0)]
    }

    /// What follows the handshake.
    pub(crate) fn talk(&self) -> Vec<Sent> {
        let Self { said, greeting, ending } = *self;
        let mut all = Vec::new();
        if greeting > 0 {
            all.extend([sent(false, 1, 1, greeting), sent(true, 1, 1 + greeting, 0)]);
        }
        let (client, server) = (1 + said, 1 + greeting);
        if said > 0 {
            all.extend([sent(true, 1, server, said), sent(false, server, client, 0)]);
        }
        let fin = |sent: Sent| Sent { fin: true, ..sent };
        match ending {
            Ending::ClientFin => all.extend([
                fin(sent(true, client, server, 0)),
                fin(sent(false, server, client + 1, 0)),
                sent(true, client + 1, server + 1, 0),
            ]),
            Ending::ServerFin => all.extend([
                fin(sent(false, server, client, 0)),
                fin(sent(true, client, server + 1, 0)),
                sent(false, server + 1, client + 1, 0),
            ]),
            Ending::ClientReset => all.push(Sent { rst: true, ..sent(true, client, server, 0) }),
        }
        all
    }
}

/// With numbers that begin there.
pub(crate) fn numbered(sent: Sent, client_isn: u32, server_isn: u32) -> Sent {
    let (own, other) = if sent.from_client { (client_isn, server_isn) } else { (server_isn, client_isn) };
    Sent { seq: sent.seq.wrapping_add(own), ack: sent.ack.map(|ack| ack.wrapping_add(other)), ..sent }
}
