//! An inbox that was kept through a change is the inbox that a fold from nothing gives.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::{Part, System, eventually};

/// How long services may take to notice that the log is another one, and to fold it.
const RECOVERY: Duration = Duration::from_secs(60);

/// Sends so many numbered messages to user 1, trying again while the log is away.
pub(crate) async fn send_all(system: &System, name: &str, count: usize) -> Result<()> {
    for number in 0..count {
        eventually(RECOVERY, async || {
            let answer = system.send(2, 1, &format!("{name} {number}")).await?;
            ensure!(answer.status == 200, "{answer:?}");
            Ok(())
        })
        .await?;
    }
    Ok(())
}

/// Waits until user 1's inbox shows a message.
pub(crate) async fn shown(system: &System, message: &str) -> Result<()> {
    eventually(RECOVERY, async || {
        let answer = system.inbox(1).await?;
        ensure!(answer.body.contains(&format!("\"{message}\"")), "{answer:?}");
        Ok(())
    })
    .await
}

/// Compares every inbox with that of a consumer that starts from nothing; none shows what is gone.
pub(crate) async fn equal_to_a_fresh_fold(system: &mut System, gone: &[&str]) -> Result<()> {
    system.restart(Part::SecondConsumer).await?;
    for user in 1..=4 {
        let path = format!("/notifications/{user}");
        eventually(RECOVERY, async || {
            let kept = system.get(Part::Consumer, &path).await?;
            let fresh = system.get(Part::SecondConsumer, &path).await?;
            ensure!(kept.status == 200 && fresh.status == 200, "{kept:?} {fresh:?}");
            ensure!(kept.body == fresh.body, "user {user}: {kept:?} {fresh:?}");
            for gone in gone {
                ensure!(!kept.body.contains(&format!("\"{gone} ")), "{gone} is shown: {kept:?}");
            }
            Ok(())
        })
        .await?;
    }
    Ok(())
}
