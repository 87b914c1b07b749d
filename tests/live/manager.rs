//! Messages to the service manager, received by a test in its place.

use std::fs::{self, File, Permissions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use rustix::fs::OFlags;
use rustix::process::Signal;

use crate::program::{Program, synwatch};
use crate::scene::{ATTACKER, PATIENCE, Scene};

#[test]
fn the_service_manager_learns_of_start_life_and_end() {
    let Some(scene) = Scene::set() else { return };
    let manager = Manager::listen();
    let mut command = synwatch(&scene.gateway, "-v -i outer -i inner -l 30/1h --user nobody");
    command.env("NOTIFY_SOCKET", manager.path().as_os_str()).env("WATCHDOG_USEC", "30000000");
    let mut program = Program::start(command);
    assert_eq!(manager.hear(), "READY=1\nSTATUS=capturing on outer, inner; open episodes: 0, losses: 0\n");
    program.err.wait_for_several("capturing on", 2);
    // The heartbeat needs no packets, and packets do not delay it.
    assert_eq!(manager.hear(), "WATCHDOG=1\n");
    scene.flood(&[ATTACKER], 35, 1000);
    assert_eq!(manager.hear_status(), "STATUS=capturing on outer, inner; open episodes: 1, losses: 0\n");
    assert_eq!(manager.hear(), "WATCHDOG=1\n");

    program.signal(Signal::TERM);
    let last = std::iter::repeat_with(|| manager.hear()).find(|told| told != "WATCHDOG=1\n");
    assert_eq!(last.unwrap(), "STOPPING=1\n");
    let ended = program.end();
    assert_eq!(ended.code, Some(0));
    assert_eq!(ended.count("service manager"), 0, "{ended:#?}");
    assert_eq!(ended.summary("attempts"), 35, "{ended:#?}");
}

#[test]
fn without_a_watchdog_only_start_and_end_are_sent() {
    let Some(scene) = Scene::set() else { return };
    let manager = Manager::listen();
    let mut command = synwatch(&scene.gateway, "-v -i outer -l 5/1h --stats-interval 1s --json -");
    command.env("NOTIFY_SOCKET", manager.path().as_os_str()).env_remove("WATCHDOG_USEC");
    let mut program = Program::start(command);
    assert_eq!(manager.hear(), "READY=1\nSTATUS=capturing on outer; open episodes: 0, losses: 0\n");
    // Seconds have passed by then, in which a watchdog would have been fed.
    program.out.wait_for_several(r#""event_type":"stats""#, 3);
    program.signal(Signal::TERM);
    assert_eq!(manager.hear(), "STOPPING=1\n");
    assert_eq!(program.end().code, Some(0));
}

#[test]
fn a_service_manager_that_has_gone_is_warned_of_once_and_stops_nothing() {
    let Some(scene) = Scene::set() else { return };
    let manager = Manager::listen();
    let mut command = synwatch(&scene.gateway, "-v -i outer -l 30/1h --stats-interval 1s --json -");
    command.env("NOTIFY_SOCKET", manager.path().as_os_str()).env("WATCHDOG_USEC", "30000000");
    let mut program = Program::start(command);
    manager.hear();
    drop(manager);
    program.out.wait_for_several(r#""event_type":"stats""#, 3);
    scene.flood(&[ATTACKER], 35, 1000);
    program.err.wait_for(" flood start ");
    let ended = program.stop(Signal::TERM);
    assert_eq!(ended.code, Some(0));
    let warning = "synwatch: warning: cannot tell the service manager how it stands ($NOTIFY_SOCKET): ";
    assert_eq!(ended.count(warning), 2, "while it runs, and when it ends: {ended:#?}");
}

#[test]
fn a_thread_that_hangs_stops_the_watchdog_messages() {
    let Some(scene) = Scene::set() else { return };
    let start = |manager: &Manager, stdout: Stdio| {
        let mut command = synwatch(&scene.gateway, "-v -i outer -l 30/1h --json -");
        command.env("NOTIFY_SOCKET", manager.path().as_os_str()).env("WATCHDOG_USEC", "30000000");
        command.stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped());
        let program = Program::adopt(command.spawn().unwrap());
        assert_eq!(manager.hear(), "READY=1\nSTATUS=capturing on outer; open episodes: 0, losses: 0\n");
        program
    };
    let (manager, other) = (Manager::listen(), Manager::listen());
    let full = FullPipe::new();
    let mut program = start(&manager, full.end().into());
    let _healthy = start(&other, Stdio::null());
    assert_eq!(manager.hear(), "WATCHDOG=1\n", "nothing was written yet");

    // The report is written as text, and then as JSON into a full pipe without a reader: the detector hangs.
    scene.flood(&[ATTACKER], 35, 1000);
    program.err.wait_for(" flood start ");
    // The report is written with the next second, which a heartbeat may precede. From then on seconds pass, measured
    // with a program that does not hang.
    let until = Instant::now() + PATIENCE;
    while !manager.is_silent_while(&other, 4) {
        assert!(Instant::now() < until, "the watchdog is fed on");
    }

    full.read();
    assert_eq!(manager.hear(), "WATCHDOG=1\n", "it goes on where it hung");
    let ended = program.stop(Signal::TERM);
    assert_eq!((ended.code, ended.sources("end")), (Some(0), vec!["198.51.100.66"]), "{ended:#?}");
}

/// How a change of the status text begins.
const STATUS: &str = "STATUS=";

/// A pipe filled to its capacity.
struct FullPipe {
    folder: tempfile::TempDir,
    reader: File,
}

impl FullPipe {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fifo");
        assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
        // Neither waits for the other end, and neither for room or for what there is to read.
        let nonblocking = i32::try_from(OFlags::NONBLOCK.bits()).unwrap();
        let open = || File::options().read(true).write(true).custom_flags(nonblocking).open(&path).unwrap();
        let (reader, mut writer) = (open(), open());
        while writer.write(&[b' '; 4096]).is_ok() {}
        Self { folder, reader }
    }

    /// The end that a program writes to. It waits until there is room.
    fn end(&self) -> File {
        File::options().write(true).open(self.folder.path().join("fifo")).unwrap()
    }

    /// Reads all that is there.
    fn read(&self) {
        while matches!((&self.reader).read(&mut [0; 4096]), Ok(1..)) {}
    }
}

/// The service manager's socket.
struct Manager {
    socket: UnixDatagram,
    folder: tempfile::TempDir,
}

impl Manager {
    fn listen() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        // Any process may send, as with systemd's socket.
        for path in [folder.path(), &folder.path().join("notify")] {
            fs::set_permissions(path, Permissions::from_mode(0o777)).unwrap();
        }
        Self { socket, folder }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("notify")
    }

    /// Whether it receives nothing while the other socket receives messages for this many seconds.
    fn is_silent_while(&self, other: &Self, seconds: usize) -> bool {
        drop((self.hear_all(), other.hear_all()));
        (0..seconds).for_each(|_| assert_eq!(other.hear(), "WATCHDOG=1\n"));
        self.hear_all().is_empty()
    }

    /// All messages since the last call, except changes of the status text.
    fn hear_all(&self) -> Vec<String> {
        self.socket.set_nonblocking(true).unwrap();
        let mut told = [0; 1024];
        let all = std::iter::from_fn(|| {
            let length = self.socket.recv(&mut told).ok()?;
            Some(String::from_utf8(told[..length].to_vec()).unwrap())
        })
        .filter(|told| !told.starts_with(STATUS))
        .collect();
        self.socket.set_nonblocking(false).unwrap();
        all
    }

    /// The next message that is no change of the status text.
    fn hear(&self) -> String {
        std::iter::repeat_with(|| self.receive()).find(|told| !told.starts_with(STATUS)).unwrap()
    }

    /// The next change of the status text.
    fn hear_status(&self) -> String {
        std::iter::repeat_with(|| self.receive()).find(|told| told.starts_with(STATUS)).unwrap()
    }

    fn receive(&self) -> String {
        let mut told = [0; 1024];
        let length = loop {
            match self.socket.recv(&mut told) {
                // A machine that stops and goes on ends the wait of a socket that has a time-out: signal(7).
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                received => break received.expect("a message in time"),
            }
        };
        String::from_utf8(told[..length].to_vec()).unwrap()
    }
}
