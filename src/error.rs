//! What can go wrong at the start, and how it is said.
//!
//! Each variant is a step that failed, with its facts. The text is what follows `synwatch: `: lower case, the value
//! quoted, the cause after a colon, the remedy in parentheses where it is known. After the start nothing is fatal:
//! what goes wrong then is logged and counted where it happens, with the same types.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::packet::LinkType;
use crate::units::Bytes;

/// A step that failed, so that the run cannot start.
#[derive(Debug, Error)]
pub enum Error {
    /// A capture file, or standard input, cannot be read at all.
    #[error("cannot read {file}: {cause}")]
    Read {
        /// The file's name, quoted, or `standard input`.
        file: String,
        /// Why not.
        #[source]
        cause: Unreadable,
    },
    /// An interface cannot be opened.
    #[error("cannot open interface {name:?}: {cause}")]
    Interface {
        /// Its name, as it was given.
        name: String,
        /// Why not.
        #[source]
        cause: InterfaceFault,
    },
    /// The interfaces cannot be listed.
    #[error("cannot list interfaces: {0}")]
    List(String),
    /// The filter expression cannot be used.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] OpenError),
    /// The command for reports cannot be run.
    #[error("cannot run command {program:?}: {fault}")]
    Command {
        /// The program, as it was given.
        program: String,
        /// Why not.
        #[source]
        fault: CommandFault,
    },
    /// A file cannot be written by the user that the program has become.
    #[error("{cause} as user {user} (let {} belong to {user}, or give --user root)", whose(&cause.path))]
    WriteAs {
        /// The user.
        user: String,
        /// The file, and why not.
        #[source]
        cause: OpenError,
    },
    /// The address for metrics cannot be listened at.
    #[error("cannot listen at {address} for --metrics: {}", Cause(source))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// Rights cannot be given up.
    #[error(transparent)]
    Privileges(#[from] PrivilegeError),
    /// Nobody is known who could vouch for the host of the webhook.
    #[error("cannot post to {url}: no certificates of authorities: {why} (apt-get install ca-certificates)")]
    Authorities {
        /// Where reports are to be posted.
        url: String,
        /// What was found.
        why: String,
    },
    /// A database of networks cannot be used.
    #[error("cannot read database {path:?}: {why}")]
    Database {
        /// The file, as it was given.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// The firewall cannot be used.
    #[error("cannot block: {0}")]
    Firewall(String),
    /// There is not enough memory for the tables.
    #[error("cannot reserve {0} of memory for the tables (give less with --memory)")]
    Memory(Bytes),
    /// A thread cannot be started.
    #[error("cannot start a thread: {}", Cause(.0))]
    Thread(#[source] io::Error),
}

impl Error {
    /// The program's exit code: 2 where the usage is wrong, 1 for everything else.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Filter(_) => 2,
            Self::Privileges(PrivilegeError::NoUser(_) | PrivilegeError::NotRoot(_)) => 2,
            _ => 1,
        }
    }
}

/// What has to belong to who writes: a folder itself, or that of a file.
fn whose(path: &Path) -> &'static str {
    if path.is_dir() { "it" } else { "its folder" }
}

/// Why an interface cannot be opened.
#[derive(Debug, Error)]
pub enum InterfaceFault {
    /// There is none of this name.
    #[error("no such device (-D lists interfaces)")]
    Missing,
    /// It is down.
    #[error("the interface is down (ip link set it up)")]
    Down,
    /// The right to capture is missing.
    #[error(
        "the capability CAP_NET_RAW is missing (run as root, or: setcap cap_net_raw=ep /path/to/synwatch)"
    )]
    NotAllowed,
    /// Its link type is not read.
    #[error("link type {0} is not supported")]
    LinkType(LinkType),
    /// Several sockets cannot share its packets.
    #[error("its packets cannot be shared among several threads: {} (--threads 1)", Cause(.0))]
    Fanout(#[source] io::Error),
    /// libpcap says why.
    #[error("{0}")]
    Libpcap(String),
}

impl InterfaceFault {
    /// Tells the fault from what libpcap says.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
        if says(&["No such device", "doesn't exist"]) {
            Self::Missing
        } else if says(&["permission", "Operation not permitted"]) {
            Self::NotAllowed
        } else if says(&["not up", "Network is down", "went down"]) {
            Self::Down
        } else {
            Self::Libpcap(text.to_owned())
        }
    }
}

