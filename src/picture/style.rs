//! The look of the page, and the policy that allows this and nothing else.

/// The colours are those of Okabe and Ito, which people with any kind of colour vision can distinguish. In
/// print they have patterns, too.
pub(super) const STYLE: &str = include_str!("style.css");

/// The SHA-256 of [`STYLE`], in base64.
const HASH: &str = "wuCMptq5mK590fxU8GUmBT1CfeXNTeHRFMyenw42/zk=";

/// Nothing is loaded, nothing runs, nothing is sent; the one style is ours.
pub(super) fn policy() -> String {
    format!("default-src 'none'; style-src 'sha256-{HASH}'; base-uri 'none'; form-action 'none'")
}

#[cfg(test)]
mod tests {
    use super::*;

    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;

    #[test]
    fn the_policy_allows_the_style_of_the_page() {
        let digest = ring::digest::digest(&ring::digest::SHA256, STYLE.as_bytes());
        assert_eq!(HASH, BASE64_STANDARD.encode(digest), "style.css has changed: this is its hash");
    }
}
