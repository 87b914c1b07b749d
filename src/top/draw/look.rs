//! Colours and characters: what the terminal can show, and what the user wants.

use std::env;
use std::ffi::{OsStr, OsString};

use ratatui::style::{Color, Modifier, Style};

/// What pictures are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::top) struct Look {
    /// Whether there are colours beside bold, dim and reversed.
    pub(in crate::top) has_colours: bool,
    /// Whether bars are blocks, or ASCII characters.
    pub(in crate::top) has_blocks: bool,
}

/// What a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Plain,
    /// What explains the rest: labels, keys.
    Label,
    /// What is to be seen first.
    Strong,
    /// Bars, the graph.
    Accent,
    /// Over a limit. It has a mark as well.
    Over,
}

impl Look {
    /// As the environment has it: `NO_COLOR`, the locale.
    pub(in crate::top) fn from_environment() -> Self {
        Self {
            has_colours: env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
            has_blocks: is_utf8(env::var_os),
        }
    }

    pub(super) fn style(self, role: Role) -> Style {
        let style = Style::new();
        match role {
            Role::Plain => style,
            Role::Label => style.add_modifier(Modifier::DIM),
            Role::Strong => style.add_modifier(Modifier::BOLD),
            Role::Accent if self.has_colours => style.fg(Color::Cyan),
            Role::Accent => style,
            Role::Over if self.has_colours => style.fg(Color::Red).add_modifier(Modifier::BOLD),
            Role::Over => style.add_modifier(Modifier::BOLD),
        }
    }

    /// Stands for what a text lacks at its beginning.
    pub(super) fn ellipsis(self) -> &'static str {
        if self.has_blocks { "…" } else { ".." }
    }
}

/// Whether the locale has UTF-8, by the first variable that is set (locale(7)).
fn is_utf8(variable: impl Fn(&'static str) -> Option<OsString>) -> bool {
    let names = ["LC_ALL", "LC_CTYPE", "LANG"];
    let locale = names.into_iter().filter_map(variable).find(|value| !value.is_empty());
    let locale = locale.as_deref().and_then(OsStr::to_str).unwrap_or_default().to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_variable_that_is_set_names_the_locale() {
        for (all, ctype, lang, expected) in [
            ("C.UTF-8", "", "", true),
            ("", "de_DE.utf8", "C", true),
            ("", "", "ja_JP.UTF-8", true),
            ("C", "C.UTF-8", "C.UTF-8", false),
            ("", "POSIX", "C.UTF-8", false),
            ("", "", "de_DE@euro", false),
            ("", "", "", false),
        ] {
            let variable = |name| match name {
                "LC_ALL" => Some(OsString::from(all)),
                "LC_CTYPE" => Some(ctype.into()),
                _ => Some(lang.into()),
            };
            assert_eq!(is_utf8(variable), expected, "{all} {ctype} {lang}");
        }
        assert!(!is_utf8(|_| None));
    }
}
