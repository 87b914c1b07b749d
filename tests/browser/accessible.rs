//! axe-core finds nothing to complain of, in light and dark, wide and narrow.

use std::path::PathBuf;

use crate::chromium::Chromium;
use crate::needs;
use crate::pages::Pages;
use crate::quiet::without_policy;

/// Chromium's numbers of the two schemes.
const SCHEMES: [(&str, u8); 2] = [("dark", 0), ("light", 1)];

#[test]
fn axe_finds_no_violation() {
    let axe = std::env::var_os("SYNWATCH_AXE").map(PathBuf::from);
    if axe.as_ref().is_some_and(|axe| axe.as_os_str() == "none") {
        // `.ci/run` could not get it, and said so.
        return;
    }
    let axe = axe.filter(|axe| axe.is_file());
    let Some(browser) = Chromium::new() else { return };
    if !needs("axe-core (SYNWATCH_AXE=axe.min.js)", axe.is_some()) {
        return;
    }
    let axe = std::fs::read_to_string(axe.unwrap()).unwrap().replace("</script", "<\\/script");
    let pages = Pages::new();
    for page in [pages.attack(), pages.day()] {
        let copy = pages.changed(&page, |page| {
            let run = "axe.run(document).then(r => document.body.setAttribute('data-axe', JSON.stringify({\
                       dark: matchMedia('(prefers-color-scheme: dark)').matches, passes: r.passes.length, violations: \
                       r.violations.map(v => [v.id, v.nodes.length, v.nodes[0].html.slice(0, 200)])})))";
            without_policy(&page).replace("</body>", &format!("<script>{axe}</script><script>{run}</script></body>"))
        });
        for (scheme, number) in SCHEMES {
            for width in [1_200, 390] {
                let shown = browser.show(
                    &copy,
                    &[
                        "--dump-dom",
                        "--virtual-time-budget=20000",
                        &format!("--window-size={width},1000"),
                        &format!("--blink-settings=preferredColorScheme={number}"),
                    ],
                );
                let result = shown.split("data-axe=\"").nth(1).and_then(|rest| rest.split('"').next());
                let result = result.unwrap_or_else(|| panic!("axe has not run")).replace("&quot;", "\"");
                assert!(result.contains(&format!("\"dark\":{}", scheme == "dark")), "{result}");
                assert!(result.contains("\"violations\":[]"), "{scheme}, {width}: {result}");
            }
        }
    }
}
