//! `kafka-notify watch`.

mod place;

use std::path::PathBuf;
use std::time::Duration;

use kafka::Backoff;
use models::{EventStreamReader, NotificationView, ServerSentEvent, UserId};
use reqwest::{Response, StatusCode, Url};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::time::{Instant, sleep, timeout};

use crate::client::{Answer, Ask, Client, silent, unreachable};
use crate::client_args::{ClientArgs, ConsumerUrl, user_in_url};
use crate::failure::{EXIT_CODES, Ending, Failure};
use crate::inbox_command::{row, short};
use crate::output::{Output, note};

use place::Place;

/// The longest silence of a stream: the server says something every 25 s. Larger, and a connection that
/// is gone without a word is noticed late; smaller, and one that is slow is given up.
const SILENCE: Duration = Duration::from_secs(60);

/// How long the head of an answer may take: the server waits 5 s for the position itself.
const ANSWERING: Duration = Duration::from_secs(15);

/// Whose inbox to watch.
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct WatchCommand {
    /// The user
    #[arg(value_parser = user_in_url)]
    user: UserId,
    /// Begin behind this position, that of a page, a send or an event, instead of with what is new
    #[arg(long, value_name = "POSITION")]
    last_event_id: Option<String>,
    /// Keep the position in this file, and begin there when it is started again. Once there was a
    /// connection, it is made again without an end, whatever --timeout says
    #[arg(long, value_name = "FILE", conflicts_with = "last_event_id")]
    resume: Option<PathBuf>,
    /// End after so many notifications
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    #[command(flatten)]
    client: ClientArgs,
    #[command(flatten)]
    at: ConsumerUrl,
}

/// A stream that is followed, over one connection after the other.
struct Watch {
    command: WatchCommand,
    client: Client,
    output: Output,
    place: Place,
    /// Notifications still to come; none: without an end.
    left: Option<u64>,
    was_connected: bool,
}

impl WatchCommand {
    pub(crate) async fn run(self) -> Result<Ending, Failure> {
        let client = Client::new(&self.client)?;
        let place = match (&self.last_event_id, &self.resume) {
            (Some(position), _) => Place::at(position)?,
            (None, Some(file)) => Place::of_file(file, &self.user)?,
            (None, None) => Place::default(),
        };
        let (output, left) = (Output::new(), self.limit);
        Watch { command: self, client, output, place, left, was_connected: false }.run().await
    }
}

/// How following a connection ended.
enum End {
    /// All that was asked for has come.
    Done,
    /// The connection ended, and the server would have us back after this time.
    Lost(Option<Duration>),
}

impl Watch {
    async fn run(mut self) -> Result<Ending, Failure> {
        let mut backoff = Backoff::new();
        let mut deadline = Some(Instant::now() + self.client.timeout());
        loop {
            let wait = match self.connect().await {
                Ok(response) => {
                    backoff.reset();
                    deadline = None;
                    self.tell_connected();
                    match self.follow(response).await? {
                        End::Done => return Ok(Ending::Done),
                        End::Lost(wait) => {
                            note("the connection has ended; connecting again");
                            wait
                        }
                    }
                }
                // Once there was a connection, the server is expected back.
                Err(Refused { failure, may_pass, .. })
                    if !may_pass || deadline.is_some_and(|at| Instant::now() >= at) =>
                {
                    return Err(failure);
                }
                Err(Refused { retry_after, .. }) => retry_after,
            };
            match wait {
                Some(wait) => sleep(wait).await,
                None => backoff.wait().await,
            }
        }
    }

    fn tell_connected(&mut self) {
        if std::mem::replace(&mut self.was_connected, true) {
            note("connected again");
        }
    }

    async fn connect(&self) -> Result<Response, Refused> {
        let path = ["v1", "users", self.command.user.as_str(), "stream"];
        let url = Ask::get(&self.command.at.consumer, &path, &[]).url();
        let mut request = self.client.http().get(url.clone());
        if let Some(position) = self.place.position() {
            request = request.header("Last-Event-ID", position);
        }
        let response = match timeout(ANSWERING, request.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(Refused::for_now(unreachable(&url, &error))),
            Err(_) => return Err(Refused::for_now(silent(&url))),
        };
        if response.status() == StatusCode::OK {
            Ok(response)
        } else {
            Err(refused(&url, response).await)
        }
    }

