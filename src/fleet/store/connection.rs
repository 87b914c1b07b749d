//! A connection to one server: opened when it is needed, closed when it fails, and left alone for a while after that.
//!
//! The rest grows with the outage: a server that comes back after seconds is found within a second, one that is away
//! for an hour is tried every five seconds.

use std::time::{Duration, Instant};

use redis::{Client, Cmd, Connection, Value};

use super::clock::{self, Reading};
use super::error::StoreFault;
use super::scripts::{Script, Scripts};

/// How long a server may take to accept a connection, and then to answer a request.
pub const TIMEOUT: Duration = Duration::from_secs(1);
/// The shortest rest of a server that failed.
const SHORTEST_REST: Duration = Duration::from_millis(100);
/// The longest rest.
pub const LONGEST_REST: Duration = Duration::from_secs(5);
/// The rest is so small a part of the time since the server last answered.
const REST_PART: u32 = 20;

/// A server, with the connection to it while there is one.
pub(super) struct Link {
    client: Client,
    open: Option<Open>,
    /// Since when it fails.
    failing: Option<Instant>,
    rests_until: Option<Instant>,
    /// How long it may take to answer beyond a wait that was asked for.
    timeout: Duration,
    /// By how many microseconds the clock of this gateway is wrong, in tests.
    skew: i64,
}

struct Open {
    connection: Connection,
    scripts: Scripts,
    clock: Reading,
    clock_due: Instant,
}

impl Link {
    pub(super) fn new(client: Client, skew: i64) -> Self {
        Self { client, open: None, failing: None, rests_until: None, timeout: TIMEOUT, skew }
    }

    /// Whether the next request opens a connection.
    pub(super) fn is_closed(&self) -> bool {
        self.open.is_none()
    }

    /// Opens a connection, if there is none. Returns the reading of the server's clock.
    pub(super) fn ready(&mut self) -> Result<Reading, StoreFault> {
        let now = Instant::now();
        if self.open.is_none() {
            if self.rests_until.is_some_and(|until| now < until) {
                return Err(StoreFault::Resting);
            }
            match self.connect() {
                Ok(open) => self.open = Some(open),
                Err(fault) => return Err(self.failed(fault)),
            }
        }
        self.read_clock(now)
    }

    /// Runs a script.
    pub(super) fn run(
        &mut self,
        script: Script,
        keys: &[&str],
        arguments: &[&[u8]],
    ) -> Result<Value, StoreFault> {
        self.with_scripts(|scripts, connection| scripts.run(connection, script, keys, arguments))
    }

    /// Runs a script with each of these arguments, all with one request.
    pub(super) fn run_each<const N: usize>(
        &mut self,
        script: Script,
        keys: &[&str],
        arguments: &[[Vec<u8>; N]],
    ) -> Result<Vec<Value>, StoreFault> {
        self.with_scripts(|scripts, connection| scripts.run_each(connection, script, keys, arguments))
    }

    /// Runs scripts, once more where the server has lost them.
    fn with_scripts<T>(
        &mut self,
        run: impl Fn(&Scripts, &mut Connection) -> Result<T, StoreFault>,
    ) -> Result<T, StoreFault> {
        self.ready()?;
        let Some(open) = &mut self.open else { return Err(StoreFault::Closed) };
        let mut answer = run(&open.scripts, &mut open.connection);
        if matches!(answer, Err(StoreFault::NoScript)) {
            answer = Scripts::load(&mut open.connection).and_then(|scripts| {
                open.scripts = scripts;
                run(&open.scripts, &mut open.connection)
            });
        }
        self.answered(answer)
    }

    /// Sends a command, which the server may let wait for so long.
    pub(super) fn ask(&mut self, command: &Cmd, wait: Duration) -> Result<Value, StoreFault> {
        self.ready()?;
        let Some(open) = &mut self.open else { return Err(StoreFault::Closed) };
        let timeout = self.timeout.saturating_add(wait);
        let answer = open
            .connection
            .set_read_timeout(Some(timeout))
            .and_then(|()| command.query(&mut open.connection))
            .map_err(|error| StoreFault::from(&error));
        self.answered(answer)
    }

    /// The reading of the server's clock, if there is a connection.
    fn read_clock(&mut self, now: Instant) -> Result<Reading, StoreFault> {
        let Some(open) = &mut self.open else { return Err(StoreFault::Closed) };
        if now >= open.clock_due {
            let reading = open
                .connection
                .set_read_timeout(Some(self.timeout))
                .map_err(|error| StoreFault::from(&error))
                .and_then(|()| clock::read(&mut open.connection, Some(open.clock), self.skew));
            match reading {
                Ok(reading) => {
                    open.clock = reading;
                    open.clock_due = now + clock::PAUSE;
                }
                Err(fault) => return self.answered(Err(fault)),
            }
        }
        self.open.as_ref().map(|open| open.clock).ok_or(StoreFault::Closed)
    }

    fn connect(&self) -> Result<Open, StoreFault> {
        let fault = |error: redis::RedisError| StoreFault::from(&error);
        let mut connection = self.client.get_connection_with_timeout(self.timeout).map_err(fault)?;
        connection.set_read_timeout(Some(self.timeout)).map_err(fault)?;
        connection.set_write_timeout(Some(self.timeout)).map_err(fault)?;
        let scripts = Scripts::load(&mut connection)?;
        let clock = clock::read(&mut connection, None, self.skew)?;
        Ok(Open { connection, scripts, clock, clock_due: Instant::now() + clock::PAUSE })
    }

    fn answered<T>(&mut self, answer: Result<T, StoreFault>) -> Result<T, StoreFault> {
        match answer {
            Ok(value) => {
                (self.failing, self.rests_until) = (None, None);
                Ok(value)
            }
            Err(fault) => Err(self.failed(fault)),
        }
    }

    fn failed(&mut self, fault: StoreFault) -> StoreFault {
        if fault.is_of_server() {
            // The answer may still come, and would be taken for that to the next request.
            self.open = None;
            let now = Instant::now();
            let since = now.saturating_duration_since(*self.failing.get_or_insert(now));
            self.rests_until = Some(now + rest(since));
        }
        fault
    }
}

/// How long a server is left alone that has failed for this long.
fn rest(failing: Duration) -> Duration {
    (failing / REST_PART).clamp(SHORTEST_REST, LONGEST_REST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rest_grows_from_a_tenth_of_a_second_to_five() {
        for (failing, rests) in [(0, 100), (2_000, 100), (2_020, 101), (60_000, 3_000), (100_000, 5_000)] {
            assert_eq!(rest(Duration::from_millis(failing)), Duration::from_millis(rests), "{failing}");
        }
        assert_eq!(rest(Duration::from_secs(3_600)), Duration::from_secs(5));
    }
}
