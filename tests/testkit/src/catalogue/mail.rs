//! Traffic that must stay quiet: what mail servers see all day.

use std::net::SocketAddr;

use super::Capture;
use super::conversation::Conversation;
use super::packet::{MONDAY, MS, Nanos, SECOND, server, server6};
use super::trace::Trace;

pub(crate) fn captures() -> Vec<Capture> {
    vec![normal_mail(), nat_200_mailboxes()]
}

/// Five minutes of a mail server's morning.
fn normal_mail() -> Capture {
    let mut trace = Trace::new(1);
    big_sender(&mut trace);
    small_senders(&mut trace);
    pollers(&mut trace);
    idlers(&mut trace);
    submitters(&mut trace);
    health_check(&mut trace);
    lossy_and_refused(&mut trace);
    Capture::ethernet(
        "normal-mail.pcap",
        "Five minutes of a mail server: deliveries, IPv6 too, one sender in bursts of 20 parallel connections, POP3 polls, \
         long IMAP IDLE sessions, submissions, lost SYNs, a closed port, and a health check that connects to port 25 \
         every 2 s and leaves.",
        &mut trace,
        &[],
    )
}

/// As many connections in parallel as Postfix opens, each time its queue is run.
fn big_sender(trace: &mut Trace) {
    for burst in 0..4 {
        for i in 0..20 {
            let start = MONDAY + (5 + 80 * burst) * SECOND + i * 60 * MS;
            let client = client(trace, [198, 51, 100, 10]);
            delivery(trace, start, client, server(25));
        }
    }
}

fn small_senders(trace: &mut Trace) {
    for sender in 0..24_u8 {
        for _ in 0..trace.random.between(1, 5) {
            let start = MONDAY + trace.random.between(0, 290 * SECOND);
            if sender % 4 == 3 {
                let client = client6(trace, 0x100 + u16::from(sender), 0x19);
                delivery(trace, start, client, server6(25));
            } else {
                let client = client(trace, [203, 0, 113, 10 + sender]);
                delivery(trace, start, client, server(25));
            }
        }
    }
}

/// Ten clients that look for mail every minute, half of them over TLS.
fn pollers(trace: &mut Trace) {
    for poller in 0..10_u8 {
        for minute in 0..5 {
            let start = MONDAY + minute * 60 * SECOND + i64::from(poller) * 5 * SECOND;
            let client = client(trace, [198, 51, 100, 40 + poller]);
            if poller % 2 == 0 {
                poll(trace, start, client);
            } else {
                encrypted(trace, start, client, server(995), 3);
            }
        }
    }
}

/// Connections that stay open for the whole capture.
fn idlers(trace: &mut Trace) {
    for idler in 0..4_u8 {
        let start = MONDAY + i64::from(idler) * 700 * MS;
        let client = client(trace, [198, 51, 100, 60 + idler]);
        let mut session = Conversation::open(trace, start, 31 * MS, client, server(143));
        session.server_says(b"* OK IMAP4rev1 ready\r\n");
        session.asks("a1 LOGIN user secret\r\n", "a1 OK LOGIN completed\r\n");
        session.asks("a2 SELECT INBOX\r\n", "* 3 EXISTS\r\na2 OK [READ-WRITE] SELECT completed\r\n");
        session.asks("a3 IDLE\r\n", "+ idling\r\n");
        for _ in 0..2 {
            session.wait(120 * SECOND);
            session.server_says(b"* OK Still here\r\n");
        }
    }
}

fn submitters(trace: &mut Trace) {
    for submitter in 0..6_u8 {
        let start = MONDAY + trace.random.between(0, 280 * SECOND);
        let client = client(trace, [198, 51, 100, 70 + submitter]);
        if submitter % 2 == 0 {
            delivery(trace, start, client, server(587));
        } else {
            encrypted(trace, start, client, server(465), 4);
        }
    }
}

/// A monitor on the same Ethernet: connects, waits for nothing, leaves.
fn health_check(trace: &mut Trace) {
    for i in 0..150 {
        let client = client(trace, [192, 0, 2, 10]);
        Conversation::open(trace, MONDAY + i * 2 * SECOND, MS / 2, client, server(25)).client_closes();
    }
}

