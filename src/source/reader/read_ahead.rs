//! Streams that are read ahead: threads of their own read, and unpack, while what they have read is used.
//!
//! ```text
//!                ┌────full: Piece, Piece, an error──▶┐
//!   ReadAhead ───┤  one for each stream, bounded     ├─── Pieces, in a Buffer
//!                └◀────────────empty: Piece, Piece───┘
//! ```
//!
//! A few pieces go round, and are handed over without being copied. An error comes after the bytes before it. Who uses
//! a stream may leave at any time: its reader then ends at the latest when the read that it is in returns.
//!
//! No thread is started here. Whoever has threads runs a [`ReadAhead`] on each; a stream is read ahead when one of them
//! has nothing to do, and otherwise where it is used.

use std::io::{self, Read};

use crossbeam_channel::{Receiver, Sender, bounded};

use super::piece::Piece;

/// Pieces that go round for each stream, the one that is in use among them. One is read into, the others even out that
/// neither side is equally fast all the time.
const PIECES: usize = 4;

/// A stream that any thread can read.
pub(in crate::source) type Bytes = Box<dyn Read + Send>;

/// When a piece is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::source) enum HandOver {
    /// As soon as one read has brought something: a stream that may wait, as a pipe does, is not waited for in vain.
    Soon,
    /// When there is no more room: a regular file, of which unpacking may bring little in one read.
    Full,
}

/// Reads streams ahead, one after the other.
pub struct ReadAhead {
    orders: Receiver<Order>,
}

/// Where [`ReadAhead`]s are found that have nothing to do.
pub(in crate::source) struct Idle {
    orders: Sender<Order>,
}

/// A stream to be read ahead.
struct Order {
    stream: Bytes,
    hand_over: HandOver,
    empty: Receiver<Piece>,
    full: Sender<io::Result<Piece>>,
}

/// A stream that is read ahead.
pub(super) struct Pieces {
    empty: Sender<Piece>,
    full: Receiver<io::Result<Piece>>,
}

impl ReadAhead {
    /// So many, each to be run on a thread. They end with the [`Idle`] that they are found by.
    pub(in crate::source) fn several(count: usize) -> (Idle, Vec<Self>) {
        // Without room for orders that would wait: who has one reads the stream itself meanwhile.
        let (sender, orders) = bounded(0);
        let several = (0..count).map(|_| Self { orders: orders.clone() });
        (Idle { orders: sender }, several.collect())
    }

    /// Reads until there will be no further stream.
    pub fn run(self) {
        self.orders.into_iter().for_each(Order::carry_out);
    }
}

impl Idle {
    /// Has the rest of a stream read ahead, if there is a thread that has nothing to do; else gives it back.
    pub(super) fn read(&self, stream: Bytes, hand_over: HandOver) -> Result<Pieces, Bytes> {
        let (give_back, empty) = bounded(PIECES);
        let (full, pieces) = bounded(PIECES);
        let order = Order { stream, hand_over, empty, full };
        self.orders.try_send(order).map_err(|refused| refused.into_inner().stream)?;
        for _ in 1..PIECES {
            // There is room for all that go round.
            let _ = give_back.send(Piece::new());
        }
        Ok(Pieces { empty: give_back, full: pieces })
    }
}

impl Order {
    fn carry_out(self) {
        let Self { mut stream, hand_over, empty, full } = self;
        let mut end = Ok(());
        for mut piece in empty {
            let read = loop {
                match piece.read(&mut stream) {
                    Ok(1..) if hand_over == HandOver::Full && piece.has_room() => {}
                    read => break read,
                }
            };
            if piece.len() > 0 && full.send(Ok(piece)).is_err() {
                break;
            }
            match read {
                Ok(1..) => {}
                Ok(0) => break,
                Err(error) => {
                    end = Err(error);
                    break;
                }
            }
        }
        // Who learns of the end finds the file closed.
        drop(stream);
        if let Err(error) = end {
            let _ = full.send(Err(error));
        }
    }
}

impl Pieces {
    /// Waits for the next piece and puts it behind the bytes of `piece`, of which `total` are wanted. Says whether
    /// there was one; if not, the stream has ended.
    pub(super) fn append_to(&mut self, piece: &mut Piece, total: usize) -> io::Result<bool> {
        let Ok(next) = self.full.recv() else { return Ok(false) };
        // A stream that has ended takes no piece back.
        let _ = self.empty.send(piece.append(next?, total));
        Ok(true)
    }
}

