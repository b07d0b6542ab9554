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
