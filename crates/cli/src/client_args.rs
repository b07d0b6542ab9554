//! The flags that all client commands share.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::FalseyValueParser;
use models::{InvalidUserId, UserId};
use reqwest::Url;
use reqwest::header::HeaderValue;

/// Flags of a client.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Client options")]
pub(crate) struct ClientArgs {
    /// Print JSON as the API answers it: one document, or one a line
    #[arg(long, global = true, env = "NOTIFY_JSON", value_parser = FalseyValueParser::new())]
    pub(crate) json: bool,
    /// The credential, sent as `Authorization: Bearer`
    #[arg(long, global = true, env = "NOTIFY_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<Token>,
    /// How long to try, in seconds: what passes by itself (503, 429, a lost connection) is tried
    /// again until then
    #[arg(
        long,
        global = true,
        env = "NOTIFY_TIMEOUT",
        value_name = "SECONDS",
        default_value = "30",
        value_parser = seconds
    )]
    pub(crate) timeout: Duration,
}

/// Where the consumer is.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Client options")]
pub(crate) struct ConsumerUrl {
    /// The consumer
    #[arg(
        long = "url",
        global = true,
        env = "NOTIFY_URL",
        value_name = "URL",
        default_value = "http://localhost:8081"
    )]
    pub(crate) consumer: BaseUrl,
}

/// Where the producer is.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Client options")]
pub(crate) struct ProducerUrl {
    /// The producer
    #[arg(
        long = "producer-url",
        global = true,
        env = "NOTIFY_PRODUCER_URL",
        value_name = "URL",
        default_value = "http://localhost:8080"
    )]
    pub(crate) producer: BaseUrl,
}

/// Where a service is.
#[derive(Clone, Debug)]
pub(crate) struct BaseUrl(Url);

impl BaseUrl {
    /// The address of a route, whose parts are escaped.
    pub(crate) fn join(&self, path: &[&str], query: &[(&str, String)]) -> Url {
        let mut url = self.0.clone();
        // An http URL has a path, which is all that this asks for.
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }
}

/// A user whose id is a part of a URL. `.` and `..` are ids as any other, but no part of a URL: whoever
/// reads one leaves them out, escaped or not (URL standard, "path state").
pub(crate) fn user_in_url(text: &str) -> Result<UserId, String> {
    if matches!(text, "." | "..") {
        return Err("this id cannot be a part of a URL, so there is no route to it".to_owned());
    }
    text.parse().map_err(|error: InvalidUserId| error.to_string())
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_str().trim_end_matches('/'))
    }
}

impl FromStr for BaseUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let url = Url::parse(text).map_err(|error| {
            format!("not a URL ({error}); it is one such as http://localhost:8081")
        })?;
        match url.scheme() {
            "http" => {}
            "https" => {
                return Err(
                    "https is not built into this version: give an http URL, for instance \
                     of a proxy on this machine that speaks TLS to the server"
                        .to_owned(),
                );
            }
            other => return Err(format!("{other} is no scheme for this, http is")),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(
                "a URL has no user and password here: give the credential with --token".to_owned()
            );
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("the URL of a service has no query and no fragment".to_owned());
        }
        Ok(Self(url))
    }
}

/// A credential. It is never shown.
#[derive(Clone)]
pub(crate) struct Token(Option<HeaderValue>);

impl Token {
    /// The value of the header `Authorization`; none for an empty credential.
    pub(crate) fn header(&self) -> Option<HeaderValue> {
        self.0.clone()
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Takes any text: a reason for refusing it would be printed together with it.
/// [`Client::new`](crate::client::Client::new) finds out.
impl From<&str> for Token {
    fn from(text: &str) -> Self {
        let text = text.trim();
        if text.is_empty() {
            return Self(None);
        }
        // What no header can hold becomes one that no server takes, and is refused before.
        let mut value = HeaderValue::from_str(&format!("Bearer {text}"))
            .unwrap_or_else(|_| HeaderValue::from_static(UNUSABLE));
        value.set_sensitive(true);
        Self(Some(value))
    }
}

/// Stands for a credential that no header can hold.
const UNUSABLE: &str = "";

impl Token {
    pub(crate) fn is_usable(&self) -> bool {
        self.0.as_ref().is_none_or(|value| value != UNUSABLE)
    }
}

/// The longest wait that can be asked for.
const LONGEST: f64 = 86_400.0;

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    if !(seconds > 0.0 && seconds <= LONGEST) {
        return Err(format!("more than 0 and at most {LONGEST} seconds"));
    }
    Ok(Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_path_are_escaped_and_a_prefix_is_kept() {
        for (base, url) in [
            ("http://h:1", "http://h:1/v1/users/a%2Fb%3F"),
            ("http://h:1/", "http://h:1/v1/users/a%2Fb%3F"),
            ("http://h:1/notify/", "http://h:1/notify/v1/users/a%2Fb%3F"),
        ] {
            let base: BaseUrl = base.parse().unwrap();
            assert_eq!(base.join(&["v1", "users", "a/b?"], &[]).as_str(), url);
        }
        let base: BaseUrl = "http://h:1".parse().unwrap();
        let url = base.join(&["x"], &[("tag", "a&b=c".to_owned())]);
        assert_eq!(url.as_str(), "http://h:1/x?tag=a%26b%3Dc");
    }

    #[test]
    fn urls_that_cannot_be_used_are_refused_with_the_reason() {
        for (url, reason) in [
            ("https://h", "https is not built in"),
            ("ftp://h", "ftp is no scheme"),
            ("localhost:8081", "localhost is no scheme"),
            ("h", "not a URL"),
            ("http://me:secret@h", "--token"),
            ("http://h?x=1", "no query"),
        ] {
            let error = url.parse::<BaseUrl>().unwrap_err();
            assert!(error.contains(reason), "{url}: {error}");
        }
    }

    #[test]
    fn a_token_is_not_shown() {
        let token = Token::from("secret");
        assert_eq!(format!("{token:?} {:?}", token.header().unwrap()), "Token(..) Sensitive");
        assert!(token.is_usable() && Token::from("").is_usable());
        assert!(Token::from("").header().is_none());
        assert!(!Token::from("a\nb").is_usable());
    }

    #[test]
    fn seconds_are_positive_and_bounded() {
        assert_eq!(seconds("1.5"), Ok(Duration::from_millis(1500)));
        for bad in ["0", "-1", "nan", "inf", "1e9", "x", ""] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
    }
}
