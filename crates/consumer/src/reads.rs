//! Where the store is read: on the thread that asks, or on one that may wait for a disk.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Decides where small reads are done.
///
/// Most find what they need in memory, in less time than two changes of thread take. One that has to
/// wait for a disk holds up all other requests of its thread; after one that did, reads are for a
/// while done on threads that may wait.
pub(crate) struct Reads {
    started: Instant,
    /// In microseconds since `started`.
    slow_until_us: AtomicU64,
}

/// From this on a read was slow. Larger, and more requests are held up; smaller, and a busy processor
/// is taken for a slow disk.
const SLOW: Duration = Duration::from_millis(1);

/// How long reads are done elsewhere after a slow one: one request in so much time is held up. Longer,
/// and reads from memory pay for one that was not; shorter, and more are held up.
const ELSEWHERE: Duration = Duration::from_millis(100);

impl Reads {
    pub(crate) fn new() -> Self {
        Self { started: Instant::now(), slow_until_us: AtomicU64::new(0) }
    }

    /// Does a small read.
    ///
    /// # Errors
    /// The thread that read ended.
    pub(crate) async fn small<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, tokio::task::JoinError> {
        let began = self.started.elapsed();
        if micros(began) < self.slow_until_us.load(Ordering::Relaxed) {
            return self.large(read).await;
        }
        let result = read();
        let ended = self.started.elapsed();
        if ended - began >= SLOW {
            self.slow_until_us.store(micros(ended + ELSEWHERE), Ordering::Relaxed);
        }
        Ok(result)
    }

    /// Does a read that takes long even from memory.
    ///
    /// # Errors
    /// The thread that read ended.
    pub(crate) async fn large<T: Send + 'static>(
        &self,
        read: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, tokio::task::JoinError> {
        tokio::task::spawn_blocking(read).await
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[tokio::test]
    async fn after_a_slow_read_others_are_done_elsewhere_for_a_while() {
        let reads = Reads::new();
        let here = thread::current().id();
        let place = || thread::current().id();
        assert_eq!(reads.small(place).await.unwrap(), here);
        let slow = || {
            let began = Instant::now();
            while began.elapsed() < SLOW {
                std::hint::spin_loop();
            }
        };
        reads.small(slow).await.unwrap();
        assert_ne!(reads.small(place).await.unwrap(), here);
        while Duration::from_micros(reads.slow_until_us.load(Ordering::Relaxed))
            > reads.started.elapsed()
        {
            thread::yield_now();
        }
        assert_eq!(reads.small(place).await.unwrap(), here);
        assert_ne!(reads.large(place).await.unwrap(), here);
    }
}
