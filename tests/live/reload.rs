//! SIGHUP: the configuration and its allow files read again, while a flood goes on.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::program::Program;
use crate::scene::{ATTACKER, INNOCENT, MUTE, SERVER, Scene, call};

/// A folder with a configuration and an allow file.
struct Folder(TempDir);

impl Folder {
    fn new(text: &str) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.allow("");
        folder.write(text);
        folder
    }

    fn config(&self) -> PathBuf {
        self.0.path().join("synwatch.toml")
    }

    fn write(&self, text: &str) {
        fs::write(self.config(), format!("allow_files = \"allow.txt\"\n{text}")).unwrap();
    }

    fn allow(&self, text: &str) {
        fs::write(self.0.path().join("allow.txt"), text).unwrap();
    }
}

/// Starts synwatch with it, and waits until it captures.
fn watch(scene: &Scene, folder: &Folder) -> Program {
    Program::watch(&scene.gateway, &format!("-i outer -c {}", folder.config().display()))
}

/// Has the configuration read again for the `nth` time, and waits until it holds.
fn reload(program: &mut Program, nth: usize) {
    program.signal(Signal::HUP);
    program.err.wait_for_several("synwatch: configuration reloaded: ", nth);
}

const MAIL: &str = "[[watch]]\nname = \"mail\"\nports = \"mail\"\nlimits = \"30/1h\"\n";

/// Another watch, which counts otherwise each time.
fn other(nth: usize) -> String {
    format!("[[watch]]\nname = \"other\"\nports = 995\nlimits = \"1000/{}s\"\n", nth + 1)
}

/// Reloads while a flood goes on.
const RELOADS: usize = 12;

#[test]
fn under_a_flood_no_count_and_no_episode_is_lost() {
    let Some(scene) = Scene::set() else { return };
    let folder = Folder::new(&[MAIL, &other(0)].concat());
    let mut program = watch(&scene, &folder);
    let is_over = AtomicBool::new(false);
    let attempts = thread::scope(|threads| {
        let flood = threads.spawn(|| {
            let mut attempts = 0;
            while !is_over.load(Ordering::Relaxed) {
                attempts += scene.flood(&[ATTACKER], 50, 1500).len();
            }
            attempts
        });
        program.err.wait_for(" flood start ");
        for reloaded in 1..=RELOADS {
            // The other watch changes, and its place. The ports are the same: while it exchanges the filter, libpcap
            // lets nothing pass.
            let other = other(reloaded);
            let watches = if reloaded % 2 == 0 { [MAIL, &other] } else { [&other, MAIL] };
            folder.write(&format!("max_episodes = {reloaded}\n{}", watches.concat()));
            reload(&mut program, reloaded);
        }
        is_over.store(true, Ordering::Relaxed);
        flood.join().unwrap()
    });
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.summary("attempts"), attempts, "{ended:#?}");
    assert_eq!(ended.only_report("start").value("src"), "198.51.100.66");
    let end = ended.only_report("end");
    assert_eq!(
        (end.value("attempts"), end.value("ended"), end.find("lost")),
        (attempts.to_string().as_str(), "capture", None),
        "{end}"
    );
}

#[test]
fn an_allow_file_that_changed_holds_from_then_on() {
    let Some(scene) = Scene::set() else { return };
    let folder = Folder::new(MAIL);
    folder.allow("198.51.100.66\n");
    let mut program = watch(&scene, &folder);
    scene.flood(&[ATTACKER], 35, 1000);
    program.wait_for_attempts(35);
    folder.allow("198.51.100.10 # the other one\n");
    reload(&mut program, 1);
    scene.flood(&[INNOCENT], 35, 1000);
    scene.flood(&[ATTACKER], 35, 1000);
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.only_report("start").value("src"), "198.51.100.66");
    assert_eq!(
        ended.only_report("end").value("attempts"),
        "35",
        "those while he was allowed do not count: {ended:#?}"
    );
    assert_eq!(ended.summary("allowed"), 70);
}

