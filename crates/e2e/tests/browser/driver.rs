//! Chromium, driven.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, Result, ensure};
use e2e::{Process, System, eventually, free_port};
use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::key::Key;
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::LONG;

/// A chromedriver of its own.
pub(crate) struct Driver {
    url: String,
    // The process writes into the folder.
    _process: Process,
    folder: TempDir,
    browsers: AtomicU32,
}

/// A browser with a profile of its own.
pub(crate) struct Browser {
    client: Client,
}

const FLAGS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
];

impl Driver {
    pub(crate) async fn start() -> Result<Self> {
        let (port, folder) = (free_port()?, tempfile::tempdir()?);
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={port}"));
        let process = Process::start("chromedriver", command, folder.path())?;
        eventually(LONG, async || {
            TcpStream::connect(("127.0.0.1", port)).await.context("chromedriver does not listen")
        })
        .await?;
        let url = format!("http://127.0.0.1:{port}");
        Ok(Self { url, _process: process, folder, browsers: AtomicU32::new(0) })
    }

    pub(crate) async fn browser(&self, size: (u32, u32)) -> Result<Browser> {
        self.browser_with(size, "light").await
    }

    pub(crate) async fn browser_with(
        &self,
        (width, height): (u32, u32),
        theme: &str,
    ) -> Result<Browser> {
        let number = self.browsers.fetch_add(1, Ordering::Relaxed);
        let profile = self.folder.path().join(format!("profile-{number}"));
        let mut flags: Vec<_> = FLAGS.map(ToOwned::to_owned).into();
        flags.push(format!("--user-data-dir={}", profile.display()));
        flags.push(format!("--window-size={width},{height}"));
        flags.push(format!("--blink-settings=preferredColorScheme={}", u8::from(theme == "light")));
        // A window has a least width; a device has not.
        let device = json!({"deviceMetrics": {
            "width": width, "height": height, "pixelRatio": 1.0, "touch": width < 500,
        }});
        let options = json!({"args": flags, "mobileEmulation": device});
        let capabilities = json!({"browserName": "chrome", "goog:chromeOptions": options});
        let capabilities = capabilities.as_object().context("an object")?.clone();
        let mut builder = ClientBuilder::new(HttpConnector::new());
        let client = builder.capabilities(capabilities).connect(&self.url).await?;
        Ok(Browser { client })
    }
}

/// What the tests look at: what is there, by words.
const WORDS: &str = "
    const $root = () => document.querySelector('notify-inbox').shadowRoot;
    const $all = (selector) => [...document.querySelectorAll(selector), ...($inbox() ? $root().querySelectorAll(selector) : [])];
    const $inbox = () => document.querySelector('notify-inbox')?.inbox;
    const $cards = () => $inbox() ? [...$root().querySelectorAll('article.card')] : [];
    const $texts = () => $cards().map((card) => card.querySelector('.message').textContent);
    const $unread = () => $inbox().snapshot.unreadCount;
    const $connection = () => $inbox().snapshot.connection.state;
    const $isShown = (node) => node.checkVisibility() && !node.disabled;
    const $named = (name) => $all('button').filter($isShown)
        .find((node) => [node.getAttribute('aria-label'), node.title, node.textContent].some((text) => text?.trim() === name));
    const $pill = () => $all('button').filter($isShown).map((node) => node.textContent.trim()).find((text) => / new$/.test(text));
    const $firstSeen = () => {
        const card = $cards().find((card) => card.getBoundingClientRect().top > 60);
        return { id: card.querySelector('.message').textContent, y: card.getBoundingClientRect().top };
    };
    const $yOf = (id) => $cards().find((card) => card.querySelector('.message').textContent === id).getBoundingClientRect().top;
    const $isAtEnd = () => window.scrollY + window.innerHeight >= document.documentElement.scrollHeight - 2;
";

impl Browser {
    pub(crate) async fn open_page(&self, system: &System, query: &str) -> Result<()> {
        self.go(&format!("http://{}/{query}", system.addresses.consumer)).await
    }

