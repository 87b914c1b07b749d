//! Two TCP endpoints, small enough to be seen through: RFC 9293 as far as it shows in sequence numbers and flags.
//!
//! Data is counted, not kept; what comes out of order is dropped and has to come again. An endpoint knows nothing of
//! the monitor, and the monitor's code has no part in it.

/// A segment on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sent {
    pub(crate) from_client: bool,
    pub(crate) seq: u32,
    /// Its acknowledgment; without one the ACK flag is clear.
    pub(crate) ack: Option<u32>,
    pub(crate) syn: bool,
    pub(crate) fin: bool,
    pub(crate) rst: bool,
    /// Bytes of payload.
    pub(crate) len: u32,
    /// Not visible on the wire: the sender of a reset of a SYN has no connection.
    pub(crate) refuses: bool,
}

impl Sent {
    /// Whether the kernel's filter passes it to the monitor: SYN, FIN and RST, empty ACKs, and of the client what is
    /// small or has PSH.
    pub(crate) fn tells(&self) -> bool {
        self.syn
            || self.fin
            || self.rst
            || self.len == 0
            || self.from_client && (self.len <= 128 || self.psh())
    }

    /// Whether it has PSH: half of all data does.
    pub(crate) fn psh(&self) -> bool {
        self.len % 2 == 1
    }
}

/// How one side ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It has not.
    Not,
    /// With a FIN.
    Fin,
    /// With a reset of its own accord.
    Abort,
    /// Without a word: power was lost, say. Or it was reset by the other side.
    Gone,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Listening,
    /// There is no listener.
    Closed,
    SynSent,
    SynReceived,
    Established,
}

/// One side of a connection.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    is_client: bool,
    state: State,
    isn: u32,
    /// Another number that a server with SYN cookies answers a later SYN with.
    other_isn: Option<u32>,
    /// The next number to send, and the first that is not acknowledged.
    next: u32,
    acknowledged: u32,
    /// The next number that is expected of the other side.
    expected: u32,
    fin_at: Option<u32>,
    /// It has closed for good, and takes no data any more.
    is_deaf: bool,
    /// Bytes that it has sent and taken.
    pub(crate) said: u32,
    pub(crate) taken: u32,
    pub(crate) end: End,
    /// It has reset something that came after its end.
    pub(crate) was_asked_when_gone: bool,
    /// It has been established at some time.
    pub(crate) was_established: bool,
}

impl Endpoint {
    pub(crate) fn client(isn: u32) -> Self {
        Self::new(true, State::SynSent, isn)
    }

    /// `other_isn` is for a server with SYN cookies.
    pub(crate) fn server(isn: u32, other_isn: Option<u32>, listens: bool) -> Self {
        let state = if listens { State::Listening } else { State::Closed };
        Self { other_isn, ..Self::new(false, state, isn) }
    }

    fn new(is_client: bool, state: State, isn: u32) -> Self {
        Self {
            is_client,
            state,
            isn,
            other_isn: None,
            next: isn,
            acknowledged: isn,
            expected: 0,
            fin_at: None,
            is_deaf: false,
            said: 0,
            taken: 0,
            end: End::Not,
            was_asked_when_gone: false,
            was_established: false,
        }
    }

    /// The first SYN, with data on it (TCP Fast Open).
    pub(crate) fn connect(&mut self, len: u32) -> Sent {
        self.next = self.isn.wrapping_add(1).wrapping_add(len);
        self.said = len;
        self.syn()
    }

    fn syn(&self) -> Sent {
        let len = self.next.wrapping_sub(self.isn) - 1;
        Sent { syn: true, ack: None, ..self.segment(self.isn, len) }
    }

    fn segment(&self, seq: u32, len: u32) -> Sent {
        Sent {
            from_client: self.is_client,
            seq,
            ack: Some(self.expected),
            syn: false,
            fin: false,
            rst: false,
            len,
            refuses: false,
        }
    }

    /// An ACK alone.
    fn acknowledge(&self) -> Sent {
        self.segment(self.next, 0)
    }

    /// Sends data.
    pub(crate) fn say(&mut self, len: u32) -> Option<Sent> {
        self.can_speak().then(|| {
            let sent = self.segment(self.next, len);
            self.next = self.next.wrapping_add(len);
            self.said += len;
            sent
        })
    }

    /// Sends a FIN with so much data on it; for good, or only this direction.
    pub(crate) fn close(&mut self, len: u32, for_good: bool) -> Option<Sent> {
        let sent = self.say(len)?;
        self.fin_at = Some(self.next);
        self.next = self.next.wrapping_add(1);
        self.is_deaf = for_good;
        self.end = End::Fin;
        Some(Sent { fin: true, ..sent })
    }

    /// Resets the connection of its own accord.
    pub(crate) fn abort(&mut self) -> Option<Sent> {
        // With SYN cookies there is nothing to reset before the ACK.
        let is_there =
            self.state == State::Established || self.state == State::SynReceived && self.other_isn.is_none();
        is_there.then(|| {
            self.state = State::Closed;
            if self.end == End::Not {
                self.end = End::Abort;
            }
            Sent { rst: true, ..self.acknowledge() }
        })
    }

