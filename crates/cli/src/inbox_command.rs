//! `kafka-notify inbox`.

use clap::ValueEnum;
use models::{NotificationView, Timestamp, UserId};
use serde::Deserialize;

use crate::client::{Ask, Client};
use crate::client_args::{ClientArgs, ConsumerUrl, user_in_url};
use crate::failure::{EXIT_CODES, Ending, Failure};
use crate::output::Output;
use crate::text::{column, harmless};

/// The most notifications that one request is answered with.
const MAX_PAGE: usize = 200;

/// Whose inbox to show, and what of it.
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct InboxCommand {
    /// The user
    #[arg(value_parser = user_in_url)]
    user: UserId,
    /// Which notifications; `inbox` is what is not archived
    #[arg(long, value_enum, default_value_t)]
    status: Status,
    /// How many to show at most, the newest
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = at_least_one)]
    limit: usize,
    /// Show all there are
    #[arg(long, conflicts_with = "limit")]
    all: bool,
    /// Only those with this label
    #[arg(long)]
    tag: Option<String>,
    /// Only those that this user sent
    #[arg(long, value_name = "USER")]
    from: Option<UserId>,
    /// Only those sent at this time or later, as 2026-01-01T00:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<Timestamp>,
    /// Only those sent before this time
    #[arg(long, value_name = "TIME")]
    until: Option<Timestamp>,
    #[command(flatten)]
    client: ClientArgs,
    #[command(flatten)]
    at: ConsumerUrl,
}

#[derive(Clone, Copy, Debug, Default, ValueEnum)]
enum Status {
    #[default]
    Inbox,
    Unread,
    Read,
    Archived,
    All,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|limit| *limit > 0).ok_or_else(|| "a number from 1 on".to_owned())
}

#[derive(Deserialize)]
struct Page {
    notifications: Vec<NotificationView>,
    unread_count: u64,
    unseen_count: u64,
    next_cursor: Option<String>,
}

impl InboxCommand {
    pub(crate) async fn run(self) -> Result<Ending, Failure> {
        let client = Client::new(&self.client)?;
        let output = Output::new();
        let mut left = if self.all { usize::MAX } else { self.limit };
        let mut cursor = None;
        loop {
            let ask = self.ask(left, cursor.as_deref());
            let answer = client.ask(&ask).await?;
            let page: Page = answer.decode()?;
            if self.client.json {
                output.json(answer.body())?;
            } else {
                self.show(&output, &page)?;
            }
            left = left.saturating_sub(page.notifications.len());
            let is_stuck = page.next_cursor.is_some() && page.next_cursor == cursor;
            if is_stuck {
                return Err(Failure::failed("the server leads from a page to the same page"));
            }
            cursor = page.next_cursor.clone();
            if left == 0 || cursor.is_none() {
                return self.end(&output, &page);
            }
        }
    }

    fn ask(&self, left: usize, cursor: Option<&str>) -> Ask<'static> {
        let status = self.status.to_possible_value();
        let mut query = vec![("limit", left.min(MAX_PAGE).to_string())];
        query.extend(status.map(|status| ("status", status.get_name().to_owned())));
        query.extend(self.tag.clone().map(|tag| ("tag", tag)));
        query.extend(self.from.as_ref().map(|from| ("from", from.to_string())));
        query.extend(self.since.map(|since| ("since", since.to_string())));
        query.extend(self.until.map(|until| ("until", until.to_string())));
        query.extend(cursor.map(|cursor| ("cursor", cursor.to_owned())));
        let path = ["v1", "users", self.user.as_str(), "notifications"];
        Ask::get(&self.at.consumer, &path, &query)
    }

    fn show(&self, output: &Output, page: &Page) -> Result<(), Failure> {
        for notification in &page.notifications {
            output.line(&row(notification))?;
        }
        Ok(())
    }

    fn end(&self, output: &Output, page: &Page) -> Result<Ending, Failure> {
        if !self.client.json {
            let Page { unread_count, unseen_count, next_cursor, .. } = page;
            let more = if next_cursor.is_some() { "; there are more: --all" } else { "" };
            output.line(&format!("{unread_count} unread, {unseen_count} new{more}"))?;
        }
        Ok(Ending::Done)
    }
}

/// How wide a sender is.
const SENDER_COLUMNS: usize = 16;

/// A notification in one line: marker (`*` unread, `-` archived), id, time, sender, text.
pub(crate) fn row(notification: &NotificationView) -> String {
    let NotificationView { id, from, message, title, created_at, read_at, archived_at, .. } =
        notification;
    let marker = match (read_at, archived_at) {
        (_, Some(_)) => '-',
        (None, None) => '*',
        (Some(_), None) => ' ',
    };
    let sender = if from.name.is_empty() { from.id.as_deref().unwrap_or("") } else { &from.name };
    let text = match title {
        Some(title) if !title.is_empty() => format!("{title}: {message}"),
        _ => message.clone(),
    };
    // Harmless first: what a column or a line is cut to must not depend on what is not shown.
    let sender = column(&harmless(sender), SENDER_COLUMNS);
    format!(
        "{marker} {}  {}  {sender}  {}",
        short(&id.to_string()),
        minute(*created_at),
        harmless(&text)
    )
}

/// The end of an id: its beginning is the time, which others share.
pub(crate) fn short(id: &str) -> &str {
    id.get(id.len().saturating_sub(SHORT)..).unwrap_or(id)
}

/// How many characters of an id are shown.
const SHORT: usize = 8;

/// A time in UTC, to the minute: `2026-11-26 11:25Z`.
fn minute(time: Timestamp) -> String {
    let text = time.to_string();
    let day = text.get(..10).unwrap_or(&text);
    let minute = text.get(11..16).unwrap_or_default();
    format!("{day} {minute}Z")
}