    pub(crate) async fn open_inbox(&self, system: &System, user: &str) -> Result<()> {
        self.open_page(system, &format!("?user={user}")).await
    }

    pub(crate) async fn go(&self, url: &str) -> Result<()> {
        Ok(self.client.goto(url).await?)
    }

    /// The value of an expression.
    pub(crate) async fn json(&self, expression: &str) -> Result<Value> {
        let script = format!("{WORDS} return {expression};");
        self.client.execute(&script, Vec::new()).await.with_context(|| expression.to_owned())
    }

    pub(crate) async fn run(&self, statement: &str) -> Result<()> {
        let script = format!("{WORDS} {statement};");
        self.client.execute(&script, Vec::new()).await.with_context(|| statement.to_owned())?;
        Ok(())
    }

    /// The value that a promise comes to.
    pub(crate) async fn promised(&self, expression: &str) -> Result<Value> {
        let script = format!(
            "const done = arguments[arguments.length - 1]; \
             ({expression}).then(done, (error) => done({{ error: String(error) }}));"
        );
        Ok(self.client.execute_async(&script, Vec::new()).await?)
    }

    /// It becomes true.
    pub(crate) async fn says(&self, expression: &str) -> Result<()> {
        eventually(LONG, async || {
            let value = self.json(expression).await?;
            ensure!(value == true, "not so: {expression}");
            Ok(())
        })
        .await
    }

    pub(crate) async fn texts(&self) -> Result<Vec<String>> {
        Ok(serde_json::from_value(self.json("$texts()").await?)?)
    }

    /// The list comes to have exactly these, and is connected.
    pub(crate) async fn shows(&self, texts: &[String]) -> Result<()> {
        eventually(LONG, async || {
            let shown = self.texts().await?;
            ensure!(shown == texts, "{shown:?}");
            Ok(())
        })
        .await?;
        self.says("$inbox().snapshot.isLoading === false").await
    }

    /// Clicks a button by its name, once it is there.
    pub(crate) async fn click(&self, name: &str) -> Result<()> {
        let name = serde_json::to_string(name)?;
        self.says(&format!("$named({name}) !== undefined")).await?;
        self.run(&format!("$named({name}).click()")).await
    }

    /// Clicks a button of a card.
    pub(crate) async fn act(&self, card: usize, name: &str) -> Result<()> {
        let name = serde_json::to_string(name)?;
        self.run(&format!(
            "[...$cards()[{card}].querySelectorAll('button')].find((it) => it.title === {name}).click()"
        ))
        .await
    }

    /// Types into what has the focus.
    pub(crate) async fn keys(&self, keys: &str) -> Result<()> {
        let mut actions = KeyActions::new("keyboard".to_owned());
        for key in keys.chars() {
            actions =
                actions.then(KeyAction::Down { value: key }).then(KeyAction::Up { value: key });
        }
        Ok(self.client.perform_actions(actions).await?)
    }

    pub(crate) async fn keys_escape(&self) -> Result<()> {
        self.keys(&char::from(Key::Escape).to_string()).await
    }

    pub(crate) async fn new_tab(&self) -> Result<()> {
        let tab = self.client.new_window(true).await?;
        Ok(self.client.switch_to_window(tab.handle).await?)
    }

    pub(crate) async fn go_to_tab(&self, number: usize) -> Result<()> {
        let tabs = self.client.windows().await?;
        Ok(self.client.switch_to_window(tabs[number].clone()).await?)
    }

    pub(crate) async fn close_tab(&self) -> Result<()> {
        Ok(self.client.close_window().await?)
    }

    /// Takes a picture, to be looked at.
    pub(crate) async fn screenshot(&self, name: &str) -> Result<()> {
        let folder = target().join("screenshots");
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join(format!("{name}.png")), self.client.screenshot().await?)?;
        Ok(())
    }

    pub(crate) async fn close(self) -> Result<()> {
        Ok(self.client.close().await?)
    }
}

/// Where what tests make goes.
pub(crate) fn target() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).parent().map_or_else(PathBuf::new, PathBuf::from)
}
