//! On every packet of every capture: the project's own, and those of others where they are there.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use synwatch::base::time::Timestamp;
use synwatch::capture::{Input, Progress, Receiver, Replay, Source as _, Step};
use synwatch::wire::packet::{InterfaceId, Interfaces, LinkType, Packet};

use super::{EXPRESSIONS, Narrowed, Tally, filtered_links, hold_all, setups};

#[test]
fn every_packet_of_a_capture_that_is_counted_passes_and_the_plain_rest_does_not() {
    let tally = hold_each(&own_captures());
    tally.assert_counts(filtered_links());
}

#[test]
fn the_same_holds_for_the_captures_of_others() {
    let captures = captures_of_others();
    if captures.is_empty() {
        println!("not run: there are no captures in ../shared/captures/real (or $SYNWATCH_REAL_CAPTURES)");
        return;
    }
    let tally = hold_each(&captures);
    tally.assert_counts([LinkType::ETHERNET].into_iter());
}

#[test]
fn a_users_expression_narrows_ours_as_it_narrows_a_replay() {
    let setups = setups();
    let mut narrowed: Vec<Narrowed<'_>> = setups
        .iter()
        .take(2)
        .flat_map(|setup| EXPRESSIONS.into_iter().map(move |text| Narrowed::new(setup, text)))
        .collect();
    let captures = [own_captures(), captures_of_others()].concat();
    let mut seen = 0;
    for capture in &captures {
        replay(capture, |packet| {
            seen += 1;
            narrowed.iter_mut().for_each(|narrowed| narrowed.hold(packet.link, packet.bytes));
        });
    }
    assert!(seen > 0);
}

/// Holds all filters to their promises for every packet.
fn hold_each(captures: &[PathBuf]) -> Tally {
    let setups = setups();
    let mut tally = Tally::default();
    for capture in captures {
        replay(capture, |packet| tally.note(packet.link, hold_all(&setups, packet.link, packet.bytes)));
    }
    tally
}

fn own_captures() -> Vec<PathBuf> {
    captures_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("captures"))
}

fn captures_of_others() -> Vec<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/captures/real");
    captures_in(&std::env::var_os("SYNWATCH_REAL_CAPTURES").map_or_else(beside, PathBuf::from))
}

fn captures_in(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = directory.read_dir() else { return Vec::new() };
    let mut captures: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.to_string_lossy().contains(".pcap"))
        .collect();
    captures.sort();
    captures
}

/// Reads a capture as far as it can be read.
fn replay(capture: &Path, each: impl FnMut(&Packet<'_>)) {
    struct Each<F>(F);
    impl<F: FnMut(&Packet<'_>)> Receiver for Each<F> {
        fn packet(&mut self, packet: &Packet<'_>) {
            (self.0)(packet);
        }
        fn idle(&mut self, _: InterfaceId, _: Timestamp) {}
    }
    let input = Input::Path(capture.to_owned());
    // Files that cannot be read at all are among them: that is a test of the reader's.
    let Ok(mut replay) = Replay::open(&[input], &Interfaces::default(), Arc::default(), Progress::none())
    else {
        return;
    };
    let mut each = Each(each);
    while replay.read(&mut each) == Step::More {}
}
