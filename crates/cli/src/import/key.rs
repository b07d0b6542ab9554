//! The key of a line: what keeps it from being sent twice.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;

/// The longest prefix of keys: a key has 255 characters, and a number of a line up to 20.
const MAX_PREFIX_CHARACTERS: usize = 200;

/// Reads a prefix that a person gave.
pub(super) fn prefix(text: &str) -> Result<String, String> {
    let is_prefix = (1..=MAX_PREFIX_CHARACTERS).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic());
    if is_prefix {
        Ok(text.to_owned())
    } else {
        Err(format!("not 1 to {MAX_PREFIX_CHARACTERS} visible ASCII characters"))
    }
}

#[derive(Deserialize)]
struct Line<'a> {
    /// The outer `None` is a line without the field.
    #[serde(default, borrow, deserialize_with = "some")]
    idempotency_key: Option<Option<Cow<'a, str>>>,
    /// What failed before, in a file of failures.
    #[serde(default, borrow)]
    request: Option<&'a RawValue>,
    /// The same of a line that was no JSON.
    #[serde(default, borrow)]
    text: Option<Cow<'a, str>>,
    #[serde(default, borrow)]
    to: Option<&'a RawValue>,
}

fn some<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<Cow<'de, str>>>, D::Error> {
    Option::<Cow<'de, str>>::deserialize(deserializer).map(Some)
}

/// The line as it is sent: with a key, and a line break at its end.
///
/// # Errors
/// It is no JSON object, in words. Nothing is ever sent without a key.
pub(super) fn keyed(line: &str, prefix: &str, number: u64) -> Result<Vec<u8>, String> {
    let parsed = Line::read(line)?;
    let failed = match (parsed.to, parsed.request, &parsed.text) {
        (Some(_), ..) => return parsed.keyed(line, prefix, number),
        (None, Some(request), _) => request.get(),
        (None, None, Some(text)) => text,
        (None, None, None) => return Err(NOBODY.to_owned()),
    };
    let parsed = Line::read(failed)?;
    match parsed.to {
        Some(_) => parsed.keyed(failed, prefix, number),
        None => Err(NOBODY.to_owned()),
    }
}

const NOBODY: &str = "it says nobody whom it goes to";

impl<'a> Line<'a> {
    fn read(line: &'a str) -> Result<Self, String> {
        // A list would be taken for an object's values in their order.
        if !line.trim_start().starts_with('{') {
            return Err("no JSON object".to_owned());
        }
        serde_json::from_str(line).map_err(|error| format!("no notification: {error}"))
    }

    /// The line that this was read from.
    fn keyed(&self, line: &str, prefix: &str, number: u64) -> Result<Vec<u8>, String> {
        let line = line.trim();
        match self.idempotency_key {
            Some(Some(_)) => Ok(with_break(line.to_owned())),
            Some(None) => with_key(&without_key(line)?, prefix, number),
            None => with_key(line, prefix, number),
        }
    }
}

/// The line has other fields, so a comma goes behind the key.
fn with_key(line: &str, prefix: &str, number: u64) -> Result<Vec<u8>, String> {
    let rest = line.strip_prefix('{').ok_or("no JSON object")?.trim_start();
    // A prefix has no characters that JSON escapes, but for these two.
    let prefix = prefix.replace('\\', "\\\\").replace('"', "\\\"");
    Ok(with_break(format!(r#"{{"idempotency_key":"{prefix}:{number}",{rest}"#)))
}

/// Without a field that says there is none: a second one beside it would be an error.
fn without_key(line: &str) -> Result<String, String> {
    let mut fields: BTreeMap<String, &RawValue> =
        serde_json::from_str(line).map_err(|error| error.to_string())?;
    fields.remove("idempotency_key");
    serde_json::to_string(&fields).map_err(|error| error.to_string())
}

/// A line break inside of a text is an escape in JSON, so those that are left separate tokens.
fn with_break(line: String) -> Vec<u8> {
    let mut line = line.into_bytes();
    line.retain(|byte| *byte != b'\n');
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(line: &str) -> Result<String, String> {
        keyed(line, "p", 7).map(|line| String::from_utf8(line).unwrap())
    }

    #[test]
    fn a_line_gets_a_key_or_keeps_its_own() {
        for (line, sent) in [
            (r#"{"to":1}"#, r#"{"idempotency_key":"p:7","to":1}"#),
            (" { \"to\" : 1 }\r", r#"{"idempotency_key":"p:7","to" : 1 }"#),
            (r#"{"to":1,"idempotency_key":"own"}"#, r#"{"to":1,"idempotency_key":"own"}"#),
            (r#"{"idempotency_key":null,"to":1}"#, r#"{"idempotency_key":"p:7","to":1}"#),
            (
                r#"{"to":1,"data":{"idempotency_key":"deep"}}"#,
                r#"{"idempotency_key":"p:7","to":1,"data":{"idempotency_key":"deep"}}"#,
            ),
            (
                r#"{"line":3,"status":404,"request":{"idempotency_key":"p:3","to":9}}"#,
                r#"{"idempotency_key":"p:3","to":9}"#,
            ),
            (
                r#"{"line":3,"status":400,"text":"{\"to\":9}"}"#,
                r#"{"idempotency_key":"p:7","to":9}"#,
            ),
        ] {
            assert_eq!(key(line), Ok(format!("{sent}\n")), "{line}");
        }
    }

    #[test]
    fn what_is_no_object_is_not_sent() {
        for line in [
            "",
            "nonsense",
            "[]",
            "{",
            r#"{"to":1"#,
            r#"{"to":1}x"#,
            "null",
            "{}",
            r#"{"to":null}"#,
            r#"{"line":3,"status":400,"text":"nonsense"}"#,
            r#"{"line":3,"request":{"request":{"to":9}}}"#,
            r#"{"idempotency_key":1}"#,
        ] {
            assert!(key(line).is_err(), "{line}");
        }
    }

    #[test]
    fn a_prefix_with_quotes_is_still_json() {
        let line = keyed(r#"{"to":1}"#, r#"a"\b"#, 1).unwrap();
        let line: serde_json::Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(line["idempotency_key"], r#"a"\b:1"#);
        assert!(prefix("é").is_err() && prefix("").is_err() && prefix(&"a".repeat(201)).is_err());
    }
}
