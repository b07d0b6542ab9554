//! `POST /v1/notifications`, handed on to the producer.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::Method;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::app::{Answer, TestApp, answer};

/// A producer that keeps what it was sent and answers what it was told to.
pub(crate) struct Producer {
    pub(crate) url: String,
    heard: Arc<Mutex<Vec<String>>>,
    answer: Arc<Mutex<Option<String>>>,
}

impl Producer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (heard, answer) = (Arc::default(), Arc::default());
        let producer = Self { url, heard: Arc::clone(&heard), answer: Arc::clone(&answer) };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, heard.clone(), answer.clone()));
            }
        });
        producer
    }

    /// From now on this is its answer; none: it never answers.
    pub(crate) fn answers(&self, status: &str, headers: &str, body: &str) {
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{headers}\r\n");
        *self.answer.lock().unwrap() = Some(head + body);
    }

    fn is_silent(&self) {
        *self.answer.lock().unwrap() = None;
    }

    fn last(&self) -> String {
        self.heard.lock().unwrap().last().cloned().unwrap_or_default()
    }
}

async fn serve(
    mut stream: TcpStream,
    heard: Arc<Mutex<Vec<String>>>,
    answer: Arc<Mutex<Option<String>>>,
) {
    loop {
        let Some(request) = read_request(&mut stream).await else { return };
        heard.lock().unwrap().push(request);
        let answer = answer.lock().unwrap().clone();
        match answer {
            Some(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
            None => std::future::pending().await,
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut stream = BufReader::new(stream);
    let (mut request, mut length) = (String::new(), 0);
    loop {
        let start = request.len();
        if stream.read_line(&mut request).await.ok()? == 0 {
            return None;
        }
        match request[start..].trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                length = value.parse().unwrap();
            }
            Some(_) => {}
            None if start == 0 => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    request.push_str(&String::from_utf8(body).unwrap());
    Some(request)
}

async fn app_for(producer: &Producer) -> TestApp {
    let url = producer.url.clone();
    TestApp::spawn_with(|config| {
        config.producer_url = url;
        config.forward_timeout = Duration::from_millis(500);
    })
    .await
}

const BODY: &str = r#"{"to":1,"message":"hi"}"#;

async fn send(app: &TestApp) -> Answer {
    let request = app.request(Method::POST, "/v1/notifications");
    let request = request.header("Content-Type", "application/json; charset=utf-8");
    let request = request.header("Idempotency-Key", "key-1").header("X-Request-Id", "mine-1");
    let request = request.header("Authorization", "Bearer token").header("Cookie", "a=b");
    answer(request.header("X-Other", "1").body(BODY)).await
}

#[tokio::test]
async fn a_send_is_handed_on_and_its_answer_back() {
    let producer = Producer::start().await;
    let app = app_for(&producer).await;
    let headers = "Content-Type: application/json\r\nIdempotency-Replayed: true\r\nX-Inner: 1\r\n";
    producer.answers("201 Created", headers, r#"{"notifications":[]}"#);
    let sent = send(&app).await;
    sent.is(201, r#"{"notifications":[]}"#);
    assert_eq!(sent.header("content-type"), Some("application/json"));
    assert_eq!(sent.header("idempotency-replayed"), Some("true"));
    assert_eq!(sent.header("x-request-id"), Some("mine-1"));
    assert_eq!(sent.header("x-inner"), None);
    let heard = producer.last();
    let (head, body) = heard.split_once("\r\n\r\n").unwrap();
    assert_eq!(body, BODY);
    let head = head.to_ascii_lowercase();
    assert!(head.starts_with("post /v1/notifications http/1.1\r\n"), "{head}");
    for line in [
        "content-type: application/json; charset=utf-8",
        "idempotency-key: key-1",
        "x-request-id: mine-1",
        "authorization: bearer token",
    ] {
        assert!(head.lines().any(|it| it == line), "{line}: {head}");
    }
    assert!(!head.contains("cookie") && !head.contains("x-other"), "{head}");
}

#[tokio::test]
async fn a_request_without_an_id_has_one_id_in_both_services() {
    let producer = Producer::start().await;
    let app = app_for(&producer).await;
    producer.answers("201 Created", "", "{}");
    let sent = answer(app.request(Method::POST, "/v1/notifications").body(BODY)).await;
    let id = sent.header("x-request-id").unwrap();
    assert!(producer.last().contains(&format!("x-request-id: {id}")), "{}", producer.last());
}

#[tokio::test]
async fn each_status_of_the_producer_is_handed_back() {
    let producer = Producer::start().await;
    let app = app_for(&producer).await;
    let headers = "Content-Type: application/problem+json\r\nRetry-After: 7\r\n";
    for status in [200, 207, 302, 400, 404, 408, 413, 415, 422, 429, 503] {
        producer.answers(&format!("{status} Word"), headers, r#"{"code":"x"}"#);
        let sent = send(&app).await;
        sent.is(status, r#"{"code":"x"}"#);
        assert_eq!(sent.header("content-type"), Some("application/problem+json"));
        assert_eq!(sent.header("retry-after"), Some("7"));
    }
}

#[tokio::test]
async fn without_a_producer_nothing_was_sent() {
    // Nothing listens where the producer should.
    let app = TestApp::spawn().await;
    let away = send(&app).await;
    away.is_problem(503, "Service Unavailable", "broker_unavailable");
    assert_eq!(away.header("retry-after"), Some("1"));
    let detail = away.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("the producer cannot be reached; nothing was sent"), "{detail}");
}

#[tokio::test]
async fn without_an_answer_it_is_unknown_what_became_of_it() {
    let producer = Producer::start().await;
    let app = app_for(&producer).await;
    producer.is_silent();
    let unknown = send(&app).await;
    unknown.is_problem(503, "Service Unavailable", "broker_unavailable");
    let detail = unknown.json()["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.contains("the producer cannot be reached") && detail.contains("unknown"),
        "{detail}"
    );
    producer.answers("200 OK", "", &"x".repeat(1024 * 1024 + 1));
    send(&app).await.is_problem(503, "Service Unavailable", "broker_unavailable");
}

#[tokio::test]
async fn what_is_handed_on_is_bounded() {
    let producer = Producer::start().await;
    let url = producer.url.clone();
    let app = TestApp::spawn_with(|config| config.producer_url = url).await;
    producer.answers("201 Created", "", "{}");
    let post =
        |bytes: usize| app.request(Method::POST, "/v1/notifications").body(vec![b' '; bytes]);
    assert_eq!(answer(post(10_000_000)).await.status, 201);
    if let Ok(refused) = post(16 * 1024 * 1024 + 1).send().await {
        assert_eq!(refused.status(), 413);
    }
}
