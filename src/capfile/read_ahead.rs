//! Reads streams ahead: separate threads read and decompress while the earlier bytes are used.
//!
//! ```text
//!                ┌────full: Piece, Piece, an error──▶┐
//!   ReadAhead ───┤  one for each stream, bounded     ├─── Ahead, in a Buffer
//!                └◀────────────empty: Piece, Piece───┘
//! ```
//!
//! An error follows the bytes before it. When the [`Ahead`] of a stream is dropped, its reader ends after its
//! present read at the latest.
//!
//! This module starts no thread. The pipeline runs each [`ReadAhead`] on a thread. A stream is read ahead
//! when one of them is idle, and otherwise where it is used.

use std::io::{self, Read};

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use super::buffer::Stream;
use super::piece::Piece;

/// Pieces that circulate for each stream, including the one in use. One is being filled. The others
/// compensate for differences in speed between the two sides.
const PIECES: usize = 8;

/// A stream that any thread can read.
pub(crate) type Bytes = Box<dyn Read + Send>;

/// Reads streams ahead, one after the other.
pub struct ReadAhead {
    orders: Receiver<Order>,
}

/// Finds an idle [`ReadAhead`].
pub(crate) struct Idle {
    orders: Sender<Order>,
}

/// A stream to be read ahead.
struct Order {
    stream: Bytes,
    empty: Receiver<Piece>,
    full: Sender<io::Result<Piece>>,
}

/// A stream that is read ahead.
pub(super) struct Ahead {
    empty: Sender<Piece>,
    full: Receiver<io::Result<Piece>>,
}

impl ReadAhead {
    /// Makes this many readers, each for a thread of its own. They end with the [`Idle`] that finds them.
    pub(crate) fn several(count: usize) -> (Idle, Vec<Self>) {
        // No room for pending orders: until a thread is idle, a stream is read where it is used.
        let (sender, orders) = bounded(0);
        let several = (0..count).map(|_| Self { orders: orders.clone() });
        (Idle { orders: sender }, several.collect())
    }

    /// Reads streams until there will be no further one.
    pub fn run(self) {
        self.orders.into_iter().for_each(Order::carry_out);
    }
}

impl Idle {
    /// The same stream, from now on read ahead if there is an idle thread.
    pub(super) fn read(&self, stream: Bytes) -> Stream<Bytes> {
        let (empty, to_fill) = bounded(PIECES);
        let (fill, full) = bounded(PIECES);
        let order = Order { stream, empty: to_fill, full: fill };
        if let Err(refused) = self.orders.try_send(order) {
            return Stream::Here(refused.into_inner().stream);
        }
        for _ in 1..PIECES {
            // There is room for all circulating pieces.
            let _ = empty.send(Piece::default());
        }
        Stream::Ahead(Ahead { empty, full })
    }
}

impl Order {
    fn carry_out(self) {
        let Self { mut stream, empty, full } = self;
        let mut end = Ok(());
        for mut piece in empty {
            let read = loop {
                match piece.read(&mut stream) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                        // If the other side waits, this tells it that no data comes at the moment. Otherwise
                        // it has enough data.
                        if let Err(TrySendError::Disconnected(_)) = full.try_send(Err(error)) {
                            return;
                        }
                    }
                    read => break read,
                }
            };
            match read {
                Ok(1..) if full.send(Ok(piece)).is_ok() => {}
                Ok(_) => break,
                Err(error) => {
                    end = Err(error);
                    break;
                }
            }
        }
        // The file is closed before the other side gets the end.
        drop(stream);
        if let Err(error) = end {
            let _ = full.send(Err(error));
        }
    }
}

