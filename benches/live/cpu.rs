//! The CPU time that a program takes when most of what passes is data.
//!
//! It is the program's own. What the kernel does for it before a packet is in its ring, filter and copy, is done on the
//! sender's account, as a network card's interrupt would do it on nobody's. It is measured when the program has run for
//! a while: this one's tables become resident once, page by page, as sources come.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::cable::{Cable, Tool};
use crate::load::Data;
use crate::say;
use crate::sender::Sender;

/// Packets a second.
const RATE: f64 = 100_000.0;

/// How long each program has the same traffic before: SYNs for nearly every page of the tables.
const BEFORE: Duration = Duration::from_secs(12);

/// Sends the same to each program in turn.
pub(crate) fn table(cable: &Cable, seconds: u64) -> String {
    let mut table = format!(
        "CPU time for {RATE:.0} packets a second, 300 bytes on average, 97 % of them data:\n\n\
         | program | of one processor | a packet | to tcpdump without a filter |\n| --- | --: | --: | --: |\n",
    );
    let ours = ["", "--read-timeout 10ms", "--read-timeout 50ms"].map(Tool::Synwatch);
    let tools = [Tool::TcpdumpOfAll, Tool::Tcpdump].into_iter().chain(ours);
    let mut all = None;
    for tool in tools {
        say(&format_args!("97 % data, {}", tool.name()));
        let program = tool.start(cable);
        let id = program.id();
        let (took, sent) = cable.sender.enter(|| {
            let (mut sender, mut data) = (Sender::open(), Data::new());
            sender.flood(&mut data, RATE, BEFORE, || false);
            let before = cpu_time(id);
            let sent = sender.flood(&mut data, RATE, Duration::from_secs(seconds), || false);
            (cpu_time(id) - before, sent)
        });
        drop(program);
        let took = took.as_secs_f64();
        // The first one is what others are compared with.
        let all = *all.get_or_insert(took);
        // A string takes all that is written.
        let _ = writeln!(
            table,
            "| {} | {:.1} % | {:.0} ns | {:.2} |",
            tool.name(),
            100.0 * took / sent.took.as_secs_f64(),
            1e9 * took / sent.packets as f64,
            took / all,
        );
    }
    table
}

/// What all threads of a process have taken so far, in user and kernel mode.
pub(crate) fn cpu_time(id: u32) -> Duration {
    cpu_time_where(id, |_| true)
}

/// The same of its threads of this name.
pub(crate) fn cpu_time_of(id: u32, name: &str) -> Duration {
    cpu_time_where(id, |thread| fs::read_to_string(thread.join("comm")).unwrap().trim_end() == name)
}

fn cpu_time_where(id: u32, is_meant: impl Fn(&Path) -> bool) -> Duration {
    let threads = fs::read_dir(format!("/proc/{id}/task")).unwrap().map(|thread| thread.unwrap().path());
    let nanos = threads.filter(|thread| is_meant(thread)).map(|thread| {
        let stat = fs::read_to_string(thread.join("schedstat")).unwrap();
        stat.split(' ').next().unwrap().parse::<u64>().unwrap()
    });
    Duration::from_nanos(nanos.sum())
}
