//! Who sends, and what it was answered.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;
use e2e::{Client, eventually};
use models::{NotificationId, Position};

/// How long the producer may be away.
const AWAY: Duration = Duration::from_secs(60);

/// The sends that are left.
#[derive(Clone)]
pub(super) struct Tickets {
    all: usize,
    begun: Arc<AtomicUsize>,
}

impl Tickets {
    pub(super) fn new(all: usize, begun: Arc<AtomicUsize>) -> Self {
        Self { all, begun }
    }

    fn take(&self) -> bool {
        self.begun.fetch_add(1, Ordering::SeqCst) < self.all
    }
}

/// Sends numbered messages to its own user, one after the other.
pub(super) struct Sender {
    pub(super) user: usize,
    sends: Vec<Option<Receipt>>,
}

/// A send that was answered 200: it is shown, exactly once. Any other may be, at most once.
#[derive(Clone, Copy)]
struct Receipt {
    id: NotificationId,
    position: Position,
}

impl Sender {
    pub(super) fn new(user: usize) -> Self {
        Self { user, sends: Vec::new() }
    }

    pub(super) async fn send_all(mut self, client: Client, tickets: Tickets) -> Result<Self> {
        let user = u32::try_from(self.user)?;
        while tickets.take() {
            let message = self.message(self.sends.len());
            let receipt = match client.send(user, user, &message).await {
                Ok(answer) if answer.status == 200 => Some(Receipt {
                    id: answer.header("Notification-Id").unwrap().parse()?,
                    position: answer.header("Position").unwrap().parse()?,
                }),
                Ok(answer) => {
                    assert_eq!(answer.status, 503, "{answer:?}");
                    None
                }
                Err(_) => {
                    // It was killed; the next send is for when it is there.
                    eventually(AWAY, async || client.send(0, 0, "").await).await?;
                    None
                }
            };
            self.sends.push(receipt);
        }
        Ok(self)
    }

    pub(super) fn message(&self, number: usize) -> String {
        format!("to {} number {number}", self.user)
    }

    pub(super) fn accepted(&self) -> impl Iterator<Item = (usize, NotificationId, Position)> {
        let receipts = self.sends.iter().enumerate();
        receipts.filter_map(|(number, sent)| sent.map(|it| (number, it.id, it.position)))
    }

    /// What is shown is what was accepted, in order and once, and nothing that was never sent.
    pub(super) fn check(&self, shown: &[String]) {
        let user = self.user;
        let number = |message: &String| {
            let number = message.strip_prefix(&format!("to {user} number "));
            number.and_then(|number| number.parse::<usize>().ok())
        };
        let numbers: Vec<_> = shown.iter().map(number).collect();
        assert!(numbers.iter().all(Option::is_some), "user {user}: never sent: {shown:?}");
        assert!(numbers.is_sorted_by(|a, b| a < b), "user {user}: twice or unordered: {numbers:?}");
        assert!(numbers.last() < Some(&Some(self.sends.len())), "user {user}: never sent");
        let numbers: HashSet<_> = numbers.into_iter().flatten().collect();
        for (number, id, _) in self.accepted() {
            assert!(numbers.contains(&number), "user {user}: {number} ({id}) accepted and lost");
        }
    }
}
