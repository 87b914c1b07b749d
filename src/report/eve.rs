//! Reports and statistics as JSON Lines in Suricata's EVE format.
//!
//! There is no rate limit, because programs read JSON. Lines are buffered and flushed at each tick.

use serde::Serialize;

use super::lines::Lines;
use super::record::AlertRecord;
use super::stats_record::StatsRecord;
use crate::base::time::Timestamp;
use crate::base::zone::Zone;
use crate::detect::alert::Alert;
use crate::detect::{RunFacts, Sink};
use crate::engine::stats::Stats;

/// A report as a JSON object: one line without its line end.
///
/// # Errors
///
/// None that is known: a report contains only what JSON can represent.
pub(crate) fn record_of(alert: &Alert, zone: &Zone) -> serde_json::Result<String> {
    serde_json::to_string(&AlertRecord::new(alert, zone))
}

/// Writes JSON Lines to a file or standard output.
pub(crate) struct Eve {
    lines: Lines,
    zone: Zone,
    /// Reused to avoid allocations.
    buffer: Vec<u8>,
}

impl Eve {
    /// Records go to `lines`, with their times in `zone`.
    #[must_use]
    pub(crate) fn new(lines: Lines, zone: Zone) -> Self {
        Self { lines, zone, buffer: Vec::new() }
    }

    fn record(&mut self, record: &impl Serialize) {
        self.buffer.clear();
        match serde_json::to_writer(&mut self.buffer, record) {
            Ok(()) => {
                self.buffer.push(b'\n');
                self.lines.write(&self.buffer);
            }
            Err(error) => log::error!("cannot write a record as JSON: {error}"),
        }
    }
}

impl Sink for Eve {
    fn alert(&mut self, alert: &Alert) {
        let record = AlertRecord::new(alert, &self.zone);
        self.record(&record);
    }

    fn stats(&mut self, now: Timestamp, stats: &Stats, run: &RunFacts) {
        let record = StatsRecord::new(now, stats, run, &self.zone);
        self.record(&record);
    }

    fn tick(&mut self, _now: Timestamp) {
        self.lines.flush();
    }

    fn reopen(&mut self) {
        self.lines.reopen();
    }

    fn finish(&mut self, _now: Timestamp) {
        self.lines.finish();
    }

