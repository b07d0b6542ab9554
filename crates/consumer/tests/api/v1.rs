//! Verbs of v1.

use models::{NotificationId, Offset, Position, Record, Sent};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::app::{
    Answer, BrokerVerbs as _, TestApp, answer, bruno, eventually, home, now, soon, to,
};

/// A notification with this id.
pub(crate) fn nothing() -> String {
    NotificationId::new().to_string()
}

/// The record of a notification with more than the tutorial has.
pub(crate) fn record_with(user: &str, text: &str, fields: &Value) -> Record {
    let mut notification = json!({
        "from": bruno(), "to": to(user), "message": text,
    });
    notification.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let notification = serde_json::from_value(notification).unwrap();
    let (id, created_at) = (NotificationId::new(), now());
    Record::of_sent(&Sent { id, created_at, notification, fingerprint: None }).unwrap()
}

impl TestApp {
    /// A page, which has to be one.
    pub(crate) async fn page(&self, user: &str, query: &str) -> Value {
        let page = self.get(&format!("/v1/users/{user}/notifications?{query}")).await;
        assert_eq!(page.status, 200, "{page:?}");
        page.json()
    }

    /// Sends texts to a user, and waits until they can be read; newest first.
    pub(crate) async fn with_texts(&self, user: &str, texts: &[&str]) -> Vec<Value> {
        let before = self.counts(user).await["total_count"].as_u64().unwrap();
        self.tell(user, texts).await;
        let total = before + texts.len() as u64;
        eventually(soon(), async || self.counts(user).await["total_count"] == total).await;
        self.page(user, "limit=200&status=all").await["notifications"].as_array().unwrap().clone()
    }

    /// The same, each with its fields.
    pub(crate) async fn with_records(&self, user: &str, records: Vec<Record>) {
        let last = *self.append_for(user, records).await.last().unwrap();
        let position = self.position(user, last.next()).await;
        let path = format!("/v1/users/{user}/counts?min_position={position}&wait_ms=30000");
        assert_eq!(self.get(&path).await.status, 200);
    }

    pub(crate) async fn position(&self, user: &str, next_offset: Offset) -> Position {
        let topic_id = self.broker.topics().await.topic_id;
        Position { topic_id, partition: home(user), next_offset }
    }

    pub(crate) async fn counts(&self, user: &str) -> Value {
        let counts = self.get(&format!("/v1/users/{user}/counts")).await;
        assert_eq!(counts.status, 200, "{counts:?}");
        counts.json()
    }

    /// Total, unread and unseen.
    pub(crate) async fn numbers(&self, user: &str) -> (u64, u64, u64) {
        numbers(&self.counts(user).await)
    }

    pub(crate) async fn patch(&self, user: &str, id: &str, body: Value) -> Answer {
        let path = format!("/v1/users/{user}/notifications/{id}");
        answer(with_json(self.request(Method::PATCH, &path), &body.to_string())).await
    }

    pub(crate) async fn delete(&self, user: &str, id: &str) -> Answer {
        let path = format!("/v1/users/{user}/notifications/{id}");
        answer(self.request(Method::DELETE, &path)).await
    }

    pub(crate) async fn act(&self, user: &str, body: Value) -> Answer {
        let path = format!("/v1/users/{user}/notifications/actions");
        answer(with_json(self.request(Method::POST, &path), &body.to_string())).await
    }

    /// Sends a request as it is: clients of HTTP tidy paths up.
    pub(crate) async fn raw(&self, request_line: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let head = format!("{request_line} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8(answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer)
    }
}

pub(crate) fn numbers(counts: &Value) -> (u64, u64, u64) {
    let number = |name: &str| counts[name].as_u64().unwrap();
    (number("total_count"), number("unread_count"), number("unseen_count"))
}

pub(crate) fn with_json(request: reqwest::RequestBuilder, body: &str) -> reqwest::RequestBuilder {
    request.header("Content-Type", "application/json").body(body.to_owned())
}

pub(crate) fn texts(page: &Value) -> Vec<String> {
    let notifications = page["notifications"].as_array().unwrap().iter();
    notifications.map(|it| it["message"].as_str().unwrap().to_owned()).collect()
}

pub(crate) fn ids(notifications: &[Value]) -> Vec<String> {
    notifications.iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
}
