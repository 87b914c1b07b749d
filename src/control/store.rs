//! The file that keeps allowances over a restart.
//!
//! ```json
//! {"v":1,"allow":[{"network":"192.0.2.0/24","since":1795963908123456,"until":1795971108,"why":"audit"}]}
//! ```
//!
//! `until` is in seconds since 1970, `since` in microseconds. The file is written under another name and then
//! renamed, so that a crash leaves the old file or the new one. Its contents are checked like the input of a
//! client, because another program may have written them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use super::allowances::MOST;
use super::change::reason;
use crate::base::files::FILE_MODE;
use crate::engine::watch::allow;
use crate::error::Cause;

/// The folder, which systemd makes (`StateDirectory=`).
pub(crate) const FOLDER: &str = "/var/lib/synwatch-state";

const NAME: &str = "allowances.json";
const NEW_NAME: &str = "allowances.json.new";

/// The version of the file's form.
const VERSION: u64 = 1;

/// Maximum size in bytes: more than [`MOST`] entries with the longest reasons take.
const MOST_BYTES: u64 = 4 << 20;

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    #[serde(deserialize_with = "network")]
    pub(super) network: IpNet,
    /// Microseconds since 1970, when it was made; 0 in a file of an earlier version.
    #[serde(default)]
    pub(super) since: i64,
    /// Seconds since 1970, when it ends.
    pub(super) until: i64,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "why")]
    pub(super) why: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Contents<T> {
    v: u64,
    allow: T,
}

/// Why the file is not read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// The system says why.
    #[error("cannot {0} {1:?}: {cause}", cause = Cause(.2))]
    System(&'static str, PathBuf, #[source] io::Error),
    /// It is not of this form.
    #[error("cannot read {0:?}: {1}")]
    Form(PathBuf, String),
}

/// The file in its folder.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    folder: PathBuf,
}

impl Store {
    /// In this folder.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The entries; none without a file.
    pub(super) fn read(&self) -> Result<Vec<Kept>, StoreError> {
        let path = self.folder.join(NAME);
        // Opening a pipe would wait for its writer.
        let mut options = OpenOptions::new();
        let file = match options.read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            file => file,
        };
        let mut text = Vec::new();
        let file = file.and_then(|file| match file.metadata()?.is_file() {
            true => Ok(file),
            false => Err(io::Error::other("not a file")),
        });
        file.and_then(|file| file.take(MOST_BYTES).read_to_end(&mut text))
            .map_err(|error| StoreError::System("read", path.clone(), error))?;
        let read = serde_json::from_slice::<Contents<Vec<Kept>>>(&text);
        let contents = read.map_err(|error| StoreError::Form(path.clone(), error.to_string()))?;
        if contents.v != VERSION {
            return Err(StoreError::Form(path, format!("version {} is not known here", contents.v)));
        }
        Ok(contents.allow.into_iter().take(MOST).collect())
    }

    /// Replaces the entries.
    pub(super) fn write(&self, entries: &[Kept]) -> Result<(), StoreError> {
        let (path, new) = (self.folder.join(NAME), self.folder.join(NEW_NAME));
        let failed = |error| StoreError::System("write", path.clone(), error);
        let text = serde_json::to_vec(&Contents { v: VERSION, allow: entries });
        write_whole(&new, &text.map_err(|error| failed(error.into()))?).map_err(failed)?;
        fs::rename(&new, &path).map_err(failed)?;
        // The name is on the disk, too.
        File::open(&self.folder).and_then(|folder| folder.sync_all()).map_err(failed)
    }
}

/// Writes a file of ours: what is there is removed, and never followed where it is a link.
fn write_whole(path: &Path, text: &[u8]) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)?;
    file.write_all(text).and_then(|()| file.sync_all()).inspect_err(|_| {
        // A full disk has use for the room.
        let _ = fs::remove_file(path);
    })
}

fn network<'de, D: serde::Deserializer<'de>>(from: D) -> Result<IpNet, D::Error> {
    let text = String::deserialize(from)?;
    allow::network(&text).map_err(serde::de::Error::custom)
}

