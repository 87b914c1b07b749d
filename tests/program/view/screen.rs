//! What the screen shows, what keys do, and that the terminal is whole afterwards.

use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::service::{Service, attach, snapshot};
use super::terminal::Terminal;

const SOURCES: [(&str, u32); 3] = [("198.51.100.66", 29), ("203.0.113.9", 14), ("192.0.2.10", 2)];

#[test]
fn keys_work_and_the_terminal_is_whole_after_q() {
    let service = Service::start(snapshot(&SOURCES));
    let Some(terminal) = Terminal::run(&attach(&service.socket()), 80, 24) else { return };
    let text = terminal.wait_for_text("198.51.100.66 ██████▊ 29 yes");
    assert!(text.starts_with("synwatch  eth1  up 1m  12 SYN/s  answered 99 %  lost 0\n"), "{text}");
    // A source is over its limit one attempt later.
    let mut over = SOURCES;
    over[0].1 = 30;
    service.send(snapshot(&over));
    terminal.wait_for_text("! 198.51.100.66 ███████ 30 yes");
    // The picture is held, and goes on.
    terminal.press(&["Space"]);
    terminal.wait_for_text("PAUSED");
    over[0].1 = 31;
    service.send(snapshot(&over));
    terminal.press(&["?"]);
    terminal.wait_for_text("address proven");
    terminal.press(&["Escape"]);
    terminal.wait_for_text("███████ 30 yes");
    terminal.press(&["Space"]);
    terminal.wait_for_text("███████ 31 yes");
    // Details of the second source, by arrow and by letter.
    terminal.press(&["Down", "j", "Enter"]);
    terminal.wait_for_text("source 203.0.113.9");
    terminal.press(&["Escape"]);
    // Read in one piece with what follows it, Escape is a part of another key.
    terminal.wait_for_text("███████ 31 yes");
    terminal.press(&["/", "1", "9", "2", "Enter"]);
    let text = terminal.wait_for_text("3 sources rows 1-1 of 1 filter 192");
    assert!(text.contains("192.0.2.10") && !text.contains("203.0.113.9"), "{text}");
    terminal.press(&["q"]);
    terminal.end("0");
}

#[test]
fn the_picture_follows_the_size_of_the_terminal() {
    let service = Service::start(snapshot(&SOURCES));
    let Some(terminal) = Terminal::run(&attach(&service.socket()), 80, 24) else { return };
    terminal.wait_for("no rate", |text| text.contains("BLOCK") && !text.contains("RATE"));
    terminal.resize(120, 40);
    terminal.wait_for("rates", |text| text.contains("RATE") && text.lines().count() == 40);
    terminal.resize(50, 10);
    terminal.wait_for("no graph", |text| !text.contains("peak") && text.contains("198.51.100.66"));
    terminal.resize(40, 10);
    terminal.wait_for_text("45x6 at least");
    terminal.press(&["q"]);
    terminal.end("0");
}

#[test]
fn the_terminal_is_whole_after_each_signal() {
    for (signal, code) in [(Signal::TERM, "0"), (Signal::INT, "0")] {
        let service = Service::start(snapshot(&SOURCES));
        let Some(terminal) = Terminal::run(&attach(&service.socket()), 80, 24) else { return };
        terminal.wait_for_text("198.51.100.66");
        kill_process(Pid::from_raw(terminal.pid()).unwrap(), signal).unwrap();
        terminal.end(code);
    }
}

#[test]
fn a_terminal_that_goes_ends_the_program() {
    let service = Service::start(snapshot(&SOURCES));
    let Some(terminal) = Terminal::run(&attach(&service.socket()), 80, 24) else { return };
    terminal.wait_for_text("198.51.100.66");
    terminal.hang_up();
}

#[test]
fn control_and_c_quits() {
    let service = Service::start(snapshot(&SOURCES));
    let Some(terminal) = Terminal::run(&attach(&service.socket()), 80, 24) else { return };
    terminal.wait_for_text("198.51.100.66");
    terminal.press(&["C-c"]);
    terminal.end("0");
}

