//! A server that is far away: 100 ms there and back.

use std::time::Duration;

use serde_json::Value;
use synwatch_testkit::server::{self, Server};

use super::Fleet;
use super::relay::Relay;
use crate::program::find;
use crate::scene::{ATTACKER, INNOCENT};

/// Each way.
const DELAY: Duration = Duration::from_millis(50);

#[test]
fn over_a_long_way_gateways_count_as_one_and_local_reports_do_not_wait() {
    let test = "over_a_long_way_gateways_count_as_one_and_local_reports_do_not_wait";
    let Some(engine) = server::engine(test) else { return };
    let server = Server::start(&engine, &[]);
    let relays = [1, 2].map(|number| Relay::open(&server, number, DELAY));
    let urls = relays.each_ref().map(Relay::url);
    let Some(mut fleet) = Fleet::reach(server, &urls, "") else { return };
    fleet.programs().for_each(|program| _ = program.err.wait_for("fleet: 2 gateways count as one"));
    fleet.connect(ATTACKER, 30);
    for line in fleet.wait_for_reports(ATTACKER) {
        assert_eq!(find(&line, "gateways"), Some("mx1:15,mx2:15"), "{line}");
    }
    // What one gateway sees alone it reports at once: an answer of the server would tell what each gateway counted.
    fleet.connect_to(INNOCENT, &[fleet.gateways[0].address], 30);
    let start = format!("flood start src={INNOCENT} ");
    let local = fleet.gateways[0].program.err.wait_for(&start).text;
    assert_eq!((find(&local, "attempts"), find(&local, "gateways")), (Some("30"), None), "{local}");
    // The other one hears of it.
    let heard = fleet.gateways[1].program.err.wait_for(&start).text;
    assert_eq!(find(&heard, "gateways"), Some("mx1:30"), "{heard}");
    // No reading of the clock can be better than half the way there and back.
    let listed = fleet.ask("fleet --json");
    assert_eq!(listed.lines().count(), 2, "{listed}");
    for line in listed.lines() {
        let gateway: Value = serde_json::from_str(line).unwrap();
        let [clock, error] = ["clock", "clock_error"].map(|key| gateway[key].as_f64().unwrap());
        assert!(error >= DELAY.as_secs_f64() && clock.abs() <= error, "{line}");
        assert_eq!(gateway["unshared"], 0, "{line}");
    }
}
