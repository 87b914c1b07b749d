//! The control thread: waits in poll(2) for clients, for the detector's part of an answer, and for its stop.

use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use super::answer;
use super::client::{Client, Sources};
use super::hands::{Hands, may_change, person};
use super::request::{Refusal, Top};
use super::socket::Socket;
use super::state::State;
use super::surveyor::Surveyor;
use crate::base::zone::Zone;

/// Maximum number of clients. A further one gets an error and is disconnected.
pub(super) const MOST_CLIENTS: usize = 8;

/// Additional room for clients with the right to change something, so that connected readers do not keep them
/// out.
pub(super) const MORE_FOR_CHANGES: usize = 2;

/// Minimum interval between two connections, so that a client with endless connections takes no processor
/// from the packets.
const ACCEPT_REST: Duration = Duration::from_millis(10);

/// Delay after the system had no resources for another connection.
const BACKOFF: Duration = Duration::from_secs(1);

/// Serves the clients of a socket, or a single client that exists from the start.
pub(crate) struct Server {
    socket: Option<Socket>,
    wake: Arc<OwnedFd>,
    sources: Sources,
    clients: Vec<Client>,
    accepts_from: Instant,
    stopped: Arc<AtomicBool>,
}

/// Ends a server. Dropping it does nothing.
#[derive(Debug)]
pub(crate) struct Stop {
    wake: Arc<OwnedFd>,
    /// Written here, read by the server. It publishes no other memory.
    stopped: Arc<AtomicBool>,
}

impl Server {
    /// Serves the contents of `state`, with times in `zone`. Changes go to `hands`.
    pub(crate) fn new(socket: Socket, state: State, zone: Zone, hands: Hands) -> Self {
        let wake = socket.wake();
        Self { socket: Some(socket), ..Self::without_clients(wake, state, zone, hands) }
    }

    /// Serves the other end of this stream, which gets snapshots and has no right to change anything. `wake`
    /// ends the server's wait.
    ///
    /// # Errors
    ///
    /// The error of the system.
    pub(crate) fn of_stream(
        stream: UnixStream,
        wanted: Top,
        wake: Arc<OwnedFd>,
        state: State,
        zone: Zone,
    ) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        let clients = vec![Client::viewing(stream, wanted, &state, Instant::now())];
        Ok(Self { clients, ..Self::without_clients(wake, state, zone, Hands::default()) })
    }

    fn without_clients(wake: Arc<OwnedFd>, state: State, zone: Zone, hands: Hands) -> Self {
        let now = Instant::now();
        let (sources, surveyor) = (Arc::clone(&wake), Surveyor::new(now));
        Self {
            socket: None,
            wake,
            sources: Sources { state, zone, hands, wake: sources, surveyor },
            clients: Vec::new(),
            accepts_from: now,
            stopped: Arc::default(),
        }
    }

    /// Ends [`Server::run`].
    pub(crate) fn stop(&self) -> Stop {
        Stop { wake: Arc::clone(&self.wake), stopped: Arc::clone(&self.stopped) }
    }

    /// Serves until it is stopped, then removes the socket. Clients that are still connected read an end, behind the
    /// state at the last packet of a replay.
    pub(crate) fn run(mut self) {
        while !self.stopped.load(Ordering::Relaxed) {
            if let Err(error) = self.turn() {
                log::error!("the control socket is given up: {error}");
                break;
            }
        }
        if let Some(last) = self.sources.state.last() {
            self.clients.into_iter().for_each(|client| client.finish(&last));
        }
        self.socket.iter().for_each(Socket::remove);
    }

    /// Waits until there is something to do, and does it.
    fn turn(&mut self) -> io::Result<()> {
        let happened = self.wait(Instant::now())?;
        let now = Instant::now();
        let [woken, arrived, of_clients @ ..] = &*happened else { return Ok(()) };
        if !woken.is_empty() {
            // This clears the count. Each waiting client checks for the detector's part below.
            let _ = rustix::io::read(&*self.wake, &mut [0; 8]);
        }
        let mut of_clients = of_clients.iter().copied();
        self.clients.retain_mut(|client| {
            client.attend(of_clients.next().unwrap_or(PollFlags::empty()), now, &mut self.sources)
        });
        self.sources.surveyor.work(&self.sources.state, now);
        if !arrived.is_empty() {
            self.accept(now);
        }
        Ok(())
    }

    /// The first event: on the wake, the listener, and each client.
    fn wait(&self, now: Instant) -> io::Result<Vec<PollFlags>> {
        let accepting = Some(self.accepts_from).filter(|from| *from > now);
        let arrivals = if accepting.is_some() { PollFlags::empty() } else { PollFlags::IN };
        let mut events = vec![PollFd::new(&*self.wake, PollFlags::IN)];
        // Without a socket no client connects.
        events.push(match &self.socket {
            Some(socket) => PollFd::new(&socket.listener, arrivals),
            None => PollFd::new(&*self.wake, PollFlags::empty()),
        });
        events.extend(self.clients.iter().map(|client| PollFd::new(client, client.events(now))));
        let due = self.clients.iter().filter_map(|client| client.due(now)).chain(accepting);
        let due = due.chain(self.sources.surveyor.due(now)).min();
        let left = due.map(|due| Timespec::try_from(due.saturating_duration_since(now)).unwrap_or_default());
        match poll(&mut events, left.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(events.iter().map(PollFd::revents).collect()),
            Err(error) => Err(error.into()),
        }
    }

    fn accept(&mut self, now: Instant) {
        let Some(socket) = &self.socket else { return };
        match socket.listener.accept().and_then(|(stream, _)| {
            stream.set_nonblocking(true)?;
            Ok(stream)
        }) {
            Ok(mut stream) => {
                self.accepts_from = now + ACCEPT_REST;
                let most = most_clients(may_change(person(&stream)));
                if self.clients.len() < most {
                    self.clients.push(Client::new(stream, now));
                } else {
                    let error = format!("{most} clients are connected already (try again)");
                    // Fits an empty buffer; a client that has left reads nothing.
                    let _ = stream.write(&answer::refusal(&Refusal { code: "busy", error }));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => {
                log::debug!("no connection for a client: {error}");
                self.accepts_from = now + BACKOFF;
            }
        }
    }
}

/// Number of clients after which a further one of this kind is disconnected.
fn most_clients(may_change: bool) -> usize {
    MOST_CLIENTS + if may_change { MORE_FOR_CHANGES } else { 0 }
}

impl Stop {
    /// Makes `run` return.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        // It can only be full. Then the control thread wakes anyway.
        let _ = rustix::io::write(&*self.wake, &1_u64.to_ne_bytes());
    }
}

#[cfg(test)]
mod tests;