#[test]
fn a_service_that_goes_is_said_to_be_lost_and_is_found_again() {
    let mut service = Service::start(snapshot(&SOURCES));
    let Some(terminal) = Terminal::run(&attach(&service.socket()), 80, 24) else { return };
    terminal.wait_for_text("██████▊ 29");
    service.stop();
    let text = terminal.wait_for_text("connection lost, trying again");
    assert!(text.contains("198.51.100.66"), "the last picture stays:\n{text}");
    service.listen(snapshot(&[("198.51.100.66", 7)]));
    terminal.wait_for("the new service", |text| text.contains("  7  yes") && !text.contains("lost,"));
    terminal.press(&["q"]);
    terminal.end("0");
}

#[test]
fn colours_and_blocks_are_for_those_who_want_and_have_them() {
    let service = Service::start(snapshot(&[("198.51.100.66", 30)]));
    let command = format!("env NO_COLOR=1 LC_ALL=C {}", attach(&service.socket()));
    let Some(terminal) = Terminal::run(&command, 80, 24) else { return };
    let text = terminal.wait_for_text("! 198.51.100.66 ####### 30 yes");
    assert!(text.is_ascii(), "{text}");
    terminal.press(&["q"]);
    terminal.end("0");
}

#[test]
fn a_change_is_asked_of_the_service_after_a_yes() {
    let service = Service::start(snapshot(&SOURCES));
    let Some(terminal) = Terminal::run(&attach(&service.socket()), 100, 24) else { return };
    // Keys mean nothing before there is a source to select.
    terminal.wait_for_text("198.51.100.66");
    terminal.press(&["j", "u"]);
    terminal.wait_for_text("unblock 198.51.100.66?");
    terminal.press(&["n"]);
    terminal.wait_for_text("u unblock a allow");
    terminal.press(&["a"]);
    terminal.wait_for_text("allow 198.51.100.66?");
    terminal.press(&["y"]);
    terminal.wait_for_text("so it is");
    let changes = service.changes();
    assert_eq!(changes.len(), 1, "{changes:?}");
    let network = changes[0]["network"].as_str().unwrap();
    assert!(changes[0]["do"] == "allow" && network.starts_with("198.51.100.66"), "{changes:?}");
    terminal.press(&["q"]);
    terminal.end("0");
}

#[test]
fn what_is_no_terminal_is_refused_with_a_hint() {
    let service = Service::start(snapshot(&SOURCES));
    let socket = service.socket();
    let mut command = Command::new(env!("CARGO_BIN_EXE_synwatch"));
    let output = command.args(["top", "--socket"]).arg(&socket).stdin(Stdio::null()).output().unwrap();
    let error =
        "synwatch: standard input and output are no terminal (one picture as text: synwatch top --once)\n";
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()), (Some(2), error));
    assert_eq!(output.stdout, b"");
    let command = format!("env TERM=dumb {}", attach(&socket));
    let Some(terminal) = Terminal::run(&command, 100, 24) else { return };
    terminal
        .wait_for_text("the terminal \"dumb\" cannot show this (one picture as text: synwatch top --once)");
    terminal.end("2");
}

#[test]
fn a_replay_is_steered_by_keys_and_its_end_stays() {
    let capture = concat!(env!("CARGO_MANIFEST_DIR"), "/captures/seed-attack.pcap");
    let command = format!("{} top -r {capture} -l 30/10s", env!("CARGO_BIN_EXE_synwatch"));
    let Some(terminal) = Terminal::run(&command, 120, 24) else { return };
    terminal.wait_for_text("speed 1x");
    terminal.press(&["+"]);
    terminal.wait_for_text("speed 2x");
    terminal.press(&["-", "-"]);
    terminal.wait_for_text("speed 0.5x");
    terminal.press(&["+"; 10]);
    let text = terminal.wait_for_text("END");
    assert!(text.contains("speed max"), "{text}");
    assert!(text.contains("49.212.10.42  mail 30/10s  5m57s  1,787 attempts"), "{text}");
    terminal.press(&["q"]);
    terminal.end("0");
}
