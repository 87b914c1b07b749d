//! The fuzz targets' bodies, run on their seeds, on the captures, and on small changes of them. No fuzzer is needed.

#[path = "../../fuzz/src/lib.rs"]
#[allow(unreachable_pub, reason = "elsewhere it is a crate of its own")]
mod fuzz;

use std::collections::HashSet;
use std::fs;
use std::path::Path;

use synwatch::capfile::Reader;
use synwatch::wire::packet::{Interfaces, LinkType};

mod decode {
    use super::*;

    #[test]
    fn keeps_its_promises_on_its_seeds() {
        seeds("decode").iter().for_each(|seed| fuzz::decode::run(seed));
    }

    #[test]
    fn keeps_its_promises_with_any_byte_of_a_seed_changed() {
        for seed in seeds("decode") {
            let mut changed = seed.clone();
            for at in 0..seed.len() {
                for value in
                    [0, 1, 0x7f, 0xff, seed[at].wrapping_add(1), seed[at].wrapping_sub(1), seed[at] ^ 0x80]
                {
                    changed[at] = value;
                    fuzz::decode::run(&changed);
                }
                changed[at] = seed[at];
            }
        }
    }

    #[test]
    fn keeps_its_promises_with_any_byte_of_a_seed_left_out_or_doubled() {
        for seed in seeds("decode") {
            for at in 0..seed.len() {
                fuzz::decode::run(&[&seed[..at], &seed[at + 1..]].concat());
                fuzz::decode::run(&[&seed[..=at], &seed[at..]].concat());
            }
        }
    }

    #[test]
    fn keeps_its_promises_on_the_packets_of_the_captures() {
        let mut random = Random::new();
        let packets = packets();
        for packet in &packets {
            fuzz::decode::run(packet);
            fuzz::decode::run(&random.changed(packet));
        }
        let places: HashSet<_> = packets.iter().map(|packet| packet[0]).collect();
        assert_eq!(places.len(), LinkType::SUPPORTED.len(), "link types that the captures have packets of");
    }

    /// One packet of each size and link type of each capture: the others differ in numbers alone. The first byte is
    /// the place of its link type, as the target's body takes it.
    fn packets() -> Vec<Vec<u8>> {
        let mut packets = Vec::new();
        for file in captures() {
            let mut kinds = HashSet::new();
            let Ok(mut reader) = Reader::new(&file[..], &"file".into(), &Interfaces::default()) else {
                continue;
            };
            // A damaged file is one for as far as it goes.
            let _ = reader.read_all(|packet| {
                let place = LinkType::SUPPORTED.iter().position(|(link, _)| *link == packet.link);
                let Some(place) = place.and_then(|place| u8::try_from(place).ok()) else { return };
                if kinds.insert((place, packet.bytes.len())) {
                    packets.push([&[place], packet.bytes].concat());
                }
            });
        }
        packets
    }
}

mod reader {
    use super::*;

    /// The first part of a larger capture is as good as all of it.
    const ENOUGH: usize = 4096;
    /// Changes of each capture.
    const CHANGES: usize = 50;

    #[test]
    fn keeps_its_promises_on_its_seeds_and_on_whole_captures() {
        files().iter().for_each(|file| fuzz::reader::run(file));
    }

    #[test]
    fn keeps_its_promises_on_files_that_were_cut() {
        let mut random = Random::new();
        for file in files() {
            for _ in 0..CHANGES {
                let end = random.below(file.len().min(ENOUGH) + 1);
                fuzz::reader::run(&file[..end]);
            }
        }
    }

    #[test]
    fn keeps_its_promises_on_files_with_bytes_changed() {
        let mut random = Random::new();
        for file in files() {
            for _ in 0..CHANGES {
                fuzz::reader::run(&random.changed(&file[..file.len().min(ENOUGH)]));
            }
        }
    }

    fn files() -> Vec<Vec<u8>> {
        [seeds("reader"), captures()].concat()
    }
}

mod limits {
    use super::*;

