//! The parts of a whole as one bar: outcomes, ports.

use maud::{Markup, html};

use super::markup::{Picture, colour_class, key, numbers};
use super::scale::{float, place};
use super::words::{number, share};

const WIDTH: f64 = 960.0;
const HEIGHT: f64 = 26.0;
/// Approximate width of a letter.
const LETTER: f64 = 7.2;

/// A part: its colour, name and number.
pub(super) type Part = (usize, String, u64);

/// The picture; `None` without data.
pub(super) fn mix(id: &str, title: &str, of: &str, parts: &[Part]) -> Option<Markup> {
    let parts: Vec<_> = parts.iter().filter(|(_, _, count)| *count > 0).collect();
    let total = parts.iter().fold(0_u64, |sum, (_, _, count)| sum.saturating_add(*count));
    let (_, most, highest) = parts.iter().max_by_key(|(_, _, count)| *count)?;
    let says = match parts.len() {
        1 => format!("{of}: {}, all of them {most}.", number(total)),
        _ => format!("{of}: {}. The largest part is {most}, {}.", number(total), share(*highest, total)),
    };
    let mut x = 0.0;
    let mut placed = Vec::new();
    for (colour, name, count) in &parts {
        let width = WIDTH * float(*count) / float(total);
        placed.push((x, width, *colour, name, *count));
        x += width;
    }
    // The name of a part is below it if there is room. Otherwise a key names all parts.
    let fits = |width: f64, text: &str| float(text.chars().count() as u64) * LETTER < width - 8.0;
    let is_labelled =
        placed.iter().all(|(_, width, _, name, count)| fits(*width, &label(name, *count, total)));
    let drawing = html! {
        g.bars {
            @for (x, width, colour, name, count) in &placed {
                rect class=(format!("cut {}", colour_class(*colour))) x=(place(*x)) width=(place(width.max(1.0))) height=(HEIGHT) {
                    title { (name) ": " (number(*count)) }
                }
            }
        }
        @for (x, width, _, name, count) in &placed {
            @let text = label(name, *count, total);
            @if fits(*width, &text) {
                text.strong x=(place(x + 1.0)) y=(place(HEIGHT + 16.0)) { (text) }
            }
        }
    };
    let entries: Vec<_> = parts
        .iter()
        .map(|(colour, name, count)| {
            (*colour, name.clone(), format!("{} ({})", number(*count), share(*count, total)))
        })
        .collect();
    let table = html! {
        table {
            thead { tr { th scope="col" { "What" } th.n scope="col" { "Attempts" } th.n scope="col" { "Share" } } }
            tbody {
                @for (_, name, count) in &parts {
                    tr { th scope="row" { (name) } td.n { (number(*count)) } td.n { (share(*count, total)) } }
                }
            }
        }
    };
    let picture = Picture { id, title, says: &says, size: (WIDTH, HEIGHT + 22.0) };
    let key = if is_labelled {
        html! {}
    } else {
        key(&entries)
    };
    Some(picture.figure(&drawing, &key, &numbers("The numbers of this picture", &table)))
}

fn label(name: &str, count: u64, total: u64) -> String {
    format!("{name} {}", share(count, total))
}
