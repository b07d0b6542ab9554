//! Where load may go.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// A server on this machine: `http://127.0.0.1:8080`, or without the scheme.
///
/// Load on a machine that did not ask for it is an attack, so no other host can be named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target(SocketAddrV4);

/// Load may not go there.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NoTarget {
    #[error("load goes to this machine alone: write 127.0.0.1 for the host, not {0}")]
    Elsewhere(String),
    #[error("not an address: write http://127.0.0.1:PORT, without a path")]
    NotAnAddress,
}

impl Target {
    pub(crate) fn address(self) -> SocketAddr {
        self.0.into()
    }
}

impl FromStr for Target {
    type Err = NoTarget;

    fn from_str(text: &str) -> Result<Self, NoTarget> {
        let authority = text.strip_prefix("http://").unwrap_or(text);
        let authority = authority.strip_suffix('/').unwrap_or(authority);
        let (host, port) = authority.rsplit_once(':').ok_or(NoTarget::NotAnAddress)?;
        let port = match port.parse() {
            Ok(0) | Err(_) => return Err(NoTarget::NotAnAddress),
            Ok(port) => port,
        };
        match host.parse::<Ipv4Addr>() {
            Ok(Ipv4Addr::LOCALHOST) => Ok(Self(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port))),
            _ => Err(NoTarget::Elsewhere(host.to_owned())),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn load_goes_to_this_machine_alone() {
        for text in ["http://127.0.0.1:8080", "http://127.0.0.1:8080/", "127.0.0.1:8080"] {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), "127.0.0.1:8080");
        }
        for host in
            ["example.org", "0.0.0.0", "127.0.0.2", "localhost", "https://127.0.0.1", "[::1]"]
        {
            let refused = format!("{host}:80").parse::<Target>();
            assert_eq!(refused, Err(NoTarget::Elsewhere(host.to_owned())));
        }
        for text in ["", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "127.0.0.1:80/send"] {
            assert_eq!(text.parse::<Target>(), Err(NoTarget::NotAnAddress), "{text}");
        }
    }
}
