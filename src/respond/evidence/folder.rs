//! The folder of an episode: its name, and that it is new.
//!
//! A name sorts by time and says what it is: `2013-11-25T061136Z-49.212.10.42-mail`. It is made of letters, digits,
//! dots, hyphens and underscores alone, whatever the watch is called, so that it lies in its place and nowhere else.
//! One that is there already stays as it is; the new one gets a number.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD, accessat};

use crate::alert::Alert;
use crate::error::OpenError;
use crate::time::Timestamp;
use crate::zone::Zone;

/// Folders that are made in a day of capture time, from midnight to midnight in UTC.
pub(super) const A_DAY: u32 = 1000;
/// The access rights of a folder and its files: they name other people's hosts.
const FOLDER_MODE: u32 = 0o750;
const FILE_MODE: u32 = 0o640;
/// The longest part of a name that is a watch's.
const WATCH_CHARS: usize = 64;
/// Episodes of one source and watch that can begin in the same second.
const SAME_NAMES: u32 = 99;

const DAY_SECONDS: i64 = 24 * 60 * 60;

/// Where folders are made.
#[derive(Debug)]
pub(super) struct Folder {
    dir: PathBuf,
    /// The latest day in which folders were made, since 1970, and how many those are. A clock that is set back makes no
    /// room.
    day: i64,
    made: u32,
}

/// Why there is no folder.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoFolder {
    /// There are as many as may be.
    #[error("there are {A_DAY} of this day, which is as many as may be")]
    DayIsFull,
    /// The system says no.
    #[error("{0}")]
    Refused(io::Error),
}

/// Whether folders can be made in this one.
///
/// # Errors
///
/// When it is not there, no folder, or not to be written by this user.
pub fn check(dir: &Path) -> Result<(), OpenError> {
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
        Self { dir, day: i64::MIN, made: 0 }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Makes the folder of an episode.
    pub(super) fn make(&mut self, alert: &Alert) -> Result<PathBuf, NoFolder> {
        let day = alert.time.second().div_euclid(DAY_SECONDS);
        if day > self.day {
            (self.day, self.made) = (day, 0);
        }
        if self.made >= A_DAY {
            return Err(NoFolder::DayIsFull);
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
                    return Ok(path);
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(NoFolder::Refused(error)),
            }
        }
        Err(NoFolder::Refused(ErrorKind::AlreadyExists.into()))
    }
}

/// Writes a file that is not there yet. What could not be written whole stays as it is: nothing here removes anything.
pub(super) fn write(folder: &Path, file: &str, contents: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(FILE_MODE);
    options.open(folder.join(file))?.write_all(contents)
}

fn name(alert: &Alert) -> String {
    let watch: String = alert.watch.chars().take(WATCH_CHARS).collect();
    let name = format!("{}-{}-{watch}", stamp(alert.first_seen), alert.source);
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect()
}

/// To the second, in UTC: `2013-11-25T061136Z`.
fn stamp(time: Timestamp) -> String {
    let text = Zone::utc().text(time).to_string();
    let second = text.split('.').next().unwrap_or_default();
    format!("{}Z", second.replace(':', ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::fs;
    use std::sync::Arc;

    use crate::alert::Source;
    use crate::sink::sample::{at, end, full};

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
    fn a_day_has_a_thousand_and_a_clock_that_is_set_back_makes_no_room() {
        let dir = tempfile::tempdir().unwrap();
        let mut folder = Folder::new(dir.path().to_owned());
        let alert = |day: i64, second: i64| {
            let time = at((day * DAY_SECONDS + second) * 1_000);
            Alert { time, first_seen: time, ..end() }
        };
        (0..i64::from(A_DAY)).for_each(|second| drop(folder.make(&alert(0, second)).unwrap()));
        assert!(matches!(folder.make(&alert(0, 2_000)), Err(NoFolder::DayIsFull)));
        assert!(matches!(folder.make(&alert(-1, 0)), Err(NoFolder::DayIsFull)));
        folder.make(&alert(1, 0)).unwrap();
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
