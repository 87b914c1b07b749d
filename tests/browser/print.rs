//! A printed page has every offender.

use std::process::Command;

use crate::chromium::Chromium;
use crate::needs;
use crate::pages::{EPISODES, Pages, source};

#[test]
fn a_printed_page_has_every_offender() {
    let Some(browser) = Chromium::new() else { return };
    if !needs("pdftotext", Command::new("pdftotext").arg("-v").output().is_ok()) {
        return;
    }
    let pages = Pages::new();
    let page = pages.day();
    let pdf = page.with_extension("pdf");
    browser.show(&page, &["--no-pdf-header-footer", &format!("--print-to-pdf={}", pdf.display())]);
    let output = Command::new("pdftotext").args(["-layout", pdf.to_str().unwrap(), "-"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let words: Vec<_> = text.split_whitespace().collect();
    for episode in 0..EPISODES {
        assert!(words.contains(&source(episode).as_str()), "{}", source(episode));
    }
    assert!(text.matches("Attempts").count() > 3, "the head of a table is on each of its pages");
}