/// Why a command cannot be run.
#[derive(Debug, Error)]
pub enum CommandFault {
    /// What would run it cannot be started, or has failed.
    #[error("its helper cannot be started: {}", Cause(.0))]
    Helper(#[source] io::Error),
    /// There is none, or it must not be run: the text says why.
    #[error("{0}")]
    Refused(String),
}

/// An expression that libpcap does not take.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("cannot use filter expression {expression:?} on link type {link}: {cause} (see pcap-filter(7))")]
pub struct FilterError {
    /// The expression.
    pub expression: String,
    /// The link type that it was compiled for.
    pub link: LinkType,
    /// What libpcap says.
    pub cause: String,
}

/// Rights cannot be given up.
#[derive(Debug, Error)]
pub enum PrivilegeError {
    /// There is no such user.
    #[error("cannot become user {0:?}: there is none of this name (getent passwd lists them)")]
    NoUser(String),
    /// The program was not started as root.
    #[error("cannot become user {0:?}: only root can (leave --user out)")]
    NotRoot(String),
    /// The system's users cannot be looked up.
    #[error("cannot look up user {user:?}: {}", Cause(source))]
    LookUp {
        /// Its name.
        user: String,
        /// Why not.
        source: io::Error,
    },
    /// The system refuses to make another user of this one.
    #[error(
        "cannot become user {user:?}: {} (needs the capabilities CAP_SETUID and CAP_SETGID; or give --user root)",
        Cause(source)
    )]
    Become {
        /// Its name.
        user: String,
        /// Why not.
        source: io::Error,
    },
    /// The right to change the firewall is missing.
    #[error("the capability CAP_NET_ADMIN is missing (run as root)")]
    NoAdmin,
    /// The system refuses to take capabilities away.
    #[error("cannot give up capabilities: {}", Cause(.0))]
    Capabilities(#[source] io::Error),
}

/// A file for reports or packets cannot be opened.
#[derive(Debug, Error)]
#[error("cannot write {path:?}: {}", Cause(source))]
pub struct OpenError {
    /// The file, as it was given.
    pub path: PathBuf,
    /// Why not.
    pub source: io::Error,
}

/// Why a capture file cannot be read at all.
#[derive(Debug, Error)]
pub enum Unreadable {
    /// There is none of this name.
    #[error("no such file")]
    Missing,
    /// It is a directory.
    #[error("is a directory (name the files in it)")]
    Directory,
    /// It has no bytes.
    #[error("the file is empty")]
    Empty,
    /// It is of another format.
    #[error("not a pcap or pcapng file ({0})")]
    NotCapture(Beginning),
    /// None of its interfaces has a link type that is read.
    #[error("{}", unsupported(.0))]
    LinkTypes(Vec<LinkType>),
    /// It is damaged before its first packet.
    #[error(transparent)]
    Damaged(Damage),
    /// The system says no.
    #[error("{}", Cause(.0))]
    Io(#[source] io::Error),
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::Missing,
            io::ErrorKind::IsADirectory => Self::Directory,
            _ => Self::Io(error),
        }
    }
}

fn unsupported(links: &[LinkType]) -> String {
    let all: Vec<String> = links.iter().map(ToString::to_string).collect();
    match all.as_slice() {
        [one] => format!("link type {one} is not supported"),
        _ => format!("none of its link types is supported: {}", all.join(", ")),
    }
}

/// Where and how a capture file is damaged: what comes before is good.
#[derive(Debug, Error)]
pub struct Damage {
    /// The byte at which the damaged record begins, or at which reading failed; of a compressed file, counted in the
    /// unpacked bytes.
    pub offset: u64,
    /// What is wrong there.
    #[source]
    pub fault: Fault,
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.fault {
            fault @ Fault::Read(_) => write!(f, "unreadable beyond byte {}: {fault}", self.offset),
            fault => write!(f, "damaged at byte {}: {fault}", self.offset),
        }
    }
}

