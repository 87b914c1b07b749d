//! After a panic, the terminal is whole, too. The program has none to show, so a source that panics is run in its place.

use std::time::Duration;
use std::{env, panic, process};

use synwatch::top::{Next, Source, run};

use super::terminal::Terminal;

struct Panics;

impl Source for Panics {
    fn next(&mut self, _: Duration) -> Next {
        panic!("this source does that");
    }
}

/// Run in a terminal by the test below. As in the released program, a panic ends the process at once.
#[test]
#[ignore = "it is no test: it ends its process"]
fn a_source_panics() {
    panic::set_hook(Box::new(|panic| {
        eprintln!("{panic}");
        process::abort();
    }));
    run(&mut Panics).unwrap();
}

#[test]
fn the_terminal_is_whole_after_a_panic() {
    let this = env::current_exe().unwrap();
    let command = format!("{} --ignored --exact --nocapture view::panic::a_source_panics", this.display());
    let Some(terminal) = Terminal::run(&command, 80, 24) else { return };
    // 128 and SIGABRT.
    let text = terminal.end("134");
    assert!(text.contains("this source does that"), "{text}");
}
