//! `/openapi.json`: every route is in it, and every answer it names is given.

use std::collections::BTreeSet;
use std::time::Duration;

use broker::{ApiKey, ResponseError};
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};

use crate::app::{FORM, TestApp, answer, form};
use crate::v1::{JSON, NDJSON, SEND, SEND_BATCH, USERS, USERS_BATCH, V1};

async fn document(v1: &V1) -> Value {
    let document = v1.get("/openapi.json").await;
    assert_eq!(document.header("content-type"), Some("application/json"));
    document.json()
}

/// Every (method, path, status) of a document, but those that every service has.
fn documented(document: &Value) -> BTreeSet<(String, String, u16)> {
    let mut all = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, route) in methods.as_object().unwrap() {
            for status in route["responses"].as_object().unwrap().keys() {
                all.insert((method.to_uppercase(), path.clone(), status.parse().unwrap()));
            }
        }
    }
    all.retain(|(_, path, _)| path == "/send" || path.starts_with("/v1/"));
    all
}

#[tokio::test]
async fn every_route_is_in_the_document_and_every_reference_in_it_leads_somewhere() {
    let app = TestApp::spawn().await;
    let document = document(&app.v1()).await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{}", document["openapi"]);
    let routes: BTreeSet<_> = documented(&document)
        .into_iter()
        .map(|(method, path, _)| format!("{method} {path}"))
        .collect();
    let expected = [
        "DELETE /v1/users/{id}",
        "GET /v1/users",
        "GET /v1/users/{id}",
        "POST /send",
        "POST /v1/notifications",
        "POST /v1/notifications/batch",
        "POST /v1/users/batch",
        "PUT /v1/users/{id}",
    ];
    assert_eq!(routes.into_iter().collect::<Vec<_>>(), expected);
    for path in ["/livez", "/readyz", "/metrics", "/openapi.json"] {
        assert!(document["paths"][path]["get"].is_object(), "{path}");
    }
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer}");
    }
}

#[tokio::test]
async fn the_body_of_a_request_has_no_key_and_knows_its_limits() {
    let app = TestApp::spawn().await;
    let document = document(&app.v1()).await;
    let schemas = &document["components"]["schemas"];
    let body = &schemas["SendBody"];
    assert!(body["properties"]["idempotency_key"].is_null());
    assert!(schemas["SendRequest"]["properties"]["idempotency_key"].is_object());
    assert_eq!(body["additionalProperties"], json!(false));
    assert_eq!(body["required"], json!(["to", "message"]));
    assert_eq!(body["properties"]["title"]["oneOf"][0]["maxLength"], json!(1_000));
    assert_eq!(schemas["PutUser"]["properties"]["name"]["maxLength"], json!(200));
    let list = &document["paths"][USERS]["get"]["parameters"][0];
    assert_eq!((&list["name"], &list["schema"]["maximum"]), (&json!("limit"), &json!(200)));
    let key = &document["paths"][SEND]["post"]["parameters"][0];
    assert_eq!((&key["in"], &key["schema"]["maxLength"]), (&json!("header"), &json!(255)));
}

/// What was asked, and how it was answered.
struct Seen {
    document: Value,
    all: BTreeSet<(String, String, u16)>,
}

impl Seen {
    /// Asks, and checks that the answer is one that the document has.
    async fn ask(&mut self, path: &str, request: RequestBuilder, status: u16) {
        let method = request.try_clone().unwrap().build().unwrap().method().to_string();
        let answer = answer(request).await;
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        let route = &self.document["paths"][path][method.to_lowercase()];
        let mut response = &route["responses"][status.to_string()];
        if let Some(reference) = response["$ref"].as_str() {
            response = self.document.pointer(reference.trim_start_matches('#')).unwrap();
        }
        let kind = answer.header("content-type").unwrap();
        let kind = kind.split(';').next().unwrap();
        assert!(response["content"][kind].is_object(), "{method} {path} {status}: {kind}");
        if matches!(status, 429 | 503) {
            assert!(response["headers"]["Retry-After"].is_object(), "{method} {path} {status}");
        }
        self.all.insert((method, path.to_owned(), status));
    }
}

const USER: &str = "/v1/users/{id}";

#[tokio::test]
async fn every_answer_in_the_document_is_given() {
    let app = TestApp::spawn_with(|config| config.batch.at_once = 1).await;
    let v1 = app.v1();
    let document = document(&v1).await;
    let mut seen = Seen { document, all: BTreeSet::new() };
    let hi = json!({"to": 1, "message": "hi"}).to_string();
    ask_of_sends(&mut seen, &app, &v1, &hi).await;
    ask_of_users(&mut seen, &v1).await;
    ask_of_batches(&mut seen, &v1, &hi).await;
    ask_where_it_is_tight(&mut seen, &hi).await;
    assert_eq!(seen.all, documented(&seen.document));
}

fn send(v1: &V1, kind: &str, to: &str) -> RequestBuilder {
    v1.posting(kind, "/send", form(&[("fromID", "2"), ("toID", to), ("message", "hi")]))
}

