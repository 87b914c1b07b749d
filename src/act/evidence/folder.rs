//! The folders of episodes: their names, and how many may be made.
//!
//! A name sorts by time and identifies the episode: `2013-11-25T061136Z-49.212.10.42-mail`. It consists of letters,
//! digits, dots, hyphens and underscores only, whatever the watch's name, so that the path cannot leave the directory.
//! An existing folder is never changed; the new one gets a number.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat};

use crate::detect::alert::Alert;
use crate::engine::rank::Neighbours;
use crate::engine::subject::Source;
use crate::error::OpenError;
use crate::report::folder_name;

/// Maximum number of folders in a day of capture time (UTC).
pub(super) const A_DAY: usize = 1000;
/// Part of that reserved for verified sources.
const KEPT: usize = A_DAY / 5;
/// Access mode of a folder; it and its files name other people's hosts.
const FOLDER_MODE: u32 = 0o750;
const FILE_MODE: u32 = 0o640;
/// Maximum number of episodes of one source and watch that begin in the same second.
const SAME_NAMES: u32 = 99;

const DAY_SECONDS: i64 = 24 * 60 * 60;

/// Makes folders.
#[derive(Debug)]
pub(super) struct Folder {
    dir: PathBuf,
    /// The latest day with folders, since 1970. A clock set back does not reset the counters.
    day: i64,
    made: usize,
    /// The folders of that day for unverified sources.
    others: usize,
    /// The folders of each neighbourhood.
    neighbours: Neighbours,
}

/// Why there is no folder.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoFolder {
    /// The day's maximum is reached.
    #[error("there are {A_DAY} of this day, which is as many as may be")]
    DayIsFull,
    /// The day's maximum for unverified sources is reached.
    #[error("there are as many of this day as may be of sources that are not verified ({} of {A_DAY})", A_DAY - KEPT)]
    OthersAreFull,
    /// The maximum for one neighbourhood is reached.
    #[error("its /24 or /48 has more than an eighth of the {A_DAY} of this day, of which half are used up")]
    Crowded,
    /// The system refuses.
    #[error("{0}")]
    Refused(io::Error),
}

/// Checks that folders can be made in this directory.
///
/// # Errors
///
/// The directory is missing, is none, or is not writable for this user.
pub(crate) fn check(dir: &Path) -> Result<(), OpenError> {
    let why = |error: io::Error| OpenError { path: dir.to_owned(), source: error };
    match dir.metadata() {
        Ok(found) if found.is_dir() => {}
        Ok(_) => return Err(why(io::Error::new(ErrorKind::NotADirectory, "it is no folder"))),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err(why(io::Error::new(
                error.kind(),
                "there is no such folder (make it: install -d -m 750)",
            )));
        }
        Err(error) => return Err(why(error)),
    }
    let access = Access::WRITE_OK | Access::EXEC_OK;
    accessat(CWD, dir, access, AtFlags::EACCESS).map_err(|errno| why(errno.into()))
}

