//! A server that says what a test wants, where no real one can be made to.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::thread;

use tempfile::TempDir;

/// A server that gives one answer to every request.
pub(crate) struct Fake {
    _folder: TempDir,
    socket: PathBuf,
}

impl Fake {
    /// An empty answer closes the connection.
    pub(crate) fn answering(answer: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        let listener = UnixListener::bind(&socket).unwrap();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let mut writer = stream.try_clone().unwrap();
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    // Each request begins with the number of its words.
                    if line.starts_with('*')
                        && (answer.is_empty() || writer.write_all(answer.as_bytes()).is_err())
                    {
                        break;
                    }
                }
            }
        });
        Self { _folder: folder, socket }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis+unix://{}", self.socket.display())
    }
}
