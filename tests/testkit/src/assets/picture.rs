//! The README's picture: a terminal with the first two and the last report of the seed attack, as the program prints them.
//!
//! It is plain SVG without scripts, fonts or links of its own, and dark whatever is around it. Each line has a set
//! length, so that it fits whichever font the viewer has.

const COMMAND: &str = "TZ=Asia/Tokyo synwatch -r captures/seed-attack.pcap";

/// Where a line of the terminal ends, in letters.
const COLUMNS: usize = 92;
/// How far the rest of a report is indented.
const INDENT: &str = "    ";

// In units of the picture.
const LETTER: f64 = 8.4;
const FONT_SIZE: f64 = 14.0;
const LINE: f64 = 21.0;
const MARGIN: f64 = 20.0;
/// The bar on top, with the title.
const BAR: f64 = 34.0;

/// Keys that tell the story at a glance.
const STRESSED: [&str; 4] = ["src=", "attempts=", "outcomes=", "verified="];

/// A run of letters of one kind.
struct Span {
    text: String,
    class: &'static str,
}

type Line = Vec<Span>;

/// The picture, from what the program prints for the attack.
///
/// # Panics
/// The program no longer reports the attack.
pub(super) fn seed_attack(printed: &str) -> String {
    let reports: Vec<_> = printed.lines().filter(|line| line.contains(" flood ")).collect();
    let [start, verified, updates @ .., end] = &reports[..] else { panic!("the attack is not reported") };
    let mut lines = vec![vec![span("$ ", "dim"), span(COMMAND, "say")]];
    lines.extend(wrap(start));
    lines.extend(wrap(verified));
    lines.push(vec![span(&format!("{INDENT}… {} updates, one a minute", updates.len()), "dim")]);
    lines.extend(wrap(end));
    lines.push(vec![span("$ ", "dim"), span("▏", "say")]);
    svg(&lines)
}

/// A report in lines of the terminal, broken between words.
fn wrap(report: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let (mut line, mut width) = (Line::new(), 0);
    for (index, word) in report.split(' ').enumerate() {
        let length = word.chars().count();
        if width > 0 && width + 1 + length > COLUMNS {
            lines.push(std::mem::replace(&mut line, vec![span(INDENT, "say")]));
            width = INDENT.len();
        } else if width > 0 {
            line.push(span(" ", "say"));
            width += 1;
        }
        width += length;
        line.push(span(word, class(index, word)));
    }
    lines.push(line);
    lines
}

/// How a word of a report is shown: its time, `flood`, its state, its keys.
fn class(index: usize, word: &str) -> &'static str {
    match index {
        0 => "dim",
        1 => "state",
        2 if word == "end" => "end",
        2 => "state",
        _ if STRESSED.iter().any(|key| word.starts_with(key)) => "key",
        _ => "say",
    }
}

fn span(text: &str, class: &'static str) -> Span {
    Span { text: text.to_owned(), class }
}

fn svg(lines: &[Line]) -> String {
    let width = COLUMNS as f64 * LETTER + 2.0 * MARGIN;
    let height = BAR + lines.len() as f64 * LINE + 1.5 * MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"0 0 {width:.0} {height:.0}\" \
         width=\"{width:.0}\" height=\"{height:.0}\">\n\
         <title>synwatch replays the seed attack</title>\n\
         <style>\n\
         text {{ font: {FONT_SIZE}px ui-monospace, SFMono-Regular, Menlo, Consolas, \"DejaVu Sans Mono\", monospace; \
         white-space: pre }}\n\
         .say {{ fill: #c9d1d9 }} .dim {{ fill: #8b949e }} .key {{ fill: #79c0ff; font-weight: bold }}\n\
         .state {{ fill: #ff7b72; font-weight: bold }} .end {{ fill: #7ee787; font-weight: bold }}\n\
         </style>\n\
         <rect x=\"0.5\" y=\"0.5\" width=\"{:.0}\" height=\"{:.0}\" rx=\"8\" fill=\"#0d1117\" stroke=\"#57606a\"/>\n\
         <circle cx=\"20\" cy=\"18\" r=\"6\" fill=\"#ff5f56\"/><circle cx=\"40\" cy=\"18\" r=\"6\" fill=\"#ffbd2e\"/>\
         <circle cx=\"60\" cy=\"18\" r=\"6\" fill=\"#27c93f\"/>\n",
        width - 1.0,
        height - 1.0,
    );
    for (index, line) in lines.iter().enumerate() {
        let y = BAR + (index as f64 + 1.0) * LINE;
        let letters: usize = line.iter().map(|span| span.text.chars().count()).sum();
        let length = letters as f64 * LETTER;
        svg += &format!(
            "<text xml:space=\"preserve\" x=\"{MARGIN:.0}\" y=\"{y:.0}\" textLength=\"{length:.1}\" lengthAdjust=\"spacingAndGlyphs\">"
        );
        for Span { text, class } in line {
            svg += &format!("<tspan class=\"{class}\">{}</tspan>", escaped(text));
        }
        svg += "</text>\n";
    }
    svg + "</svg>\n"
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
