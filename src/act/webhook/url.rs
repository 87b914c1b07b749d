//! The address that reports are posted to.

use std::fmt;
use std::str::FromStr;

use ureq::http::Uri;

/// An `http` or `https` address. It is shown without its path, which may be a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookUrl(Uri);

/// Why a text is not such an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// The text is not a URL.
    #[error("not an address of the web (https://example.org/hook)")]
    NoUrl,
    /// The URL has another scheme, or none.
    #[error("neither https:// nor http:// before it")]
    Scheme,
}

impl FromStr for WebhookUrl {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let uri: Uri = text.parse().map_err(|_| UrlError::NoUrl)?;
        match uri.scheme_str() {
            Some("http" | "https") => {}
            _ => return Err(UrlError::Scheme),
        }
        match uri.host() {
            None | Some("") => Err(UrlError::NoUrl),
            Some(_) => Ok(Self(uri)),
        }
    }
}

impl WebhookUrl {
    /// Whether the server must prove its identity.
    #[must_use]
    pub(crate) fn is_https(&self) -> bool {
        self.0.scheme_str() == Some("https")
    }

    /// The port to connect to without a proxy.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.port_u16().unwrap_or(if self.is_https() { 443 } else { 80 })
    }

    /// The complete address.
    pub(super) fn uri(&self) -> Uri {
        self.0.clone()
    }
}

impl fmt::Display for WebhookUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.0.scheme_str().unwrap_or_default(), self.0.host().unwrap_or_default())?;
        self.0.port_u16().map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_secrets() {
        for (text, shown) in [
            ("https://example.org/hook/5ecret?token=x", "https://example.org"),
            ("http://user:password@192.0.2.1:8080/", "http://192.0.2.1:8080"),
            ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
        ] {
            assert_eq!(text.parse::<WebhookUrl>().unwrap().to_string(), shown);
        }
    }

    #[test]
    fn an_invalid_address_is_refused_with_its_cause() {
        for (text, error) in [
            ("", UrlError::NoUrl),
            ("https://", UrlError::NoUrl),
            ("https:///hook", UrlError::NoUrl),
            ("a b", UrlError::NoUrl),
            ("ftp://example.org/", UrlError::Scheme),
            ("example.org", UrlError::Scheme),
            ("/hook", UrlError::Scheme),
        ] {
            assert_eq!(text.parse::<WebhookUrl>(), Err(error), "{text}");
        }
    }
}
