//! `kafka-notify read`.

use models::{NotificationId, UserId};
use serde::{Deserialize, Serialize};

use crate::client::{Ask, Client};
use crate::client_args::{ClientArgs, ConsumerUrl, user_in_url};
use crate::failure::{EXIT_CODES, Ending, Failure};
use crate::output::Output;

/// What to mark read.
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct ReadCommand {
    /// The user
    #[arg(value_parser = user_in_url)]
    user: UserId,
    /// The notifications, by their whole ids; without any, all that is there now
    #[arg(value_name = "ID")]
    ids: Vec<NotificationId>,
    #[command(flatten)]
    client: ClientArgs,
    #[command(flatten)]
    at: ConsumerUrl,
}

#[derive(Serialize)]
struct Action<'a> {
    action: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ids: Option<&'a [NotificationId]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<String>,
}

#[derive(Deserialize)]
struct Counts {
    unread_count: u64,
    unseen_count: u64,
    total_count: u64,
    position: String,
}

impl ReadCommand {
    pub(crate) async fn run(self) -> Result<Ending, Failure> {
        let client = Client::new(&self.client)?;
        let user = self.user.as_str();
        // "All" is fixed before the first try: a second one must not take in what came between them.
        let before = match self.ids.is_empty() {
            true => {
                let ask = Ask::get(&self.at.consumer, &["v1", "users", user, "counts"], &[]);
                Some(client.ask(&ask).await?.decode::<Counts>()?.position)
            }
            false => None,
        };
        let ids = (!self.ids.is_empty()).then_some(self.ids.as_slice());
        let action = Action { action: "read", ids, before };
        let body = serde_json::to_vec(&action).map_err(Failure::failed)?;
        let path = ["v1", "users", user, "notifications", "actions"];
        let answer = client.ask(&Ask::post(&self.at.consumer, &path, body)).await?;
        let output = Output::new();
        if self.client.json {
            output.json(answer.body())?;
        } else {
            let counts: Counts = answer.decode()?;
            let Counts { unread_count, unseen_count, total_count, .. } = counts;
            output.line(&format!(
                "{unread_count} unread, {unseen_count} new, {total_count} in all"
            ))?;
        }
        Ok(Ending::Done)
    }
}
