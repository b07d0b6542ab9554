//! JSON bodies.

use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use serde::de::DeserializeOwned;

use crate::{Code, Problem};

/// Reads a JSON object; whatever is wrong names the field.
///
/// # Errors
/// [`Code::InvalidRequest`].
pub fn read_json<T: DeserializeOwned>(text: &[u8]) -> Result<T, Problem> {
    // A list would be taken for an object's values in their order.
    if text.trim_ascii_start().first().is_some_and(|byte| *byte != b'{') {
        return Err(Problem::new(Code::InvalidRequest, "not a JSON object"));
    }
    let mut reader = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        let error = shortened(&error.into_inner().to_string());
        let detail =
            if matches!(path.as_str(), "." | "?") { error } else { format!("{path}: {error}") };
        Problem::new(Code::InvalidRequest, detail)
    })?;
    reader.end().map_err(|error| Problem::new(Code::InvalidRequest, error.to_string()))?;
    Ok(value)
}

/// Refuses a body of another media type, or an encoded one.
///
/// # Errors
/// [`Code::UnsupportedMediaType`].
pub fn require_media_type(headers: &HeaderMap, accepted: &[&'static str]) -> Result<(), Problem> {
    let value = |name| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
    if let Some(encoding) = value(CONTENT_ENCODING)
        && !encoding.eq_ignore_ascii_case("identity")
    {
        let detail = format!("content encoding {:?} is not supported", shortened(&encoding));
        return Err(Problem::new(Code::UnsupportedMediaType, detail));
    }
    let media_type = value(CONTENT_TYPE).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if accepted.iter().any(|accepted| essence.eq_ignore_ascii_case(accepted)) {
        return Ok(());
    }
    let detail = format!(
        "content type {:?} is not supported: send {}",
        shortened(essence),
        accepted.join(" or ")
    );
    Err(Problem::new(Code::UnsupportedMediaType, detail))
}

/// What a client sent may be of any length; what an answer repeats of it may not.
const SHOWN_CHARACTERS: usize = 300;

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN_CHARACTERS) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use models::{RawJson, SendRequest};
    use serde_json::json;

    use super::*;

    fn detail(text: &str) -> String {
        read_json::<SendRequest>(text.as_bytes()).unwrap_err().detail().to_owned()
    }

    #[test]
    fn what_is_wrong_names_its_field() {
        let with = |field: &str, value: serde_json::Value| {
            let mut body = json!({"to": 1, "message": "hi"});
            body[field] = value;
            detail(&body.to_string())
        };
        let deep = |n: usize| (0..n).fold(json!(1), |inner, _| json!([inner]));
        for (field, value, reason) in [
            ("to", json!([]), "to: no recipients"),
            ("to", json!((0..1001).collect::<Vec<_>>()), "to: more than 1000 recipients"),
            ("to", json!([1, "a b"]), "to[1]: a user id has only characters from"),
            ("to", json!(-1), "to: invalid type: integer `-1`, expected a user id"),
            ("to", json!("x".repeat(129)), "to: a user id has at most 128 characters"),
            ("from", json!({"name": ""}), "from.name: fewer than 1 characters"),
            ("from", json!({"name": "a", "id": 1}), "from.id: unknown field `id`"),
            ("from", json!([]), "from: invalid type: sequence, expected a user id, or"),
            ("message", json!(1), "message: invalid type: integer `1`, expected a string"),
            ("title", json!("a\nb"), "title: has the control character '\\n'"),
            ("title", json!("x".repeat(1001)), "title: more than 1000 characters"),
            ("url", json!("javascript:alert(1)"), "url: neither http(s) nor relative"),
            ("url", json!("//evil.example"), "url: neither http(s) nor relative"),
            ("url", json!("/\\evil.example"), "url: neither http(s) nor relative"),
            ("url", json!("https://"), "url: neither http(s) nor relative"),
            ("tags", json!(["a", ""]), "tags: fewer than 1 characters"),
            ("tags", json!(vec!["a"; 21]), "tags: more than 20 tags"),
            ("priority", json!(9), "priority: a priority is a number from 1 to 5, not 9"),
            ("priority", json!("3"), "priority: invalid type: string \"3\""),
            ("data", deep(101), "data: nested deeper than 100"),
            ("expires_at", json!("tomorrow"), "expires_at: not a time: RFC 3339"),
            ("idempotency_key", json!("a b"), "idempotency_key: not 1 to 255 visible"),
            ("color", json!("red"), "color: unknown field `color`, expected one of"),
        ] {
            let detail = with(field, value);
            assert!(detail.starts_with(reason), "{field}: {detail}");
        }
        for (text, reason) in [
            ("", "EOF while parsing"),
            ("{", "EOF while parsing"),
            (r#"[null,1,"a"]"#, "not a JSON object"),
            (" null", "not a JSON object"),
            (r#"{"to":1,"message":"\ud800"}"#, "message: "),
            (r#"{"to":1,"message":"a","message":"b"}"#, "duplicate field `message`"),
            (r#"{"to":1,"message":"a"} {}"#, "trailing characters"),
            (r#"{"message":"a"}"#, "missing field `to`"),
        ] {
            let detail = detail(text);
            assert!(detail.starts_with(reason), "{text}: {detail}");
        }
    }

    #[test]
    fn what_is_right_is_read() {
        let body = r#"{"from":2,"to":[1,"alice@example.org","1"],"message":"Lunch?","title":"Today",
            "url":"https://example.org/x","tags":["food"],"priority":5,"data":{"any": [1.50]},
            "expires_at":"2027-01-01T00:00:00.000Z"}"#;
        let request: SendRequest = read_json(body.as_bytes()).unwrap();
        assert_eq!(request.to.as_slice().len(), 2);
        assert_eq!(request.data.as_ref().map(RawJson::as_str), Some(r#"{"any": [1.50]}"#));
        let nulls = r#"{"to":1,"message":"","from":null,"title":null,"url":null,"tags":null,
            "priority":null,"data":null,"expires_at":null}"#;
        let request: SendRequest = read_json(nulls.as_bytes()).unwrap();
        assert!(request.data.is_none() && request.tags.is_empty());
    }
}
