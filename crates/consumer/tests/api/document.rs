//! `GET /openapi.json`: it has every route, and what it says of them happens.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::{Method, RequestBuilder};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::app::{TestApp, TestBroker, answer};
use crate::forwarding::Producer;
use crate::v1::{ids, nothing, with_json};

const LIST: &str = "/v1/users/{id}/notifications";
const ONE: &str = "/v1/users/{id}/notifications/{nid}";
const ACTIONS: &str = "/v1/users/{id}/notifications/actions";
const COUNTS: &str = "/v1/users/{id}/counts";
const EXPORT: &str = "/v1/users/{id}/export";
const STREAM: &str = "/v1/users/{id}/stream";
const WS: &str = "/v1/users/{id}/ws";
const SEND: &str = "/v1/notifications";
const TUTORIAL: &str = "/notifications/{userID}";
const PARTITIONS: &str = "/v1/partitions";

/// The consumer's routes of the contract, but those of the web page.
const ROUTES: [(&str, &str); 12] = [
    ("get", TUTORIAL),
    ("post", SEND),
    ("get", LIST),
    ("get", ONE),
    ("patch", ONE),
    ("delete", ONE),
    ("post", ACTIONS),
    ("get", COUNTS),
    ("get", EXPORT),
    ("get", PARTITIONS),
    ("get", STREAM),
    ("get", WS),
];

type Case = (String, String, String);

/// What happened: method, path and status.
#[derive(Default)]
struct Seen(BTreeSet<Case>);

impl Seen {
    fn note(&mut self, method: &str, path: &str, status: u16) {
        self.0.insert((method.to_owned(), path.to_owned(), status.to_string()));
    }

    async fn ask(&mut self, app: &TestApp, method: &str, path: &str, id: &str, query: &str) {
        let request = request(app, method, path, id, query);
        let status = answer(request).await.status;
        self.note(method, path, status);
    }

    /// Asks for what has no end.
    async fn open(&mut self, app: &TestApp, path: &str, query: &str) {
        let mut request = request(app, "get", path, "", query);
        if path == WS {
            request = request
                .header("Connection", "Upgrade")
                .header("Upgrade", "websocket")
                .header("Sec-WebSocket-Version", "13")
                .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
        }
        let status = request.send().await.unwrap().status().as_u16();
        self.note("get", path, status);
    }

    async fn say(&mut self, app: &TestApp, method: &str, path: &str, id: &str, body: &str) {
        let request = with_json(request(app, method, path, id, ""), body);
        let status = answer(request).await.status;
        self.note(method, path, status);
    }
}

fn request(app: &TestApp, method: &str, path: &str, id: &str, query: &str) -> RequestBuilder {
    let path = path.replace("{id}", "1").replace("{nid}", id).replace("{userID}", "1");
    let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes()).unwrap();
    app.request(method, &format!("{path}{query}"))
}

fn documented(document: &Value) -> BTreeSet<Case> {
    let mut cases = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            for (status, response) in operation["responses"].as_object().unwrap() {
                cases.insert((method.clone(), path.clone(), status.clone()));
                let is_error = status.as_str() >= "400";
                let is_ours = path == TUTORIAL && status == "400" || path == "/readyz";
                if is_error && !is_ours {
                    let content = &response["content"]["application/problem+json"];
                    let schema = content["schema"]["$ref"].as_str().unwrap();
                    assert_eq!(schema, "#/components/schemas/ProblemDocument", "{method} {path}");
                }
            }
        }
    }
    cases
}

/// A head that promises a body which does not come.
async fn without_its_body(app: &TestApp, method: &str, path: &str) -> u16 {
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    let method = method.to_ascii_uppercase();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n\
         Content-Length: 20\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()[9..].parse().unwrap()
}

