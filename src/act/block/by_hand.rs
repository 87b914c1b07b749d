//! Requests of people and of the fleet to the blocker, beside the blocks by reports.
//!
//! A request comes with a function that takes the answer, so that the blocker knows nothing of sockets. It is called
//! once the firewall has confirmed the change, or has refused it; if it is dropped, the run has ended.

use std::fmt;
use std::time::Duration;

use ipnet::IpNet;

use super::blocks::Reason;
use super::target::Target;
use crate::base::time::Timestamp;

/// Maximum number of pending requests: one for each client, and those that were given up.
pub(super) const MOST: usize = 16;

/// The process that asks, as the kernel names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) uid: u32,
    pub(crate) pid: i32,
}

/// Where a request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Requester {
    /// A process, at the control socket.
    Person(Person),
    /// The fleet, for this reason: `by hand at mx2`.
    Fleet(Box<str>),
}

/// Takes the answer.
pub(crate) type Answer<T> = Box<dyn FnOnce(Result<T, NotDone>) + Send>;

/// A request.
pub(crate) struct Asked {
    pub(crate) wish: Wish,
    pub(crate) answer: Answer<Done>,
}

/// The kinds of request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Wish {
    /// List all blocks.
    List,
    /// Block a network; without a duration, for that of `--block-time`.
    Block { network: IpNet, time: Option<Duration>, by: Requester },
    /// Unblock every target that overlaps a network, or all targets.
    Unblock { network: Option<IpNet>, by: Requester },
    /// Unblock every target that overlaps one of these networks and was blocked before its time.
    UnblockOlder { all: Vec<(IpNet, Timestamp)>, by: Requester },
    /// Unblock every target that the new allow list contains.
    HeedAllowed,
}

/// The result of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Done {
    Listed(Vec<Standing>),
    Blocked { target: Target, time: Duration },
    Unblocked(Vec<Target>),
}

/// A block in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) target: Target,
    /// Its start, if it is known.
    pub(crate) since: Option<Timestamp>,
    /// Its whole time; `None`: it does not expire.
    pub(crate) time: Option<Duration>,
    pub(crate) left: Option<Duration>,
    pub(crate) reason: Option<Reason>,
    /// Whether its packets are dropped, as far as the blocker sees.
    pub(crate) is_effective: Option<bool>,
}

/// Why nothing was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotDone {
    /// A word for programs.
    pub(crate) code: &'static str,
    /// A sentence for people.
    pub(crate) why: String,
}

impl NotDone {
    /// This run blocks nothing.
    pub(crate) const OFF: &'static str = "off";
    /// There is nothing to change.
    pub(crate) const NOTHING: &'static str = "nothing";
    /// It must not be done.
    pub(crate) const REFUSED: &'static str = "refused";
    /// There is no room.
    pub(crate) const FULL: &'static str = "full";
    /// The firewall has refused it.
    pub(crate) const FIREWALL: &'static str = "firewall";
    /// The run ends.
    pub(crate) const ENDING: &'static str = "ending";

    pub(crate) fn new(code: &'static str, why: impl Into<String>) -> Self {
        Self { code, why: why.into() }
    }
}

impl fmt::Display for Person {
    /// `uid 0, pid 4321`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { uid, pid } = self;
        write!(f, "uid {uid}, pid {pid}")
    }
}

impl Requester {
    /// Whether a change counts as one by hand: those of the fleet are counted where they were made.
    pub(crate) fn is_person(&self) -> bool {
        matches!(self, Self::Person(_))
    }
}

impl fmt::Display for Requester {
    /// `by hand (uid 0, pid 4321)`, or `by the fleet (by hand at mx2)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(person) => write!(f, "by hand ({person})"),
            Self::Fleet(why) => write!(f, "by the fleet ({why})"),
        }
    }
}
