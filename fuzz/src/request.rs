//! Any bytes, as a client's request at the control socket: what the parser promises of each.

use synwatch::control::request::{MOST_BYTES, Refusal, Request};

/// Maximum length of an error message, in bytes: a client's word in it is cut, and may need four bytes for a character
/// and more where that is escaped.
const MOST_SAID: usize = 1024;

/// What is read is written as a line that reads back the same; what is refused is refused with a code and a short cause.
///
/// # Panics
///
/// Where that is not so.
pub fn run(data: &[u8]) {
    match Request::parse(data) {
        Ok(request) => {
            assert!(data.len() <= MOST_BYTES, "{} bytes", data.len());
            let line = request.line();
            assert_eq!(line.find('\n'), Some(line.len() - 1), "{line:?} is one line");
            assert_eq!(Request::parse(line.as_bytes()), Ok(request));
        }
        Err(Refusal { code, error }) => {
            assert!(["malformed", "version", "unknown", "value", "too-long"].contains(&code), "{code}");
            assert!(!error.is_empty() && error.len() <= MOST_SAID, "{error:?}");
            assert_eq!(code == "too-long", data.len() > MOST_BYTES);
        }
    }
}
