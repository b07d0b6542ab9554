//! axe-core, which finds what keeps people from using a page.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::driver::{Browser, target};

const VERSION: &str = "4.14.1";

/// Takes a picture of the page, and finds nothing wrong with it.
pub(crate) async fn check(browser: &Browser, name: &str) -> Result<()> {
    browser.screenshot(name).await?;
    browser.run(source().await?).await?;
    // The page's own shadow trees are looked into.
    let found = browser
        .promised("axe.run(document, { resultTypes: ['violations'] }).then(({ violations }) => violations)")
        .await?;
    let violations = found.as_array().with_context(|| found.to_string())?;
    let told: Vec<_> = violations.iter().map(sentence).collect();
    ensure!(told.is_empty(), "{name}: {told:#?}");
    Ok(())
}

fn sentence(violation: &Value) -> String {
    let nodes = violation["nodes"].as_array().map_or(0, Vec::len);
    format!("{} ({nodes} times): {}", violation["help"], violation["nodes"][0]["html"])
}

/// Its source, from the npm registry, once a machine.
async fn source() -> Result<&'static str> {
    static SOURCE: OnceCell<String> = OnceCell::const_new();
    SOURCE.get_or_try_init(async || fetch()).await.map(String::as_str)
}

fn fetch() -> Result<String> {
    let folder = target().join("axe");
    let file = folder.join("node_modules/axe-core/axe.min.js");
    if !file.exists() {
        fs::create_dir_all(&folder)?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-save", "--no-audit", "--no-fund", "--prefix"]).arg(&folder);
        let output =
            npm.arg(format!("axe-core@{VERSION}")).output().context("npm has to be installed")?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(fs::read_to_string(file)?)
}
