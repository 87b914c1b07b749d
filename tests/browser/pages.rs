//! Pages to look at: of the seed's attack, of a day with a gap and losses, with many episodes and hostile names.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::json;
use synwatch_testkit::run::synwatch;
use tempfile::TempDir;

/// A name that its holder has put into DNS.
pub(crate) const HOSTILE: &str = "\"><script>document.title='run'</script>";
/// How many episodes the day has.
pub(crate) const EPISODES: usize = 120;
/// Minutes of the day in which nothing ran.
const GAP: std::ops::Range<i64> = 600..720;

/// The pages, in a folder.
pub(crate) struct Pages {
    folder: TempDir,
}

impl Pages {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// That of the seed's attack.
    pub(crate) fn attack(&self) -> PathBuf {
        let page = self.path("attack.html");
        let captures = Path::new(env!("CARGO_MANIFEST_DIR")).join("captures");
        let ran =
            synwatch(&captures, ["-q", "-r", "seed-attack.pcap", "--html", page.to_str().unwrap()], None);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        page
    }

    /// That of a day, of a log made by hand.
    pub(crate) fn day(&self) -> PathBuf {
        let (log, page) = (self.path("eve.json"), self.path("day.html"));
        fs::write(&log, day()).unwrap();
        let arguments = ["report", "--utc", "--day", "2026-11-27", "-o"];
        let files = [page.to_str().unwrap(), log.to_str().unwrap()];
        let ran = synwatch(self.folder.path(), arguments.into_iter().chain(files), None);
        assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
        page
    }

    /// A changed copy of a page.
    pub(crate) fn changed(&self, page: &Path, change: impl FnOnce(String) -> String) -> PathBuf {
        let copy = self.path("changed.html");
        fs::write(&copy, change(fs::read_to_string(page).unwrap())).unwrap();
        copy
    }
}

/// The source of an episode.
pub(crate) fn source(episode: usize) -> String {
    format!("198.51.{}.{}", 100 + episode / 200, episode % 200 + 1)
}

/// A time of the day, by its second.
fn time(second: i64) -> String {
    format!("2026-11-27T{:02}:{:02}:{:02}.000000+0000", second / 3_600, second / 60 % 60, second % 60)
}

/// The log of a day: statistics each minute of two runs with a gap between them, losses, and episodes.
fn day() -> String {
    let mut log = String::new();
    let (mut attempts, mut lost) = (0_i64, 0);
    for minute in 1..1_439 {
        if GAP.contains(&minute) {
            (attempts, lost) = (0, 0);
            continue;
        }
        let is_flood = (900..960).contains(&minute) || (300..310).contains(&minute);
        attempts += 40 + 30 * (minute / 60 % 12) + if is_flood { 900 } else { 0 };
        lost += if (930..936).contains(&minute) { 500 } else { 0 };
        let started = if minute < GAP.start { 30 } else { GAP.end * 60 - 30 };
        let record = json!({
            "timestamp": time(minute * 60),
            "event_type": "stats",
            "stats": {
                "capture": {"kernel_packets": attempts * 9, "kernel_drops": lost, "kernel_ifdrops": 0},
                "synwatch": {
                    "packets": attempts * 9, "attempts": attempts, "losses": {"kernel": lost},
                    "outcomes": {"silent": attempts / 2, "spoke": attempts / 4, "refused": attempts / 20,
                        "half-open": attempts / 30, "unanswered": attempts / 10, "unknown": attempts / 50},
                },
                "run": {"started": time(started), "last_watched": time(minute * 60 - 1), "interval": 60.0,
                    "interfaces": ["eth0"], "watches": [{"watch": "mail", "limits": ["30/10s", "300/10s"], "quiet_time": 60.0}]},
            },
        });
        let _ = writeln!(log, "{record}");
    }
    for episode in 0..EPISODES {
        for (state, after) in [("start", 5), ("update", 65), ("end", 300)] {
            let begin = 54_000 + episode as i64 * 7;
            let attempts = (EPISODES - episode) as i64 * 20 + after * 5;
            let record = json!({
                "timestamp": time(begin + after + if state == "end" { 60 } else { 0 }),
                "event_type": "alert",
                "dest_ip": "192.0.2.25", "dest_port": 25,
                "alert": {"severity": 1},
                "synwatch": {
                    "state": state, "watch": "mail", "kind": "source", "source": source(episode),
                    "name": if episode == 0 { HOSTILE } else { "mail.example.org" },
                    "as_number": 64_500 + episode % 7, "as_organisation": "Example Net", "country": "JP",
                    "limit": "30/10s", "attempts": attempts, "first_seen": time(begin), "last_seen": time(begin + after),
                    "duration": after, "rate": attempts / after, "peak": attempts / after + 1,
                    "ports": [{"port": 25, "attempts": attempts * 2 / 3}, {"port": 110, "attempts": attempts - attempts * 2 / 3}],
                    "destinations": ["192.0.2.25"], "verified": episode % 3 == 0,
                },
            });
            let _ = writeln!(log, "{record}");
        }
    }
    // In order of time, as a log is.
    let mut lines: Vec<_> = log.lines().collect();
    lines.sort_by_key(|line| line.split("\"timestamp\":\"").nth(1).map(|rest| rest[..26].to_owned()));
    lines.join("\n") + "\n"
}
