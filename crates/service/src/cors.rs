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
#[error(
    "an origin is https://HOST, or http:// and with :PORT, without a path, in ASCII (Punycode); \
     or * for any"
)]
pub struct NotAnOrigin;

impl FromStr for Origin {
    type Err = NotAnOrigin;

    fn from_str(text: &str) -> Result<Self, NotAnOrigin> {
        // A browser writes hosts in lower case, and leaves out the scheme's own port.
        let text = text.trim().to_ascii_lowercase();
        if text == ANY {
            return Ok(Self(text));
        }
        let (scheme, default) =
            if text.starts_with("https://") { ("https://", ":443") } else { ("http://", ":80") };
        let authority = text.strip_prefix(scheme).ok_or(NotAnOrigin)?;
        let authority = authority.strip_suffix(default).unwrap_or(authority);
        if !is_authority(authority) {
            return Err(NotAnOrigin);
        }
        Ok(Self(format!("{scheme}{authority}")))
    }
}

/// Whether it is a host and perhaps a port, as a browser writes them: names of other scripts in Punycode.
fn is_authority(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let is_port = |port: &str| {
        port.bytes().all(|byte| byte.is_ascii_digit())
            && port.parse::<u16>().is_ok_and(|port| port > 0)
    };
    let is_name = |name: &str| {
        !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte))
    };
    let address = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_host = match address {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => is_name(host),
    };
    is_host && port.is_none_or(is_port)
}

impl Origin {
    /// Whether a page of this origin, as its request's header `Origin` says it, may ask.
    pub fn admits(&self, origin: &str) -> bool {
        self.0 == ANY || self.0 == origin
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
            (" https://a.example:443", "https://a.example"),
            ("http://a.example:80", "http://a.example"),
            ("http://a.example:443", "http://a.example:443"),
        ] {
            assert_eq!(text.parse(), Ok(Origin(origin.to_owned())), "{text}");
        }
        for bad in [
            "",
            "null",
            "example.org",
            "https://",
            "https://a/",
            "https://*.a",
            "ftp://a",
            "https://ex\u{e4}mple.org",
            "https://a:99999",
            "https://a:0",
            "https://[::1",
            "http://u@a",
        ] {
            assert_eq!(bad.parse::<Origin>(), Err(NotAnOrigin), "{bad}");
        }
    }
}
