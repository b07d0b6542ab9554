//! What a user sees.

use crate::app::{BrokerVerbs as _, NONE, TestApp, TestBroker, home, sent_record, soon, to};

#[tokio::test]
async fn a_notification_is_shown_as_the_tutorial_shows_it() {
    let app = TestApp::spawn().await;
    app.tell("1", &["Bruno started following you."]).await;
    let answer = app.inbox_of("1", 1).await;
    answer.is(
        200,
        r#"{"notifications":[{"from":{"id":2,"name":"Bruno"},"to":{"id":1,"name":"Emma"},"message":"Bruno started following you."}]}"#,
    );
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.header("staleness"), None);
}

#[tokio::test]
async fn an_inbox_without_notifications_says_so() {
    let app = TestApp::spawn().await;
    app.tell("2", &["not for Emma"]).await;
    app.inbox_of("2", 1).await;
    let answer = app.inbox("1").await;
    answer.is(200, NONE);
    assert_eq!(answer.header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn the_oldest_is_first() {
    let app = TestApp::spawn().await;
    let texts: Vec<_> = (0..100).map(|number| number.to_string()).collect();
    app.tell("1", &texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(app.inbox_of("1", 100).await.messages(), texts);
}

#[tokio::test]
async fn users_of_one_partition_see_their_own() {
    let app = TestApp::spawn().await;
    // 1 and others that live where it does.
    let neighbours: Vec<_> =
        (1..200).map(|id| id.to_string()).filter(|id| home(id) == home("1")).collect();
    assert!(neighbours.len() > 10);
    let mut records = Vec::new();
    for round in 0..3 {
        for id in &neighbours {
            records.push(sent_record(&to(id), &format!("{round} for {id}")));
        }
    }
    app.append_for("1", records).await;
    for id in &neighbours {
        let expected = [0, 1, 2].map(|round| format!("{round} for {id}"));
        assert_eq!(app.inbox_of(id, 3).await.messages(), expected);
    }
}

#[tokio::test]
async fn of_1500_the_newest_1000_are_shown() {
    let broker = TestBroker::start().await;
    broker.topics().await;
    let records = (0..1_500).map(|number| sent_record(&to("1"), &number.to_string()));
    broker.append(home("1"), records.collect()).await;
    let app = TestApp::spawn_on(broker, |_| {}).await;
    let numbers = |from: usize| (from..1_500).map(|it| it.to_string()).collect::<Vec<_>>();
    assert_eq!(app.inbox("1").await.messages(), numbers(500));
    for (limit, from) in [(1_000, 500), (999, 501), (10, 1_490), (2, 1_498), (1, 1_499)] {
        let shown = app.inbox(format!("1?limit={limit}")).await.messages();
        assert_eq!(shown, numbers(from), "limit={limit}");
    }
}

#[tokio::test]
async fn every_text_is_shown_as_it_was_sent() {
    let app = TestApp::spawn().await;
    let long = "grün 🎈 ".repeat(20_000);
    let texts = [
        "",
        " ",
        "\0",
        "\u{1}\u{7f}\u{1b}[31m",
        "line\nline\r\nline\ttab",
        r#""quotes" and \backslashes\ and /slashes/"#,
        r#"{"message":"json"},"#,
        "<script>alert(\"1\")</script>",
        "漢字かな 한국어 العربية עברית",
        "👩‍👩‍👧‍👦🇩🇪",
        "\u{10ffff}\u{fffd}\u{feff}\u{2028}\u{2029}\u{202e}",
        long.as_str(),
    ];
    app.tell("1", &texts).await;
    assert_eq!(app.inbox_of("1", texts.len()).await.messages(), texts);
}

#[tokio::test]
async fn the_same_event_twice_is_shown_once() {
    let app = TestApp::spawn().await;
    let (first, second) = (sent_record(&to("1"), "first"), sent_record(&to("1"), "second"));
    let copies = vec![first.clone(), first.clone(), second.clone(), first.clone(), second];
    app.append_for("1", copies).await;
    // And once more, in a batch of its own.
    app.append_for("1", vec![first]).await;
    app.tell("1", &["end"]).await;
    assert_eq!(app.inbox_of("1", 3).await.messages(), ["first", "second", "end"]);
    let partition = home("1");
    let count = async |name: &str| {
        app.metric(&format!("notify_{name}_total{{partition=\"{partition}\"}}")).await
    };
    assert_eq!(count("applied_notifications").await, 3);
    assert_eq!(count("duplicate_records").await, 4);
}

#[tokio::test]
async fn a_large_answer_ends_with_what_passes_8_mib_and_keeps_the_newest() {
    const MIB_8: usize = 8 * 1024 * 1024;
    let app = TestApp::spawn().await;
    let text = |number: usize| format!("{number} {}", "x".repeat(880_000));
    let records = (0..12).map(|number| sent_record(&to("1"), &text(number)));
    app.append_for("1", records.collect()).await;
    app.tell("1", &["the newest"]).await;
    let deadline = soon();
    let answer = loop {
        let answer = app.inbox("1").await;
        if answer.messages().last().is_some_and(|text| text == "the newest") {
            break answer;
        }
        assert!(tokio::time::Instant::now() < deadline);
    };
    assert!(answer.body.len() > MIB_8 && answer.body.len() < MIB_8 + 1_000_000);
    let messages = answer.messages();
    assert_eq!(messages.len(), 11);
    for (message, number) in messages.iter().zip(2..12) {
        assert!(*message == text(number), "{number}");
    }
    // Those in between can be asked for.
    assert_eq!(app.inbox("1?limit=3").await.messages().len(), 3);
}

#[tokio::test]
async fn what_is_sent_is_shown_without_being_asked_for_again_and_again() {
    let app = TestApp::spawn().await;
    // A fetch that waits wakes with the record: far below the second it would wait at most.
    let rounds = async {
        for round in 1..=10 {
            app.tell("1", &["hi"]).await;
            app.inbox_of("1", round).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(7), rounds).await.expect("woken");
}
