//! Notifications that end by themselves: they expire, or retention cuts them.

use std::time::Duration;

use models::Timestamp;
use serde_json::json;

use crate::app::{
    BrokerVerbs as _, TestApp, TestBroker, eventually, home, now, sent_record, soon, to,
};
use crate::v1::{nothing, numbers, record_with, texts};

fn often(config: &mut consumer::Config) {
    config.expiry_period = Duration::from_millis(50);
    config.retention_period = Duration::from_millis(50);
}

fn in_ms(ms: i64) -> String {
    Timestamp::from_ms_clamped(now().as_ms() + ms).to_string()
}

#[tokio::test]
async fn what_expires_is_gone_on_every_instance_and_after_a_rebuild() {
    let app = TestApp::spawn_with(often).await;
    let other = app.beside().await;
    let with = |text: &str, ms| record_with("1", text, &json!({"expires_at": in_ms(ms)}));
    let records = vec![
        with("soon", 500),
        sent_record(&to("1"), "never"),
        with("late", 1_000_000),
        with("soon too", 700),
    ];
    app.with_records("1", records).await;
    let partition = home("1");
    let metric = format!("notify_expired_notifications_total{{partition=\"{partition}\"}}");
    eventually(soon(), async || app.numbers("1").await.0 == 2).await;
    assert_eq!(texts(&app.page("1", "status=all").await), ["late", "never"]);
    assert_eq!(app.inbox("1").await.messages(), ["never", "late"]);
    assert!(app.metric(&metric).await >= 1);
    let position = app.counts("1").await["position"].as_str().unwrap().to_owned();
    let path = format!("/v1/users/1/counts?wait_ms=30000&min_position={position}");
    assert_eq!(numbers(&other.get(&path).await.json()), (2, 2, 2));
    let app = app.restart(Some(tempfile::tempdir().unwrap())).await;
    assert_eq!(texts(&app.page("1", "status=all").await), ["late", "never"]);
}

#[tokio::test]
async fn many_that_expire_at_one_moment_are_all_gone_and_each_was_ended_once() {
    const COUNT: usize = 1_200;
    let app = TestApp::spawn_with(often).await;
    let at = in_ms(1_000);
    let records = (0..COUNT).map(|_| record_with("1", "soon", &json!({"expires_at": at})));
    app.with_records("1", records.collect()).await;
    eventually(soon(), async || app.numbers("1").await == (0, 0, 0)).await;
    let partition = home("1");
    let count = async |name: &str| {
        app.metric(&format!("notify_{name}_total{{partition=\"{partition}\"}}")).await
    };
    assert_eq!(count("expired_notifications").await, COUNT as u64);
    assert_eq!(count("duplicate_records").await, 0);
}

#[tokio::test]
async fn while_the_log_is_away_what_expired_waits_and_then_goes() {
    let mut app = TestApp::spawn_with(often).await;
    let soon_gone = record_with("1", "soon", &json!({"expires_at": in_ms(1_500)}));
    app.with_records("1", vec![soon_gone]).await;
    app.broker.stop().await;
    let expired = now().as_ms() + 1_600;
    eventually(soon(), async || now().as_ms() > expired).await;
    assert_eq!(app.numbers("1").await.0, 1, "only the log ends it");
    app.broker.start_again().await;
    eventually(soon(), async || app.numbers("1").await.0 == 0).await;
}

#[tokio::test]
async fn what_retention_cuts_from_the_log_is_gone_from_inboxes_and_from_their_counts() {
    let broker = TestBroker::start().await;
    broker.topics().await;
    let all: Vec<_> = (0..200).map(|number| number.to_string()).collect();
    let records = all.iter().map(|text| sent_record(&to("1"), text)).collect();
    broker.append(home("1"), records).await;
    let app = TestApp::spawn_on(broker, often).await;
    assert_eq!(app.numbers("1").await.0, 200);
    let TestApp { mut broker, store, .. } = app.ended_for_its_parts().await;
    broker.cuts_early().await;
    let app = TestApp::start(broker, store, often).unwrap();
    app.is_ready().await;
    // What comes now fills segments, and the oldest ones go.
    for round in 0..20 {
        app.append_for("1", vec![sent_record(&to("1"), &format!("new {round}"))]).await;
    }
    let partition = home("1");
    let first = format!("notify_first_offset{{partition=\"{partition}\"}}");
    eventually(soon(), async || app.metric(&first).await >= 200).await;
    let start = app.metric(&first).await;
    eventually(soon(), async || app.numbers("1").await.0 <= 220 - start).await;
    let page = app.page("1", "status=all&limit=200").await;
    let left = texts(&page);
    assert!(left.iter().all(|text| text.starts_with("new ")), "{left:?}");
    assert_eq!(left.first().map(String::as_str), Some("new 19"));
    let (total, unread, unseen) = app.numbers("1").await;
    assert!(total == unread && unread == unseen, "{total} {unread} {unseen}");
    // Nobody finds what is gone.
    let gone = app.get(&format!("/v1/users/1/notifications/{}", nothing())).await;
    gone.is_problem(404, "Not Found", "notification_not_found");
}

#[tokio::test]
async fn a_service_starts_again_after_retention_cut_all_that_it_had_read() {
    let mut broker = TestBroker::start().await;
    broker.topics().await;
    broker.cuts_early().await;
    let app = TestApp::spawn_on(broker, often).await;
    app.with_texts("1", &["old"]).await;
    let mut reader = app.broker.reader(home("1")).await;
    let mut app = app;
    app.stop().await.unwrap();
    for n in 0.. {
        if reader.bounds().await.unwrap().0 > models::Offset(1) {
            break;
        }
        app.append_for("1", vec![sent_record(&to("1"), &format!("new {n}"))]).await;
    }
    let app = app.restart_stopped().await;
    app.append_for("1", vec![sent_record(&to("1"), "newest")]).await;
    eventually(soon(), async || {
        texts(&app.page("1", "limit=1").await).first().is_some_and(|text| text == "newest")
    })
    .await;
}
