//! `kafka-notify send`.

use std::io::{self, IsTerminal, Read};

use models::{IdempotencyKey, Timestamp, UserId, UserName};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::client::{Answer, Ask, Client};
use crate::client_args::{ClientArgs, ProducerUrl};
use crate::failure::{EXIT_CODES, Ending, Failure};
use crate::output::{Output, note};

/// The most bytes of text that are read from standard input; the service takes far less.
const MAX_TEXT_BYTES: u64 = 16 * 1024 * 1024;

/// What to send, to whom.
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct SendCommand {
    /// Whom it goes to; several with more of these, or separated by commas
    #[arg(long, value_name = "USER", required = true, value_delimiter = ',')]
    to: Vec<UserId>,
    /// The user who sends it
    #[arg(long, value_name = "USER", conflicts_with = "from_name")]
    from: Option<UserId>,
    /// The service, which is no user, that sends it
    #[arg(long, value_name = "NAME")]
    from_name: Option<UserName>,
    /// A headline
    #[arg(long)]
    title: Option<String>,
    /// Where it leads: http(s), or relative to the site
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// A label to filter by; several with more of these
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// How urgent it is, from 1 (lowest) to 5
    #[arg(long, value_name = "1..5", value_parser = clap::value_parser!(u8).range(1..=5))]
    priority: Option<u8>,
    /// JSON of your own, passed on as it is
    #[arg(long, value_name = "JSON", value_parser = json)]
    data: Option<Box<RawValue>>,
    /// From when on it is no longer shown, as 2027-01-01T00:00:00Z
    #[arg(long, value_name = "TIME")]
    expires_at: Option<Timestamp>,
    /// Names this sending: with the same key it is sent once, however often it is tried. Without
    /// one a key is made
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<IdempotencyKey>,
    /// The text; `-`, or nothing where standard input is no terminal, reads it from there, without
    /// the last line break
    text: Option<String>,
    #[command(flatten)]
    client: ClientArgs,
    #[command(flatten)]
    at: ProducerUrl,
}

fn json(text: &str) -> Result<Box<RawValue>, String> {
    serde_json::from_str(text).map_err(|error| format!("no JSON: {error}"))
}

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<From<'a>>,
    to: &'a [UserId],
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    tags: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<Timestamp>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum From<'a> {
    User(&'a UserId),
    Service { name: &'a UserName },
}

#[derive(Deserialize)]
struct Sent {
    notifications: Vec<SentPart>,
}

/// What became of it for one recipient.
#[derive(Deserialize)]
struct SentPart {
    to: String,
    id: Option<String>,
    status: Option<u16>,
    code: Option<String>,
}

impl SendCommand {
    pub(crate) async fn run(self) -> Result<Ending, Failure> {
        let client = Client::new(&self.client)?;
        let text = self.text()?;
        let body = serde_json::to_vec(&self.body(&text)).map_err(Failure::failed)?;
        let made = Uuid::new_v4().to_string();
        let key = self.idempotency_key.as_ref().map_or(made.as_str(), IdempotencyKey::as_str);
        let ask = Ask::post(&self.at.producer, &["v1", "notifications"], body).key(key);
        let answer = client.ask(&ask).await.map_err(|failure| match failure.is_failed() {
            true => failure.advise(format!(
                "to try again without sending it twice, add: --idempotency-key {key}"
            )),
            false => failure,
        })?;
        self.show(&answer, key)
    }

    fn body<'a>(&'a self, message: &'a str) -> Body<'a> {
        let service = || self.from_name.as_ref().map(|name| From::Service { name });
        Body {
            from: self.from.as_ref().map(From::User).or_else(service),
            to: &self.to,
            message,
            title: self.title.as_deref(),
            url: self.url.as_deref(),
            tags: &self.tags,
            priority: self.priority,
            data: self.data.as_deref(),
            expires_at: self.expires_at,
        }
    }

    fn text(&self) -> Result<String, Failure> {
        match self.text.as_deref() {
            Some("-") => read_text(),
            Some(text) => Ok(text.to_owned()),
            None if io::stdin().is_terminal() => Err(Failure::bad_input(
                "there is no text: give it as the last argument, or on standard input with -",
            )),
            None => read_text(),
        }
    }

    fn show(&self, answer: &Answer, key: &str) -> Result<Ending, Failure> {
        let output = Output::new();
        let sent: Sent = answer.decode()?;
        let is_replay = answer.header("idempotency-replayed") == Some("true");
        let mut failed = 0;
        if self.client.json {
            output.json(answer.body())?;
        }
        for SentPart { to, id, status, code } in &sent.notifications {
            if status.is_some_and(|status| status >= 300) {
                failed += 1;
                note(&format!("failed to {to}: {}", code.as_deref().unwrap_or("unknown")));
            } else if !self.client.json {
                let done = if is_replay { "sent before" } else { "sent" };
                output.whole_line(&format!("{done} {} to {to}", id.as_deref().unwrap_or("?")))?;
            }
        }
        if failed == 0 {
            return Ok(Ending::Done);
        }
        note(&format!("to complete it, run it again with --idempotency-key {key}"));
        Ok(Ending::Partly)
    }
}

fn read_text() -> Result<String, Failure> {
    let mut text = String::new();
    let read = io::stdin().lock().take(MAX_TEXT_BYTES + 1).read_to_string(&mut text);
    let read = read.map_err(|error| Failure::bad_input(format!("standard input: {error}")))?;
    if read as u64 > MAX_TEXT_BYTES {
        return Err(Failure::bad_input(format!("the text has over {MAX_TEXT_BYTES} bytes")));
    }
    // The line break that `echo` adds is not part of what is meant.
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}
