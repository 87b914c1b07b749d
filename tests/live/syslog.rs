//! `--syslog` with a real daemon: rsyslog, with its own configuration and socket.

use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use rustix::process::Signal;

use crate::actions::{wait_for, wait_for_lines};
use crate::program::Program;
use crate::scene::{ATTACKER, INNOCENT, PATIENCE, SERVER, Scene, call};

#[test]
fn the_log_has_facility_priority_tag_and_report() {
    let Some(scene) = Scene::set() else { return };
    let Some(daemon) = Daemon::start() else { return };
    let options = format!("-i outer --syslog={}", daemon.socket().display());
    let mut program = Program::watch(&scene.gateway, &options);
    // One client is accepted and proves its address, the other is refused, because that port has no listener.
    scene.flood(&[ATTACKER], 30, 1000);
    wait_for_lines(&daemon.log(), 1);
    scene.outside.enter(|| {
        for _ in 0..30 {
            call(INNOCENT, SocketAddr::new(SERVER, 993)).unwrap_err();
        }
    });
    wait_for_lines(&daemon.log(), 2);
    let id = program.id();
    program.err.wait_for_several(" flood start ", 2);
    let ended = program.stop(Signal::TERM);
    let log = wait_for(&daemon.log(), |log| log.matches(" flood end ").count() >= 2 && log.ends_with('\n'));
    let header = |priority: &str| format!("daemon {priority} tag=synwatch[{id}]: program=synwatch id={id} ");
    for begin in [
        "flood start src=198.51.100.66 watch=mail ",
        "flood start src=198.51.100.10 watch=mail ",
        "flood end src=198.51.100.66 watch=mail ",
        "flood end src=198.51.100.10 watch=mail ",
    ] {
        let said: Vec<_> = log.lines().filter(|line| line.contains(begin)).collect();
        assert_eq!(said.len(), 1, "{begin:?} in\n{log}");
    }
    // Whether the start is verified depends on which came first, the report or the last ACK: the end always is.
    let priorities = [("1", "warning"), ("3", "info")];
    for line in log.lines() {
        let (_, severity) = line.split_once(" severity=").unwrap();
        let (_, priority) = priorities.iter().find(|(level, _)| severity.starts_with(level)).unwrap();
        assert!(line.starts_with(&header(priority)), "{line}");
    }
    for (priority, begin) in
        [("warning", "flood end src=198.51.100.66 "), ("info", "flood end src=198.51.100.10 ")]
    {
        let line = header(priority) + begin;
        assert!(log.lines().any(|said| said.starts_with(&line)), "no {line:?} in\n{log}");
    }
    assert_eq!(ended.summary("reports-lost"), 0, "{ended:#?}");
}

/// A running rsyslogd. It is ended when this is dropped.
struct Daemon {
    child: Child,
    folder: tempfile::TempDir,
}

impl Daemon {
    /// As installed or as .ci/run unpacks it; nothing, and said, where there is none.
    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let configuration = format!(
            r#"
            module(load="imuxsock" SysSock.Use="off")
            input(type="imuxsock" Socket="{}" RateLimit.Interval="0")
            template(name="all" type="string"
                string="%syslogfacility-text% %syslogseverity-text% tag=%syslogtag% program=%programname% id=%procid%%msg%\n")
            *.* action(type="omfile" file="{}" template="all")
            "#,
            at("socket"),
            at("log")
        );
        fs::write(at("conf"), configuration).unwrap();
        let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/rsyslog");
        let mut command = if unpacked.exists() {
            let libraries = unpacked.join(format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH));
            let mut command = Command::new(unpacked.join("usr/sbin/rsyslogd"));
            command.arg("-M").arg(libraries.join("rsyslog")).env("LD_LIBRARY_PATH", libraries);
            command
        } else {
            Command::new("/usr/sbin/rsyslogd")
        };
        command.args(["-n", "-i", "NONE", "-f", &at("conf")]).stdin(Stdio::null());
        let child = match command.spawn() {
            Ok(child) => child,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Not println!: the test harness would keep it to itself.
                let _ = writeln!(io::stderr(), "not run: there is no rsyslogd");
                return None;
            }
            Err(error) => panic!("rsyslogd: {error}"),
        };
        let daemon = Self { child, folder };
        let until = Instant::now() + PATIENCE;
        while !daemon.socket().exists() {
            assert!(Instant::now() < until, "rsyslogd does not listen");
            std::thread::yield_now();
        }
        Some(daemon)
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
