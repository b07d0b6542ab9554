//! Integers as the tutorial's `strconv.Atoi` reads them, and its words where it cannot.

/// Why a text is no integer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAnInteger {
    /// Not an optional sign and decimal digits.
    #[error("strconv.Atoi: parsing {0}: invalid syntax")]
    Syntax(String),
    /// More than 64 bits hold.
    #[error("strconv.Atoi: parsing {0}: value out of range")]
    Range(String),
}

/// The longest piece of bad input that an answer repeats, in characters.
const SHOWN_CHARACTERS: usize = 64;

/// Reads an optional sign and decimal digits.
///
/// # Errors
/// The text is no integer of 64 bits.
pub fn atoi(text: &str) -> Result<i64, NotAnInteger> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NotAnInteger::Syntax(quoted(text)));
    }
    // What is left for Rust's parser, which reads the same form, to refuse is the range.
    text.parse().map_err(|_| NotAnInteger::Range(quoted(text)))
}

fn quoted(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        None => format!("{text:?}"),
        Some((end, _)) => format!("{:?}...", text.get(..end).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_as_go_reads_them() {
        for (text, number) in [
            ("1", 1),
            ("+1", 1),
            ("-1", -1),
            ("0", 0),
            ("-0", 0),
            ("007", 7),
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
        ] {
            assert_eq!(atoi(text), Ok(number), "{text}");
        }
    }

    #[test]
    fn the_rest_is_refused_in_gos_words() {
        let long = "1".repeat(100);
        for (text, error) in [
            ("", r#"strconv.Atoi: parsing "": invalid syntax"#),
            ("+", r#"strconv.Atoi: parsing "+": invalid syntax"#),
            ("1.5", r#"strconv.Atoi: parsing "1.5": invalid syntax"#),
            (" 1", r#"strconv.Atoi: parsing " 1": invalid syntax"#),
            ("0x1", r#"strconv.Atoi: parsing "0x1": invalid syntax"#),
            ("1_000", r#"strconv.Atoi: parsing "1_000": invalid syntax"#),
            ("--1", r#"strconv.Atoi: parsing "--1": invalid syntax"#),
            ("１", r#"strconv.Atoi: parsing "１": invalid syntax"#),
            (
                "9223372036854775808",
                r#"strconv.Atoi: parsing "9223372036854775808": value out of range"#,
            ),
            (
                "-9223372036854775809",
                r#"strconv.Atoi: parsing "-9223372036854775809": value out of range"#,
            ),
            (
                &long,
                &format!(r#"strconv.Atoi: parsing "{}"...: value out of range"#, "1".repeat(64)),
            ),
        ] {
            assert_eq!(atoi(text).unwrap_err().to_string(), error);
        }
    }
}
