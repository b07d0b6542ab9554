//! The last answers to requests with an Idempotency-Key.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use models::RequestId;
use tokio::sync::watch;
use tokio::time::Instant;

/// How much is remembered.
#[derive(Clone, Copy, Debug)]
pub struct RememberedLimits {
    /// Keys. Larger, and each costs some 150 bytes and its answer; smaller, and late retries are
    /// written to the log again, where the inbox drops them.
    pub keys: usize,
    /// Bytes of all answers.
    pub bytes: usize,
    /// How long an answer is kept.
    pub span: Duration,
}

impl Default for RememberedLimits {
    fn default() -> Self {
        let span = Duration::from_secs(24 * 60 * 60);
        Self { keys: 100_000, bytes: 32 * 1024 * 1024, span }
    }
}

/// The last answers to requests with a key, and which of them are in hand. At the bounds the oldest
/// answer is forgotten.
pub(crate) struct Remembered {
    state: Mutex<State>,
    limits: RememberedLimits,
}

#[derive(Default)]
struct State {
    answers: HashMap<RequestId, Kept>,
    /// In the order in which they were kept.
    order: VecDeque<RequestId>,
    bytes: usize,
    /// Requests in hand: whoever has a receiver hears of the end.
    in_hand: HashMap<RequestId, watch::Receiver<()>>,
}

struct Kept {
    whole: RequestId,
    answer: Box<[u8]>,
    kept_at: Instant,
}

/// A request with a key that begins.
pub(crate) enum Beginning {
    /// What is known of it.
    Known(Request),
    /// One with this key is in hand: ask again when it has ended.
    InHand(Ending),
}

/// What is known of a request with a key.
pub(crate) enum Request {
    /// Nothing: it is to be answered now.
    New(InHand),
    /// It was answered with this.
    Answered(Box<[u8]>),
    /// The key belongs to another request.
    Reused,
}

/// A request in hand. Dropped, it is not in hand any more.
pub(crate) struct InHand {
    remembered: Arc<Remembered>,
    key: RequestId,
    whole: RequestId,
    _ending: watch::Sender<()>,
}

/// Tells when a request is in hand no more.
pub(crate) struct Ending(watch::Receiver<()>);

impl Ending {
    /// Waits until then.
    pub(crate) async fn wait(mut self) {
        // Nothing is ever sent: the sender goes.
        while self.0.changed().await.is_ok() {}
    }
}

impl Remembered {
    pub(crate) fn new(limits: RememberedLimits) -> Self {
        Self { state: Mutex::default(), limits }
    }

    /// Begins a request, which `key` names and `whole` tells from others under the same key.
    pub(crate) fn begin(self: &Arc<Self>, key: RequestId, whole: RequestId) -> Beginning {
        let mut state = self.lock();
        state.forget(self.limits);
        if let Some(kept) = state.answers.get(&key) {
            let is_same = kept.whole == whole;
            return Beginning::Known(match is_same {
                true => Request::Answered(kept.answer.clone()),
                false => Request::Reused,
            });
        }
        if let Some(ending) = state.in_hand.get(&key) {
            return Beginning::InHand(Ending(ending.clone()));
        }
        let (sender, receiver) = watch::channel(());
        state.in_hand.insert(key, receiver);
        let in_hand = InHand { remembered: self.clone(), key, whole, _ending: sender };
        Beginning::Known(Request::New(in_hand))
    }

    /// A panic while the lock is held cannot leave the state half-changed in a way that matters.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InHand {
    /// Keeps the answer for whoever asks again.
    pub(crate) fn remember(self, answer: &[u8]) {
        let mut state = self.remembered.lock();
        let kept = Kept { whole: self.whole, answer: answer.into(), kept_at: Instant::now() };
        state.bytes += answer.len();
        state.answers.insert(self.key, kept);
        state.order.push_back(self.key);
        state.forget(self.remembered.limits);
    }
}

impl Drop for InHand {
    fn drop(&mut self) {
        self.remembered.lock().in_hand.remove(&self.key);
    }
}

impl State {
    /// Forgets what is over the limits, the oldest first.
    fn forget(&mut self, limits: RememberedLimits) {
        while let Some(oldest) = self.order.front() {
            let is_old = |kept: &Kept| kept.kept_at.elapsed() >= limits.span;
            let is_over = self.answers.len() > limits.keys || self.bytes > limits.bytes;
            if !is_over && !self.answers.get(oldest).is_some_and(is_old) {
                return;
            }
            if let Some(kept) = self.answers.remove(oldest) {
                self.bytes -= kept.answer.len();
            }
            self.order.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use models::{IdempotencyKey, SendRequest};

    use super::*;

    fn id(text: &str) -> RequestId {
        let key: IdempotencyKey = text.parse().unwrap();
        let request: SendRequest = serde_json::from_str(r#"{"to":1,"message":""}"#).unwrap();
        RequestId::of_key(&request, &key)
    }

    fn remembered(keys: usize, bytes: usize) -> Arc<Remembered> {
        let span = Duration::from_secs(60);
        Arc::new(Remembered::new(RememberedLimits { keys, bytes, span }))
    }

    fn known(remembered: &Arc<Remembered>, key: &str, body: &str) -> Request {
        let Beginning::Known(known) = remembered.begin(id(key), id(body)) else { panic!("{key}") };
        known
    }

    fn keep(remembered: &Arc<Remembered>, key: &str, answer: &[u8]) {
        let Request::New(in_hand) = known(remembered, key, "body") else { panic!("{key}") };
        in_hand.remember(answer);
    }

    fn knows(remembered: &Arc<Remembered>, key: &str) -> bool {
        matches!(known(remembered, key, "body"), Request::Answered(_))
    }

    #[tokio::test]
    async fn the_oldest_is_forgotten_at_either_bound() {
        for (keys, bytes) in [(2, 1_000), (100, 25)] {
            let remembered = remembered(keys, bytes);
            for key in ["a", "b", "c"] {
                keep(&remembered, key, &[0; 10]);
            }
            let known = ["a", "b", "c"].map(|key| knows(&remembered, key));
            assert_eq!(known, [false, true, true], "{keys} keys, {bytes} bytes");
        }
        // What is larger than all there may be is not kept.
        let remembered = remembered(2, 9);
        keep(&remembered, "a", &[0; 10]);
        assert!(!knows(&remembered, "a"));
        assert_eq!(remembered.lock().bytes, 0);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_kept_for_its_span() {
        let remembered = remembered(10, 1_000);
        keep(&remembered, "a", b"answer");
        tokio::time::advance(Duration::from_secs(59)).await;
        assert!(knows(&remembered, "a"));
        assert!(matches!(known(&remembered, "a", "other"), Request::Reused));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!knows(&remembered, "a"));
        assert!(remembered.lock().order.is_empty());
    }

    #[tokio::test]
    async fn one_that_comes_meanwhile_waits_for_the_end() {
        let remembered = remembered(10, 1_000);
        for is_success in [false, true] {
            let Request::New(first) = known(&remembered, "a", "body") else { panic!() };
            let Beginning::InHand(ending) = remembered.begin(id("a"), id("body")) else { panic!() };
            let second = tokio::spawn(ending.wait());
            assert!(!second.is_finished());
            if is_success {
                first.remember(b"answer")
            } else {
                drop(first)
            }
            second.await.unwrap();
            assert_eq!(knows(&remembered, "a"), is_success);
        }
        assert!(remembered.lock().in_hand.is_empty());
    }
}
