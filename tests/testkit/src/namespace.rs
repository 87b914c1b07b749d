//! A network namespace of a test's own.

use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::{fs, process};

use rustix::fd::AsFd as _;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// A network namespace, removed when this is dropped, with all interfaces in it.
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes one that no other test uses; on failure gives what `ip` says.
    pub fn new(role: &str) -> Result<Self, String> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("sw{}-{number}-{role}", process::id());
        ip(&["netns", "add", &name])?;
        Ok(Self { name })
    }

    /// Its name, as `ip` knows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `ip` on what is in it.
    pub fn ip(&self, arguments: &str) {
        let all: Vec<_> = ["-n", &self.name].into_iter().chain(arguments.split(' ')).collect();
        ip(&all).unwrap_or_else(|error| panic!("ip {}: {error}", all.join(" ")));
    }

    /// The hardware address of one of its interfaces.
    pub fn hardware_address(&self, interface: &str) -> [u8; 6] {
        let shown =
            Command::new("ip").args(["-n", &self.name, "-br", "link", "show", interface]).output().unwrap();
        let shown = String::from_utf8(shown.stdout).unwrap();
        let bytes = shown.split_whitespace().nth(2).into_iter().flat_map(|address| address.split(':'));
        let bytes: Vec<_> = bytes.map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect();
        bytes.try_into().unwrap_or_else(|_| panic!("no hardware address in {shown:?}"))
    }

    /// Sets a kernel parameter in it.
    pub fn sysctl(&self, name: &str, value: &str) {
        let path = Path::new("/proc/sys/net").join(name);
        self.enter(|| fs::write(&path, value)).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// A program that is to run in it, as a user would run it there.
    pub fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }

    /// Runs this in it, on a thread of its own. The sockets that it opens, and the threads that it starts, stay there.
    pub fn enter<T: Send>(&self, body: impl FnOnce() -> T + Send) -> T {
        let file = File::open(Path::new("/run/netns").join(&self.name)).unwrap();
        thread::scope(|scope| {
            let thread = scope.spawn(move || {
                move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).unwrap();
                body()
            });
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // What is left behind after a failure to remove it harms nothing.
        let _ = ip(&["netns", "del", &self.name]);
    }
}

/// Runs `ip`; on failure gives what it says.
pub fn ip(arguments: &[&str]) -> Result<(), String> {
    match Command::new("ip").args(arguments).output() {
        Ok(Output { status, .. }) if status.success() => Ok(()),
        Ok(Output { stderr, .. }) => Err(String::from_utf8_lossy(&stderr).trim().to_owned()),
        Err(error) => Err(format!("cannot run ip: {error}")),
    }
}
