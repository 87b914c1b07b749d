//! The reporter: the name and the address that an abuse desk answers to.

use std::fmt;
use std::str::FromStr;

/// Maximum length of a name in XARF, in characters.
const LONGEST_NAME: usize = 200;
/// Maximum length of a mail address (RFC 5321, 4.5.3.1.3).
const LONGEST_ADDRESS: usize = 254;

/// The reporter as in a mail header: `Example Ltd <abuse@example.org>`, or the address alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reporter {
    name: Option<String>,
    address: String,
}

impl Reporter {
    /// The name, or else the domain.
    #[must_use]
    pub fn organisation(&self) -> &str {
        self.name.as_deref().unwrap_or_else(|| self.domain())
    }

    /// The address.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The address' domain.
    #[must_use]
    pub(crate) fn domain(&self) -> &str {
        self.address.rsplit_once('@').map_or("", |(_, domain)| domain)
    }
}

impl fmt::Display for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name} <{}>", self.address),
            None => f.write_str(&self.address),
        }
    }
}

impl FromStr for Reporter {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let (name, address) = match text.split_once('<') {
            Some((name, rest)) => {
                let address =
                    rest.strip_suffix('>').ok_or("no > at its end (Example Ltd <abuse@example.org>)")?;
                (Some(name.trim().trim_matches('"').trim()).filter(|name| !name.is_empty()), address)
            }
            None => (None, text),
        };
        if name.is_some_and(|name| name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control))
        {
            return Err("a name of more than 200 characters, or with control characters");
        }
        if !is_address(address) {
            return Err("no mail address (abuse@example.org, or: Example Ltd <abuse@example.org>)");
        }
        Ok(Self { name: name.map(str::to_owned), address: address.to_owned() })
    }
}

/// Whether the address is of a common form: nothing quoted, and a domain of letters, digits and hyphens.
fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let is_local = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    };
    text.len() <= LONGEST_ADDRESS
        && !local.is_empty()
        && local.chars().all(is_local)
        && domain.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_and_an_address_are_read_as_in_a_mails_header() {
        for (text, organisation, address, domain) in [
            ("abuse@example.org", "example.org", "abuse@example.org", "example.org"),
            (
                "Example Ltd <abuse@mail.example.org>",
                "Example Ltd",
                "abuse@mail.example.org",
                "mail.example.org",
            ),
            (" \"Beispiel, Müller\" <a+b@example> ", "Beispiel, Müller", "a+b@example", "example"),
            ("<abuse@example.org>", "example.org", "abuse@example.org", "example.org"),
        ] {
            let reporter: Reporter = text.parse().unwrap();
            assert_eq!(
                (reporter.organisation(), reporter.address(), reporter.domain()),
                (organisation, address, domain)
            );
            assert_eq!(reporter.to_string().parse::<Reporter>().as_ref(), Ok(&reporter));
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "",
            "abuse",
            "@example.org",
            "abuse@",
            "abuse@example..org",
            "abuse@-example.org",
            "a b@example.org",
            "a@b@example.org",
            "abuse@exämple.org",
            "Example <abuse@example.org",
            "Example <abuse@example.org> Ltd",
            "a\nb <abuse@example.org>",
        ] {
            assert!(text.parse::<Reporter>().is_err(), "{text:?}");
        }
        assert!(format!("{} <a@example.org>", "n".repeat(201)).parse::<Reporter>().is_err());
        assert!(format!("{}@example.org", "a".repeat(254)).parse::<Reporter>().is_err());
    }
}
