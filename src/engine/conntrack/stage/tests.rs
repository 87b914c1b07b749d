use super::*;
use crate::base::hash::Key;
use crate::base::time::Timestamp;
use crate::engine::clock::Reading;
use crate::engine::ingest::batch::{Now, Pending};
use crate::engine::ingest::endpoints::{End, Hasher};
use crate::engine::outcome::Proof;
use crate::wire::segment::Segment;

#[test]
fn an_unreadable_packet_makes_an_attempt_of_a_syn_ack_from_a_watched_port_alone() {
    for (is_hidden, is_answer, attempts) in [(true, true, 1), (true, false, 0), (false, true, 0)] {
        let connections = Conntrack::new(1 << 20, Proof::Yes).unwrap();
        let mut tracking = ConntrackStage::new(connections);
        let (server, client): (End, End) = (([192, 0, 2, 2].into(), 25), ([192, 0, 2, 1].into(), 7));
        let pending = |segment, (client, server): (End, End), is_hidden: bool| {
            let time = Timestamp::new(1, 0);
            let now = Now { time, ticks: Reading::default().ticks(time) };
            let endpoints = Hasher::new(Key::fixed()).endpoints(client, server, false);
            let (connection, is_answer) = (endpoints.connection(), is_answer && !is_hidden);
            Pending { segment, now, endpoints, connection, to_server: is_hidden, is_answer, is_hidden }
        };
        let mut all = Batch::new(2, false);
        if is_hidden {
            let segment = Segment::hidden(client.0, server.0, crate::wire::segment::Place::default());
            *all.add() = pending(segment, ((client.0, 0), (server.0, 0)), true);
        }
        let segment = Segment::between(server, client, Flags(Flags::SYN.0 | Flags::ACK.0));
        *all.add() = pending(segment, (client, server), false);
        let mut findings = Findings::new(2, false);
        tracking.judge_all(&all, &mut findings);
        assert_eq!(findings.all.len(), attempts, "{is_hidden} {is_answer}");
    }
}
