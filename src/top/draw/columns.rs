//! Which columns the table has, and how wide they are.
//!
//! A column is as wide as what it holds, for all sources of the watch: it does not change as rows are scrolled. Columns
//! that do not fit are left out whole, in a fixed order; none is squeezed. Names alone take what is left, because they
//! may be long: a name that does not fit shows its end.

use super::text::{escaped, rate, time, width};
use crate::control::{TopSource, TopWatch};

/// From here on there are names, networks and rates.
const WIDE: usize = 100;

/// The mark of a row, and the blank after it.
pub(super) const MARK: usize = 2;

/// Between two columns.
pub(super) const GAP: usize = 2;

/// Cells of a bar.
pub(super) const BAR: usize = 7;

/// Least width of a count.
const COUNT: usize = 3;

/// Names and networks in fewer columns than this tell nothing, and in more than this they tell nothing more.
const NAME: std::ops::RangeInclusive<usize> = 12..=40;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Source,
    Name,
    Network,
    /// The count for the limit with this index.
    Limit(usize),
    Verified,
    Blocked,
    Rate,
}

/// The columns of a table, from left to right, each with its width.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Columns {
    pub(super) columns: Vec<(Column, usize)>,
    /// Whether counts have bars.
    pub(super) has_bars: bool,
}

impl Columns {
    /// Those that fit. `None` where not even the sources do.
    pub(super) fn new(watch: &TopWatch, columns: usize) -> Option<Self> {
        let limits = watch.limits.len();
        let mut wanted = vec![(Column::Source, widest(watch, Column::Source))];
        let wide = if columns >= WIDE { &[Column::Name, Column::Network][..] } else { &[] };
        for column in wide {
            let most = widest(watch, *column);
            if most > 0 {
                wanted.push((*column, most.max(heading(*column).len()).min(*NAME.end())));
            }
        }
        wanted.extend((0..limits).map(|limit| (Column::Limit(limit), limit_width(watch, limit, true))));
        wanted.extend([Column::Verified, Column::Blocked].map(|column| (column, widest(watch, column))));
        if columns >= WIDE {
            wanted.push((Column::Rate, widest(watch, Column::Rate)));
        }
        let mut table = Self { columns: wanted, has_bars: true };
        while table.width() > columns {
            table.narrow(watch, table.width() - columns)?;
        }
        Some(table)
    }

    /// Leaves out what comes next. `None` where nothing is left to leave out.
    fn narrow(&mut self, watch: &TopWatch, excess: usize) -> Option<()> {
        if let Some((_, name)) = self.columns.iter_mut().find(|(column, _)| *column == Column::Name) {
            if *name >= NAME.start() + excess {
                *name -= excess;
                return Some(());
            }
        }
        let order = [Column::Network, Column::Name, Column::Rate, Column::Verified];
        if let Some(column) = order.into_iter().find(|column| self.has(*column)) {
            self.columns.retain(|(kept, _)| *kept != column);
        } else if self.has_bars {
            self.has_bars = false;
            for (column, width) in &mut self.columns {
                if let Column::Limit(limit) = column {
                    *width = limit_width(watch, *limit, false);
                }
            }
        } else if self.has(Column::Blocked) && self.columns.len() > 2 {
            self.columns.retain(|(kept, _)| *kept != Column::Blocked);
        } else if self.columns.len() > 1 {
            // The first limit is that of most attempts; the source stays.
            self.columns.pop();
        } else {
            return None;
        }
        Some(())
    }

    fn has(&self, column: Column) -> bool {
        self.columns.iter().any(|(there, _)| *there == column)
    }

    fn width(&self) -> usize {
        let gaps = self.columns.len().saturating_sub(1) * GAP;
        MARK + gaps + self.columns.iter().map(|(_, width)| width).sum::<usize>()
    }
}

/// The heading of a column. That of a limit is its name.
pub(super) fn heading(column: Column) -> &'static str {
    match column {
        Column::Source => "SOURCE",
        Column::Name => "NAME",
        Column::Network => "AS",
        Column::Limit(_) => "",
        Column::Verified => "REAL",
        Column::Blocked => "BLOCK",
        Column::Rate => "RATE",
    }
}

/// What a column holds of a source, if it is no count.
pub(super) fn value(source: &TopSource, column: Column) -> String {
    match column {
        Column::Source => escaped(&source.source),
        Column::Name => source.host.as_deref().map(escaped).unwrap_or_default(),
        Column::Network => source.asn.as_deref().map(number).unwrap_or_default(),
        Column::Limit(_) => String::new(),
        Column::Verified => escaped(&source.verified),
        Column::Blocked => source.blocked.map(|seconds| time(seconds as f64)).unwrap_or_default(),
        Column::Rate => rate(source.rate),
    }
}

/// The number of an autonomous system, without the name of its owner: `AS64500`.
fn number(asn: &str) -> String {
    escaped(asn.split_whitespace().next().unwrap_or_default())
}

/// How wide the widest value of a column is, with its heading; nothing for names where there are none. Rates and times
/// change all the time: their columns are as wide as any of them.
fn widest(watch: &TopWatch, column: Column) -> usize {
    let values = watch.sources.iter().map(|source| width(&value(source, column))).max().unwrap_or(0);
    match column {
        Column::Name | Column::Network => values,
        Column::Source => values.max("255.255.255.255".len()),
        Column::Blocked => values.max("59m59s".len()),
        Column::Rate => values.max("9999.9/s".len()),
        _ => values.max(heading(column).len()),
    }
}

fn limit_width(watch: &TopWatch, limit: usize, has_bars: bool) -> usize {
    let counts = watch.sources.iter().filter_map(|source| source.counts.get(limit).copied().flatten());
    let digits = counts.max().map_or(0, |count| count.to_string().len()).max(COUNT);
    let bar = if has_bars { BAR + 1 } else { 0 };
    let name = watch.limits.get(limit).map_or(0, |limit| width(&escaped(&limit.name)));
    (bar + digits).max(name)
}