    #[test]
    fn keep_their_promises_on_their_seeds() {
        seeds("limits").iter().for_each(|seed| fuzz::limits::run(seed));
    }

    #[test]
    fn keep_their_promises_on_seeds_cut_changed_and_joined() {
        let seeds = seeds("limits");
        let mut random = Random::new();
        for seed in &seeds {
            for at in 0..=seed.len() {
                fuzz::limits::run(&seed[..at]);
                let other = &seeds[random.below(seeds.len())];
                fuzz::limits::run(&[&seed[..at], &other[random.below(other.len())..]].concat());
            }
            for _ in 0..100 {
                let mut text = seed.clone();
                let at = random.below(text.len());
                text[at] = b"0123456789smhd/-,.:#B "[random.below(22)];
                fuzz::limits::run(&text);
            }
        }
    }
}

mod answers {
    use super::*;

    #[test]
    fn keeps_its_promises_on_its_seeds_cut_changed_and_joined() {
        let seeds = seeds("answers");
        let mut random = Random::new();
        for seed in &seeds {
            fuzz::answers::run(seed);
            for at in 0..=seed.len() {
                fuzz::answers::run(&seed[..at]);
            }
            let other = &seeds[random.below(seeds.len())];
            fuzz::answers::run(&[&seed[..seed.len() / 2], &other[random.below(other.len())..]].concat());
            (0..100).for_each(|_| fuzz::answers::run(&random.changed(seed)));
        }
    }

    #[test]
    fn what_the_seeds_are_is_understood() {
        let answers = synwatch::fleet::store::Answers::new(0).unwrap();
        let read = |seed: &str| answers.read(&fs::read(Path::new("fuzz/corpus/answers").join(seed)).unwrap());
        for (seed, logged) in
            [("candidate", 1), ("met", 1), ("verified", 1), ("join", 1), ("blocks-in-the-log", 4)]
        {
            assert_eq!(read(seed).logged.len(), logged, "{seed}");
        }
        assert_eq!((read("blocks").listed.len(), read("blocks").taken_back.len()), (2, 1));
        assert_eq!((read("episodes").episodes.len(), read("verdict-met").episodes.len()), (2, 1));
        assert!(!read("gateways").gateways.is_empty());
    }
}

mod request {
    use super::*;

    #[test]
    fn keeps_its_promises_on_its_seeds_cut_changed_and_joined() {
        let seeds = seeds("request");
        let mut random = Random::new();
        for seed in &seeds {
            fuzz::request::run(seed);
            for at in 0..=seed.len() {
                fuzz::request::run(&seed[..at]);
                let other = &seeds[random.below(seeds.len())];
                fuzz::request::run(&[&seed[..at], &other[random.below(other.len())..]].concat());
            }
            (0..100).for_each(|_| fuzz::request::run(&random.changed(seed)));
        }
    }
}

/// The seeds of the target of this name. None is empty.
fn seeds(target: &str) -> Vec<Vec<u8>> {
    contents(&Path::new("fuzz/corpus").join(target), |_| true)
}

fn captures() -> Vec<Vec<u8>> {
    contents(Path::new("captures"), |name| name.contains(".pcap"))
}

/// What the files of a folder hold that are not empty, in the order of their names.
fn contents(folder: &Path, is_wanted: impl Fn(&str) -> bool) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| is_wanted(&path.to_string_lossy()));
    files.sort();
    let contents: Vec<_> =
        files.iter().map(|path| fs::read(path).unwrap()).filter(|file| !file.is_empty()).collect();
    assert!(!contents.is_empty(), "{} holds nothing", folder.display());
    contents
}

/// Numbers that are the same each time (xorshift64, Marsaglia 2003).
struct Random(u64);

impl Random {
    fn new() -> Self {
        Self(0x5eed)
    }

    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    /// The same bytes, but for one to four of them.
    fn changed(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut changed = bytes.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            changed[at] =
                [0, 1, 4, 0x7f, 0x80, 0xff, changed[at] ^ 1, changed[at].wrapping_add(4)][self.below(8)];
        }
        changed
    }
}