    /// Shows what comes until the connection ends.
    async fn follow(&mut self, mut response: Response) -> Result<End, Failure> {
        let mut reader = EventStreamReader::default();
        loop {
            let Ok(Ok(Some(piece))) = timeout(SILENCE, response.chunk()).await else {
                return Ok(End::Lost(reader.retry()));
            };
            for event in reader.push(&piece).map_err(Failure::failed)? {
                self.show(&event)?;
                // Once it is shown: what is not known to be shown is told again.
                self.place.keep(&event.id)?;
                if self.left == Some(0) {
                    return Ok(End::Done);
                }
            }
            self.place.keep(reader.last_event_id())?;
        }
    }

    fn show(&mut self, event: &ServerSentEvent) -> Result<(), Failure> {
        let ServerSentEvent { name, data, id } = event;
        if name == "notification" {
            self.left = self.left.map(|left| left.saturating_sub(1));
        }
        if self.command.client.json {
            let id = if matches!(name.as_str(), "counts" | "closing") { None } else { Some(id) };
            let data: &RawValue = read(data)?;
            let event = serde_json::json!({"id": id, "event": name, "data": data});
            return self.output.json(event.to_string().as_bytes());
        }
        match name.as_str() {
            "notification" => self.output.line(&row(&read::<NotificationView>(data)?)),
            "changed" => self.output.line(&sentence(&read(data)?)),
            "gap" => {
                let Reason { reason } = read(data)?;
                note(&format!(
                    "what happened before this cannot be told any more ({reason}): see kafka-notify inbox"
                ));
                Ok(())
            }
            // Counts, and what later versions tell.
            _ => Ok(()),
        }
    }
}

/// An answer that is no stream, or none.
struct Refused {
    failure: Failure,
    may_pass: bool,
    retry_after: Option<Duration>,
}

impl Refused {
    fn for_now(failure: Failure) -> Self {
        Self { failure, may_pass: true, retry_after: None }
    }
}

async fn refused(url: &Url, response: Response) -> Refused {
    match timeout(ANSWERING, Answer::read(response)).await {
        Ok(Ok(answer)) => Refused {
            failure: answer.failure(),
            may_pass: answer.may_pass(),
            retry_after: answer.retry_after(),
        },
        Ok(Err(failure)) => Refused::for_now(failure),
        Err(_) => Refused::for_now(silent(url)),
    }
}

fn read<'a, T: Deserialize<'a>>(data: &'a str) -> Result<T, Failure> {
    serde_json::from_str(data)
        .map_err(|error| Failure::failed(format!("an event cannot be read: {error}")))
}

#[derive(Deserialize)]
struct Reason {
    reason: String,
}

#[derive(Deserialize)]
struct Changed {
    ids: Option<Vec<String>>,
    #[serde(default, deserialize_with = "some")]
    read_at: Option<Option<String>>,
    #[serde(default, deserialize_with = "some")]
    archived_at: Option<Option<String>>,
    reason: Option<String>,
}

/// The outer `None` is an event without the field.
fn some<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// What was done to which notifications, by the ends of their ids.
fn sentence(changed: &Changed) -> String {
    let what = match (&changed.read_at, &changed.archived_at, changed.reason.as_deref()) {
        (Some(Some(_)), ..) => "read",
        (Some(None), ..) => "unread",
        (_, Some(Some(_)), _) => "archived",
        (_, Some(None), _) => "not archived any more",
        (.., Some("expired")) => "expired",
        (.., Some("retention")) => "no longer kept",
        _ => "deleted",
    };
    match &changed.ids {
        Some(ids) => {
            let ids: Vec<_> = ids.iter().map(|id| short(id)).collect();
            format!("= {what}: {}", ids.join(" "))
        }
        None => format!("= {what}: all until then"),
    }
}
