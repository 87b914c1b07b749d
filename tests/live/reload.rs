//! SIGHUP: the configuration and its allow files read again, while a flood goes on.

use std::fs;
use std::path::PathBuf;
use std::thread;

use rustix::process::Signal;
use tempfile::TempDir;

use crate::program::Program;
use crate::scene::{ATTACKER, INNOCENT, MUTE, SERVER, Scene, THREADS, call};

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
    watch_by("", scene, folder)
}

/// The same with so many threads.
fn watch_by(threads: &str, scene: &Scene, folder: &Folder) -> Program {
    Program::watch(&scene.gateway, &format!("-i outer -c {} {threads}", folder.config().display()))
}

/// Has the configuration read again for the `nth` time, and waits until it holds.
fn reload(program: &mut Program, nth: usize) {
    program.signal(Signal::HUP);
    program.err.wait_for_several("synwatch: configuration reloaded: ", nth);
}

const MAIL: &str = "[[watch]]\nname = \"mail\"\nports = \"mail\"\n";

#[test]
fn under_a_flood_no_count_and_no_episode_is_lost() {
    for threads in THREADS {
        let Some(scene) = Scene::set() else { return };
        let folder = Folder::new(MAIL);
        let mut program = watch_by(threads, &scene, &folder);
        thread::scope(|threads| {
            let flood = threads.spawn(|| scene.flood(&[ATTACKER], 1500, 1500));
            program.err.wait_for(" flood start ");
            let mut reloaded = 0;
            while !flood.is_finished() {
                reloaded += 1;
                // By turns the tables stay, and move to others of another size. The ports are the same: while it
                // exchanges the filter, libpcap lets nothing pass.
                let others: String =
                    (0..reloaded % 3).map(|n| format!("[[watch]]\nname = \"{n}\"\nports = 995\n")).collect();
                folder.write(&format!("max_episodes = {reloaded}\n{MAIL}{others}"));
                reload(&mut program, reloaded);
            }
            assert!(reloaded >= 3, "only {reloaded} while the flood lasted");
        });
        let ended = program.stop(Signal::TERM);
        assert_eq!(ended.summary("attempts"), 1500, "{ended:#?}");
        assert_eq!(ended.only_report("start").value("src"), "198.51.100.66");
        let end = ended.only_report("end");
        assert_eq!(
            (end.value("attempts"), end.value("ended"), end.find("lost")),
            ("1500", "capture", None),
            "{end}"
        );
    }
}

#[test]
fn an_allow_file_that_changed_holds_from_then_on() {
    for threads in THREADS {
        let Some(scene) = Scene::set() else { return };
        let folder = Folder::new(MAIL);
        folder.allow("198.51.100.66\n");
        let mut program = watch_by(threads, &scene, &folder);
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
            "synwatch.toml:2:14: expression: cannot use filter expression \"port\" on link type 1",
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
    for threads in THREADS {
        let Some(scene) = Scene::set() else { return };
        let ports = |port: u16| format!("[[watch]]\nname = \"w\"\nports = {port}\nlimits = \"3/10s\"\n");
        let folder = Folder::new(&ports(25));
        let mut program = watch_by(threads, &scene, &folder);
        let visit = |times: usize| {
            scene
                .outside
                .enter(|| (0..times).for_each(|_| drop(call(ATTACKER, (SERVER, MUTE).into()).unwrap())));
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
}

#[test]
fn an_episode_of_a_watch_that_changed_ends() {
    let Some(scene) = Scene::set() else { return };
    let folder = Folder::new(MAIL);
    let mut program = watch(&scene, &folder);
    scene.flood(&[ATTACKER], 35, 1000);
    program.err.wait_for(" flood start ");
    folder.write(&format!("{MAIL}limits = \"3/1s\"\n"));
    reload(&mut program, 1);
    program.err.wait_for(" ended=reload");
    scene.flood(&[ATTACKER], 5, 1000);
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.reports("end").len(), 2, "{ended:#?}");
    assert!(ended.reports("end")[1].contains(" limit=3/1s attempts=5 "), "{ended:#?}");
    assert_eq!(ended.summary("attempts"), 40);
}
