//! Servers of Redis and Valkey for tests: found, started without rights, and ended.
//!
//! `.ci/run` unpacks them into `target/tools`, and names in `SYNWATCH_SERVERS` those that it got: each of these must
//! start. Without that variable the tests take what they find there and on the path.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;

use crate::PATIENCE;

/// A program that serves a fleet.
#[derive(Debug, Clone)]
pub struct Engine {
    /// `redis-7`, `redis-8`, `valkey-8`, or `redis` and `valkey` of the path.
    pub name: &'static str,
    program: PathBuf,
    /// The loader and the folders of libraries of an unpacked one: its C library is that of its suite.
    own: Option<(PathBuf, String)>,
}

/// All that are here. Prints a line where there are none.
pub fn engines(test: &str) -> Vec<Engine> {
    let unpacked = [
        unpacked("redis-7", "redis-server", "redis-7"),
        unpacked("redis-8", "redis-server", "debian-13"),
        unpacked("valkey-8", "valkey-server", "debian-13"),
    ];
    let mut found: Vec<Engine> = unpacked.into_iter().filter(|engine| engine.program.exists()).collect();
    if let Ok(promised) = std::env::var("SYNWATCH_SERVERS") {
        for name in promised.split_whitespace() {
            assert!(found.iter().any(|engine| engine.name == name), "{name} was unpacked, and is not there");
        }
    }
    if found.is_empty() {
        found.extend(
            [on_path("redis", "redis-server"), on_path("valkey", "valkey-server")].into_iter().flatten(),
        );
    }
    if found.is_empty() {
        let _ = writeln!(
            std::io::stderr(),
            "not run: {test}: no Redis and no Valkey here (.ci/run unpacks them, or: apt-get install valkey-server)"
        );
    }
    found
}

/// The first that is here.
pub fn engine(test: &str) -> Option<Engine> {
    engines(test).into_iter().next()
}

fn unpacked(name: &'static str, program: &str, folder: &str) -> Engine {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools").join(folder);
    let (triplet, loader) = if cfg!(target_arch = "aarch64") {
        ("aarch64-linux-gnu", "ld-linux-aarch64.so.1")
    } else {
        ("x86_64-linux-gnu", "ld-linux-x86-64.so.2")
    };
    // Debian 13 has no libraries outside of /usr.
    let folders = ["usr/lib", "lib"].map(|folder| root.join(folder).join(triplet));
    let loader = folders.iter().map(|folder| folder.join(loader)).find(|path| path.exists());
    let path = folders.map(|folder| folder.display().to_string()).join(":");
    Engine { name, program: root.join("usr/bin").join(program), own: loader.map(|loader| (loader, path)) }
}

fn on_path(name: &'static str, program: &str) -> Option<Engine> {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let program =
        std::env::split_paths(&folders).map(|folder| folder.join(program)).find(|path| path.exists())?;
    Some(Engine { name, program, own: None })
}

/// A server that runs until this is dropped. It keeps nothing on disk, and has a folder of its own.
pub struct Server {
    engine: Engine,
    arguments: Vec<String>,
    folder: PathBuf,
    child: Child,
}

impl Server {
    /// Starts a server with a socket in its folder, and these options besides.
    pub fn start(engine: &Engine, arguments: &[&str]) -> Self {
        let folder = folder();
        let arguments: Vec<String> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let child = spawn(engine, &arguments, &folder);
        Self { engine: engine.clone(), arguments, folder, child }
    }

    /// Starts it with files: a name and what it holds. `{}` in an option stands for the folder that they are in.
    pub fn with_files(engine: &Engine, arguments: &[&str], files: &[(&str, &str)]) -> Self {
        let folder = folder();
        for (name, text) in files {
            let path = folder.join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        }
        let here = folder.display().to_string();
        let arguments: Vec<String> = arguments.iter().map(|argument| argument.replace("{}", &here)).collect();
        let child = spawn(engine, &arguments, &folder);
        Self { engine: engine.clone(), arguments, folder, child }
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where it listens, as a URL.
    pub fn url(&self) -> String {
        format!("redis+unix://{}", self.socket().display())
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.join("socket")
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once, as the kernel does where memory is short.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again, empty.
    pub fn restart(&mut self) {
        self.kill();
        self.child = spawn(&self.engine, &self.arguments, &self.folder);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The user that a server runs as, where the tests run as root.
const NOBODY: u32 = 65_534;

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

fn folder() -> PathBuf {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("synwatch-server-{}-{number}", std::process::id()));
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir(&folder).unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    if is_root() {
        chown(&folder, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    folder
}

/// Starts it, and waits until it says that it listens.
fn spawn(engine: &Engine, arguments: &[String], folder: &Path) -> Child {
    let socket = folder.join("socket");
    let _ = fs::remove_file(&socket);
    let mut command = match &engine.own {
        Some((loader, libraries)) => {
            let mut command = Command::new(loader);
            command.arg("--library-path").arg(libraries).arg(&engine.program);
            command
        }
        None => Command::new(&engine.program),
    };
    command.args([
        "--daemonize",
        "no",
        "--save",
        "",
        "--appendonly",
        "no",
        "--port",
        "0",
        "--unixsocketperm",
        "777",
    ]);
    command.arg("--unixsocket").arg(&socket).arg("--dir").arg(folder).args(arguments);
    command.env("LC_ALL", "C").current_dir(folder);
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap());
    let (sender, said) = mpsc::channel();
    // It reads to the end: a server waits where its lines are not read.
    thread::spawn(move || lines.lines().map_while(Result::ok).for_each(|line| _ = sender.send(line)));
    let mut all = Vec::new();
    loop {
        match said.recv_timeout(PATIENCE) {
            Ok(line) if line.to_lowercase().contains("ready to accept connections") => return child,
            Ok(line) => all.push(line),
            Err(error) => {
                let _ = child.kill();
                panic!("{} does not start: {error}\n{}", engine.name, all.join("\n"));
            }
        }
    }
}
