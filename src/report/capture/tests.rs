use super::*;

use std::fs;
use std::thread;

use crate::capfile::writer::tests::{interfaces, packet, read};

fn create(path: &Path, max_bytes: u64) -> (CaptureWriter, CaptureHandle) {
    CaptureWriter::create(path, max_bytes, interfaces()).unwrap()
}

#[test]
fn headers_are_what_comes_before_the_payload() {
    let whole = |wire_length| {
        let mut copy = packet(&[7; 100]);
        copy.wire_length = wire_length;
        copy
    };
    for (wire_length, payload, kept) in [
        (100, None, 100),
        (100, Some(0), 100),
        (100, Some(46), 54),
        (1_514, Some(1_460), 54),
        (60, Some(90), 0),
    ] {
        let headers = whole(wire_length).headers(payload);
        assert_eq!((headers.bytes().len(), headers.wire_length), (kept, wire_length), "{payload:?}");
    }
}

#[test]
fn all_that_was_kept_is_written_when_the_handles_are_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.pcapng");
    let (writer, handle) = create(&path, u64::MAX);
    let second = handle.clone();
    let thread = thread::spawn(|| writer.run());
    for index in 0..2 * QUEUE {
        assert!(handle.keep(packet(&index.to_le_bytes())));
    }
    drop(handle);
    assert!(second.keep(packet(b"last")));
    drop(second);
    assert_eq!(thread.join().unwrap(), 0);
    let found = read(&path).packets;
    assert_eq!(found.len(), 2 * QUEUE + 1);
    assert!((0..2 * QUEUE).all(|index| found[index].2 == index.to_le_bytes()));
    assert_eq!(found[2 * QUEUE].2, b"last");
}

#[test]
fn a_full_queue_does_not_block() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.pcapng");
    let (writer, handle) = create(&path, u64::MAX);
    for index in 0..QUEUE + 2 {
        assert_eq!(handle.try_keep(packet(b"a")), index < QUEUE);
    }
    assert_eq!((handle.not_written(), handle.not_queued()), (2, 2));
    drop(handle);
    assert_eq!(writer.run(), 2);
    assert_eq!(read(&path).packets.len(), QUEUE);
}

#[test]
fn without_a_writer_packets_count_as_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let (writer, handle) = create(&folder.path().join("w.pcapng"), u64::MAX);
    drop(writer);
    assert!(!handle.keep(packet(b"a")));
    assert!(!handle.try_keep(packet(b"a")));
    assert_eq!(handle.not_written(), 2);
}

#[test]
fn packets_after_the_size_limit_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.pcapng");
    let (writer, handle) = create(&path, 1000);
    for _ in 0..100 {
        assert!(handle.keep(packet(&[0; 60])));
    }
    drop(handle);
    let not_written = writer.run();
    let written = read(&path).packets.len();
    assert!((1..100).contains(&written));
    assert_eq!(not_written, 100 - written as u64);
    assert!(fs::metadata(&path).unwrap().len() <= 1000);
}

#[test]
fn it_is_readable_while_it_grows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.pcapng");
    let (mut writer, _handle) = create(&path, u64::MAX);
    assert_eq!(read(&path).packets.len(), 0);
    for written in 1..2_000 {
        writer.write(&packet(&[0; 60]));
        if written % 100 == 0 {
            assert!(read(&path).packets.len() <= written);
        }
    }
    assert_ne!(read(&path).packets.len(), 0, "the buffer has been full");
    writer.flush();
    assert_eq!(read(&path).packets.len(), 1_999);
}

#[test]
fn a_file_that_was_moved_away_is_created_again() {
    let folder = tempfile::tempdir().unwrap();
    let (path, moved) = (folder.path().join("w.pcapng"), folder.path().join("w.pcapng.1"));
    let (mut writer, _handle) = create(&path, u64::MAX);
    writer.write(&packet(b"one"));
    writer.reopen();
    writer.write(&packet(b"two"));
    fs::rename(&path, &moved).unwrap();
    writer.reopen();
    writer.write(&packet(b"three"));
    writer.flush();
    assert_eq!(read(&moved).packets.len(), 2, "a file in its place is not emptied");
    let found = read(&path);
    assert_eq!(found.packets[0].2, b"three");
    assert_eq!(found.interfaces.len(), 1, "a new file describes its interfaces itself");
}

#[test]
fn a_full_file_that_is_moved_away_is_followed_by_a_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let (path, moved) = (folder.path().join("w.pcapng"), folder.path().join("w.pcapng.1"));
    let (mut writer, handle) = create(&path, 1000);
    for _ in 0..100 {
        writer.write(&packet(&[0; 60]));
    }
    let missed = handle.not_written();
    assert_ne!(missed, 0);
    assert_eq!(handle.not_queued(), 0);
    writer.reopen();
    writer.write(&packet(b"a"));
    assert_eq!(handle.not_written(), missed + 1, "nothing was moved");
    fs::rename(&path, &moved).unwrap();
    writer.reopen();
    writer.write(&packet(b"a"));
    assert_eq!(handle.not_written(), missed + 1);
}

#[test]
fn a_failure_counts_the_buffered_packets_and_all_that_follow() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.pcapng");
    let (mut writer, handle) = create(&path, u64::MAX);
    writer.write(&packet(b"one"));
    writer.flush();
    writer.write(&packet(b"two"));
    writer.write(&packet(b"three"));
    writer.fail(&io::Error::from_raw_os_error(28));
    writer.write(&packet(b"four"));
    writer.flush();
    assert_eq!(handle.not_written(), 3);
    assert_eq!(read(&path).packets.len(), 1);
}