async fn what_works(seen: &mut Seen) -> Value {
    let producer = Producer::start().await;
    let url = producer.url.clone();
    let app = TestApp::spawn_with(|config| config.producer_url = url).await;
    let all = ids(&app.with_texts("1", &["a", "b"]).await);
    let far = app.position("1", models::Offset(1_000_000)).await;
    let far = format!("?wait_ms=0&min_position={far}");
    for path in [LIST, ONE, COUNTS, EXPORT] {
        for query in ["", &far, "?unknown=1"] {
            seen.ask(&app, "get", path, &all[0], query).await;
        }
    }
    for path in [STREAM, WS] {
        for query in ["", "?unknown=1"] {
            seen.open(&app, path, query).await;
        }
    }
    let foreign = request(&app, "get", WS, "", "").header("Origin", "https://evil.example");
    seen.note("get", WS, answer(foreign).await.status);
    for (path, queries) in [
        (TUTORIAL, &["", "?limit=0"][..]),
        (PARTITIONS, &[""]),
        ("/livez", &[""]),
        ("/readyz", &[""]),
        ("/metrics", &[""]),
        ("/openapi.json", &[""]),
    ] {
        for query in queries {
            seen.ask(&app, "get", path, "", query).await;
        }
    }
    let missing = nothing();
    seen.ask(&app, "get", ONE, &missing, "").await;
    let large = " ".repeat(200_000);
    for (method, path, body) in
        [("patch", ONE, r#"{"read":true}"#), ("post", ACTIONS, r#"{"action":"read"}"#)]
    {
        for body in [body, "{}", &large] {
            seen.say(&app, method, path, &all[0], body).await;
        }
        seen.ask(&app, method, path, &all[0], "").await;
    }
    seen.say(&app, "patch", ONE, &missing, r#"{"read":true}"#).await;
    seen.ask(&app, "delete", ONE, &all[0], "").await;
    seen.ask(&app, "delete", ONE, &all[0], "").await;
    seen.ask(&app, "delete", ONE, "x", "").await;
    for status in [201, 207, 400, 404, 415, 422] {
        producer.answers(&format!("{status} Word"), "", "{}");
        seen.say(&app, "post", SEND, "", "{}").await;
    }
    let head = "Content-Length: 20000000\r\nContent-Type: application/json\r\n";
    let (status, _) = app.raw(&format!("POST {SEND} HTTP/1.1\r\n{head}X-Rest:")).await;
    seen.note("post", SEND, status);
    app.get("/openapi.json").await.json()
}

/// Where there is no room, and no time.
async fn what_is_too_much(seen: &mut Seen) {
    let app = TestApp::spawn_with(|config| {
        (config.command_bytes, config.forwarded_bytes, config.max_exports) = (4, 4, 0);
        config.max_streams_per_user = 0;
        config.body_timeout = Duration::from_millis(300);
    })
    .await;
    seen.ask(&app, "get", EXPORT, "", "").await;
    for path in [STREAM, WS] {
        seen.open(&app, path, "").await;
    }
    let id = nothing();
    for (method, path) in [("patch", ONE), ("post", ACTIONS), ("post", SEND)] {
        seen.say(&app, method, path, &id, r#"{"read":true}"#).await;
        let path_of_it = path.replace("{id}", "1").replace("{nid}", &id);
        let status = without_its_body(&app, method, &path_of_it).await;
        seen.note(method, path, status);
    }
}

async fn what_is_away(seen: &mut Seen) {
    let broker = TestBroker::not_running();
    let app = TestApp::start(broker, tempfile::tempdir().unwrap(), |_| {}).unwrap();
    let id = nothing();
    for path in [TUTORIAL, LIST, ONE, COUNTS, EXPORT, PARTITIONS, "/readyz"] {
        seen.ask(&app, "get", path, &id, "").await;
    }
    for path in [STREAM, WS] {
        seen.open(&app, path, "").await;
    }
    seen.ask(&app, "delete", ONE, &id, "").await;
    seen.say(&app, "patch", ONE, &id, r#"{"read":true}"#).await;
    seen.say(&app, "post", ACTIONS, &id, r#"{"action":"read"}"#).await;
    seen.say(&app, "post", SEND, &id, "{}").await;
}

#[tokio::test]
async fn every_route_is_documented_and_every_documented_answer_happens() {
    let mut seen = Seen::default();
    let document = what_works(&mut seen).await;
    what_is_too_much(&mut seen).await;
    what_is_away(&mut seen).await;
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    for (method, path) in ROUTES {
        assert!(document["paths"][path][method].is_object(), "{method} {path}");
    }
    let documented = documented(&document);
    let never: Vec<_> = documented.difference(&seen.0).collect();
    assert!(never.is_empty(), "documented, and did not happen: {never:?}");
    let unknown: Vec<_> = seen.0.difference(&documented).collect();
    assert!(unknown.is_empty(), "happened, and is not documented: {unknown:?}");
}

#[tokio::test]
async fn parameters_say_their_limits() {
    let app = TestApp::spawn().await;
    let document = app.get("/openapi.json").await.json();
    let parameters = document["paths"][LIST]["get"]["parameters"].as_array().unwrap();
    let parameter = |name: &str| parameters.iter().find(|it| it["name"] == name).unwrap();
    let names: BTreeSet<_> = parameters.iter().map(|it| it["name"].as_str().unwrap()).collect();
    let expected = [
        "id",
        "limit",
        "cursor",
        "status",
        "since",
        "until",
        "tag",
        "from",
        "min_position",
        "wait_ms",
    ];
    assert_eq!(names, BTreeSet::from(expected));
    for (name, rule, value) in [
        ("limit", "minimum", 1.into()),
        ("limit", "maximum", 200.into()),
        ("limit", "default", 20.into()),
        ("wait_ms", "minimum", 0.into()),
        ("wait_ms", "maximum", 30_000.into()),
        ("status", "enum", serde_json::json!(["inbox", "unread", "read", "archived", "all"])),
        ("tag", "maxLength", 64.into()),
        ("id", "maxLength", 128.into()),
        ("since", "format", "date-time".into()),
    ] {
        let parameter = parameter(name);
        assert_eq!(parameter["schema"][rule], value, "{parameter}");
        assert_eq!(parameter["required"].as_bool().unwrap_or(false), name == "id", "{name}");
    }
}
