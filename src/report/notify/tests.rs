//! What a condition says, and what each report of an episode becomes.

use super::*;

use crate::detect::alert::Ended;
use crate::engine::outcome::{Outcome, OutcomeCounts};
use crate::report::sample::{at, start};

/// Notes episode and state of what comes through.
#[derive(Debug, Default)]
struct Noted(Vec<(u64, &'static str)>);

impl Sink for Noted {
    fn alert(&mut self, alert: &Alert) {
        self.0.push((alert.episode, alert.state.name()));
    }
}

const END: State = State::End(Ended::Quiet);

/// A report of this severity, with the proof that it takes.
fn report(state: State, severity: u8) -> Alert {
    let mut outcomes = OutcomeCounts::default();
    outcomes.set(if severity == 1 { Outcome::Silent } else { Outcome::Spoke }, 30);
    let verified = if severity == 3 { Proof::None } else { Proof::Yes };
    let alert = Alert { state, outcomes, verified, ..start() };
    assert_eq!(alert.severity(), severity);
    alert
}

fn wire(state: State) -> Alert {
    Alert { verified: Proof::Wire, ..report(state, 2) }
}

/// The states in which an action with this condition gets these reports of one episode.
fn told(condition: &str, reports: &[Alert]) -> String {
    let mut notified = Notified::new(condition.parse().unwrap(), Noted::default());
    reports.iter().for_each(|report| notified.alert(report));
    notified.sink.0.iter().map(|(_, state)| *state).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_condition_is_read_and_shown_in_one_form() {
    for (given, shown) in [
        ("start,update,end", "start,update,end"),
        ("start", "start"),
        (" end , start ", "start,end"),
        ("update", "update"),
        ("verified", "start,update,end,verified"),
        ("wire,end", "end,wire"),
        ("severity=1", "start,update,end,severity=1"),
        ("severity = 2,start", "start,severity=2"),
        ("severity=3", "start,update,end"),
        ("verified,severity=2,end,start", "start,end,severity=2,verified"),
    ] {
        let condition: Notify = given.parse().unwrap();
        assert_eq!(condition.to_string(), shown, "{given}");
        assert_eq!(shown.parse(), Ok(condition), "{given}");
    }
    assert_eq!("start,update,end".parse(), Ok(Notify::default()));
}

#[test]
fn what_is_no_condition_is_said_with_its_remedy() {
    for (given, said) in [
        ("", "a word is missing (start, update, end, severity=N, verified, wire: start,end,verified)"),
        (
            "start,,end",
            "a word is missing (start, update, end, severity=N, verified, wire: start,end,verified)",
        ),
        ("begin", "\"begin\" is none of start, update, end, severity=N, verified, wire"),
        ("verified=yes", "\"verified=yes\" is none of start, update, end, severity=N, verified, wire"),
        ("severity", "severity \"\" is not from 1 to 3 (severity=2 is 2 or worse; 1 is the worst)"),
        ("severity<=2", "severity \"<=2\" is not from 1 to 3 (severity=2 is 2 or worse; 1 is the worst)"),
        ("severity=0", "severity \"0\" is not from 1 to 3 (severity=2 is 2 or worse; 1 is the worst)"),
        ("severity=4", "severity \"4\" is not from 1 to 3 (severity=2 is 2 or worse; 1 is the worst)"),
        ("severity=", "severity \"\" is not from 1 to 3 (severity=2 is 2 or worse; 1 is the worst)"),
        ("start,start", "start is given twice (once is enough)"),
        ("wire,wire", "wire is given twice (once is enough)"),
        ("severity=1,severity=2", "severity is given twice (once is enough)"),
        ("verified,wire", "verified and wire exclude each other (wire takes verified sources, too)"),
    ] {
        assert_eq!(given.parse::<Notify>().unwrap_err().to_string(), said, "{given:?}");
    }
}

#[test]
fn without_a_condition_every_report_passes_as_it_is() {
    let reports =
        [report(State::Start, 3), report(State::Update, 2), report(State::Update, 1), report(END, 2)];
    let mut notified = Notified::new(Notify::default(), Noted::default());
    reports.iter().for_each(|report| notified.alert(report));
    assert_eq!(notified.sink.0, [(0, "start"), (0, "update"), (0, "update"), (0, "end")]);
}

#[test]
fn states_choose_among_the_reports() {
    let reports = [report(State::Start, 3), report(State::Update, 3), report(END, 3)];
    for (condition, expected) in [
        ("start", "start"),
        ("update", "update"),
        ("end", "end"),
        ("start,update", "start update"),
        ("start,end", "start end"),
        ("update,end", "update end"),
        ("start,update,end", "start update end"),
    ] {
        assert_eq!(told(condition, &reports), expected, "{condition}");
    }
}

#[test]
fn severity_is_the_given_one_or_worse() {
    for (severity, passing) in [(1, [true, false, false]), (2, [true, true, false]), (3, [true, true, true])]
    {
        for (of_report, passes) in [1, 2, 3].into_iter().zip(passing) {
            let told = told(&format!("severity={severity}"), &[report(State::Start, of_report)]);
            assert_eq!(told == "start", passes, "severity={severity}, a report of {of_report}");
        }
    }
}

#[test]
fn a_proof_is_the_given_one_or_better() {
    let reports = [report(State::Start, 3), wire(State::Start), report(State::Start, 2)];
    for (condition, passing) in
        [("start", [true, true, true]), ("wire", [false, true, true]), ("verified", [false, false, true])]
    {
        let told = reports.each_ref().map(|report| told(condition, std::slice::from_ref(report)) == "start");
        assert_eq!(told, passing, "{condition}");
    }
}

#[test]
fn an_episode_that_meets_the_condition_later_starts_then() {
    let later = [
        report(State::Start, 3),
        report(State::Update, 3),
        report(State::Update, 2),
        report(State::Update, 2),
        report(END, 2),
    ];
    for (condition, expected) in [
        ("verified", "start update end"),
        ("start,verified", "start"),
        ("start,end,verified", "start end"),
        ("update,verified", "update update"),
        ("update,end,verified", "update update end"),
        ("end,verified", "end"),
        ("severity=1", ""),
    ] {
        assert_eq!(told(condition, &later), expected, "{condition}");
    }
    let wires = [report(State::Start, 3), wire(State::Update), report(State::Update, 2), report(END, 2)];
    assert_eq!(told("wire", &wires), "start update end");
    assert_eq!(told("verified", &wires), "start end");
}

#[test]
fn what_meets_the_condition_at_its_end_alone_is_told_as_start_and_end() {
    let reports = [report(State::Start, 3), report(State::Update, 2), report(END, 1)];
    for (condition, expected) in [
        ("severity=1", "start end"),
        ("start,severity=1", "start"),
        ("end,severity=1", "end"),
        ("update,severity=1", ""),
    ] {
        assert_eq!(told(condition, &reports), expected, "{condition}");
    }
}

#[test]
fn who_has_the_start_gets_the_end_whatever_has_become_of_the_severity() {
    let reports = [report(State::Start, 1), report(State::Update, 2), report(END, 2)];
    assert_eq!(told("severity=1", &reports), "start update end");
    assert_eq!(told("start,end,severity=1", &reports), "start end");
}

#[test]
fn what_never_meets_the_condition_leaves_nothing_behind() {
    let mut notified = Notified::new("verified".parse().unwrap(), Noted::default());
    for state in [State::Start, State::Update, END] {
        (0..1000).for_each(|episode| notified.alert(&Alert { episode, ..report(state, 3) }));
    }
    assert_eq!((notified.sink.0.len(), notified.met.len()), (0, 0));
}

#[test]
fn each_episode_is_judged_by_itself_and_forgotten_at_its_end() {
    let mut notified = Notified::new("start,end,verified".parse().unwrap(), Noted::default());
    let of = |episode, alert: Alert| Alert { episode, ..alert };
    for alert in [
        of(1, report(State::Start, 2)),
        of(2, report(State::Start, 3)),
        of(2, report(State::Update, 2)),
        of(1, report(END, 2)),
        of(2, report(END, 2)),
        of(3, report(END, 3)),
    ] {
        notified.alert(&alert);
    }
    assert_eq!(notified.sink.0, [(1, "start"), (2, "start"), (1, "end"), (2, "end")]);
    assert!(notified.met.is_empty());
}

#[test]
fn the_start_that_is_told_late_has_the_values_of_its_report() {
    struct Last(Option<Alert>);
    impl Sink for Last {
        fn alert(&mut self, alert: &Alert) {
            self.0 = Some(alert.clone());
        }
    }
    let mut notified = Notified::new("verified".parse().unwrap(), Last(None));
    notified.alert(&report(State::Start, 3));
    let update = Alert { attempts: 77, time: at(9_000), ..report(State::Update, 2) };
    notified.alert(&update);
    assert_eq!(notified.sink.0, Some(Alert { state: State::Start, ..update }));
}
