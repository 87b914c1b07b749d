//! Dropped privileges cannot be regained, and denied files cannot be opened: these tests try it, and do not rely on
//! what the program prints.
//!
//! The kernel keeps rights per thread. Each test gives them up in a thread of its own, and tries there; so the tests
//! need no program made for them, and leave each other alone. All of it needs root.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::channel;
use std::{env, thread};

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use rustix::process::{Gid, Pid, Signal, Uid, geteuid, getgroups, getuid, kill_process};
use rustix::thread::{
    CapabilitySets, capabilities, capability_is_in_bounding_set, no_new_privs, set_capabilities,
    set_thread_res_gid, set_thread_res_uid,
};
use synwatch::error::PrivilegeError;
use synwatch::os::privileges::{self, CapabilitySet, Confinement, Held, Plan};

/// A user that every system has, and that owns nothing.
const OTHER: &str = "nobody";

/// Nothing is kept.
fn nothing() -> Plan {
    Plan {
        user: Some(OTHER.to_owned()),
        capabilities: CapabilitySet::empty(),
        read: Vec::new(),
        write: Vec::new(),
        fill: Vec::new(),
        replace: Vec::new(),
        remove: Vec::new(),
        connect: Some(Vec::new()),
        abstract_sockets: false,
    }
}

/// Gives up rights in a thread, and tries something there.
fn after_dropping<T: Send + 'static>(
    plan: Plan,
    attempt: impl FnOnce(Held) -> T + Send + 'static,
) -> Option<T> {
    if !geteuid().is_root() {
        return not_run("only root has rights to give up");
    }
    let thread = thread::spawn(move || attempt(privileges::drop(&plan).unwrap()));
    Some(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
}

/// Says so where the harness lets it be seen; in CI it must run.
fn not_run<T>(why: &str) -> Option<T> {
    assert!(env::var_os("CI").is_none_or(|ci| ci != "true"), "cannot run, and in CI it must: {why}");
    let _ = writeln!(io::stderr(), "not run: {why}");
    None
}

/// Whether the kernel has Landlock; without it files are only out of reach as far as their modes say.
fn is_fenced(held: &Held) -> bool {
    match &held.confinement {
        Confinement::Full { .. } | Confinement::Partial { .. } => true,
        Confinement::None(why) => not_run::<()>(&format!("no Landlock here: {why}")).is_some(),
    }
}

fn refused<T: std::fmt::Debug>(result: io::Result<T>) {
    assert_eq!(result.unwrap_err().kind(), ErrorKind::PermissionDenied);
}

#[test]
fn the_thread_has_the_other_user_its_group_and_nothing_else() {
    after_dropping(nothing(), |held| {
        assert_eq!((held.user.as_str(), held.is_other), (OTHER, true));
        assert!(!getuid().is_root() && !geteuid().is_root());
        assert_eq!(getgroups().unwrap(), []);
        assert!(no_new_privs().unwrap());
        let none = CapabilitySet::empty();
        let sets = capabilities(None).unwrap();
        assert_eq!(sets, CapabilitySets { effective: none, permitted: none, inheritable: none });
        for one in CapabilitySet::all().iter() {
            // Of one that this kernel does not know it says that the question is wrong.
            assert_ne!(capability_is_in_bounding_set(one), Ok(true), "{one:?}");
        }
        let status = fs::read_to_string("/proc/thread-self/status");
        assert!(!is_fenced(&held) || status.is_err(), "not even that");
    });
}

#[test]
fn nothing_of_it_can_be_had_back() {
    after_dropping(nothing(), |_| {
        assert_eq!(set_thread_res_uid(Uid::ROOT, Uid::ROOT, Uid::ROOT), Err(Errno::PERM));
        assert_eq!(set_thread_res_gid(Gid::ROOT, Gid::ROOT, Gid::ROOT), Err(Errno::PERM));
        let raw = CapabilitySet::NET_RAW;
        let sets = CapabilitySets { effective: raw, permitted: raw, inheritable: CapabilitySet::empty() };
        assert_eq!(set_capabilities(None, sets), Err(Errno::PERM));
        assert_eq!(packet_socket(), Err(Errno::PERM));
    });
}

#[test]
fn the_right_to_capture_is_kept_when_it_is_planned_and_no_other() {
    after_dropping(Plan { capabilities: CapabilitySet::NET_RAW, ..nothing() }, |held| {
        assert_eq!(held.capabilities, CapabilitySet::NET_RAW);
        assert_eq!(packet_socket(), Ok(()));
        let admin = CapabilitySet::NET_RAW | CapabilitySet::NET_ADMIN;
        let sets = CapabilitySets { effective: admin, permitted: admin, inheritable: CapabilitySet::empty() };
        assert_eq!(set_capabilities(None, sets), Err(Errno::PERM));
    });
}

/// What a live capture opens first.
fn packet_socket() -> Result<(), Errno> {
    socket_with(AddressFamily::PACKET, SocketType::RAW, SocketFlags::CLOEXEC, None).map(drop)
}

#[test]
fn files_that_are_not_planned_cannot_be_opened_and_no_program_be_run() {
    let folder = tempfile::tempdir().unwrap();
    let (planned, other) = (folder.path().join("planned"), folder.path().join("other"));
    for file in [&planned, &other] {
        fs::write(file, "anyone may read this").unwrap();
    }
    open_to_all(folder.path());
    after_dropping(Plan { read: vec![planned.clone()], ..nothing() }, move |held| {
        if !is_fenced(&held) {
            return;
        }
        File::open(&planned).unwrap();
        refused(OpenOptions::new().append(true).open(&planned));
        refused(File::open(&other));
        refused(File::open("/etc/passwd"));
        refused(fs::read_dir("/"));
        refused(File::create(folder.path().join("new")));
        refused(fs::remove_file(&other));
        refused(Command::new("/bin/true").status());
    });
}

#[test]
fn a_planned_file_can_be_made_anew_after_its_rotation() {
    let folder = tempfile::tempdir().unwrap();
    let (file, old) = (folder.path().join("eve.json"), folder.path().join("eve.json.1"));
    open_to_all(folder.path());
    // Who rotates it has all rights.
    let (turn, turns) = channel();
    let (done, rotated) = channel();
    let (from, to) = (file.clone(), old.clone());
    let rotation =
        thread::spawn(move || turns.recv().is_ok().then(|| done.send(fs::rename(from, to)).unwrap()));

    after_dropping(Plan { write: vec![file.clone()], ..nothing() }, move |held| {
        fs::write(&file, "before").unwrap();
        turn.send(()).unwrap();
        rotated.recv().unwrap().unwrap();
        fs::write(&file, "after").unwrap();
        if is_fenced(&held) {
            refused(File::open(&file));
            refused(fs::rename(&file, &old));
            refused(fs::remove_file(&file));
        }
    });
    if rotation.join().unwrap().is_some() {
        let written =
            ["eve.json.1", "eve.json"].map(|name| fs::read_to_string(folder.path().join(name)).unwrap());
        assert_eq!(written, ["before", "after"]);
    }
}

#[test]
fn folders_are_made_and_filled_where_that_is_planned_and_nothing_is_removed() {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let [dir, beside] = ["reports", "beside"].map(|name| folder.path().join(name));
    for dir in [&dir, &beside] {
        fs::create_dir(dir).unwrap();
        fs::set_permissions(dir, fs::Permissions::from_mode(0o777)).unwrap();
    }
    after_dropping(Plan { fill: vec![dir.clone()], ..nothing() }, move |held| {
        let episode = dir.join("episode");
        fs::create_dir(&episode).unwrap();
        fs::write(episode.join("report.txt"), "report").unwrap();
        if is_fenced(&held) {
            refused(fs::create_dir(beside.join("episode")));
            refused(fs::write(beside.join("report.txt"), ""));
            refused(fs::read_dir(&dir).map(drop));
            refused(File::open(episode.join("report.txt")));
            refused(fs::remove_file(episode.join("report.txt")));
            refused(fs::remove_dir_all(&episode));
        }
    });
}

#[test]
fn root_that_stays_root_keeps_its_way_with_files_inside_the_fence_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("of another user");
    fs::write(&file, "").unwrap();
    if geteuid().is_root() {
        chown(&file, Some(65_534), Some(65_534)).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let plan = Plan { user: Some("root".to_owned()), write: vec![file.clone()], ..nothing() };
    after_dropping(plan, move |held| {
        assert_eq!((held.user.as_str(), held.is_other), ("root", false));
        assert_eq!(held.capabilities, CapabilitySet::DAC_OVERRIDE);
        assert!(no_new_privs().unwrap());
        fs::write(&file, "written").unwrap();
        if is_fenced(&held) {
            refused(File::open("/etc/shadow"));
        }
        assert_eq!(packet_socket(), Err(Errno::PERM));
    });
}

#[test]
fn a_replay_reads_what_root_may_read_and_nothing_is_left_of_root() {
    if !geteuid().is_root() {
        return not_run("only root has rights to give up").unwrap_or_default();
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("private.pcap");
    fs::copy(Path::new(env!("CARGO_MANIFEST_DIR")).join("captures/seed-attack.pcap"), &file).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let mut synwatch = Command::new(env!("CARGO_BIN_EXE_synwatch"));
    synwatch.args(["-v", "--user", OTHER, "-r"]).arg(&file).env_remove("RUST_LOG");
    let output = synwatch.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert!(said.contains("privileges: user nobody, capabilities cap_dac_read_search, no new"), "{said}");
    assert!(said.contains(" attempts=1787 inferred=0 copies=0"), "{said}");
}

#[test]
fn an_unknown_user_is_an_error_and_nothing_is_given_up() {
    let plan = Plan { user: Some("no-such-user".to_owned()), ..nothing() };
    thread::spawn(move || {
        let before = capabilities(None).unwrap();
        assert!(matches!(privileges::drop(&plan), Err(PrivilegeError::NoUser(_))));
        assert_eq!(capabilities(None).unwrap(), before);
        assert!(File::open("/etc/passwd").is_ok());
    })
    .join()
    .unwrap();
}

#[test]
fn a_user_without_root_drops_what_there_is_and_stays_itself() {
    let first = Plan { capabilities: CapabilitySet::NET_RAW | CapabilitySet::NET_ADMIN, ..nothing() };
    after_dropping(first, |_| {
        let held = privileges::drop(&Plan { user: None, capabilities: CapabilitySet::NET_RAW, ..nothing() })
            .unwrap();
        assert!(!held.is_other);
        assert_eq!(held.capabilities, CapabilitySet::NET_RAW);
    });
}

/// Whether the kernel's Landlock knows TCP ports and scopes, too.
fn is_fenced_whole(held: &Held) -> bool {
    match &held.confinement {
        Confinement::Full { .. } => true,
        other => not_run::<()>(&format!("an old Landlock, or none: {other}")).is_some(),
    }
}

#[test]
fn only_planned_tcp_ports_are_connected_to_none_is_listened_at_and_udp_passes() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let [planned, other] = [listener.local_addr().unwrap(), other.local_addr().unwrap()];
    after_dropping(Plan { connect: Some(vec![planned.port()]), ..nothing() }, move |held| {
        if !is_fenced_whole(&held) {
            return;
        }
        TcpStream::connect(planned).unwrap();
        refused(TcpStream::connect(other));
        refused(TcpListener::bind("127.0.0.1:0"));
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        udp.send_to(b"question", udp.local_addr().unwrap()).unwrap();
    });
    after_dropping(Plan { connect: None, ..nothing() }, move |held| {
        TcpStream::connect(planned).unwrap();
        if is_fenced_whole(&held) {
            refused(TcpListener::bind("127.0.0.1:0"));
        }
    });
}

#[test]
fn abstract_sockets_of_others_are_out_of_reach_unless_they_are_planned() {
    let name = format!("synwatch-test-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(name).unwrap();
    let _listener = UnixListener::bind_addr(&address).unwrap();
    let connect = move || UnixStream::connect_addr(&address).map(drop);
    let again = connect.clone();
    after_dropping(nothing(), move |held| {
        if is_fenced_whole(&held) {
            refused(connect());
        }
    });
    after_dropping(Plan { abstract_sockets: true, ..nothing() }, move |_| again().unwrap());
}

#[test]
fn no_other_process_is_signalled() {
    let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
    let pid = Pid::from_child(&child);
    // Of the same user, so that the fence alone is in the way.
    after_dropping(Plan { user: Some("root".to_owned()), ..nothing() }, move |held| {
        if is_fenced_whole(&held) {
            assert_eq!(kill_process(pid, Signal::KILL), Err(Errno::PERM));
        }
    });
    assert!(child.try_wait().unwrap().is_none());
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Modes that deny nothing: only Landlock refuses access.
fn open_to_all(folder: &Path) {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o777)).unwrap();
}
