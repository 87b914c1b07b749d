//! A page loads nothing, runs nothing, and is whole without scripts.

use std::path::Path;

use crate::chromium::Chromium;
use crate::pages::{HOSTILE, Pages};

/// Takes the policy out of a page.
pub(crate) fn without_policy(page: &str) -> String {
    let (before, rest) = page.split_once("<meta http-equiv=\"Content-Security-Policy\"").unwrap();
    let (_, after) = rest.split_once('>').unwrap();
    format!("{before}{after}")
}

#[test]
fn a_page_asks_for_nothing_and_would_be_seen_if_it_did() {
    let Some(browser) = Chromium::new() else { return };
    let pages = Pages::new();
    for page in [pages.attack(), pages.day()] {
        assert_eq!(browser.asked(&page), Vec::<String>::new(), "{}", page.display());
    }
    let image = "<img src=\"http://192.0.2.1/seen.png\"></body>";
    let asks = |page: String| page.replace("</body>", image);
    let page = pages.attack();
    let open = pages.changed(&page, |page| asks(without_policy(&page)));
    assert_eq!(browser.asked(&open), ["http://192.0.2.1/seen.png"]);
    // The policy has the browser refuse it.
    assert_eq!(browser.asked(&pages.changed(&page, asks)), Vec::<String>::new());
}

#[test]
fn a_script_does_not_run_even_where_it_gets_into_the_page() {
    let Some(browser) = Chromium::new() else { return };
    let pages = Pages::new();
    let add = |page: String| page.replace("</body>", "<script>document.body.id = 'run'</script></body>");
    let page = pages.attack();
    let open = pages.changed(&page, |page| add(without_policy(&page)));
    assert!(browser.show(&open, &["--dump-dom"]).contains("id=\"run\""));
    assert!(!browser.show(&pages.changed(&page, add), &["--dump-dom"]).contains("id=\"run\""));
}

#[test]
fn a_hostile_name_is_text() {
    let Some(browser) = Chromium::new() else { return };
    let pages = Pages::new();
    let open = pages.changed(&pages.day(), |page| without_policy(&page));
    let shown = browser.show(&open, &["--dump-dom"]);
    assert!(!shown.contains("<title>run</title>") && !shown.contains("<script"));
    let text = HOSTILE.replace('<', "&lt;").replace('>', "&gt;");
    assert!(shown.contains(&text), "the name is there");
}

#[test]
fn a_page_is_whole_without_scripts() {
    let Some(browser) = Chromium::new() else { return };
    let pages = Pages::new();
    let page = pages.day();
    let painted = |page: &Path| {
        let picture = page.with_extension("png");
        let into = format!("--screenshot={}", picture.display());
        browser.show(page, &["--hide-scrollbars", "--window-size=1200,3000", &into]);
        std::fs::read(picture).unwrap()
    };
    // Under its policy no script runs, as the test above shows.
    let without = painted(&page);
    let with = painted(&pages.changed(&page, |page| without_policy(&page)));
    assert!(with == without && with.len() > 50_000, "{} and {} bytes", with.len(), without.len());
    let shown = browser.show(&page, &["--dump-dom"]);
    for part in ["Attempts over time", "Episodes", "Time of day", "Counters", "no data"] {
        assert!(shown.contains(part), "{part}");
    }
}
