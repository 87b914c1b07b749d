//! Runs Chromium without a screen, a profile, or a network.

use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// Chromium asks these by itself, whatever page it shows.
const ITS_OWN: [&str; 4] = [".google.com", ".googleapis.com", ".gvt1.com", ".gstatic.com"];

/// A browser with a profile of its own.
pub(crate) struct Chromium {
    profile: TempDir,
}

impl Chromium {
    /// Starts none yet; `None` where there is no browser, or no namespace for it.
    pub(crate) fn new() -> Option<Self> {
        let runs = |program: &str, arguments: &[&str]| {
            let command =
                Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
            command.is_ok_and(|status| status.success())
        };
        let is_there = super::needs("namespace (root, unshare)", runs("unshare", &["-n", "true"]))
            && super::needs("chromium", runs("chromium", &["--version"]));
        is_there.then(|| Self { profile: tempfile::tempdir().unwrap() })
    }

    /// Shows a page with further options, and gives what it writes on standard output.
    pub(crate) fn show(&self, page: &Path, options: &[&str]) -> String {
        let output = Command::new("timeout")
            .args(["120", "unshare", "-n", "chromium", "--headless=new", "--no-sandbox", "--disable-gpu"])
            .args(["--no-first-run", "--disable-background-networking", "--disable-component-update"])
            .arg(format!("--user-data-dir={}", self.profile.path().display()))
            .args(options)
            .arg(format!("file://{}", page.display()))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The addresses that a page has asked for.
    pub(crate) fn asked(&self, page: &Path) -> Vec<String> {
        let log = self.profile.path().join("net-log.json");
        self.show(page, &[&format!("--log-net-log={}", log.display()), "--dump-dom"]);
        let text = std::fs::read_to_string(log).unwrap();
        let mut asked: Vec<_> = text
            .split("\"url\":\"")
            .skip(1)
            .filter_map(|rest| rest.split('"').next())
            .filter(|url| {
                let host =
                    url.split("//").nth(1).and_then(|rest| rest.split(['/', ':']).next()).unwrap_or_default();
                !ITS_OWN.iter().any(|own| host.ends_with(own))
            })
            .map(str::to_owned)
            .collect();
        asked.sort();
        asked.dedup();
        asked
    }
}
