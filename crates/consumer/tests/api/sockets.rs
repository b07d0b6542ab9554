//! `GET /v1/users/{id}/ws`.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::app::{LONG, TestApp};
use crate::v1::ids;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

impl TestApp {
    async fn try_socket(&self, query: &str) -> Result<Socket, Error> {
        let url = format!("ws://{}/v1/users/1/ws{query}", self.address);
        connect_async(url).await.map(|(socket, _)| socket)
    }

    /// A WebSocket whose counts have come, and where it begins.
    async fn socket(&self, query: &str) -> (Socket, String) {
        let mut socket = self.try_socket(query).await.unwrap();
        assert_eq!(frame(&mut socket).await["event"], "counts");
        let id = if query.is_empty() { frame(&mut socket).await["id"].clone() } else { "".into() };
        (socket, id.as_str().unwrap().to_owned())
    }
}

/// The next frame; pings are answered meanwhile.
async fn frame(socket: &mut Socket) -> Value {
    loop {
        let message = timeout(LONG, socket.next()).await.expect("in time").unwrap().unwrap();
        assert!(!message.is_close() && !message.is_binary(), "{message:?}");
        if let Message::Text(text) = message {
            return serde_json::from_str(&text).unwrap();
        }
    }
}

async fn next_change(socket: &mut Socket) -> Value {
    loop {
        let frame = frame(socket).await;
        if frame["event"] != "counts" {
            return frame;
        }
    }
}

/// How the server closed it; none: without a word.
async fn close_code(socket: &mut Socket) -> Option<CloseCode> {
    loop {
        match timeout(LONG, socket.next()).await.expect("in time")? {
            Ok(Message::Close(close)) => return close.map(|close| close.code),
            Ok(_) => {}
            Err(_) => return None,
        }
    }
}

#[tokio::test]
async fn a_websocket_tells_what_a_stream_does() {
    let app = TestApp::spawn().await;
    app.with_texts("1", &["old"]).await;
    let (mut socket, begin) = app.socket("").await;
    let mut stream = app.stream("1", None).await;
    let all = ids(&app.with_texts("1", &["one", "two"]).await);
    app.patch("1", &all[0], json!({"read": true})).await;
    app.delete("1", &all[1]).await;
    let mut told = Vec::new();
    for _ in 0..4 {
        let event = stream.next_change().await;
        let frame = next_change(&mut socket).await;
        assert_eq!(frame, json!({"id": event.id, "event": event.name, "data": event.data}));
        told.push(frame);
    }
    let counts = frame(&mut socket).await;
    let numbers = json!({"unread_count": 1, "unseen_count": 2});
    assert_eq!(counts, json!({"id": null, "event": "counts", "data": numbers}));
    assert_eq!(begin, stream_begin(&app).await);
    let id = told[2]["id"].as_str().unwrap();
    let (mut again, _) = app.socket(&format!("?last_event_id={id}")).await;
    assert_eq!(next_change(&mut again).await, told[3]);
    let (mut forged, _) = app.socket("?last_event_id=x").await;
    assert_eq!(next_change(&mut forged).await["data"], json!({"reason": "reset"}));
}

/// The position behind the first record.
async fn stream_begin(app: &TestApp) -> String {
    app.position("1", models::Offset(1)).await.to_string()
}

#[tokio::test]
async fn a_socket_answers_pings_and_ignores_what_it_is_told() {
    let app = TestApp::spawn().await;
    let (mut socket, _) = app.socket("").await;
    socket.send(Message::text("hello")).await.unwrap();
    socket.send(Message::binary(vec![0; 4_000])).await.unwrap();
    socket.send(Message::Ping("are you there".into())).await.unwrap();
    let pong = loop {
        let message = timeout(LONG, socket.next()).await.unwrap().unwrap().unwrap();
        if let Message::Pong(payload) = message {
            break payload;
        }
    };
    assert_eq!(pong, "are you there");
    app.tell("1", &["still there"]).await;
    assert_eq!(next_change(&mut socket).await["data"]["message"], "still there");
    socket.close(None).await.unwrap();
    assert_eq!(close_code(&mut socket).await, Some(CloseCode::Normal));
}

/// A socket after its handshake, to be written to without a care.
async fn raw_socket(app: &TestApp) -> TcpStream {
    let mut stream = TcpStream::connect(app.address).await.unwrap();
    let head = "GET /v1/users/1/ws HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\n\
        Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 101");
    stream
}

