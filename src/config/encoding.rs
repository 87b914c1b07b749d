//! The encoding of text files: UTF-8, with or without a byte order mark (RFC 3629, 6).

/// The byte order mark of UTF-8, which some editors write.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Byte order marks of other encodings; UTF-32 before UTF-16, whose mark is a prefix of it.
const OTHERS: [(&[u8], &str); 4] = [
    (b"\xff\xfe\0\0", "UTF-32"),
    (b"\0\0\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
];

/// The text has another encoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the text is {0} (save it as UTF-8)")]
pub(super) struct OtherEncoding(&'static str);

/// The text without its mark.
///
/// # Errors
///
/// The text is UTF-16 or UTF-32, with or without a mark: ASCII characters then have zeros at known positions.
pub(super) fn unmarked(bytes: &[u8]) -> Result<&[u8], OtherEncoding> {
    if let Some(rest) = bytes.strip_prefix(MARK) {
        return Ok(rest);
    }
    let marked = OTHERS.iter().find(|(mark, _)| bytes.starts_with(mark)).map(|(_, name)| *name);
    let zeros: Vec<_> = bytes.iter().take(4).map(|byte| *byte == 0).collect();
    match (marked, zeros.as_slice()) {
        (Some(name), _) => Err(OtherEncoding(name)),
        (None, [false, true, true, true] | [true, true, true, false]) => Err(OtherEncoding("UTF-32")),
        (None, [false, true, false, true] | [true, false, true, false] | [false, true] | [true, false]) => {
            Err(OtherEncoding("UTF-16"))
        }
        (None, _) => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_byte_order_mark_of_utf_8_is_passed_over_once_and_at_the_start_alone() {
        assert_eq!(unmarked(b"\xef\xbb\xbfnetwork"), Ok(&b"network"[..]));
        assert_eq!(unmarked(b"\xef\xbb\xbf"), Ok(&b""[..]));
        assert_eq!(unmarked(b"\xef\xbb\xbf\xef\xbb\xbfa"), Ok(&b"\xef\xbb\xbfa"[..]));
        for plain in [
            &b""[..],
            b"a",
            b"a\xef\xbb\xbf",
            b"\xef\xbb",
            b"\xe9 latin1",
            b"abcd\0",
            b"\0\x01\x02\x03",
            b"a\0b",
            b"\0",
        ] {
            assert_eq!(unmarked(plain), Ok(plain));
        }
    }

    #[test]
    fn other_encodings_are_named() {
        for (bytes, name) in [
            (&b"\xff\xfe1\x009\0"[..], "UTF-16"),
            (b"\xfe\xff\x001\x009", "UTF-16"),
            (b"\xff\xfe\0\x001\0\0\0", "UTF-32"),
            (b"\0\0\xfe\xff\0\0\x001", "UTF-32"),
            (b"1\x009\0", "UTF-16"),
            (b"\x001\x009", "UTF-16"),
            (b"1\0", "UTF-16"),
            (b"1\0\0\x009\0\0\0", "UTF-32"),
        ] {
            assert_eq!(
                unmarked(bytes).unwrap_err().to_string(),
                format!("the text is {name} (save it as UTF-8)")
            );
        }
    }
}