fn why<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    text.map(|text| reason(&text).map_err(serde::de::Error::custom)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::os::unix::fs::PermissionsExt as _;

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path().to_owned());
        (folder, store)
    }

    #[test]
    fn what_is_written_is_read_and_nothing_else_is_left() {
        let (folder, store) = store();
        assert_eq!(store.read().unwrap(), []);
        let kept = |network: &str, why: Option<&str>| Kept {
            network: network.parse().unwrap(),
            since: 1_764_428_400,
            until: 1_764_432_000,
            why: why.map(str::to_owned),
        };
        for entries in [
            vec![kept("192.0.2.0/24", Some("audit")), kept("2001:db8::/32", None)],
            vec![],
            vec![kept("::/0", None)],
        ] {
            store.write(&entries).unwrap();
            assert_eq!(store.read().unwrap(), entries);
        }
        let names: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, [NAME]);
        let text = fs::read_to_string(folder.path().join(NAME)).unwrap();
        assert_eq!(
            text,
            "{\"v\":1,\"allow\":[{\"network\":\"::/0\",\"since\":1764428400,\"until\":1764432000}]}"
        );
        let mode = fs::metadata(folder.path().join(NAME)).unwrap().permissions().mode();
        assert_eq!(mode & 0o137, 0, "{mode:o}");
    }

    #[test]
    fn what_is_left_of_a_crash_is_replaced() {
        let (folder, store) = store();
        fs::write(folder.path().join(NEW_NAME), "{\"v\":1,\"allow\":[{\"netw").unwrap();
        assert_eq!(store.read().unwrap(), []);
        store.write(&[]).unwrap();
        assert!(!folder.path().join(NEW_NAME).exists());
    }

    #[test]
    fn a_file_of_another_form_is_refused_with_its_cause() {
        let (folder, store) = store();
        for (text, cause) in [
            ("", "EOF while parsing a value"),
            ("{\"v\":2,\"allow\":[]}", "version 2 is not known here"),
            ("{\"v\":1,\"allow\":[{\"network\":\"mx1\",\"until\":1}]}", "no address or network"),
            ("{\"v\":1,\"allow\":[{\"network\":\"::/0\",\"until\":\"soon\"}]}", "invalid type"),
        ] {
            fs::write(folder.path().join(NAME), text).unwrap();
            let error = store.read().unwrap_err().to_string();
            assert!(error.starts_with("cannot read \"") && error.contains(cause), "{error}");
        }
        let long = "x".repeat(201);
        let text = format!("{{\"v\":1,\"allow\":[{{\"network\":\"::/0\",\"until\":1,\"why\":\"{long}\"}}]}}");
        fs::write(folder.path().join(NAME), text).unwrap();
        assert!(store.read().is_err());
    }

    #[test]
    fn entries_beyond_the_most_are_left_out() {
        let (_folder, store) = store();
        let entry = Kept { network: "192.0.2.1/32".parse().unwrap(), since: 0, until: 1, why: None };
        for (entries, read) in [(MOST - 1, MOST - 1), (MOST, MOST), (MOST + 1, MOST)] {
            store.write(&vec![entry.clone(); entries]).unwrap();
            assert_eq!(store.read().unwrap().len(), read);
        }
    }

    #[test]
    fn a_folder_that_has_gone_is_an_error_and_leaves_nothing() {
        let (folder, store) = store();
        drop(folder);
        let error = store.write(&[]).unwrap_err().to_string();
        assert!(
            error.starts_with("cannot write \"") && error.ends_with("no such file or directory"),
            "{error}"
        );
        assert_eq!(store.read().unwrap(), []);
    }

    #[test]
    fn a_pipe_or_a_folder_in_its_place_is_an_error_and_not_waited_for() {
        use rustix::fs::{CWD, FileType, Mode, mknodat};
        let (folder, store) = store();
        let path = folder.path().join(NAME);
        mknodat(CWD, &path, FileType::Fifo, Mode::from(0o600), 0).unwrap();
        assert_eq!(store.read().unwrap_err().to_string(), format!("cannot read {path:?}: not a file"));
        store.write(&[]).unwrap();
        assert_eq!(store.read().unwrap(), [], "it is replaced");
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(store.read().is_err() && store.write(&[]).is_err());
    }

    #[test]
    fn a_link_in_the_place_of_the_new_file_is_not_followed() {
        let (folder, store) = store();
        let other = folder.path().join("other");
        fs::write(&other, "text").unwrap();
        std::os::unix::fs::symlink(&other, folder.path().join(NEW_NAME)).unwrap();
        store.write(&[]).unwrap();
        assert_eq!(fs::read_to_string(&other).unwrap(), "text");
        assert_eq!(store.read().unwrap(), []);
    }
}