#[test]
fn a_configuration_that_is_not_in_order_changes_nothing() {
    let Some(scene) = Scene::set() else { return };
    let folder = Folder::new(MAIL);
    let mut program = watch(&scene, &folder);
    for (nth, (text, why)) in [
        ("memory = \"64\"\nutk = true\n", "synwatch.toml:2:10: memory: \"64\": a unit is missing"),
        (
            "memory = \"32MiB\"\n",
            "configuration not reloaded, the old one stays: memory: only a restart changes that",
        ),
        (
            "expression = \"port\"\n",
            "synwatch.toml:2:14: expression: cannot use filter expression \"port\" on link type ",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        folder.allow("198.51.100.66\n");
        folder.write(text);
        program.signal(Signal::HUP);
        let said =
            program.err.wait_for_several("configuration not reloaded, the old one stays: ", nth + 1).text;
        assert!(said.starts_with("synwatch: configuration") && said.contains(why), "{said}");
    }
    scene.flood(&[ATTACKER], 35, 1000);
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.only_report("end").value("attempts"), "35", "{ended:#?}");
    assert_eq!(ended.count("configuration reloaded"), 0);
}

#[test]
fn the_kernel_passes_the_ports_of_new_watches() {
    let Some(scene) = Scene::set() else { return };
    let ports = |port: u16| format!("[[watch]]\nname = \"w\"\nports = {port}\nlimits = \"3/1h\"\n");
    let folder = Folder::new(&ports(25));
    let mut program = watch(&scene, &folder);
    let visit = |times: usize| {
        scene.outside.enter(|| (0..times).for_each(|_| drop(call(ATTACKER, (SERVER, MUTE).into()).unwrap())));
    };
    visit(3);
    scene.flood(&[INNOCENT], 2, 1000);
    program.wait_for_attempts(1);
    folder.write(&ports(MUTE));
    reload(&mut program, 1);
    visit(4);
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.only_report("end").value("ports"), "143:4", "{ended:#?}");
    assert_eq!(ended.summary("attempts"), 5, "{ended:#?}");
}

#[test]
fn an_episode_of_a_watch_that_changed_ends() {
    let Some(scene) = Scene::set() else { return };
    let folder = Folder::new(MAIL);
    let mut program = watch(&scene, &folder);
    scene.flood(&[ATTACKER], 35, 1000);
    program.err.wait_for(" flood start ");
    folder.write(&MAIL.replace("30/1h", "3/2h"));
    reload(&mut program, 1);
    program.err.wait_for(" ended=reload");
    scene.flood(&[ATTACKER], 5, 1000);
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.reports("end").len(), 2, "{ended:#?}");
    assert!(ended.reports("end")[1].contains(" limit=3/2h attempts=5 "), "{ended:#?}");
    assert_eq!(ended.summary("attempts"), 40);
}

#[test]
fn an_expression_that_needs_an_ethernet_header_is_taken_as_at_the_start_and_given_up_again() {
    let Some(scene) = Scene::set() else { return };
    let expression = |text: &str| format!("expression = \"{text}\"\n{MAIL}");
    let folder = Folder::new(&expression("tcp"));
    let mut program = watch(&scene, &folder);
    for (nth, (text, verified)) in
        [("not ether host 02:00:00:00:00:99", "wire"), ("tcp", "yes")].into_iter().enumerate()
    {
        folder.write(&expression(text));
        reload(&mut program, nth + 1);
        // It is opened in another way behind that. What follows counts; episodes may begin before.
        let counted = |program: &mut Program| {
            let line = program.ask_for("summary packets=");
            crate::program::value(&line, "attempts").parse::<usize>().unwrap()
        };
        let before = counted(&mut program);
        while counted(&mut program) == before {
            scene.flood(&[ATTACKER], 1, 1000);
        }
        let host = if nth == 0 { ATTACKER } else { INNOCENT };
        scene.flood(&[host], 60, 1000);
        program.err.wait_for(&format!("flood start src={host} "));
        let ended_in = format!(" verified={verified} ");
        while !program.err.comes_within(std::time::Duration::from_millis(100), &ended_in) {
            scene.flood(&[host], 10, 1000);
        }
    }
    let ended = program.stop(Signal::TERM);
    let wire = ended.count("verified=wire is the most that is said");
    assert!(wire >= 1, "{ended:#?}");
    assert_eq!((ended.code, ended.count(" went away")), (Some(0), 0), "{ended:#?}");
    assert_eq!(ended.count(" is back after"), 0, "{ended:#?}");
}
