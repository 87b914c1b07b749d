//! The expected results of each capture, counted with tshark and not with synwatch.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;
use synwatch::base::time::Timestamp;
use synwatch::base::zone::Zone;

use super::differences::What;

/// The limits that were asked about, as the expected files list them, and as an option says them.
pub(crate) const LIMITS: [((u64, u64), &str); 2] = [((20, 10), "20/10s"), ((10, 60), "10/60s")];
/// The ports that were asked about, by their names in the expected files and in an option.
pub(crate) const QUERIES: [&str; 2] = ["mail", "any"];

/// What is expected of one capture, or what is found in it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Findings {
    /// It cannot be read at all: the cause, as the message says it.
    NotRead(String),
    /// What was counted.
    Counted {
        /// Whether the file ends in the middle, or is damaged: what comes before counts.
        damaged: bool,
        packets: u64,
        /// By query.
        answers: BTreeMap<&'static str, Answer>,
    },
}

/// What is counted for some ports.
#[derive(Debug, PartialEq, Eq, Default)]
pub(crate) struct Answer {
    /// All SYNs, copies and retransmissions too.
    pub(crate) syns: u64,
    /// Attempts by source.
    pub(crate) attempts: BTreeMap<String, u64>,
    /// The sources over each limit, with the time at which they first met it, as in JSON.
    pub(crate) over: BTreeMap<&'static str, BTreeMap<String, String>>,
}

/// The captures of the manifest, each with what is expected of it.
pub(crate) fn all(directory: &Path) -> Vec<(String, Findings)> {
    let manifest = fs::read_to_string(directory.join("MANIFEST.tsv")).unwrap();
    let mut lines = manifest.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let column = |name| header.iter().position(|column| *column == name).unwrap();
    let (file, packets, exit) = (column("file"), column("packets"), column("tshark_exit"));
    lines
        .map(|fields| {
            let json = directory.join("expected").join(format!("{}.json", fields[file]));
            let json: Value = serde_json::from_slice(&fs::read(json).unwrap()).unwrap();
            let findings = Findings::Counted {
                damaged: fields[exit] == "2",
                packets: fields[packets].parse().unwrap(),
                answers: QUERIES.map(|query| (query, Answer::expected(&json["queries"][query]))).into(),
            };
            (fields[file].to_owned(), findings)
        })
        .collect()
}

impl Findings {
    /// All of it as single facts, each with its name.
    pub(crate) fn facts(&self) -> BTreeMap<String, String> {
        let mut facts = BTreeMap::new();
        match self {
            Self::NotRead(cause) => drop(facts.insert("cannot be read".to_owned(), cause.clone())),
            Self::Counted { damaged, packets, answers } => {
                facts.insert("damaged".to_owned(), damaged.to_string());
                facts.insert("packets".to_owned(), packets.to_string());
                for (query, Answer { syns, attempts, over }) in answers {
                    facts.insert(format!("{query}: SYNs"), syns.to_string());
                    for (source, attempts) in attempts {
                        facts.insert(format!("{query}: attempts of {source}"), attempts.to_string());
                    }
                    for (limit, sources) in over {
                        facts.extend(sources.iter().map(|(source, first)| {
                            (format!("{query}: {source} over {limit} since"), first.clone())
                        }));
                    }
                }
            }
        }
        facts
    }

    /// Takes a known difference into account. It has to be one: what it says of tshark must be what tshark said.
    pub(crate) fn apply(&mut self, what: &What) {
        let Self::Counted { damaged, packets, answers } = self else {
            panic!("a file that is not read has no {what:?}")
        };
        match *what {
            What::NotRead(cause) => *self = Self::NotRead(cause.to_owned()),
            What::NotByThem { packets: ours } => (*damaged, *packets) = (false, ours),
            What::Packets { theirs, ours } => {
                assert_eq!(*packets, theirs, "{what:?}");
                *packets = ours;
            }
            What::Attempts { queries, source, theirs, ours, unseen } => {
                for query in queries {
                    let answer = answers.get_mut(query).unwrap();
                    assert_eq!(answer.attempts.remove(source), Some(theirs), "{what:?}");
                    answer.attempts.extend((ours > 0).then(|| (source.to_owned(), ours)));
                    answer.syns -= unseen;
                }
            }
        }
    }
}

impl Answer {
    fn expected(query: &Value) -> Self {
        let deduplicated = match &query["per_source_dedup"] {
            Value::String(same) => {
                assert_eq!(same, "same as per_source");
                &query["per_source"]
            }
            own => own,
        };
        let attempts: BTreeMap<_, _> = object(deduplicated, |count| count.as_u64().unwrap());
        assert_eq!(attempts.values().sum::<u64>(), query["total_dedup"].as_u64().unwrap());
        let over = query["over"].as_array().unwrap().iter().map(|over| {
            let limit = (over["n"].as_u64().unwrap(), over["w"].as_u64().unwrap());
            let (_, limit) = LIMITS.iter().find(|known| known.0 == limit).unwrap();
            let sources =
                object(&over["dedup"]["sources"], |source| timestamp(source["first"].as_str().unwrap()));
            (*limit, sources)
        });
        Self { syns: query["total"].as_u64().unwrap(), attempts, over: over.collect() }
    }
}

/// Seconds and nanoseconds since 1970 as synwatch writes them.
fn timestamp(text: &str) -> String {
    let (seconds, nanos) = text.split_once('.').unwrap();
    let time = Timestamp::new(seconds.parse().unwrap(), nanos.parse().unwrap());
    Zone::utc().eve(time).to_string()
}

fn object<T>(json: &Value, value: impl Fn(&Value) -> T) -> BTreeMap<String, T> {
    json.as_object().unwrap().iter().map(|(key, json)| (key.clone(), value(json))).collect()
}