    /// Forgets the connection.
    pub(crate) fn vanish(&mut self) {
        self.state = State::Closed;
        if self.end == End::Not {
            self.end = End::Gone;
        }
    }

    /// Asks whether the other side is still there: one number back, nothing new.
    pub(crate) fn probe(&self) -> Option<Sent> {
        (self.state == State::Established).then(|| self.segment(self.next.wrapping_sub(1), 0))
    }

    /// Sends again what is not acknowledged.
    pub(crate) fn repeat(&self) -> Option<Sent> {
        match self.state {
            State::SynSent => Some(self.syn()),
            State::SynReceived => Some(self.answer()),
            State::Established if self.acknowledged != self.next => {
                let fin = self.fin_at.is_some();
                let len = self.next.wrapping_sub(self.acknowledged) - u32::from(fin);
                Some(Sent { fin, ..self.segment(self.acknowledged, len) })
            }
            State::Listening | State::Closed | State::Established => None,
        }
    }

    fn answer(&self) -> Sent {
        Sent { syn: true, ..self.segment(self.isn, 0) }
    }

    fn can_speak(&self) -> bool {
        self.state == State::Established && self.fin_at.is_none()
    }

    /// Takes a segment of the other side, and gives the answer to it.
    pub(crate) fn take(&mut self, sent: &Sent) -> Option<Sent> {
        match self.state {
            State::Closed => self.refuse(sent),
            State::Listening if sent.syn => {
                // Data on the SYN is taken at once, as with a Fast Open cookie.
                self.state = State::SynReceived;
                self.next = self.isn.wrapping_add(1);
                self.expected = sent.seq.wrapping_add(1).wrapping_add(sent.len);
                self.taken = sent.len;
                Some(self.answer())
            }
            State::Listening => None,
            State::SynSent => self.take_answer(sent),
            State::SynReceived if sent.syn => {
                if let Some(other) = self.other_isn {
                    (self.isn, self.other_isn) = (other, Some(self.isn));
                    self.next = self.isn.wrapping_add(1);
                }
                Some(self.answer())
            }
            State::SynReceived | State::Established => self.take_more(sent),
        }
    }

    fn refuse(&mut self, sent: &Sent) -> Option<Sent> {
        if sent.rst {
            return None;
        }
        let reset = Sent { rst: true, from_client: self.is_client, len: 0, ..*sent };
        Some(match sent.ack {
            Some(ack) => {
                self.was_asked_when_gone = true;
                Sent { seq: ack, ack: None, syn: false, fin: false, ..reset }
            }
            None => Sent {
                seq: 0,
                ack: Some(sent.seq.wrapping_add(1).wrapping_add(sent.len)),
                syn: false,
                fin: false,
                refuses: true,
                ..reset
            },
        })
    }

    fn take_answer(&mut self, sent: &Sent) -> Option<Sent> {
        if sent.rst {
            if sent.ack.is_some() {
                self.vanish();
            }
            return None;
        }
        if !sent.syn {
            return None;
        }
        self.state = State::Established;
        self.was_established = true;
        self.acknowledged = sent.ack?;
        self.expected = sent.seq.wrapping_add(1);
        Some(self.acknowledge())
    }

    fn take_more(&mut self, sent: &Sent) -> Option<Sent> {
        if sent.rst {
            // Only within the window.
            if sent.seq.wrapping_sub(self.expected) <= 0xffff {
                self.vanish();
            }
            return None;
        }
        if self.state == State::SynReceived {
            let knows = |isn: u32| sent.ack == Some(isn.wrapping_add(1));
            if let Some(other) = self.other_isn.filter(|other| knows(*other)) {
                self.isn = other;
                self.next = other.wrapping_add(1);
            }
            if !knows(self.isn) {
                return None;
            }
            self.state = State::Established;
            self.was_established = true;
        }
        let ack = sent.ack?;
        if ahead(ack, self.acknowledged) && !ahead(ack, self.next) {
            self.acknowledged = ack;
        }
        let numbers = sent.len + u32::from(sent.fin);
        if sent.syn {
            return Some(self.acknowledge());
        }
        if numbers == 0 {
            // A probe is answered.
            return (sent.seq != self.expected && !ahead(sent.seq, self.expected))
                .then(|| self.acknowledge());
        }
        // What was taken before may come again with more behind it.
        let known = self.expected.wrapping_sub(sent.seq);
        if ahead(sent.seq, self.expected) || known >= numbers {
            return Some(self.acknowledge());
        }
        let data = sent.len.saturating_sub(known);
        if data > 0 && self.is_deaf {
            self.state = State::Closed;
            return self.refuse(sent);
        }
        self.taken += data;
        self.expected = sent.seq.wrapping_add(numbers);
        Some(self.acknowledge())
    }
}

/// Whether a number comes after another.
fn ahead(number: u32, other: u32) -> bool {
    let ahead = number.wrapping_sub(other);
    ahead != 0 && ahead < 1 << 31
}
