//! Whole pictures, compared with the files in `tests/frames`.
//!
//! A file holds the text of a picture and, below that, the style of each cell. `SYNWATCH_BLESS=1 cargo test --lib
//! top::` writes them anew; a changed picture is a reviewed diff.

use std::path::{Path, PathBuf};
use std::{env, fs};

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use ratatui::text::Span;

use super::snapshots::{crowd, empty, flood, names};
use crate::control::TopSnapshot;
use crate::top::draw::{Look, draw};
use crate::top::keys::Key;
use crate::top::plain;
use crate::top::state::{Link, State};

const COLOURS: Look = Look { has_colours: true, has_blocks: true };
const NO_COLOR: Look = Look { has_colours: false, has_blocks: true };
const ASCII: Look = Look { has_colours: true, has_blocks: false };

const SIZES: [(u16, u16); 3] = [(50, 14), (80, 24), (120, 40)];

fn state(snapshot: TopSnapshot, keys: &[Key]) -> State {
    let mut state = State::default();
    state.take(snapshot);
    for key in keys {
        state.press(*key);
    }
    state
}

fn buffer(state: &State, look: Look, (columns, rows): (u16, u16)) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    terminal.draw(|frame| draw(state, look, frame)).unwrap();
    terminal.backend().buffer().clone()
}

/// The text of a picture, and a letter for each cell that has a style.
fn text(buffer: &Buffer) -> String {
    let (mut text, mut styles) = (String::new(), String::new());
    for row in buffer.content.chunks(buffer.area.width.into()) {
        let (mut line, mut letters) = (String::new(), String::new());
        let mut hidden = 0;
        for cell in row {
            letters.push(letter(cell));
            if hidden == 0 {
                line += cell.symbol();
                hidden = Span::raw(cell.symbol()).width();
            }
            hidden = hidden.saturating_sub(1);
        }
        text += &format!("{}\n", line.trim_end());
        styles += &format!("{}\n", letters.trim_end());
    }
    format!("{text}--- d dim, b bold, a accent, r red, s selected\n{styles}")
}

fn letter(cell: &Cell) -> char {
    match (cell.fg, cell.modifier) {
        (_, modifier) if modifier.contains(Modifier::REVERSED) => 's',
        (Color::Red, _) => 'r',
        (Color::Cyan, _) => 'a',
        (Color::Reset, Modifier::BOLD) => 'b',
        (Color::Reset, Modifier::DIM) => 'd',
        (Color::Reset, modifier) if modifier.is_empty() => ' ',
        _ => '?',
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/frames")
}

/// Compares a picture with its file.
fn check(name: &str, found: &str) {
    let path = folder().join(format!("{name}.txt"));
    if env::var_os("SYNWATCH_BLESS").is_some() {
        fs::create_dir_all(folder()).unwrap();
        fs::write(path, found).unwrap();
        return;
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == found, "{}: expected\n{expected}\nfound\n{found}", path.display());
}

#[test]
fn pictures_of_each_size_are_those_of_their_files() {
    for (name, snapshot) in [("empty", empty()), ("flood", flood()), ("crowd", crowd()), ("names", names())] {
        let state = state(snapshot, &[]);
        for (columns, rows) in SIZES {
            check(&format!("{name}-{columns}x{rows}"), &text(&buffer(&state, COLOURS, (columns, rows))));
        }
    }
}

#[test]
fn looks_and_modes_are_those_of_their_files() {
    let down = [Key::Char('j'), Key::Char('j')];
    let typed: Vec<_> = "/198.51".chars().map(Key::Char).collect();
    let sorted = [Key::Char('s'), Key::Char('S'), Key::Char('G')];
    for (name, state, look) in [
        ("no-colour", state(flood(), &down), NO_COLOR),
        ("ascii", state(flood(), &down), ASCII),
        ("details", state(names(), &[Key::Enter]), COLOURS),
        ("help", state(flood(), &[Key::Char('?')]), COLOURS),
        ("filter", state(flood(), &typed), COLOURS),
        ("sorted-last", state(crowd(), &sorted), COLOURS),
        ("paused", state(flood(), &[Key::Char(' ')]), COLOURS),
        (
            "lost",
            {
                let mut state = state(flood(), &[]);
                state.link = Link::Lost;
                state
            },
            COLOURS,
        ),
        ("second-watch", state(crowd(), &[Key::Tab]), COLOURS),
        ("waiting", State::default(), COLOURS),
    ] {
        check(&format!("{name}-80x24"), &text(&buffer(&state, look, (80, 24))));
    }
}

#[test]
fn plain_pictures_are_those_of_their_files() {
    check("plain-flood", &plain::text(&flood(), 80, NO_COLOR));
    check("plain-flood-ascii", &plain::text(&flood(), 80, ASCII));
    check("plain-empty", &plain::text(&empty(), 80, NO_COLOR));
    let crowd = plain::text(&crowd(), 100, NO_COLOR);
    assert_eq!(
        crowd.lines().filter(|line| line.contains("203.0.1") && line.contains("mail 30/10s")).count(),
        40
    );
    assert!(crowd.contains("  203.0.114.249 ") && crowd.contains("  192.0.2.7 "), "{crowd}");
}

#[test]
fn no_color_and_ascii_have_neither() {
    for (snapshot, keys) in
        [(crowd(), &[Key::Down][..]), (flood(), &[Key::Enter]), (flood(), &[Key::Char('?')])]
    {
        let state = state(snapshot, keys);
        for cell in &buffer(&state, NO_COLOR, (120, 40)).content {
            assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset));
        }
        for cell in &buffer(&state, ASCII, (120, 40)).content {
            assert!(cell.symbol().is_ascii(), "{:?}", cell.symbol());
        }
    }
}

#[test]
fn red_has_its_mark_and_a_lost_connection_dims_all_but_its_own_line() {
    let mut state = state(crowd(), &[]);
    let picture = buffer(&state, COLOURS, (120, 40));
    for row in picture.content.chunks(120) {
        let is_red = row.iter().any(|cell| cell.fg == Color::Red);
        let is_marked = row[0].symbol() == "!";
        assert_eq!(is_red, is_marked, "{:?}", row.iter().map(Cell::symbol).collect::<String>());
    }
    state.link = Link::Lost;
    let picture = buffer(&state, COLOURS, (120, 40));
    let is_dim = |row: &[Cell]| row.iter().all(|cell| cell.modifier.contains(Modifier::DIM));
    assert!(picture.content.chunks(120).skip(1).all(is_dim));
    assert!(!is_dim(&picture.content[..120]));
}

#[test]
fn every_file_is_that_of_a_picture() {
    let names = [
        "empty",
        "flood",
        "crowd",
        "names",
        "no-colour",
        "ascii",
        "details",
        "help",
        "filter",
        "sorted-last",
        "paused",
        "lost",
        "second-watch",
        "waiting",
        "plain",
    ];
    for entry in fs::read_dir(folder()).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            names.iter().any(|name| file.starts_with(&format!("{name}-"))),
            "no test has tests/frames/{file}"
        );
    }
}