/// What is wrong with a record of a capture file.
#[derive(Debug, Error)]
pub enum Fault {
    /// The file ends before the record does.
    #[error("the file ends within {0}")]
    Cut(&'static str),
    /// A record that says to be larger than any packet.
    #[error("a packet record of {0} bytes")]
    RecordLength(u32),
    /// A block with an impossible length.
    #[error("a block of {0} bytes")]
    BlockLength(u32),
    /// A block whose two lengths differ.
    #[error("a block of {first} bytes that ends with the length {last}")]
    BlockTrailer {
        /// The length at its beginning.
        first: u32,
        /// The length at its end.
        last: u32,
    },
    /// A packet that does not fit into its block.
    #[error("a packet of {captured} bytes in a block with room for {room}")]
    PacketLength {
        /// The packet's length as the block says it.
        captured: u32,
        /// The bytes that the block has for it.
        room: usize,
    },
    /// A block that is too short for what it must hold.
    #[error("a block too short for its kind ({0})")]
    ShortBlock(u32),
    /// A section header that is none.
    #[error("a section header with an unknown byte order or version")]
    Section,
    /// A packet of an interface that the file does not describe.
    #[error("a packet of interface {0}, which is not described")]
    UnknownInterface(u32),
    /// More interfaces than any capture has.
    #[error("more than {0} interfaces")]
    TooManyInterfaces(usize),
    /// Reading, or unpacking, failed.
    #[error("{}", Cause(.0))]
    Read(#[source] io::Error),
}

/// The first bytes of a file that is no capture file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beginning(pub Vec<u8>);

impl Beginning {
    /// Formats that are mistaken for capture files, or hold them, by their first bytes, and what to do.
    const KNOWN: &'static [(&'static [u8], &'static str)] = &[
        (b"snoop\0\0\0", "it is a snoop file: convert it with editcap"),
        (b"\xfd7zXZ\0", "it is packed with xz: unpack it first"),
        (b"BZh", "it is packed with bzip2: unpack it first"),
        (b"\x04\x22\x4d\x18", "it is packed with lz4: unpack it first"),
        (b"\x1f\x8b", "it is packed twice: unpack it first"),
        (b"PK\x03\x04", "it is a zip archive: unpack it first"),
    ];
    /// How many bytes are shown of an unknown format.
    const SHOWN: usize = 4;
}

impl fmt::Display for Beginning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((_, what)) = Self::KNOWN.iter().find(|(magic, _)| self.0.starts_with(magic)) {
            return f.write_str(what);
        }
        f.write_str("begins with")?;
        self.0.iter().take(Self::SHOWN).try_for_each(|byte| write!(f, " {byte:02x}"))
    }
}

/// Shows a text in quotes, what a terminal would obey escaped; of a long one its beginning: a wrong file may hold
/// anything.
#[derive(Debug, Clone, Copy)]
pub struct Quoted<'a>(pub &'a str);

impl Quoted<'_> {
    /// So many characters are shown.
    const MOST: usize = 80;
}

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(Self::MOST) {
            Some((end, _)) => write!(f, "{:?}…", &self.0[..end]),
            None => write!(f, "{:?}", self.0),
        }
    }
}

/// Shows an [`io::Error`] as the cause at the end of a message: in lower case, without the error's number.
#[derive(Debug, Clone, Copy)]
pub struct Cause<'a>(pub &'a io::Error);

impl fmt::Display for Cause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        let text = text.split(" (os error").next().unwrap_or_default();
        let mut letters = text.chars();
        match letters.next() {
            Some(first) => write!(f, "{}{}", first.to_lowercase(), letters.as_str()),
            None => f.write_str("unknown error"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(cause: Unreadable) -> String {
        Error::Read { file: "\"x.pcap\"".to_owned(), cause }.to_string()
    }

    #[test]
    fn a_long_text_is_shown_by_its_beginning() {
        let long = "ä".repeat(81);
        assert_eq!(Quoted(&long).to_string(), format!("\"{}\"…", "ä".repeat(80)));
        assert_eq!(Quoted(&long[2..]).to_string(), format!("\"{}\"", "ä".repeat(80)));
        assert_eq!(Quoted("a\"\u{1b}").to_string(), r#""a\"\u{1b}""#);
    }

    #[test]
    fn messages_name_the_file_the_cause_and_the_remedy() {
        assert_eq!(read(io::Error::from_raw_os_error(2).into()), r#"cannot read "x.pcap": no such file"#);
        assert_eq!(
            read(io::Error::from_raw_os_error(13).into()),
            r#"cannot read "x.pcap": permission denied"#
        );
        assert_eq!(
            read(Unreadable::NotCapture(Beginning(b"\x89PNG\r\n".to_vec()))),
            r#"cannot read "x.pcap": not a pcap or pcapng file (begins with 89 50 4e 47)"#
        );
        assert_eq!(
            read(Unreadable::LinkTypes(vec![LinkType(105)])),
            r#"cannot read "x.pcap": link type 105 (IEEE802_11) is not supported"#
        );
        assert_eq!(
            read(Unreadable::LinkTypes(vec![LinkType(105), LinkType(10)])),
            r#"cannot read "x.pcap": none of its link types is supported: 105 (IEEE802_11), 10 (FDDI)"#
        );
        assert_eq!(
            read(Unreadable::Damaged(Damage { offset: 7, fault: Fault::RecordLength(4_294_967_295) })),
            r#"cannot read "x.pcap": damaged at byte 7: a packet record of 4294967295 bytes"#
        );
    }

    #[test]
    fn known_formats_are_named() {
        let shown = |bytes: &[u8]| Beginning(bytes.to_vec()).to_string();
        assert_eq!(shown(b"snoop\0\0\0\0\0\0\x02"), "it is a snoop file: convert it with editcap");
        assert_eq!(shown(b"snoop"), "begins with 73 6e 6f 6f");
        assert_eq!(shown(b"a"), "begins with 61");
    }
}
