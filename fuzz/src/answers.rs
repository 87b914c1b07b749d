//! Any bytes, as what a server of a fleet answers: what a gateway makes of it.

use synwatch::fleet::store::{Answers, LogEntry, Understood};

/// Maximum numbers that a gateway takes from one answer.
const MOST_NETWORKS: usize = 10_000;
const MOST_GATEWAYS: usize = 1_024;
const MOST_EPISODES: usize = 1_000;
/// Maximum length of a text of another gateway, in characters.
const MOST_TEXT: usize = 200;

/// Whatever a server answers, and however wrong the clocks are, there is no more than a gateway takes at once, and no text
/// that a terminal would obey.
///
/// # Panics
///
/// Where that is not so.
pub fn run(data: &[u8]) {
    for ahead in [0, i64::MAX, i64::MIN] {
        let answers = Answers::new(ahead).expect("a server, a fleet and a gateway");
        check(&answers.read(data), data.len());
    }
}

fn check(Understood { logged, gateways, listed, taken_back, episodes, faults }: &Understood, length: usize) {
    // Each needs some bytes, however many an answer says that there are.
    assert!(logged.len() <= length && listed.len() + taken_back.len() <= MOST_NETWORKS.min(length));
    // The body reads them in two ways, and an episode in two more.
    assert!(gateways.len() <= 2 * MOST_GATEWAYS && episodes.len() <= MOST_EPISODES + 1);
    for entry in logged {
        plain(&entry.by);
        match &entry.entry {
            LogEntry::Block(listed) | LogEntry::Allow(listed) => {
                [&listed.by, &listed.why].map(|text| plain(text))
            }
            _ => continue,
        };
    }
    listed.iter().for_each(|listed| _ = [&listed.by, &listed.why].map(|text| plain(text)));
    for episode in episodes {
        assert!(episode.gateways.len() <= MOST_GATEWAYS);
        episode.gateways.iter().for_each(|(name, _)| plain(name));
        // The numbers may be anything.
        let _ = episode.attempts();
    }
    for fault in faults {
        let told = fault.to_string();
        assert!(!told.is_empty() && !told.contains(char::is_control), "{told:?}");
    }
}

fn plain(text: &str) {
    assert!(text.chars().count() <= MOST_TEXT && !text.contains(char::is_control), "{text:?}");
}
