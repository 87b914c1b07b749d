//! A service that speaks the protocol of the control socket as far as `top` needs it, and says what the test wants.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A service at a socket in a folder of its own.
pub(super) struct Service {
    folder: TempDir,
    /// Takes what is sent to the one client. It ends with this.
    snapshots: Option<Sender<Value>>,
    thread: Option<JoinHandle<()>>,
}

impl Service {
    /// Starts it. Its client gets this snapshot first.
    pub(super) fn start(first: Value) -> Self {
        let mut service = Self { folder: tempfile::tempdir().unwrap(), snapshots: None, thread: None };
        service.listen(first);
        service
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.folder.path().join("control")
    }

    /// Sends another snapshot.
    pub(super) fn send(&self, snapshot: Value) {
        self.snapshots.as_ref().unwrap().send(snapshot).unwrap();
    }

    /// Ends it: its client loses the connection.
    pub(super) fn stop(&mut self) {
        drop(self.snapshots.take());
        let client = self.thread.take().map(|thread| (thread.is_finished(), thread));
        if let Some((_, thread)) = client {
            // A service that no client came to waits for one.
            let _ = UnixStream::connect(self.socket());
            thread.join().unwrap();
        }
        std::fs::remove_file(self.socket()).unwrap();
    }

    /// Starts it again at the same socket.
    pub(super) fn listen(&mut self, first: Value) {
        let listener = UnixListener::bind(self.socket()).unwrap();
        let (sender, snapshots) = channel();
        sender.send(first).unwrap();
        self.snapshots = Some(sender);
        self.thread = Some(thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut request = String::new();
            BufReader::new(&stream).read_line(&mut request).unwrap();
            if !request.is_empty() {
                let request: Value = serde_json::from_str(&request).unwrap();
                assert_eq!((&request["v"], &request["do"]), (&1.into(), &"top".into()), "{request}");
            }
            for snapshot in snapshots {
                // The client may have gone.
                let line = json!({"v": 1, "ok": true, "top": snapshot});
                let _ = (&stream).write_all(format!("{line}\n").as_bytes());
            }
        }));
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        if self.thread.is_some() && !thread::panicking() {
            self.stop();
        }
    }
}

/// A snapshot with these sources, each with its attempts against the limit 30/10s.
pub(super) fn snapshot(sources: &[(&str, u32)]) -> Value {
    let sources = sources.iter().map(|(source, count)| {
        json!({
            "source": source, "counts": [count], "over": *count >= 30, "verified": "yes", "blocked": null,
            "rate": f64::from(*count) / 10.0,
        })
    });
    json!({
        "timestamp": "2026-03-02T10:00:00.000000+0000", "interfaces": ["eth1"], "uptime": 60.0,
        "attempts_per_second": 12, "history": [1, 2, 12], "answered": 99.5, "lost": 0,
        "outcomes": [{"outcome": "silent", "attempts": 3}],
        "watches": [{
            "name": "mail", "limits": [{"name": "30/10s", "attempts": 30}],
            "sources": sources.collect::<Vec<_>>(), "other_sources": 0,
        }],
        "episodes": [], "other_episodes": 0, "episodes_opened": 0,
    })
}

/// The command that attaches to a socket.
pub(super) fn attach(socket: &Path) -> String {
    format!("{} top --socket {}", env!("CARGO_BIN_EXE_synwatch"), socket.display())
}
