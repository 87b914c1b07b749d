//! Bars and the graph: numbers as lengths and heights.

use super::look::Look;

/// Parts of a cell that is filled from the left, in eighths.
const LEFT: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// Parts of a cell that is filled from below, in eighths.
const BELOW: [char; 9] = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The same in ASCII, by how full the cell looks.
const BELOW_ASCII: [char; 9] = [' ', '.', '.', '.', ':', ':', ':', '|', '|'];

/// Rows of the graph.
pub(super) const GRAPH_ROWS: usize = 2;

/// A bar for a count against its limit: full from the limit on, and not empty from the first attempt on.
pub(super) fn bar(count: u32, limit: u32, cells: usize, look: Look) -> String {
    let eighths = match u64::from(count.min(limit)) * cells as u64 * 8 {
        0 => u64::from(count > 0) * 8,
        scaled => (scaled / u64::from(limit)).max(1),
    };
    let (full, rest) = ((eighths / 8) as usize, (eighths % 8) as usize);
    if look.has_blocks {
        format!("{}{}", "█".repeat(full), LEFT[rest])
    } else {
        format!("{}{}", "#".repeat(full), if rest > 0 { "-" } else { "" })
    }
}

/// A graph of the newest numbers, the newest at the right, from its top row down. Where numbers share a cell it shows
/// the highest.
pub(super) fn graph(history: &[u32], columns: usize, look: Look) -> [String; GRAPH_ROWS] {
    let cells = history.len().min(columns.max(1));
    let peaks: Vec<_> = (0..cells)
        .map(|cell| {
            let (from, to) = (cell * history.len() / cells, (cell + 1) * history.len() / cells);
            history[from..to].iter().copied().max().unwrap_or(0)
        })
        .collect();
    let highest = u64::from(peaks.iter().copied().max().unwrap_or(0).max(1));
    let most = (GRAPH_ROWS * 8) as u64;
    let blank = " ".repeat(columns.saturating_sub(peaks.len()));
    std::array::from_fn(|row| {
        let below = (GRAPH_ROWS - 1 - row) * 8;
        let cells = peaks.iter().map(|peak| {
            // A second with an attempt is not empty.
            let height = (u64::from(*peak) * most).div_ceil(highest) as usize;
            let filled = height.saturating_sub(below).min(8);
            if look.has_blocks { BELOW[filled] } else { BELOW_ASCII[filled] }
        });
        blank.chars().chain(cells).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCKS: Look = Look { has_colours: false, has_blocks: true };
    const ASCII: Look = Look { has_colours: false, has_blocks: false };

    #[test]
    fn a_bar_is_full_at_its_limit_and_not_before() {
        for (count, limit, blocks, ascii) in [
            (0, 30, "", ""),
            (1, 30, "▏", "-"),
            (1, 60_000, "▏", "-"),
            (15, 30, "█▌", "#-"),
            (29, 30, "██▉", "##-"),
            (30, 30, "███", "###"),
            (31, 30, "███", "###"),
            (u32::MAX, u32::MAX, "███", "###"),
            (u32::MAX - 1, u32::MAX, "██▉", "##-"),
            (1, 0, "█", "#"),
        ] {
            assert_eq!(bar(count, limit, 3, BLOCKS), blocks, "{count}/{limit}");
            assert_eq!(bar(count, limit, 3, ASCII), ascii, "{count}/{limit}");
        }
    }

    #[test]
    fn the_graph_ends_with_the_newest_number_and_shows_the_highest_of_a_cell() {
        assert_eq!(graph(&[0, 1, 8, 16], 6, BLOCKS), ["     █", "   ▁██"]);
        assert_eq!(graph(&[0, 1, 8, 16], 6, ASCII), ["     |", "   .||"]);
        assert_eq!(graph(&[9, 1, 0, 8, 16, 3], 3, BLOCKS), ["▁ █", "███"]);
        assert_eq!(graph(&[1, 9, 0, 8, 16], 2, BLOCKS), ["▁█", "██"]);
        assert_eq!(graph(&[], 3, BLOCKS), ["   ", "   "]);
        assert_eq!(graph(&[5], 0, BLOCKS), ["█", "█"]);
        assert_eq!(graph(&[u32::MAX, 1], 2, BLOCKS), ["█ ", "█▁"]);
    }
}