impl Ahead {
    /// Returns a used piece and takes the next one. At the end of the stream the piece stays empty.
    pub(super) fn exchange(&mut self, piece: &mut Piece) -> io::Result<()> {
        if let Ok(next) = self.full.recv() {
            let mut used_up = std::mem::replace(piece, next?);
            used_up.shrink();
            // A stream that has ended accepts no piece.
            let _ = self.empty.send(used_up);
        }
        Ok(())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc;
    use std::thread::{self, JoinHandle};

    use super::*;

    /// A thread that reads ahead, and where it is found.
    pub(crate) fn reader() -> (Idle, JoinHandle<()>) {
        let (idle, mut readers) = ReadAhead::several(1);
        let reader = readers.remove(0);
        (idle, thread::spawn(move || reader.run()))
    }

    /// Hands a stream to the thread, which reads it ahead as soon as it waits for one.
    fn read(idle: &Idle, stream: impl Read + Send + 'static) -> Ahead {
        let mut stream: Bytes = Box::new(stream);
        loop {
            match idle.read(stream) {
                Stream::Ahead(ahead) => return ahead,
                Stream::Here(back) => stream = back,
            }
            thread::yield_now();
        }
    }

    fn next(ahead: &mut Ahead) -> io::Result<Vec<u8>> {
        let mut piece = Piece::default();
        ahead.exchange(&mut piece)?;
        Ok(piece.data().to_vec())
    }

    /// Returns the sent parts, one in each read, and waits for them. The returned handle shows whether it
    /// still exists.
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
        let mut ahead = read(&idle, parts);
        for part in [&b"a"[..], b"bc", b"d", b"e", b"f", b"g"] {
            send.send(Ok(part)).unwrap();
            assert_eq!(next(&mut ahead).unwrap(), part);
        }
    }

    #[test]
    fn an_error_comes_after_the_bytes_before_it_and_then_the_end() {
        let (idle, _) = reader();
        let (send, parts, _) = Parts::new();
        let parts_sent = [Ok(&b"a"[..]), Err(io::ErrorKind::Interrupted.into()), Ok(b"b")];
        parts_sent.into_iter().for_each(|part| send.send(part).unwrap());
        send.send(Err(io::ErrorKind::UnexpectedEof.into())).unwrap();
        let mut ahead = read(&idle, parts);
        assert_eq!(next(&mut ahead).unwrap(), b"a");
        assert_eq!(next(&mut ahead).unwrap(), b"b");
        assert_eq!(next(&mut ahead).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(next(&mut ahead).unwrap(), b"");
        assert_eq!(next(&mut ahead).unwrap(), b"");
    }

    #[test]
    fn a_stream_is_closed_when_its_end_is_told() {
        let (idle, _) = reader();
        let (send, parts, open) = Parts::new();
        let mut ahead = read(&idle, parts);
        assert_eq!(Arc::strong_count(&open), 2);
        drop(send);
        assert_eq!(next(&mut ahead).unwrap(), b"");
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
        let mut ahead = read(&idle, Endless(Arc::clone(&reads)));
        let used = 10;
        for _ in 0..used {
            assert!(!next(&mut ahead).unwrap().is_empty());
        }
        drop(ahead);
        drop(idle);
        thread.join().unwrap();
        let reads = reads.load(Ordering::Relaxed);
        assert!((used..used + PIECES).contains(&reads), "{reads}");
    }

    #[test]
    fn a_stream_is_given_back_when_no_reader_is_free_and_the_next_one_read_afterwards() {
        let (idle, thread) = reader();
        let (send, parts, _) = Parts::new();
        let first = read(&idle, parts);
        let Stream::Here(mut back) = idle.read(Box::new(&b"second"[..])) else {
            panic!("there is one thread")
        };
        let mut text = String::new();
        back.read_to_string(&mut text).unwrap();
        assert_eq!(text, "second");
        drop((first, send));
        assert_eq!(next(&mut read(&idle, &b"third"[..])).unwrap(), b"third");
        drop(idle);
        thread.join().unwrap();
    }

    #[test]
    fn without_a_thread_every_stream_is_given_back() {
        let (idle, _) = ReadAhead::several(0);
        assert!(matches!(idle.read(Box::new(io::empty())), Stream::Here(_)));
    }
}