impl Folder {
    pub(super) fn new(dir: PathBuf) -> Self {
        Self { dir, day: i64::MIN, made: 0, others: 0, neighbours: Neighbours::new([], A_DAY) }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Makes the folder of an episode.
    pub(super) fn make(&mut self, alert: &Alert) -> Result<PathBuf, NoFolder> {
        let day = alert.time.second().div_euclid(DAY_SECONDS);
        if day > self.day {
            (self.day, self.made, self.others) = (day, 0, 0);
            self.neighbours = Neighbours::new([], A_DAY);
        }
        let Source(network) = alert.source;
        let is_other = !alert.goes_first();
        if self.made >= A_DAY {
            return Err(NoFolder::DayIsFull);
        }
        if is_other && self.others >= A_DAY - KEPT {
            return Err(NoFolder::OthersAreFull);
        }
        // Folders are never removed, so the share applies before the day's maximum is reached.
        if self.made >= A_DAY / 2 && self.neighbours.is_crowded(network) {
            return Err(NoFolder::Crowded);
        }
        let name = name(alert);
        for number in 1..=SAME_NAMES {
            let path = match number {
                1 => self.dir.join(&name),
                _ => self.dir.join(format!("{name}-{number}")),
            };
            match DirBuilder::new().mode(FOLDER_MODE).create(&path) {
                Ok(()) => {
                    self.made += 1;
                    self.others += usize::from(is_other);
                    self.neighbours.add(network);
                    return Ok(path);
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(NoFolder::Refused(error)),
            }
        }
        Err(NoFolder::Refused(ErrorKind::AlreadyExists.into()))
    }
}

/// Writes a new file. A file that could not be written whole stays: nothing here removes anything.
pub(super) fn write(folder: &Path, file: &str, contents: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(FILE_MODE);
    options.open(folder.join(file))?.write_all(contents)
}

fn name(alert: &Alert) -> String {
    folder_name(alert.first_seen, &alert.source.to_string(), &alert.watch)
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::fs;
    use std::sync::Arc;

    use crate::engine::outcome::Proof;
    use crate::report::sample::{at, end, full};

    #[test]
    fn a_name_sorts_by_time_says_what_it_is_and_leads_nowhere_else() {
        assert_eq!(name(&end()), "2013-11-25T061136Z-49.212.10.42-mail");
        assert_eq!(name(&full()), "2013-11-25T061136Z-2001_db8_0_1___64-my_mail");
        let odd = Alert { watch: Arc::from("../../etc/\u{1b}[2J\u{202e}ü"), ..end() };
        assert_eq!(name(&odd), "2013-11-25T061136Z-49.212.10.42-.._.._etc__[2J__".replace('[', "_"));
        let long =
            Alert { watch: Arc::from("w".repeat(300)), source: Source("::/1".parse().unwrap()), ..end() };
        assert!(name(&long).len() < 128);
    }

    #[test]
    fn a_folder_that_is_there_stays_as_it_is() {
        let dir = tempfile::tempdir().unwrap();
        let mut folder = Folder::new(dir.path().to_owned());
        for expected in ["", "-2", "-3"] {
            let made = folder.make(&end()).unwrap();
            assert_eq!(made, dir.path().join(format!("{}{expected}", name(&end()))));
            write(&made, "file", b"1").unwrap();
            assert!(write(&made, "file", b"2").is_err());
            assert_eq!(fs::read(made.join("file")).unwrap(), b"1");
        }
        (4..=SAME_NAMES).for_each(|_| drop(folder.make(&end()).unwrap()));
        assert!(matches!(folder.make(&end()), Err(NoFolder::Refused(_))));
    }

    #[test]
    fn a_day_has_a_thousand_folders_and_a_clock_set_back_makes_no_room() {
        let dir = tempfile::tempdir().unwrap();
        let mut folder = Folder::new(dir.path().to_owned());
        let alert = |day: i64, second: i64| {
            let time = at((day * DAY_SECONDS + second) * 1_000);
            Alert { time, first_seen: time, source: source(second), ..end() }
        };
        (0..A_DAY as i64).for_each(|second| drop(folder.make(&alert(0, second)).unwrap()));
        assert!(matches!(folder.make(&alert(0, 2_000)), Err(NoFolder::DayIsFull)));
        assert!(matches!(folder.make(&alert(-1, 0)), Err(NoFolder::DayIsFull)));
        folder.make(&alert(1, 0)).unwrap();
    }

    /// A source in its own neighbourhood.
    fn source(n: i64) -> Source {
        let address = std::net::Ipv6Addr::from(0x2001_0db8 << 96 | (n as u128) << 80);
        Source(ipnet::IpNet::new_assert(address.into(), 128))
    }

    #[test]
    fn two_hundred_of_a_day_are_kept_for_verified_sources() {
        let dir = tempfile::tempdir().unwrap();
        let mut folder = Folder::new(dir.path().to_owned());
        let forged = |n| Alert { verified: Proof::None, source: source(n), ..end() };
        let made = (0..900).filter(|&n| folder.make(&forged(n)).is_ok()).count();
        assert_eq!(made, A_DAY - KEPT);
        assert!(matches!(folder.make(&forged(900)), Err(NoFolder::OthersAreFull)));
        let verified = |n| Alert { source: source(n), ..end() };
        assert_eq!((1_000..1_300).filter(|&n| folder.make(&verified(n)).is_ok()).count(), KEPT);
    }

    #[test]
    fn one_neighbourhood_does_not_take_all_of_a_day() {
        let dir = tempfile::tempdir().unwrap();
        let mut folder = Folder::new(dir.path().to_owned());
        let near =
            |n: u8| Alert { source: Source(ipnet::IpNet::new_assert([192, 0, 2, n].into(), 32)), ..end() };
        let mut names = Vec::new();
        for n in 0..=255 {
            names.push(folder.make(&near(n)).is_ok());
        }
        assert!(names.iter().all(|made| *made), "while half of the room is left it may have more");
        (256..A_DAY as i64 / 2)
            .for_each(|n| drop(folder.make(&Alert { source: source(n), ..end() }).unwrap()));
        assert!(matches!(folder.make(&near(7)), Err(NoFolder::Crowded)));
        folder.make(&Alert { source: source(9_999), ..end() }).unwrap();
    }

    #[test]
    fn a_place_that_cannot_take_folders_is_refused_with_its_cause() {
        let dir = tempfile::tempdir().unwrap();
        assert!(check(dir.path()).is_ok());
        let message = |path: &Path| check(path).unwrap_err().to_string();
        let missing = message(&dir.path().join("no"));
        assert!(
            missing.ends_with("/no\": there is no such folder (make it: install -d -m 750)"),
            "{missing}"
        );
        fs::write(dir.path().join("file"), "").unwrap();
        assert!(message(&dir.path().join("file")).ends_with("/file\": it is no folder"));
    }
}