async fn ask_of_sends(seen: &mut Seen, app: &TestApp, v1: &V1, hi: &str) {
    let publish = |body: &str| v1.posting(JSON, SEND, body.to_owned());
    seen.ask(SEND, publish(hi), 201).await;
    app.broker.faults().fail_produce(ResponseError::InvalidRecord, 1);
    seen.ask(SEND, publish(r#"{"to":[1,2],"message":"hi"}"#), 207).await;
    seen.ask(SEND, publish("{}"), 400).await;
    seen.ask(SEND, publish(r#"{"to":"nobody","message":"hi"}"#), 404).await;
    let large = json!({"to": 1, "message": "x".repeat(900_000)}).to_string();
    seen.ask(SEND, publish(&large), 413).await;
    seen.ask(SEND, v1.posting("text/plain", SEND, hi.to_owned()), 415).await;
    let with_key = |body: &str| publish(body).header("Idempotency-Key", "k");
    seen.ask(SEND, with_key(hi), 201).await;
    seen.ask(SEND, with_key(r#"{"to":2,"message":"hi"}"#), 422).await;
    seen.ask("/send", send(v1, FORM, "1"), 200).await;
    seen.ask("/send", send(v1, FORM, "x"), 400).await;
    seen.ask("/send", send(v1, FORM, "99"), 404).await;
    seen.ask("/send", send(v1, "text/plain", "1"), 415).await;
    let large = format!("fromID=2&toID=1&message={}", "x".repeat(1_000_000));
    seen.ask("/send", v1.posting(FORM, "/send", large), 413).await;
}

fn put(v1: &V1, id: &str, kind: &str, body: &str) -> RequestBuilder {
    let request = v1.request(Method::PUT, &format!("{USERS}/{id}"));
    request.header("Content-Type", kind).body(body.to_owned())
}

async fn ask_of_users(seen: &mut Seen, v1: &V1) {
    let name = r#"{"name":"Eve"}"#;
    seen.ask(USER, put(v1, "5", JSON, name), 201).await;
    seen.ask(USER, put(v1, "5", JSON, name), 200).await;
    seen.ask(USER, put(v1, "5", JSON, "{}"), 400).await;
    seen.ask(USER, put(v1, "5", JSON, &" ".repeat((16 << 20) + 1)), 413).await;
    seen.ask(USER, put(v1, "5", "text/plain", name), 415).await;
    let of = |method: Method, path: &str| v1.request(method, path);
    seen.ask(USER, of(Method::GET, "/v1/users/5"), 200).await;
    seen.ask(USER, of(Method::GET, "/v1/users/a%20b"), 400).await;
    seen.ask(USER, of(Method::GET, "/v1/users/nobody"), 404).await;
    seen.ask(USER, of(Method::DELETE, "/v1/users/5"), 202).await;
    seen.ask(USER, of(Method::DELETE, "/v1/users/a%20b"), 400).await;
    seen.ask(USERS, of(Method::GET, USERS), 200).await;
    seen.ask(USERS, of(Method::GET, "/v1/users?limit=0"), 400).await;
}

async fn ask_of_batches(seen: &mut Seen, v1: &V1, hi: &str) {
    for (path, line) in [(SEND_BATCH, hi), (USERS_BATCH, r#"{"id":1,"name":"Emma"}"#)] {
        seen.ask(path, v1.posting(NDJSON, path, line.to_owned()), 200).await;
        seen.ask(path, v1.posting(JSON, path, line.to_owned()), 415).await;
    }
    // A batch that does not end takes the only place.
    let endless = futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>();
    let body = reqwest::Body::wrap_stream(endless);
    let _endless = v1.posting(NDJSON, SEND_BATCH, body).send().await.unwrap();
    for path in [SEND_BATCH, USERS_BATCH] {
        seen.ask(path, v1.posting(NDJSON, path, ""), 429).await;
    }
}

/// Where bodies may be short and must be quick, and the log does not answer.
async fn ask_where_it_is_tight(seen: &mut Seen, hi: &str) {
    let app = TestApp::spawn_with(|config| {
        config.produce_timeout = Duration::from_millis(500);
        (config.form.timeout, config.json.timeout) =
            (Duration::from_millis(300), Duration::from_millis(300));
        config.body_budget_bytes = 1_000;
    })
    .await;
    let v1 = app.v1();
    let large = json!({"to": 1, "message": "x".repeat(2_000)}).to_string();
    seen.ask(SEND, v1.posting(JSON, SEND, large.clone()), 429).await;
    seen.ask(USER, put(&v1, "5", JSON, &large), 429).await;
    for (method, path, kind) in [("POST", "/send", FORM), ("POST", SEND, JSON), ("PUT", USER, JSON)]
    {
        let slow = format!(
            "{method} {} HTTP/1.1\r\nHost: test\r\nContent-Type: {kind}\r\nContent-Length: 9\r\n\r\n",
            path.replace("{id}", "5")
        );
        let slow = app.raw(slow).await;
        assert_eq!(slow.status, 408, "{slow:?}");
        seen.all.insert((method.to_owned(), path.to_owned(), 408));
    }
    app.broker.faults().stall(ApiKey::Produce);
    app.broker.faults().stall(ApiKey::ListOffsets);
    seen.ask(SEND, v1.posting(JSON, SEND, hi.to_owned()), 503).await;
    seen.ask("/send", send(&v1, FORM, "1"), 503).await;
    seen.ask(USER, put(&v1, "5", JSON, r#"{"name":"Eve"}"#), 503).await;
    seen.ask(USER, v1.request(Method::GET, "/v1/users/nobody"), 503).await;
    seen.ask(USER, v1.request(Method::DELETE, "/v1/users/1"), 503).await;
    app.broker.faults().clear();
    let never = TestApp::spawn_on(crate::app::TestBroker::not_running(), |_| {});
    seen.ask(USERS, never.v1().request(Method::GET, USERS), 503).await;
}
