//! A SYNPROXY: it answers the client with a number of its own, and only then opens the connection to the server, with
//! the client's number; each leg has its own numbers of the server. One attempt, and it is proven.

use proptest::prelude::*;
use synwatch::engine::outcome::{Outcome, Proof};
use synwatch::wire::segment::{Direction, Place, Segment};

use super::cases;
use super::endpoints::Sent;
use super::observer::Observer;
use super::segment;
use super::talks::{Ending, Plan, any_plan, numbered};

/// On the side of the client, or of the server.
fn leg(sent: &Sent, outer: bool) -> Segment {
    let direction = if sent.from_client == outer { Direction::In } else { Direction::Out };
    let place = Place { direction, ifindex: if outer { 2 } else { 3 }, ..Place::default() };
    Segment { place, ..segment(sent) }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn a_proxied_connection_is_one_attempt(
        plan in any_plan(),
        client_isn in any::<u32>(),
        proxy_isn in any::<u32>(),
        server_isn in any::<u32>(),
        delay in 0..3000u64,
        trip in 0..500u64,
    ) {
        prop_assume!(proxy_isn != server_isn);
        let mut observer = Observer::new(1 << 14);
        let mut now = 100_000;
        let own = |sent: Sent, outer| numbered(sent, client_isn, if outer { proxy_isn } else { server_isn });
        for sent in Plan::handshake() {
            observer.see(now, &leg(&own(sent, true), true));
            now += trip;
        }
        now += delay;
        for sent in Plan::handshake() {
            observer.see(now, &leg(&own(sent, false), false));
            now += trip / 10;
        }
        for sent in plan.talk() {
            for outer in [sent.from_client, !sent.from_client] {
                let sent = own(sent, outer);
                if sent.tells() {
                    observer.see(now, &leg(&sent, outer));
                }
            }
            now += trip;
        }
        observer.wait_until(now + 400_000);
        let told = &observer.attempts;
        prop_assert_eq!(told.len(), 1);
        let life = told[0].life;
        let outcome = if plan.said == 0 { Outcome::Silent } else { Outcome::Spoke };
        prop_assert_eq!((life.outcome, life.sent, life.proof), (outcome, plan.said, Proof::Yes));
        let received = if matches!(plan.ending, Ending::ClientReset) && plan.greeting == 1 { 0 } else { plan.greeting };
        prop_assert_eq!(life.received, received);
    }
}