#[tokio::test]
async fn what_is_no_frame_closes_the_socket_with_its_reason() {
    let app = TestApp::spawn().await;
    let masked = |first: u8, length: u8| vec![first, 0x80 | length, 1, 2, 3, 4];
    let too_large = [vec![0x82, 0xfe, 0xff, 0xff, 1, 2, 3, 4], vec![0; 65_535]].concat();
    let too_long = [vec![0x89, 0xfe, 0, 200, 1, 2, 3, 4], vec![0; 200]].concat();
    for (name, bytes, code) in [
        ("not masked", vec![0x81, 0x01, b'x'], 1002),
        ("no text", [masked(0x81, 1), vec![0xff ^ 1]].concat(), 1002),
        ("an unknown kind", masked(0x83, 0), 1002),
        ("a control frame that is too long", too_long, 1002),
        ("too large", too_large, 1009),
    ] {
        let mut socket = raw_socket(&app).await;
        socket.write_all(&bytes).await.unwrap();
        let mut rest = Vec::new();
        // Where it is cut with what we sent still on its way, the system says so.
        let _ = timeout(LONG, socket.read_to_end(&mut rest)).await.expect("it is closed");
        let close = [&[0x88, 2][..], &u16::to_be_bytes(code)].concat();
        assert!(rest.ends_with(&close), "{name}: {:?}", &rest[rest.len().saturating_sub(8)..]);
    }
    let mut cut = raw_socket(&app).await;
    cut.write_all(&[0x81]).await.unwrap();
    drop(cut);
    crate::app::eventually(crate::app::soon(), async || app.metric("notify_streams").await == 0)
        .await;
}

#[tokio::test]
async fn a_stop_and_another_log_close_sockets() {
    let mut app = TestApp::spawn().await;
    let (mut socket, _) = app.socket("").await;
    app.stop().await.unwrap();
    let closing = frame(&mut socket).await;
    assert_eq!(
        (&closing["event"], &closing["data"]["reason"]),
        (&"closing".into(), &"shutdown".into())
    );
    assert!(closing["data"]["retry_ms"].is_u64());
    assert_eq!(close_code(&mut socket).await, Some(CloseCode::Restart));
}

#[tokio::test]
async fn what_is_no_handshake_is_refused() {
    let app = TestApp::spawn_with(|config| config.max_streams_per_user = 1).await;
    app.get("/v1/users/1/ws").await.is_problem(400, "Bad Request", "invalid_request");
    for query in ["?since=1", "?last_event_id=a&last_event_id=b"] {
        let Err(Error::Http(answer)) = app.try_socket(query).await else { panic!("{query}") };
        assert_eq!(answer.status(), 400);
    }
    let _first = app.socket("").await;
    let Err(Error::Http(answer)) = app.try_socket("").await else { panic!() };
    assert_eq!(answer.status(), 429);
}

#[tokio::test]
async fn a_client_that_does_not_answer_pings_is_gone() {
    let app = TestApp::spawn().await;
    let mut socket = raw_socket(&app).await;
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(60);
    crate::app::eventually(deadline, async || app.metric("notify_streams").await == 0).await;
    let mut rest = Vec::new();
    timeout(LONG, socket.read_to_end(&mut rest)).await.expect("it is closed").unwrap();
    assert!(rest.windows(2).filter(|pair| *pair == [0x89, 0]).count() == 1, "a ping");
}

#[tokio::test]
async fn only_pages_that_may_ask_open_sockets() {
    let app = TestApp::spawn_with(|config| {
        config.server.cors_origins = vec!["https://app.example.org".parse().unwrap()];
    })
    .await;
    let own = format!("http://{}", app.address);
    for (origin, status) in [
        (None, 101),
        (Some(own.as_str()), 101),
        (Some("https://app.example.org"), 101),
        (Some("https://evil.example"), 403),
        (Some("http://app.example.org"), 403),
        (Some("null"), 403),
        (Some(""), 403),
    ] {
        let mut request = app
            .request(reqwest::Method::GET, "/v1/users/1/ws")
            .header("Connection", "Upgrade")
            .header("Upgrade", "websocket")
            .header("Sec-WebSocket-Version", "13")
            .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
        if let Some(origin) = origin {
            request = request.header("Origin", origin);
        }
        assert_eq!(request.send().await.unwrap().status(), status, "{origin:?}");
    }
}