#[cfg(test)]
pub(in crate::source) mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::thread::{self, JoinHandle};

    use super::super::piece::AT_ONCE;
    use super::*;

    /// A thread that reads ahead, and where it is found.
    pub(in crate::source) fn reader() -> (Idle, JoinHandle<()>) {
        let (idle, mut readers) = ReadAhead::several(1);
        let reader = readers.remove(0);
        (idle, thread::spawn(move || reader.run()))
    }

    /// Has a stream read ahead, as soon as the thread waits for one.
    fn read(idle: &Idle, stream: impl Read + Send + 'static, hand_over: HandOver) -> Pieces {
        let mut stream: Bytes = Box::new(stream);
        loop {
            match idle.read(stream, hand_over) {
                Ok(pieces) => return pieces,
                Err(back) => stream = back,
            }
            thread::yield_now();
        }
    }

    fn next(pieces: &mut Pieces) -> io::Result<Vec<u8>> {
        let mut piece = Piece::new();
        pieces.append_to(&mut piece, 1)?;
        Ok(piece.data().to_vec())
    }

    /// Gives the parts that are sent, one in each read, and waits for them. What it is made with tells whether it is
    /// still there.
    struct Parts {
        parts: mpsc::Receiver<io::Result<&'static [u8]>>,
        _open: Arc<()>,
    }

    impl Parts {
        fn new() -> (mpsc::Sender<io::Result<&'static [u8]>>, Self, Arc<()>) {
            let (send, parts) = mpsc::channel();
            let open = Arc::new(());
            (send, Self { parts, _open: Arc::clone(&open) }, open)
        }
    }

    impl Read for Parts {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            match self.parts.recv() {
                Ok(part) => part?.read(into),
                Err(_) => Ok(0),
            }
        }
    }

    #[test]
    fn what_one_read_brings_is_handed_over_at_once() {
        let (idle, _) = reader();
        let (send, parts, _) = Parts::new();
        let mut pieces = read(&idle, parts, HandOver::Soon);
        for part in [&b"a"[..], b"bc", b"d", b"e", b"f", b"g"] {
            send.send(Ok(part)).unwrap();
            assert_eq!(next(&mut pieces).unwrap(), part);
        }
    }

    #[test]
    fn an_error_comes_after_the_bytes_before_it_and_then_the_end() {
        let (idle, _) = reader();
        let (send, parts, _) = Parts::new();
        let parts_sent = [Ok(&b"a"[..]), Err(io::ErrorKind::Interrupted.into()), Ok(b"b")];
        parts_sent.into_iter().for_each(|part| send.send(part).unwrap());
        send.send(Err(io::ErrorKind::UnexpectedEof.into())).unwrap();
        let mut pieces = read(&idle, parts, HandOver::Soon);
        assert_eq!(next(&mut pieces).unwrap(), b"a");
        assert_eq!(next(&mut pieces).unwrap(), b"b");
        assert_eq!(next(&mut pieces).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(next(&mut pieces).unwrap(), b"");
        assert_eq!(next(&mut pieces).unwrap(), b"");
    }

    #[test]
    fn a_full_piece_has_all_that_came_before_an_error_or_the_end() {
        let (idle, thread) = reader();
        for is_cut in [true, false] {
            let (send, parts, _) = Parts::new();
            let large: &[u8] = vec![7; AT_ONCE - 2].leak();
            [large, b"abc", b"d", b"e"].into_iter().for_each(|part| send.send(Ok(part)).unwrap());
            if is_cut {
                send.send(Err(io::ErrorKind::UnexpectedEof.into())).unwrap();
            }
            drop(send);
            let mut pieces = read(&idle, parts, HandOver::Full);
            assert_eq!(next(&mut pieces).unwrap(), [large, b"ab"].concat());
            // What a read finds no room for is lost to this stream, as its parts are given once.
            assert_eq!(next(&mut pieces).unwrap(), b"de");
            assert_eq!(next(&mut pieces).is_err(), is_cut);
            assert_eq!(next(&mut pieces).unwrap(), b"");
        }
        drop(idle);
        thread.join().unwrap();
    }

    #[test]
    fn a_stream_is_closed_when_its_end_is_told() {
        let (idle, _) = reader();
        let (send, parts, open) = Parts::new();
        let mut pieces = read(&idle, parts, HandOver::Soon);
        assert_eq!(Arc::strong_count(&open), 2);
        drop(send);
        assert_eq!(next(&mut pieces).unwrap(), b"");
        assert_eq!(Arc::strong_count(&open), 1);
    }

    #[test]
    fn it_reads_so_far_ahead_and_ends_with_who_uses_it() {
        struct Endless(Arc<AtomicUsize>);
        impl Read for Endless {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                self.0.fetch_add(1, Ordering::Relaxed);
                Ok(into.len())
            }
        }
        let reads = Arc::new(AtomicUsize::new(0));
        let (idle, thread) = reader();
        let mut pieces = read(&idle, Endless(Arc::clone(&reads)), HandOver::Soon);
        let used = 10;
        for _ in 0..used {
            assert!(!next(&mut pieces).unwrap().is_empty());
        }
        drop(pieces);
        drop(idle);
        thread.join().unwrap();
        let reads = reads.load(Ordering::Relaxed);
        assert!((used..used + PIECES).contains(&reads), "{reads}");
    }

    #[test]
    fn a_stream_is_given_back_when_nobody_is_free_and_the_next_one_read_afterwards() {
        let (idle, thread) = reader();
        let (send, parts, _) = Parts::new();
        let first = read(&idle, parts, HandOver::Soon);
        let Err(mut back) = idle.read(Box::new(&b"second"[..]), HandOver::Soon) else {
            panic!("there is one thread")
        };
        let mut text = String::new();
        back.read_to_string(&mut text).unwrap();
        assert_eq!(text, "second");
        drop((first, send));
        assert_eq!(next(&mut read(&idle, &b"third"[..], HandOver::Soon)).unwrap(), b"third");
        drop(idle);
        thread.join().unwrap();
    }

    #[test]
    fn without_a_thread_every_stream_is_given_back() {
        let (idle, _) = ReadAhead::several(0);
        assert!(idle.read(Box::new(io::empty()), HandOver::Full).is_err());
    }
}
