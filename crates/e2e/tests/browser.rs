//! The web inbox in Chromium.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
#![allow(clippy::print_stdout)]

#[path = "browser/axe.rs"]
mod axe;
#[path = "browser/driver.rs"]
mod driver;
#[path = "browser/embedding.rs"]
mod embedding;
#[path = "browser/inbox.rs"]
mod inbox;

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use e2e::{Part, System, eventually};
use reqwest::Method;
use serde_json::{Value, json};

use driver::Driver;

const PROGRAM: &str = env!("CARGO_BIN_EXE_kafka-notify-under-test");

/// Longer than anything takes that works.
const LONG: Duration = Duration::from_secs(60);

const PHONE: (u32, u32) = (360, 740);
const DESK: (u32, u32) = (1280, 800);

/// Sends texts from Bruno to Emma.
async fn send(system: &System, texts: impl IntoIterator<Item = String>) -> Result<()> {
    let url = format!("http://{}/v1/notifications", system.addresses.producer);
    for text in texts {
        send_body(&url, json!({"from": 2, "to": 1, "message": text})).await?;
    }
    Ok(())
}

async fn send_body(url: &str, body: Value) -> Result<()> {
    let answer = e2e::Http::new()?.json(Method::POST, url, body.to_string(), None).await?;
    ensure!(answer.status == 201, "{answer:?}");
    Ok(())
}

fn numbered(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|n| format!("number {n}")).collect()
}

fn reversed(mut texts: Vec<String>) -> Vec<String> {
    texts.reverse();
    texts
}

#[tokio::test]
async fn two_browsers_of_one_user_stay_in_step() -> Result<()> {
    let (system, driver) = (System::parts(PROGRAM).await?, Driver::start().await?);
    let one = driver.browser(DESK).await?;
    let other = driver.browser(PHONE).await?;
    for browser in [&one, &other] {
        browser.open_inbox(&system, "1").await?;
        browser.shows(&[]).await?;
    }
    send(&system, numbered(0..3)).await?;
    for browser in [&one, &other] {
        browser.shows(&reversed(numbered(0..3))).await?;
        browser.says("document.title.startsWith('(3) ')").await?;
    }
    one.act(0, "Mark as read").await?;
    other.says("$unread() === 2 && !$cards()[0].classList.contains('unread')").await?;
    other.says("document.title.startsWith('(2) ')").await?;
    other.click("Mark all as read").await?;
    one.says("$unread() === 0").await?;
    one.act(1, "Archive").await?;
    other.shows(&["number 2".into(), "number 0".into()]).await?;
    one.act(1, "Delete").await?;
    one.click("Undo").await?;
    one.shows(&["number 2".into(), "number 0".into()]).await?;
    one.act(1, "Delete").await?;
    other.shows(&["number 2".into()]).await?;
    // What a keyboard does.
    one.keys("ju").await?;
    other.says("$unread() === 1").await?;
    one.keys("e").await?;
    other.shows(&[]).await?;
    for browser in [one, other] {
        browser.close().await?;
    }
    Ok(())
}

#[tokio::test]
async fn three_tabs_share_one_stream_and_another_takes_it_over() -> Result<()> {
    let (system, driver) = (System::parts(PROGRAM).await?, Driver::start().await?);
    let browser = driver.browser(DESK).await?;
    browser.open_inbox(&system, "1").await?;
    browser.shows(&[]).await?;
    for _ in 0..2 {
        browser.new_tab().await?;
        browser.open_inbox(&system, "1").await?;
        browser.shows(&[]).await?;
    }
    send(&system, numbered(0..2)).await?;
    for tab in 0..3 {
        browser.go_to_tab(tab).await?;
        browser.shows(&reversed(numbered(0..2))).await?;
    }
    ensure!(system.metric(Part::Consumer, "notify_streams").await? == 1, "one stream for all tabs");
    // The first tab has it.
    browser.go_to_tab(0).await?;
    browser.close_tab().await?;
    send(&system, numbered(2..4)).await?;
    for tab in 0..2 {
        browser.go_to_tab(tab).await?;
        browser.shows(&reversed(numbered(0..4))).await?;
    }
    eventually(LONG, async || {
        let open = system.metric(Part::Consumer, "notify_streams").await?;
        ensure!(open == 1, "{open} streams");
        Ok(())
    })
    .await?;
    browser.close().await
}

