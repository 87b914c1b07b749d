//! Changes and looks that other threads answer.

use super::*;

use crossbeam_channel::bounded;

use crate::act::{Asked, Done, NotDone, Requester, Target, Wish};
use crate::base::time::Timestamp;
use crate::control::allowances::{AllowAsked, AllowDone, AllowWish, Allowance};

const BLOCK: &str = "{\"v\":1,\"do\":\"block\",\"network\":\"192.0.2.7\",\"for\":\"1h\"}\n";
const LIST: &str = "{\"v\":1,\"do\":\"blocked\"}\n";

fn request(text: &str) -> Request {
    Request::parse(text.as_bytes()).unwrap()
}

#[test]
fn a_change_is_answered_when_the_blocker_has_made_it() {
    let (block, asked) = bounded(16);
    let mut service = Service::with(Hands { block: Some(block), ..Hands::default() });
    let target = Target::source("192.0.2.7/32".parse().unwrap());
    let hour = Duration::from_secs(3_600);
    let reply = thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let block = Request { form: Form::Text, ..request(BLOCK) };
            ask(&service.path(), &block)
        });
        let Asked { wish, answer } = asked.recv().unwrap();
        let Wish::Block { network, time, by } = wish else { panic!("{wish:?}") };
        assert_eq!((network, time), (target.network, Some(hour)));
        let Requester::Person(by) = by else { panic!("{by}") };
        assert_eq!(by.pid, std::process::id() as i32, "as the kernel says");
        // Others are answered meanwhile.
        assert_eq!(service.answers(STATUS.as_bytes())[0]["ok"], true);
        answer(Ok(Done::Blocked { target, time: hour }));
        asking.join().unwrap().unwrap()
    });
    assert_eq!(reply.lines, ["192.0.2.7 is blocked for 1h"]);
    service.end();
}

#[test]
fn a_refusal_has_the_blockers_code_and_words() {
    let (block, asked) = bounded::<Asked>(16);
    let mut service = Service::with(Hands { block: Some(block), ..Hands::default() });
    let blocker = thread::spawn(move || {
        let Asked { answer, .. } = asked.recv().unwrap();
        answer(Err(NotDone::new(NotDone::FULL, "no room")));
        // A request that is dropped is never answered: the run ends.
        drop(asked.recv().unwrap());
    });
    let answer = &service.answers(BLOCK.as_bytes())[0];
    assert_eq!((&answer["code"], &answer["error"]), (&"full".into(), &"no room".into()));
    let answer = &service.answers(LIST.as_bytes())[0];
    assert_eq!((&answer["code"], &answer["error"]), (&"ending".into(), &"the run ends".into()));
    blocker.join().unwrap();
    service.end();
}

#[test]
fn without_a_blocker_or_a_main_thread_that_is_said() {
    let mut service = Service::start();
    let allow = "{\"v\":1,\"do\":\"allow\",\"network\":\"192.0.2.0/24\"}\n";
    let answers = service.answers(format!("{BLOCK}{LIST}{allow}").as_bytes());
    let codes: Vec<_> = answers.iter().map(|answer| answer["code"].as_str().unwrap()).collect();
    assert_eq!(codes, ["off", "off", "ending"]);
    assert_eq!(answers[0]["error"], "this run blocks nothing (start it with --block nft)");
    service.end();
}

#[test]
fn a_blocker_that_hangs_is_said_to_and_its_late_answer_goes_nowhere() {
    let (block, asked) = bounded(16);
    let mut service = Service::with(Hands { block: Some(block), ..Hands::default() });
    let answer = &service.answers(LIST.as_bytes())[0];
    assert_eq!(answer["code"], "timeout");
    assert!(answer["error"].as_str().unwrap().starts_with("no answer for 5 s, "), "{answer}");
    let Asked { answer, .. } = asked.recv().unwrap();
    answer(Ok(Done::Listed(Vec::new())));
    assert_eq!(service.answers(STATUS.as_bytes())[0]["ok"], true);
    service.end();
}

#[test]
fn as_many_changes_wait_as_there_is_room_for() {
    let (block, asked) = bounded(1);
    let mut service = Service::with(Hands { block: Some(block), ..Hands::default() });
    let mut first = service.connect();
    first.write_all(LIST.as_bytes()).unwrap();
    while asked.is_empty() {
        thread::yield_now();
    }
    assert_eq!(service.answers(LIST.as_bytes())[0]["code"], "busy");
    let Asked { answer, .. } = asked.recv().unwrap();
    answer(Ok(Done::Listed(Vec::new())));
    assert_eq!(line(&first)["blocked"], Value::Array(Vec::new()));
    service.end();
}

#[test]
fn allowances_are_asked_of_the_main_thread() {
    let (allow, asked) = bounded(16);
    let mut service = Service::with(Hands { allow: Some(allow), ..Hands::default() });
    let main = thread::spawn(move || {
        let network = "192.0.2.0/24".parse().unwrap();
        let AllowAsked { wish, answer } = asked.recv().unwrap();
        assert_eq!(wish, AllowWish::List);
        answer(Ok(AllowDone::Listed(vec![Allowance {
            network,
            since: Timestamp::default(),
            until: None,
            why: Some("audit".into()),
        }])));
        let AllowAsked { wish, answer } = asked.recv().unwrap();
        assert!(matches!(wish, AllowWish::Unallow { network: taken, .. } if taken == network), "{wish:?}");
        answer(Ok(AllowDone::Unallowed { network, saved: Ok(()) }));
    });
    let answer = &service.answers(b"{\"v\":1,\"do\":\"allowed\"}\n")[0];
    assert_eq!(answer["allowed"][0]["network"], "192.0.2.0/24");
    assert_eq!((&answer["allowed"][0]["why"], &answer["others"]), (&"audit".into(), &0.into()));
    let answer = &service.answers(b"{\"v\":1,\"do\":\"unallow\",\"network\":\"192.0.2.0/24\"}\n")[0];
    assert_eq!(answer["unallow"]["network"], "192.0.2.0/24");
    main.join().unwrap();
    service.end();
}
