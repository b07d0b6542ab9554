//! JSON that is passed on as it came.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// One JSON value as text, passed on to the byte: numbers keep their digits, objects their order.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RawJson(Box<RawValue>);

impl RawJson {
    /// The JSON text.
    pub fn as_str(&self) -> &str {
        self.0.get()
    }

    /// How deep arrays and objects are nested in it: 0 for a number, 1 for `[]`.
    pub fn depth(&self) -> usize {
        let (mut depth, mut deepest) = (0_usize, 0);
        let (mut is_text, mut is_escaped) = (false, false);
        for byte in self.as_str().bytes() {
            match byte {
                _ if std::mem::take(&mut is_escaped) => {}
                b'\\' if is_text => is_escaped = true,
                b'"' => is_text = !is_text,
                b'[' | b'{' if !is_text => {
                    depth += 1;
                    deepest = deepest.max(depth);
                }
                b']' | b'}' if !is_text => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        deepest
    }

    /// Whether a text in it has one half of a surrogate pair as an escape, such as `\ud800`: many
    /// readers refuse such a text (RFC 8259, section 8.2), the whole of what it stands in.
    pub fn has_half_a_character(&self) -> bool {
        let mut rest = self.as_str();
        while let Some(at) = rest.find('\\') {
            let (escape, behind) = read_escape(rest.get(at + 1..).unwrap_or_default());
            rest = behind;
            match escape {
                Some(0xd800..=0xdbff) => {
                    let (low, behind) = read_escape(rest.strip_prefix('\\').unwrap_or_default());
                    if !matches!(low, Some(0xdc00..=0xdfff)) {
                        return true;
                    }
                    rest = behind;
                }
                Some(0xdc00..=0xdfff) => return true,
                _ => {}
            }
        }
        false
    }
}

/// What an escape of four digits stands for, if it is one, and what comes behind the escape.
fn read_escape(text: &str) -> (Option<u32>, &str) {
    let behind = |bytes: usize| text.get(bytes..).unwrap_or_default();
    if !text.starts_with('u') {
        return (None, behind(1));
    }
    let unit = text.get(1..5).and_then(|digits| u32::from_str_radix(digits, 16).ok());
    (unit, behind(5))
}

impl PartialEq for RawJson {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_character_is_found_wherever_it_is() {
        for (json, has_one) in [
            (r#""\ud800""#, true),
            (r#""\udfff""#, true),
            (r#""\ud83d\ud83d""#, true),
            (r#""\ud83d \ude00""#, true),
            (r#""\ud83d\n""#, true),
            (r#"{"a\uDABC":1}"#, true),
            (r#"["\ud83d\ude00\ud83d"]"#, true),
            (r#""\ud83d\ude00""#, false),
            (r#""\\ud800""#, false),
            (r#""\\\ud800""#, true),
            (r#""\u0000\n\u00e9ü""#, false),
            ("1", false),
        ] {
            let json: RawJson = serde_json::from_str(json).unwrap();
            assert_eq!(json.has_half_a_character(), has_one, "{}", json.as_str());
        }
    }

    #[test]
    fn depth_counts_brackets_outside_of_texts() {
        for (json, depth) in [
            ("1", 0),
            ("[]", 1),
            (r#"{"a":[{}],"b":[]}"#, 3),
            (r#""[[[""#, 0),
            (r#"["\"[[", "\\", [1]]"#, 2),
        ] {
            let json: RawJson = serde_json::from_str(json).unwrap();
            assert_eq!(json.depth(), depth, "{}", json.as_str());
        }
    }
}