#[tokio::test]
async fn a_server_that_is_killed_under_sends_costs_nothing() -> Result<()> {
    let (mut system, driver) = (System::parts(PROGRAM).await?, Driver::start().await?);
    let browser = driver.browser(DESK).await?;
    browser.open_inbox(&system, "1").await?;
    browser.shows(&[]).await?;
    for round in 0..3 {
        let first = round * 10;
        send(&system, numbered(first..first + 5)).await?;
        system.kill_9(Part::Consumer)?;
        send(&system, numbered(first + 5..first + 10)).await?;
        browser.says("$connection() !== 'live'").await?;
        if round == 0 {
            browser.screenshot("reconnecting").await?;
        }
        system.restart(Part::Consumer).await?;
        browser.says("$connection() === 'live'").await?;
        browser.shows(&reversed(numbered(0..first + 10))).await?;
    }
    browser.close().await
}

#[tokio::test]
async fn a_long_inbox_is_scrolled_through_while_more_arrives() -> Result<()> {
    let (system, driver) = (System::parts(PROGRAM).await?, Driver::start().await?);
    send(&system, numbered(0..500)).await?;
    let browser = driver.browser(PHONE).await?;
    browser.open_inbox(&system, "1").await?;
    browser.says("$texts()[0] === 'number 499'").await?;
    browser.run("window.scrollBy(0, 2000)").await?;
    let arriving = async {
        for n in 500..550 {
            send(&system, numbered(n..n + 1)).await?;
        }
        anyhow::Ok(())
    };
    let scrolling = async {
        let mut moved: f64 = 0.0;
        loop {
            // What is being read stays where it is while nobody scrolls.
            let first = browser.json("$firstSeen()").await?;
            tokio::task::yield_now().await;
            let id = serde_json::to_string(&first["id"])?;
            let y = browser.json(&format!("$yOf({id})")).await?;
            moved = moved.max((y.as_f64().context("y")? - first["y"].as_f64().context("y")?).abs());
            let count = browser.json("$texts().length").await?;
            if count.as_u64() == Some(500) && browser.json("$isAtEnd()").await? == true {
                return anyhow::Ok(moved);
            }
            browser.run("window.scrollBy(0, 3000)").await?;
        }
    };
    let (arrived, moved) = tokio::join!(arriving, scrolling);
    arrived.context("sends")?;
    let moved = moved?;
    ensure!(moved < 1.5, "what is read moved by {moved} px");
    browser.says("$pill() === '50 new'").await?;
    ensure!(browser.texts().await? == reversed(numbered(0..500)), "each once, in order");
    browser.screenshot("arrivals").await?;
    browser.click("50 new").await?;
    browser.says("$texts()[0] === 'number 549' && window.scrollY < 200").await?;
    ensure!(browser.texts().await? == reversed(numbered(0..550)), "each once, in order");
    browser.close().await
}

#[tokio::test]
async fn a_message_is_text_whatever_it_is() -> Result<()> {
    let (system, driver) = (System::parts(PROGRAM).await?, Driver::start().await?);
    let url = format!("http://{}/v1/notifications", system.addresses.producer);
    let script = "<script>window.pwned = 1</script><img src=x onerror=\"window.pwned = 1\">";
    let long = "A word and another. ".repeat(250);
    send_body(&url, json!({"to": 1, "message": long})).await?;
    send_body(
        &url,
        json!({"to": 1, "message": script, "title": script, "tags": [script.get(..60)], "from": {"name": script}}),
    )
    .await?;
    let browser = driver.browser(DESK).await?;
    browser.open_inbox(&system, "1").await?;
    browser.shows(&[script.to_owned(), long.clone()]).await?;
    browser.says("window.pwned === undefined && !$root().querySelector('script, img')").await?;
    browser.says("$cards()[1].offsetHeight < 400").await?;
    browser.click("Show more").await?;
    browser
        .says(
            "$cards()[1].offsetHeight > 500 && document.documentElement.scrollWidth <= innerWidth",
        )
        .await?;
    let answer = system.get(Part::Consumer, "/").await?;
    let policy = answer.header("content-security-policy").context("a policy")?;
    ensure!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    browser.close().await
}

