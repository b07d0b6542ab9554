//! A `host:port` that clients are told.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

/// A host, by name or address, and a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// Not `host:port`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected host:port")]
pub(crate) struct NotAnEndpoint;

impl FromStr for Endpoint {
    type Err = NotAnEndpoint;

    fn from_str(text: &str) -> Result<Endpoint, NotAnEndpoint> {
        let (host, port) = text.rsplit_once(':').ok_or(NotAnEndpoint)?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let port = port.parse().map_err(|_| NotAnEndpoint)?;
        if host.is_empty() || port == 0 {
            return Err(NotAnEndpoint);
        }
        Ok(Endpoint { host: host.to_owned(), port })
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(addr: SocketAddr) -> Endpoint {
        Endpoint { host: addr.ip().to_canonical().to_string(), port: addr.port() }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_ports_and_nothing_else() {
        let cases = [
            ("localhost:9092", Some(("localhost", 9092))),
            ("10.0.0.1:1", Some(("10.0.0.1", 1))),
            ("[::1]:9092", Some(("::1", 9092))),
            ("localhost", None),
            (":9092", None),
            ("localhost:0", None),
            ("localhost:99999", None),
        ];
        for (text, expected) in cases {
            let endpoint = text.parse::<Endpoint>().ok();
            let found = endpoint.as_ref().map(|it| (it.host.as_str(), it.port));
            assert_eq!(found, expected, "{text}");
        }
    }
}
