//! A terminal that a test can read, type into and resize: tmux with a server of its own.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use synwatch_testkit::PATIENCE;
use tempfile::TempDir;

/// Between two looks at the screen.
const PAUSE: Duration = Duration::from_millis(50);

/// A terminal with a shell's command in it. What the command leaves behind stays readable: a second command waits after it.
pub(super) struct Terminal {
    folder: TempDir,
}

impl Terminal {
    /// Runs a command in a terminal of this size, with the environment of a UTF-8 user. `None` where there is no tmux; in CI
    /// there must be one.
    pub(super) fn run(command: &str, columns: u16, rows: u16) -> Option<Self> {
        if Command::new("tmux").arg("-V").output().is_err() {
            let is_ci = env::var_os("CI").is_some_and(|ci| ci == "true");
            assert!(!is_ci, "cannot run, and in CI it must: there is no tmux");
            let _ = writeln!(io::stderr(), "not run: there is no tmux");
            return None;
        }
        let terminal = Self { folder: tempfile::tempdir().unwrap() };
        // The process id is that of the command, which takes the place of its shell. The code is shown at its end.
        let pid = terminal.folder.path().join("pid");
        let command =
            format!("sh -c 'echo $$ > {}; exec {command}'; echo \"ended with $?\"; exec cat", pid.display());
        let (columns, rows) = (columns.to_string(), rows.to_string());
        terminal.tmux(&["new-session", "-d", "-x", &columns, "-y", &rows, &command]);
        Some(terminal)
    }

    /// The process id of the command.
    pub(super) fn pid(&self) -> i32 {
        fs::read_to_string(self.folder.path().join("pid")).unwrap().trim().parse().unwrap()
    }

    /// Types keys, by tmux's names for them.
    pub(super) fn press(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys"], keys].concat());
    }

    pub(super) fn resize(&self, columns: u16, rows: u16) {
        self.tmux(&["resize-window", "-x", &columns.to_string(), "-y", &rows.to_string()]);
    }

    /// What is on the screen.
    pub(super) fn text(&self) -> String {
        String::from_utf8(self.tmux(&["capture-pane", "-p"]).stdout).unwrap()
    }

    /// Waits until the screen is as wanted, and gives its text.
    pub(super) fn wait_for(&self, what: &str, is_there: impl Fn(&str) -> bool) -> String {
        let until = Instant::now() + PATIENCE;
        loop {
            let text = self.text();
            if is_there(&text) {
                return text;
            }
            assert!(Instant::now() < until, "{what} does not come; the screen:\n{text}");
            thread::sleep(PAUSE);
        }
    }

    /// Waits until the screen contains these words, however far they are apart.
    pub(super) fn wait_for_text(&self, text: &str) -> String {
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let wanted = words(text);
        self.wait_for(text, |screen| words(screen).contains(&wanted))
    }

    /// Waits for the end of the command, and looks whether its terminal is whole. Gives the text that it left.
    pub(super) fn end(&self, code: &str) -> String {
        let text = self.wait_for_text("ended with");
        assert!(text.contains(&format!("ended with {code}")), "{text}");
        let flags = self.tmux(&["display-message", "-p", "#{alternate_on} #{cursor_flag}"]);
        assert_eq!(
            String::from_utf8(flags.stdout).unwrap(),
            "0 1\n",
            "alternate screen, cursor; the screen:\n{text}"
        );
        // Echo is off in raw mode.
        self.press(&["e", "c", "h", "o"]);
        self.wait_for_text("echo")
    }

    /// Takes the terminal away, and waits for the end of the command.
    pub(super) fn hang_up(&self) {
        let status = format!("/proc/{}/status", self.pid());
        self.tmux(&["kill-server"]);
        let until = Instant::now() + PATIENCE;
        // It may stay as a zombie where nothing waits for it.
        while fs::read_to_string(&status).is_ok_and(|status| !status.contains("State:\tZ")) {
            assert!(Instant::now() < until, "it goes on without a terminal");
            thread::sleep(PAUSE);
        }
    }

    fn tmux(&self, words: &[&str]) -> Output {
        let socket = self.folder.path().join("tmux");
        let output = tmux(&socket, words).output().unwrap();
        assert!(output.status.success(), "tmux {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It has gone already where its command could not be started.
        let _ = tmux(&self.folder.path().join("tmux"), &["kill-server"]).output();
    }
}

fn tmux(socket: &Path, words: &[&str]) -> Command {
    let mut command = Command::new("tmux");
    command.arg("-f").arg("/dev/null").arg("-S").arg(socket).args(words);
    command.env("LC_ALL", "C.UTF-8").env_remove("TMUX").env_remove("NO_COLOR").env_remove("RUST_LOG");
    command
}
