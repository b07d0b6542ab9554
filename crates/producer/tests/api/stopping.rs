//! Stopping: what was accepted is answered, what was answered is in the log.

use std::time::Duration;

use kafka::Partitioner;
use producer::Application;
use tokio::time::Instant;

use crate::app::{SENT, TestApp, TestBroker, config, eventually, soon};
use crate::raw::{head, request};

#[tokio::test]
async fn a_stopped_service_ends_without_an_error() {
    for broker_runs in [true, false] {
        let mut app = if broker_runs {
            TestApp::spawn().await
        } else {
            TestApp::spawn_on(TestBroker::not_running(), |_| {})
        };
        let began = Instant::now();
        app.stop().await.unwrap();
        assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn a_service_that_stops_because_its_broker_went_first_ends_too() {
    let mut app = TestApp::spawn().await;
    app.send("2", "1", "hi").await.is(200, SENT);
    app.broker.stop().await;
    app.stop().await.unwrap();
}

#[tokio::test]
async fn sends_under_way_are_answered() {
    let mut app = TestApp::spawn().await;
    let mut sends = tokio::task::JoinSet::new();
    for number in 0..200 {
        let body = format!("fromID=2&toID=1&message={number}");
        let request = app.request(reqwest::Method::POST, "/send");
        let request = request.header("content-type", crate::app::FORM).body(body);
        sends.spawn(async move { (number, request.send().await) });
    }
    eventually(soon(), async || !app.messages().await.is_empty()).await;
    app.stop().await.unwrap();
    let messages = app.messages().await;
    let mut answered = 0;
    for (number, result) in sends.join_all().await {
        // What came too late for the listener finds it closed.
        let Ok(response) = result else { continue };
        assert_eq!(response.status(), 200);
        assert_eq!(response.text().await.unwrap(), SENT, "whole");
        assert!(messages.contains(&number.to_string()), "{number}");
        answered += 1;
    }
    assert!(answered > 0);
}

#[tokio::test]
async fn a_send_that_waits_for_the_broker_is_answered_before_the_end() {
    let mut app = TestApp::spawn_with(|config| {
        config.produce_timeout = Duration::from_secs(1);
    })
    .await;
    app.broker.stop().await;
    let mut raw = app.connect().await;
    raw.write(head("Content-Length: 26\r\nExpect: 100-continue\r\n")).await;
    assert_eq!(raw.answer().await.status, 100, "it is being read");
    raw.write("fromID=2&toID=1&message=hi").await;
    let (stopped, answer) = tokio::join!(app.stop(), raw.answer());
    stopped.unwrap();
    assert_eq!(answer.status, 503, "{answer:?}");
}

#[tokio::test]
async fn a_client_that_stalls_does_not_hold_up_the_end() {
    let mut app = TestApp::spawn_with(|config| {
        config.server.shutdown_timeout = Duration::from_secs(1);
    })
    .await;
    let whole = request("fromID=2&toID=1&message=hi");
    let mut stalling = app.connect().await;
    stalling.write(&whole[..whole.len() - 1]).await;
    app.send("2", "1", "hi").await.is(200, SENT);
    let began = Instant::now();
    app.stop().await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[tokio::test]
async fn idle_connections_do_not_hold_up_the_end() {
    let mut app = TestApp::spawn().await;
    let mut idle = app.connect().await;
    idle.write(request("fromID=2&toID=1&message=hi")).await;
    assert_eq!(idle.answer().await.body, SENT);
    let began = Instant::now();
    app.stop().await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

#[tokio::test]
async fn topics_that_cannot_be_used_end_the_service_with_the_reason() {
    let mut app = TestApp::spawn().await;
    app.stop().await.unwrap();
    let mut other =
        TestApp::spawn_on(app.broker, |it| it.topics.partitioner = Some(Partitioner::Sarama));
    let error = other.ended().await.unwrap_err();
    assert!(format!("{error:#}").contains("--partitioner"), "{error:#}");
}

#[tokio::test]
async fn an_address_that_is_taken_is_named_with_the_flag() {
    let app = TestApp::spawn().await;
    let mut config = config(&app.broker);
    config.address = app.address.to_string();
    let Err(error) = Application::build(config) else { panic!("two on one address") };
    let error = error.to_string();
    assert!(error.contains(&app.address.to_string()), "{error}");
    assert!(error.contains("--producer-addr"), "{error}");
}
