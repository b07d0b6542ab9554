//! Forms: `application/x-www-form-urlencoded` and `multipart/form-data`.

use actix_multipart::{Field, Multipart, MultipartError};
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap};
use actix_web::web::{Bytes, BytesMut};
use futures_util::{StreamExt, stream};
use percent_encoding::percent_decode;

/// The three fields of `/send`. A field that is missing is empty, as in the tutorial.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct SendForm {
    pub from_id: String,
    pub to_id: String,
    pub message: String,
}

/// Why a body is no form.
#[derive(Debug, thiserror::Error)]
pub(super) enum FormError {
    #[error(
        "content type {0:?} is not supported: send application/x-www-form-urlencoded or multipart/form-data"
    )]
    ContentType(String),
    #[error("content encoding {0:?} is not supported: send the form as it is")]
    ContentEncoding(String),
    #[error("form value {0} is not valid UTF-8")]
    NotUtf8(&'static str),
    #[error("the multipart form cannot be read: {0}")]
    Multipart(MultipartError),
    #[error("the multipart form has more than {MAX_FIELDS} fields")]
    TooManyFields,
}

/// The most fields a multipart form may have; those we do not know are skipped.
const MAX_FIELDS: usize = 100;

const FORM_TYPE: &str = "application/x-www-form-urlencoded";
const MULTIPART_TYPE: &str = "multipart/form-data";

/// Reads a form. Of fields that occur twice the first counts, as with Go's `PostForm`.
pub(super) async fn read(headers: &HeaderMap, body: Bytes) -> Result<SendForm, FormError> {
    let encoding = headers.get(CONTENT_ENCODING).map(|value| value.as_bytes());
    if let Some(encoding) = encoding.filter(|encoding| !encoding.eq_ignore_ascii_case(b"identity"))
    {
        let encoding = String::from_utf8_lossy(encoding).chars().take(100).collect();
        return Err(FormError::ContentEncoding(encoding));
    }
    let content_type = headers.get(CONTENT_TYPE).map(|value| value.as_bytes());
    let content_type = String::from_utf8_lossy(content_type.unwrap_or_default()).into_owned();
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        FORM_TYPE => read_urlencoded(&body),
        MULTIPART_TYPE => read_multipart(headers, body).await,
        // Nothing was sent: every field is missing.
        "" if body.is_empty() => Ok(SendForm::default()),
        _ => Err(FormError::ContentType(essence.chars().take(100).collect())),
    }
}

/// The `application/x-www-form-urlencoded` parser of the URL standard, but strict: what is not
/// UTF-8 is refused, not replaced.
fn read_urlencoded(body: &[u8]) -> Result<SendForm, FormError> {
    let mut fields = Fields::default();
    for pair in body.split(|byte| *byte == b'&') {
        let mut parts = pair.splitn(2, |byte| *byte == b'=');
        let name = decode(parts.next().unwrap_or_default());
        if let Some(slot) = fields.slot(&name) {
            slot.value.get_or_insert(decode(parts.next().unwrap_or_default()));
        }
    }
    fields.into_form()
}

fn decode(text: &[u8]) -> Vec<u8> {
    let text: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    percent_decode(&text).collect()
}

async fn read_multipart(headers: &HeaderMap, body: Bytes) -> Result<SendForm, FormError> {
    let body = stream::iter([Ok(body)]);
    let mut parts = Multipart::new(headers, body);
    let mut fields = Fields::default();
    let mut count = 0;
    while let Some(part) = parts.next().await {
        let part = part.map_err(FormError::Multipart)?;
        count += 1;
        if count > MAX_FIELDS {
            return Err(FormError::TooManyFields);
        }
        let name = part.name().unwrap_or_default().to_owned();
        let value = read_part(part).await.map_err(FormError::Multipart)?;
        if let Some(slot) = fields.slot(name.as_bytes()) {
            slot.value.get_or_insert(value);
        }
    }
    fields.into_form()
}

async fn read_part(mut part: Field) -> Result<Vec<u8>, MultipartError> {
    let mut value = BytesMut::new();
    while let Some(chunk) = part.next().await {
        value.extend_from_slice(&chunk?);
    }
    Ok(value.into())
}

/// The fields as bytes, as they are found.
struct Fields([FieldSlot; 3]);

struct FieldSlot {
    name: &'static str,
    value: Option<Vec<u8>>,
}

impl Default for Fields {
    fn default() -> Self {
        Self(["fromID", "toID", "message"].map(|name| FieldSlot { name, value: None }))
    }
}

impl Fields {
    fn slot(&mut self, name: &[u8]) -> Option<&mut FieldSlot> {
        self.0.iter_mut().find(|field| field.name.as_bytes() == name)
    }

    fn into_form(self) -> Result<SendForm, FormError> {
        let [from_id, to_id, message] = self.0.map(|field| {
            String::from_utf8(field.value.unwrap_or_default())
                .map_err(|_| FormError::NotUtf8(field.name))
        });
        Ok(SendForm { from_id: from_id?, to_id: to_id?, message: message? })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn form(from_id: &str, to_id: &str, message: &str) -> SendForm {
        SendForm { from_id: from_id.into(), to_id: to_id.into(), message: message.into() }
    }

    #[test]
    fn urlencoded_forms_are_read_as_browsers_and_curl_write_them() {
        for (body, expected) in [
            ("fromID=2&toID=1&message=Hi+there%21", form("2", "1", "Hi there!")),
            ("message=a%26b%3Dc&toID=1&fromID=2", form("2", "1", "a&b=c")),
            ("fromID=2&toID=1&message=a=b", form("2", "1", "a=b")),
            ("fromID=2&fromID=3&toID=1&message=m", form("2", "1", "m")),
            ("from%49D=2&toID&other=%ff", form("2", "", "")),
            ("message=100%", form("", "", "100%")),
            ("message=gr%C3%BCn+gr\u{fc}n", form("", "", "grün grün")),
            ("", form("", "", "")),
            ("&&=&", form("", "", "")),
        ] {
            assert_eq!(read_urlencoded(body.as_bytes()).unwrap(), expected, "{body}");
        }
    }

    #[test]
    fn what_is_not_utf_8_is_refused_by_name() {
        for (body, error) in [
            (&b"fromID=2&toID=1&message=%ff%fe"[..], "form value message is not valid UTF-8"),
            (b"fromID=2&toID=1&message=\xc3", "form value message is not valid UTF-8"),
            (b"fromID=%80&toID=%80&message=", "form value fromID is not valid UTF-8"),
        ] {
            assert_eq!(read_urlencoded(body).unwrap_err().to_string(), error);
        }
    }

    proptest! {
        #[test]
        fn every_text_survives_encoding(message in ".*", id in ".*") {
            let encode = |text: &str| {
                percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
            };
            let body = format!("fromID={}&toID=&message={}", encode(&id), encode(&message));
            prop_assert_eq!(read_urlencoded(body.as_bytes()).unwrap(), form(&id, "", &message));
        }

        #[test]
        fn no_body_panics(body: Vec<u8>) {
            let _ = read_urlencoded(&body);
        }
    }
}