#[tokio::test]
async fn another_origin_embeds_the_element() -> Result<()> {
    let mut system = System::parts(PROGRAM).await?;
    let page = embedding::serve().await?;
    system.stop(Part::Consumer, LONG).await?;
    system.start_with(Part::Consumer, &["--cors-origins", &page.origin])?;
    system.ready(Part::Consumer).await?;
    let driver = Driver::start().await?;
    let browser = driver.browser(DESK).await?;
    browser.go(&page.url(&system.addresses.consumer)).await?;
    browser.shows(&[]).await?;
    send(&system, numbered(0..2)).await?;
    browser.shows(&reversed(numbered(0..2))).await?;
    browser.act(0, "Mark as read").await?;
    browser.says("$unread() === 1").await?;
    browser.screenshot("embedded").await?;
    // Whoever is not named is kept out by the browser.
    let other = embedding::serve().await?;
    browser.go(&other.url(&system.addresses.consumer)).await?;
    browser.says("document.querySelector('notify-inbox') && !document.querySelector('notify-inbox').shadowRoot").await?;
    browser.close().await
}

#[tokio::test]
async fn every_state_is_accessible_and_looked_at() -> Result<()> {
    let (mut system, driver) = (System::parts(PROGRAM).await?, Driver::start().await?);
    let url = format!("http://{}/v1/notifications", system.addresses.producer);
    for (size, name) in [(PHONE, "phone"), (DESK, "desk")] {
        for theme in ["light", "dark"] {
            let browser = driver.browser_with(size, theme).await?;
            browser.open_page(&system, "").await?;
            axe::check(&browser, &format!("who-{name}-{theme}")).await?;
            browser.open_inbox(&system, "3").await?;
            browser.shows(&[]).await?;
            axe::check(&browser, &format!("empty-{name}-{theme}")).await?;
            browser.close().await?;
        }
    }
    for body in inbox::messages() {
        send_body(&url, body).await?;
    }
    for (size, name) in [(PHONE, "phone"), (DESK, "desk")] {
        for theme in ["light", "dark"] {
            let browser = driver.browser_with(size, theme).await?;
            browser.open_inbox(&system, "1").await?;
            browser.says(&format!("$texts().length === {}", inbox::messages().len())).await?;
            axe::check(&browser, &format!("inbox-{name}-{theme}")).await?;
            browser.click("New message").await?;
            axe::check(&browser, &format!("compose-{name}-{theme}")).await?;
            browser.keys_escape().await?;
            browser.keys("?").await?;
            axe::check(&browser, &format!("help-{name}-{theme}")).await?;
            browser.close().await?;
        }
    }
    let browser = driver.browser(DESK).await?;
    browser.open_inbox(&system, "1").await?;
    browser.says("$texts().length > 0").await?;
    // Pages that do not come, and then a network that is not there.
    browser.run("const real = window.fetch; window.fetch = () => new Promise(() => {}); $root().querySelector('[data-status=archived]').click(); window.fetch = real").await?;
    browser.says("$root().querySelector('.skeleton') !== null").await?;
    axe::check(&browser, "loading").await?;
    browser.open_inbox(&system, "1").await?;
    browser.says("$texts().length > 0 && $connection() === 'live'").await?;
    browser.run("Object.defineProperty(navigator, 'onLine', { value: false })").await?;
    system.kill_9(Part::Consumer)?;
    browser.says("$connection() === 'offline'").await?;
    axe::check(&browser, "offline").await?;
    browser.run("$root().querySelector('[data-status=unread]').click()").await?;
    browser.says("$named('Try again') !== undefined").await?;
    axe::check(&browser, "error").await?;
    browser.close().await
}
