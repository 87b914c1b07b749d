//! A snapshot as plain lines of `key=value`, for `synwatch top --once`.

use std::fmt::Write as _;

use crate::control::TopSnapshot;
use crate::report::Escaped;

/// The snapshot as lines, each with its end. They are as long as they are: a pipe has no columns.
#[must_use]
pub(crate) fn plain(top: &TopSnapshot, _columns: u16) -> String {
    let mut text = String::new();
    // Writing to memory does not fail.
    let _ = write(&mut text, top);
    text
}

fn write(text: &mut String, top: &TopSnapshot) -> std::fmt::Result {
    let TopSnapshot { timestamp, uptime, attempts_per_second, lost, episodes_opened, .. } = top;
    let answered = top.answered.map_or("-".to_owned(), |answered| format!("{answered:.0}%"));
    writeln!(
        text,
        "top at={timestamp} uptime={uptime:.1}s attempts-per-second={attempts_per_second} answered={answered} \
         lost={lost} episodes={episodes_opened}"
    )?;
    for watch in &top.watches {
        let name = Escaped::value(&watch.name);
        for source in &watch.sources {
            let counts = watch.limits.iter().zip(&source.counts);
            let counts: Vec<_> = counts
                .map(|(limit, count)| {
                    format!("{}={}", limit.name, count.map_or("-".to_owned(), |count| count.to_string()))
                })
                .collect();
            writeln!(
                text,
                "source src={} watch={name} over={} {} rate={:.1}/s verified={}{}",
                source.source,
                if source.over { "yes" } else { "no" },
                counts.join(" "),
                source.rate,
                source.verified,
                source.blocked.map(|left| format!(" blocked={left}s")).unwrap_or_default(),
            )?;
        }
        if watch.other_sources > 0 {
            writeln!(text, "sources-others watch={name} sources={}", watch.other_sources)?;
        }
    }
    for episode in &top.episodes {
        writeln!(
            text,
            "episode subject={} watch={} limit={} state={} duration={:.1}s attempts={} rate={:.1}/s peak={:.1}/s \
             verified={}",
            episode.subject,
            Escaped::value(&episode.watch),
            episode.limit,
            if episode.ended { "ended" } else { "open" },
            episode.seconds,
            episode.attempts,
            episode.rate,
            episode.peak,
            episode.verified
        )?;
    }
    Ok(())
}