/// SYNs that arrive at the third try, and a port where nothing listens.
fn lossy_and_refused(trace: &mut Trace) {
    for i in 0..5_u8 {
        let start = MONDAY + (20 + 40 * i64::from(i)) * SECOND;
        let lossy = client(trace, [203, 0, 113, 80 + i]);
        let mut session = Conversation::attempt(trace, start, 180 * MS, lossy, server(25));
        session.retransmit(SECOND);
        session.retransmit(2 * SECOND);
        session.handshake();
        session.server_says(b"220 mail.example ESMTP\r\n");
        session.asks("QUIT\r\n", "221 2.0.0 Bye\r\n");
        session.server_closes();
        let refused = client(trace, [203, 0, 113, 90 + i]);
        Conversation::attempt(trace, start + 7 * SECOND, 90 * MS, refused, server(993)).refuse();
    }
}

/// Two hundred mailboxes behind one address, each polled every ten minutes, and a rush of 25 of them at once.
fn nat_200_mailboxes() -> Capture {
    const NAT: [u8; 4] = [203, 0, 113, 200];
    let mut trace = Trace::new(2);
    let mut starts: Vec<Nanos> = (0..140).map(|i| MONDAY + i * 3 * SECOND).collect();
    starts.extend((0..25).map(|i| MONDAY + 200 * SECOND + i * 320 * MS));
    for (i, start) in starts.into_iter().enumerate() {
        let start = start + trace.random.between(0, SECOND);
        let client = client(&mut trace, NAT);
        if i % 3 == 0 {
            poll(&mut trace, start, client);
        } else {
            encrypted(&mut trace, start, client, server(995), 1);
        }
    }
    Capture::ethernet(
        "nat-200-mailboxes.pcap",
        "Seven minutes of an office of 200 mailboxes behind one address: POP3 polls at one in three seconds, and a rush of \
         25 within 9 s.",
        &mut trace,
        &[],
    )
}

/// One mail handed over by SMTP.
pub(crate) fn delivery(trace: &mut Trace, start: Nanos, client: SocketAddr, server: SocketAddr) {
    let round_trip = trace.random.between(10 * MS, 60 * MS);
    let mut session = Conversation::open(trace, start, round_trip, client, server);
    session.server_says(b"220 mail.example ESMTP\r\n");
    session.asks("EHLO client.example\r\n", "250-mail.example\r\n250 PIPELINING\r\n");
    session.asks("MAIL FROM:<a@example.com>\r\n", "250 2.1.0 Ok\r\n");
    session.asks("RCPT TO:<b@example.net>\r\n", "250 2.1.5 Ok\r\n");
    session.asks("DATA\r\n", "354 End data with <CR><LF>.<CR><LF>\r\n");
    session.client_says(b"Subject: hello\r\n\r\nHello.\r\n");
    session.asks(".\r\n", "250 2.0.0 Ok: queued\r\n");
    session.asks("QUIT\r\n", "221 2.0.0 Bye\r\n");
    session.server_closes();
}

/// A POP3 poll that finds nothing.
fn poll(trace: &mut Trace, start: Nanos, client: SocketAddr) {
    let round_trip = trace.random.between(10 * MS, 60 * MS);
    let mut session = Conversation::open(trace, start, round_trip, client, server(110));
    session.server_says(b"+OK POP3 server ready\r\n");
    session.asks("USER user\r\n", "+OK\r\n");
    session.asks("PASS secret\r\n", "+OK 0 messages\r\n");
    session.asks("QUIT\r\n", "+OK\r\n");
    session.server_closes();
}

/// A session of which only lengths can be seen: the client speaks first, and nothing it says can be read.
fn encrypted(trace: &mut Trace, start: Nanos, client: SocketAddr, server: SocketAddr, exchanges: usize) {
    let round_trip = trace.random.between(10 * MS, 60 * MS);
    let noise: Vec<u8> = (0..160).map(|_| trace.random.bits() as u8).collect();
    let mut session = Conversation::open(trace, start, round_trip, client, server);
    for _ in 0..exchanges {
        session.client_says(&noise[..120]);
        session.server_says(&noise);
    }
    session.client_closes();
}

fn client(trace: &mut Trace, addr: [u8; 4]) -> SocketAddr {
    SocketAddr::from((addr, trace.random.client_port()))
}

fn client6(trace: &mut Trace, network: u16, host: u16) -> SocketAddr {
    SocketAddr::from(([0x2001, 0xdb8, network, 0, 0, 0, 0, host], trace.random.client_port()))
}
