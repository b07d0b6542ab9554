//! Streams, with verbs.

use std::collections::VecDeque;
use std::time::Duration;

use models::EventStreamReader;
use reqwest::{Method, Response};
use serde_json::Value;
use tokio::time::timeout;

use crate::app::{LONG, TestApp};

/// An event of a stream.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) data: Value,
    /// The last id that the stream gave.
    pub(crate) id: String,
}

/// A stream that is read.
pub(crate) struct Stream {
    response: Response,
    reader: EventStreamReader,
    events: VecDeque<Event>,
}

impl TestApp {
    /// The answer to a request for a stream.
    pub(crate) async fn ask_for_stream(&self, user: &str, last_event_id: Option<&str>) -> Response {
        // Its time is not bounded by the client's.
        let mut request = self
            .request(Method::GET, &format!("/v1/users/{user}/stream"))
            .timeout(Duration::from_secs(600));
        if let Some(id) = last_event_id {
            request = request.header("Last-Event-ID", id);
        }
        request.send().await.unwrap()
    }

    /// A stream whose counts have come.
    pub(crate) async fn stream(&self, user: &str, last_event_id: Option<&str>) -> Stream {
        let response = self.ask_for_stream(user, last_event_id).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert_eq!(response.headers()["cache-control"], "no-store");
        let (reader, events) = (EventStreamReader::default(), VecDeque::new());
        let mut stream = Stream { response, reader, events };
        assert_eq!(stream.next().await.name, "counts");
        stream
    }
}

impl Stream {
    pub(crate) async fn next(&mut self) -> Event {
        self.next_or_end().await.expect("the stream goes on")
    }

    /// None: the stream has ended.
    pub(crate) async fn next_or_end(&mut self) -> Option<Event> {
        while self.events.is_empty() {
            let piece = timeout(LONG, self.response.chunk()).await.expect("in time").ok()??;
            self.events.extend(self.reader.push(&piece).unwrap().into_iter().map(|event| Event {
                name: event.name,
                data: serde_json::from_str(&event.data).unwrap(),
                id: event.id,
            }));
        }
        self.events.pop_front()
    }

    /// Reads until something came that is no event.
    pub(crate) async fn until_alive(&mut self) {
        let piece = self.response.chunk().await.unwrap().expect("the stream goes on");
        assert!(piece.starts_with(b":\n"), "{piece:?}");
        assert!(self.reader.push(&piece).unwrap().is_empty());
    }

    /// The next one, which is of this name.
    pub(crate) async fn expect(&mut self, name: &str) -> Event {
        let event = self.next().await;
        assert_eq!(event.name, name, "{event:?}");
        event
    }

    /// The next one that is not about counts.
    pub(crate) async fn next_change(&mut self) -> Event {
        loop {
            let event = self.next().await;
            if event.name != "counts" {
                return event;
            }
        }
    }

    pub(crate) fn id(&self) -> String {
        self.reader.last_event_id().to_owned()
    }

    pub(crate) fn retry(&self) -> Option<Duration> {
        self.reader.retry()
    }
}
