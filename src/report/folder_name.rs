//! The name of an episode's folder of evidence: what makes it and what links to it must agree.

use crate::base::time::Timestamp;
use crate::base::zone::Zone;

/// Maximum length of the watch's part of a name.
const WATCH_CHARS: usize = 64;

/// The name: it sorts by time and identifies the episode. It has letters, digits, dots, hyphens and underscores only.
#[must_use]
pub(crate) fn folder_name(first_seen: Timestamp, source: &str, watch: &str) -> String {
    let watch: String = watch.chars().take(WATCH_CHARS).collect();
    let name = format!("{}-{source}-{watch}", stamp(first_seen));
    let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '-';
    name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect()
}

/// To the second, in UTC: `2013-11-25T061136Z`.
fn stamp(time: Timestamp) -> String {
    let text = Zone::utc().text(time).to_string();
    let second = text.split('.').next().unwrap_or_default();
    format!("{}Z", second.replace(':', ""))
}
