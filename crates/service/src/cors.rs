//! Which web pages of other origins may ask.

use std::fmt;
use std::str::FromStr;

use actix_cors::Cors;
use actix_web::http::header::{self, HeaderName};

/// An origin as the Fetch standard writes it, `https://app.example.org:8443`, or `*` for any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(String);

/// The text is no origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an origin is https://HOST, or http:// and with :PORT, without a path; or * for any")]
pub struct NotAnOrigin;

impl FromStr for Origin {
    type Err = NotAnOrigin;

    fn from_str(text: &str) -> Result<Self, NotAnOrigin> {
        let host = text.strip_prefix("https://").or(text.strip_prefix("http://"));
        let is_host =
            |host: &str| !host.is_empty() && !host.contains(['/', '?', '#', '@', '*', ' ', ',']);
        let is_origin = text == ANY || host.is_some_and(is_host);
        // A browser writes hosts in lower case.
        is_origin.then(|| Self(text.to_ascii_lowercase())).ok_or(NotAnOrigin)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const ANY: &str = "*";

/// How long a browser need not ask again whether it may.
const MAX_AGE_SECONDS: usize = 3600;

/// Pages of these origins may send all requests that there are, and read all that is answered. No
/// credentials: there are no cookies.
pub(crate) fn cors(origins: &[Origin]) -> Cors {
    let cors = Cors::default()
        .allowed_methods(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
        .allowed_headers([
            header::CONTENT_TYPE,
            header::AUTHORIZATION,
            HeaderName::from_static("idempotency-key"),
            HeaderName::from_static("last-event-id"),
            HeaderName::from_static("x-request-id"),
        ])
        .expose_headers([
            header::RETRY_AFTER,
            header::LINK,
            HeaderName::from_static("idempotency-replayed"),
            HeaderName::from_static("staleness"),
            HeaderName::from_static("x-request-id"),
        ])
        .max_age(MAX_AGE_SECONDS);
    origins.iter().fold(cors, |cors, origin| match origin.0.as_str() {
        ANY => cors.allow_any_origin().send_wildcard(),
        origin => cors.allowed_origin(origin),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_has_a_scheme_and_a_host_and_nothing_else() {
        for (text, origin) in [
            ("*", "*"),
            ("https://app.example.org", "https://app.example.org"),
            ("http://LOCALHOST:3000", "http://localhost:3000"),
            ("http://[::1]:3000", "http://[::1]:3000"),
        ] {
            assert_eq!(text.parse(), Ok(Origin(origin.to_owned())), "{text}");
        }
        for bad in ["", "null", "example.org", "https://", "https://a/", "https://*.a", "ftp://a"] {
            assert_eq!(bad.parse::<Origin>(), Err(NotAnOrigin), "{bad}");
        }
    }
}
