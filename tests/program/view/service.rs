//! A service that speaks the protocol of the control socket as far as `top` needs it, and says what the test wants.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use serde_json::{Value, json};
use tempfile::TempDir;

/// A service at a socket in a folder of its own.
pub(super) struct Service {
    folder: TempDir,
    /// Takes what is sent to the client that shows it. It ends with this.
    snapshots: Option<Sender<Value>>,
    thread: Option<JoinHandle<()>>,
    /// The changes that were asked for.
    changes: Arc<Mutex<Vec<Value>>>,
}

impl Service {
    /// Starts it. Its client gets this snapshot first.
    pub(super) fn start(first: Value) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut service = Self { folder, snapshots: None, thread: None, changes: Arc::default() };
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

    /// The changes that were asked for.
    pub(super) fn changes(&self) -> Vec<Value> {
        self.changes.lock().unwrap().clone()
    }

    /// Ends it: its client loses the connection.
    pub(super) fn stop(&mut self) {
        drop(self.snapshots.take());
        if let Some(thread) = self.thread.take() {
            // Who says nothing asks for the end.
            drop(UnixStream::connect(self.socket()).unwrap());
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
        let changes = Arc::clone(&self.changes);
        self.thread = Some(thread::spawn(move || serve(&listener, snapshots, &changes)));
    }
}

/// Answers until a client says nothing. One gets the snapshots; the others ask for changes.
fn serve(listener: &UnixListener, snapshots: Receiver<Value>, changes: &Mutex<Vec<Value>>) {
    let mut snapshots = Some(snapshots);
    let mut show = None;
    loop {
        let (stream, _) = listener.accept().unwrap();
        let mut request = String::new();
        BufReader::new(&stream).read_line(&mut request).unwrap();
        if request.is_empty() {
            break;
        }
        let request: Value = serde_json::from_str(&request).unwrap();
        assert_eq!(request["v"], 1, "{request}");
        let topic = request["do"].as_str().unwrap().to_owned();
        if topic != "top" {
            changes.lock().unwrap().push(request);
            let line = json!({"v": 1, "ok": true, topic: ["so it is"]});
            (&stream).write_all(format!("{line}\n").as_bytes()).unwrap();
        } else if let Some(snapshots) = snapshots.take() {
            show = Some(thread::spawn(move || {
                for snapshot in snapshots {
                    // The client may have gone.
                    let line = json!({"v": 1, "ok": true, "top": snapshot});
                    let _ = (&stream).write_all(format!("{line}\n").as_bytes());
                }
            }));
        }
    }
    show.into_iter().for_each(|thread| thread.join().unwrap());
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