    fn lost(&self) -> u64 {
        self.lines.lost()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::Arc;

    use serde_json::{Value, json};

    use crate::detect::alert::{Basis, Trigger};
    use crate::engine::episodes::Addresses;
    use crate::engine::outcome::Proof;
    use crate::engine::stats::Losses;
    use crate::engine::subject::Source;
    use crate::report::console::tests::Paper;
    use crate::report::sample::{at, end, full, start, tokyo};
    use crate::wire::decode::{Skip, Skipped};
    use crate::wire::packet::Origin;

    /// The lines that a sink writes for `report`.
    fn lines(report: impl FnOnce(&mut Eve)) -> String {
        let paper = Paper::default();
        let lines = Lines::of(paper.clone());
        let mut eve = Eve::new(lines, tokyo());
        report(&mut eve);
        eve.finish(at(0));
        paper.text()
    }

    fn parsed(alert: &Alert) -> Value {
        serde_json::from_str(&lines(|eve| eve.alert(alert))).unwrap()
    }

    #[test]
    fn link_layer_addresses_alone_do_not_verify() {
        let mut wire = Alert { verified: Proof::Wire, basis: Some(Basis::Mac), ..start() };
        (wire.outcomes.proofs, wire.outcomes.wire_proofs) = (0, 30);
        let record = parsed(&wire);
        let told = ["verified", "proof", "proven"].map(|field| record["synwatch"][field].clone());
        assert_eq!(told, [Value::from(false), Value::from("mac"), Value::from(30)]);
        assert_eq!(record["alert"]["severity"], 2);
        let none = Alert { verified: Proof::None, basis: None, ..start() };
        assert!(parsed(&none)["synwatch"].get("proof").is_none());
    }

    #[test]
    fn a_start_is_one_line_with_its_fields_in_order() {
        let limit = start().limit;
        assert_eq!(
            lines(|eve| eve.alert(&start())),
            format!(
                concat!(
                    r#"{{"timestamp":"2013-11-25T15:11:42.310000+0900","event_type":"alert","#,
                    r#""src_ip":"49.212.10.42","src_port":60001,"dest_ip":"116.58.172.107","dest_port":25,"#,
                    r#""proto":"TCP","alert":{{"action":"allowed","gid":1,"signature_id":1000001,"rev":1,"#,
                    r#""signature":"synwatch: connection flood (mail)","category":"Attempted Denial of Service","#,
                    r#""severity":1}},"synwatch":{{"state":"start","watch":"mail","kind":"source","source":"49.212.10.42","#,
                    r#""limit":"{}","attempts":30,"copies":0,"retransmissions":0,"#,
                    r#""first_seen":"2013-11-25T15:11:36.370000+0900","#,
                    r#""last_seen":"2013-11-25T15:11:42.310000+0900","duration":5.94,"rate":5.050505,"#,
                    r#""peak":5.050505,"ports":[{{"port":25,"attempts":15}},{{"port":110,"attempts":15}}],"#,
                    r#""ports_others":0,"#,
                    r#""destinations":["116.58.172.107"],"destinations_count":1,"destinations_others":0,"#,
                    r#""outcomes":{{"silent":28,"spoke":0,"open":1,"refused":0,"half-open":0,"unanswered":0,"#,
                    r#""pending":1,"unknown":0}},"greeted":28,"sent":0,"received":1400,"proven":28,"verified":true,"proof":"capture","#,
                    r#""losses":{{"kernel":0,"interface":0,"crossings":0,"evictions":0}}}},"#,
                    r#""pcap_filename":"seed-attack.pcap"}}"#,
                    "\n"
                ),
                limit
            )
        );
    }

    #[test]
    fn an_end_says_why_it_ended() {
        let record = parsed(&end());
        assert_eq!(record["timestamp"], "2013-11-25T15:18:33.470000+0900");
        assert_eq!(record["synwatch"]["state"], "end");
        assert_eq!(record["synwatch"]["ended"], "quiet");
        assert_eq!(record["synwatch"]["duration"], json!(357.1));
        assert_eq!(record["synwatch"]["rate"], json!(5.007001));
    }

    #[test]
    fn a_network_lists_its_hosts() {
        let hosts = Addresses { kept: vec!["2001:db8:0:1::1".parse().unwrap()], others: 7 };
        let record = parsed(&Alert { hosts, ..full() });
        assert_eq!(record["synwatch"]["source"], "2001:db8:0:1::/64");
        assert_eq!(record["synwatch"]["name"], "a b.example");
        assert_eq!(record["synwatch"]["as_number"], 64_500);
        assert_eq!(record["synwatch"]["as_organisation"], "Example \u{1b}Net");
        assert_eq!(record["synwatch"]["country"], "JP");
        assert_eq!(record["synwatch"]["hosts"], json!(["2001:db8:0:1::1"]));
        assert_eq!(record["synwatch"]["hosts_count"], 1);
        assert_eq!(record["synwatch"]["hosts_others"], 7);
        assert_eq!(record["synwatch"]["destinations_others"], 120);
        let losses = json!({"kernel": 12, "interface": 3, "crossings": 4, "evictions": 5});
        assert_eq!(record["synwatch"]["losses"], losses);
        let source = Source("192.0.2.1/32".parse().unwrap());
        let host = parsed(&Alert { source, hosts_estimate: None, ..full() });
        assert_eq!(host["synwatch"].get("hosts"), None);
    }

    #[test]
    fn a_network_lists_the_sources_in_it_and_no_more_than_are_kept() {
        let source = |n: u8| Source(std::net::IpAddr::from([192, 0, 2, n]).into());
        for (sources, kept, others) in [(0, 0, Value::Null), (16, 16, json!(0)), (17, 16, json!(1))] {
            let record = parsed(&Alert { within: (0..sources).map(source).collect(), ..full() });
            let within = record["synwatch"]["within"].as_array().map_or(0, Vec::len);
            assert_eq!((within, &record["synwatch"]["within_others"]), (kept, &others));
        }
    }

    #[test]
    fn a_live_report_names_the_interface_and_no_file() {
        let origin = Origin::Interface(Arc::from("eth0"));
        let record = parsed(&Alert { trigger: Trigger { origin, ..start().trigger }, ..start() });
        assert_eq!(record["in_iface"], "eth0");
        assert_eq!(record.get("pcap_filename"), None);
    }

    #[test]
    fn a_name_from_outside_cannot_break_the_line() {
        let name = "a\"\n{\"event_type\":\"alert\"}\u{1b}";
        let origin = Origin::File(Arc::from(name));
        let alert = Alert { trigger: Trigger { origin, ..start().trigger }, ..start() };
        assert_eq!(lines(|eve| eve.alert(&alert)).lines().count(), 1);
        assert_eq!(parsed(&alert)["pcap_filename"], name);
    }

    #[test]
    fn numbers_that_are_not_finite_are_left_out() {
        let record = parsed(&Alert { last_seen: at(370), peak: f64::INFINITY, ..end() });
        assert_eq!(record["synwatch"]["duration"], json!(0.0));
        assert_eq!(record["synwatch"].get("rate"), None);
        assert_eq!(record["synwatch"].get("peak"), None);
    }

    #[test]
    fn statistics_have_the_counters_of_suricata_and_of_synwatch() {
        let mut skipped = Skipped::default();
        skipped.count(Skip::Fragment);
        let stats = Stats {
            packets: 100,
            attempts: 99,
            skipped,
            kernel_packets: 112,
            losses: Losses { kernel: 12, interface: 3, ..Losses::default() },
            reports_lost: 4,
            ..Stats::default()
        };
        let text = lines(|eve| eve.stats(at(0), &stats, &RunFacts::default()));
        let record: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(record["timestamp"], "2013-11-25T15:11:36.000000+0900");
        assert_eq!(record["event_type"], "stats");
        let capture = json!({"kernel_packets": 112, "kernel_drops": 12, "kernel_ifdrops": 3});
        assert_eq!(record["stats"]["capture"], capture);
        assert_eq!(record["stats"]["synwatch"]["packets"], 100);
        assert_eq!(record["stats"]["synwatch"]["reports_lost"], 4);
        assert_eq!(record["stats"]["synwatch"]["skipped"]["fragment"], 1);
        assert_eq!(record["stats"]["synwatch"]["skipped"].as_object().unwrap().len(), Skip::ALL.len());
    }

    #[test]
    fn a_tick_flushes_what_was_recorded() {
        let paper = Paper::default();
        let lines = Lines::of(paper.clone());
        let mut eve = Eve::new(lines, tokyo());
        eve.alert(&start());
        assert_eq!(paper.text(), "");
        eve.tick(at(7_000));
        assert_eq!(paper.text().lines().count(), 1);
    }
}
