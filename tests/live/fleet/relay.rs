//! A way to the server of a test's own: as long as a test wants, it can be cut, and it counts what it carries.
//!
//! It stands for a network between a gateway and the server. `tc` with netem would do the same for a server on TCP, but
//! few kernels that tests run on have netem.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::net;
use synwatch_testkit::server::Server;

/// A socket whose clients speak to the server.
pub(crate) struct Relay {
    path: PathBuf,
    listener: Arc<UnixListener>,
    ways: Arc<Mutex<Ways>>,
    carried: [Arc<AtomicU64>; 2],
    accepting: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Ways {
    is_cut: bool,
    /// Both ends of each connection.
    open: Vec<UnixStream>,
}

impl Relay {
    /// A relay of this number to a server. What is sent arrives after this delay, in either direction.
    pub(crate) fn open(server: &Server, number: u8, delay: Duration) -> Self {
        let path = server.folder().join(format!("relay-{number}"));
        let listener = Arc::new(UnixListener::bind(&path).unwrap());
        let ways = Arc::new(Mutex::new(Ways::default()));
        let carried: [Arc<AtomicU64>; 2] = Default::default();
        let [up, down] = carried.clone();
        let (accepted, shared, to) = (Arc::clone(&listener), Arc::clone(&ways), server.socket());
        let accepting = thread::spawn(move || {
            while let Ok((client, _)) = accepted.accept() {
                let mut ways = shared.lock().unwrap();
                // What is dropped here is closed.
                let Ok(server) = UnixStream::connect(&to) else { continue };
                if ways.is_cut {
                    continue;
                }
                carry(&client, &server, delay, &up);
                carry(&server, &client, delay, &down);
                ways.open.extend([client, server]);
            }
        });
        Self { path, listener, ways, carried, accepting: Some(accepting) }
    }

    /// How many bytes it has carried to the server, and from it.
    pub(crate) fn carried(&self) -> [u64; 2] {
        self.carried.each_ref().map(|carried| carried.load(Ordering::Relaxed))
    }

    /// Where it listens, as a URL.
    pub(crate) fn url(&self) -> String {
        format!("redis+unix://{}", self.path.display())
    }

    /// Ends all connections, and closes each new one.
    pub(crate) fn cut(&self) {
        let mut ways = self.ways.lock().unwrap();
        ways.is_cut = true;
        // One that has ended already cannot be ended again.
        ways.open.drain(..).for_each(|end| _ = end.shutdown(Shutdown::Both));
    }

    /// Lets connections through again.
    pub(crate) fn mend(&self) {
        self.ways.lock().unwrap().is_cut = false;
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        // Ends the wait for a client.
        let _ = net::shutdown(&self.listener, net::Shutdown::Read);
        self.accepting.take().map(JoinHandle::join);
        self.cut();
    }
}

/// Carries one direction of a connection on two threads, which end with it.
fn carry(from: &UnixStream, to: &UnixStream, delay: Duration, carried: &Arc<AtomicU64>) {
    let carried = Arc::clone(carried);
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    let (sender, receiver): (Sender<(Instant, Vec<u8>)>, Receiver<_>) = channel();
    thread::spawn(move || {
        let mut bytes = [0; 16_384];
        while let Ok(length @ 1..) = from.read(&mut bytes) {
            carried.fetch_add(length as u64, Ordering::Relaxed);
            if sender.send((Instant::now() + delay, bytes[..length].to_vec())).is_err() {
                break;
            }
        }
    });
    thread::spawn(move || {
        for (due, bytes) in receiver {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
}
