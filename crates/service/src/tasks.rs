//! The tasks of a service: one that fails ends them all.

use std::future::Future;
use std::time::Duration;

use anyhow::anyhow;
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Tasks that run until a token is cancelled.
pub struct Tasks {
    set: JoinSet<anyhow::Result<()>>,
    stop: CancellationToken,
}

impl Tasks {
    /// No tasks yet; `stop` tells them all to end.
    pub fn new(stop: CancellationToken) -> Self {
        Self { set: JoinSet::new(), stop }
    }

    /// Starts a task. If it fails, or panics, all are told to end.
    pub fn spawn(&mut self, task: impl Future<Output = anyhow::Result<()>> + Send + 'static) {
        let guard: DropGuard = self.stop.clone().drop_guard();
        self.set.spawn(async move {
            task.await?;
            guard.disarm();
            Ok(())
        });
    }

    /// Waits for tasks that were told to end.
    ///
    /// # Errors
    /// The first error or panic of a task; that some did not end in time. Those are aborted.
    pub async fn end(mut self, timeout: Duration) -> anyhow::Result<()> {
        let mut result = Ok(());
        let joining = async {
            while let Some(ended) = self.set.join_next().await {
                let ended = ended.map_err(anyhow::Error::from).and_then(|ended| ended);
                result = std::mem::replace(&mut result, Ok(())).and(ended);
            }
        };
        match tokio::time::timeout(timeout, joining).await {
            Ok(()) => result,
            Err(_) => {
                let late = self.set.len();
                result.and(Err(anyhow!("{late} tasks did not stop within {timeout:?}")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(10);

    #[tokio::test(start_paused = true)]
    async fn a_task_that_fails_ends_the_others_and_is_the_one_told_of() {
        for fails in [true, false] {
            let stop = CancellationToken::new();
            let mut tasks = Tasks::new(stop.clone());
            let waiting = stop.clone();
            tasks.spawn(async move {
                waiting.cancelled().await;
                Ok(())
            });
            tasks.spawn(
                async move { if fails { Err(anyhow!("broken")) } else { panic!("broken") } },
            );
            stop.cancelled().await;
            assert!(tasks.end(SOON).await.is_err());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn tasks_that_do_not_stop_are_counted() {
        let mut tasks = Tasks::new(CancellationToken::new());
        tasks.spawn(std::future::pending());
        tasks.spawn(async { Ok(()) });
        let error = tasks.end(SOON).await.unwrap_err();
        assert_eq!(error.to_string(), "1 tasks did not stop within 10ms");
    }
}
