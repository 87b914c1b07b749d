//! The same ports and the same number of the client, used again after each connection: each completed one is an
//! attempt of its own, with its own bytes.

use proptest::prelude::*;
use synwatch::engine::outcome::{Outcome, Proof};

use super::cases;
use super::observer::Observer;
use super::segment;
use super::talks::{Plan, any_plan, numbered};

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn each_completed_connection_of_one_number_is_an_attempt(
        plans in prop::collection::vec((any_plan(), 1..100_000u64, any::<u32>(), any::<bool>()), 1..14),
        client_isn in any::<u32>(),
        first in any::<u32>(),
    ) {
        let mut observer = Observer::new(1 << 16);
        let (mut now, mut server_isn) = (100_000, first);
        for (plan, pause, isn, same) in &plans {
            // SYN cookies repeat a number within a minute.
            server_isn = if *same { server_isn } else { *isn };
            for sent in Plan::handshake().into_iter().chain(plan.talk()) {
                let sent = numbered(sent, client_isn, server_isn);
                if sent.tells() {
                    observer.see(now, &segment(&sent));
                }
                now += 10;
            }
            now += pause;
        }
        observer.wait_until(now + 400_000);
        prop_assert_eq!(observer.attempts.len(), plans.len());
        for ((plan, ..), attempt) in plans.iter().zip(&observer.attempts) {
            let outcome = if plan.said == 0 { Outcome::Silent } else { Outcome::Spoke };
            let life = attempt.life;
            prop_assert_eq!((life.outcome, life.sent, life.proof), (outcome, plan.said, Proof::Yes));
            prop_assert_eq!(life.received, plan.greeting);
        }
    }
}
