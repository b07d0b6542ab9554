//! `kafka-notify users`.

use clap::Subcommand;
use models::{UserId, UserName, UserView};
use serde::{Deserialize, Serialize};

use crate::client::{Answer, Ask, Client};
use crate::client_args::{ClientArgs, ProducerUrl, user_in_url};
use crate::failure::{EXIT_CODES, Ending, Failure};
use crate::output::Output;
use crate::text::{column, harmless};

/// What to do with the directory.
#[derive(clap::Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct UsersCommand {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    client: ClientArgs,
    #[command(flatten)]
    at: ProducerUrl,
}

#[derive(Subcommand)]
enum Action {
    /// List all users, as without a command
    List,
    /// Show one user
    Get {
        /// The user
        #[arg(value_parser = user_in_url)]
        id: UserId,
    },
    /// Create a user, or give one another name
    Add {
        /// The user
        #[arg(value_parser = user_in_url)]
        id: UserId,
        /// The name to show
        name: UserName,
    },
    /// Remove a user and erase the inbox, without asking back
    Remove {
        /// The user
        #[arg(value_parser = user_in_url)]
        id: UserId,
    },
}

/// How many users are asked for at once: the most that a page has.
const PAGE: usize = 200;

#[derive(Deserialize)]
struct Page {
    users: Vec<UserView>,
    next_cursor: Option<String>,
}

#[derive(Serialize)]
struct Named<'a> {
    name: &'a UserName,
}

#[derive(Deserialize)]
struct Removed {
    hidden_at: String,
    purged_by: Option<String>,
}

impl UsersCommand {
    pub(crate) async fn run(self) -> Result<Ending, Failure> {
        let client = Client::new(&self.client)?;
        let base = &self.at.producer;
        match &self.action {
            None | Some(Action::List) => self.list(&client).await?,
            Some(Action::Get { id }) => {
                let ask = Ask::get(base, &["v1", "users", id.as_str()], &[]);
                self.show(&client.ask(&ask).await?)?;
            }
            Some(Action::Add { id, name }) => {
                let body = serde_json::to_vec(&Named { name }).map_err(Failure::failed)?;
                let ask = Ask::put(base, &["v1", "users", id.as_str()], body);
                self.show(&client.ask(&ask).await?)?;
            }
            Some(Action::Remove { id }) => {
                let ask = Ask::delete(base, &["v1", "users", id.as_str()]);
                self.show_removed(id, &client.ask(&ask).await?)?;
            }
        }
        Ok(Ending::Done)
    }

    async fn list(&self, client: &Client) -> Result<(), Failure> {
        let output = Output::new();
        let mut cursor: Option<String> = None;
        loop {
            let mut query = vec![("limit", PAGE.to_string())];
            query.extend(cursor.clone().map(|cursor| ("cursor", cursor)));
            let ask = Ask::get(&self.at.producer, &["v1", "users"], &query);
            let answer = client.ask(&ask).await?;
            let page: Page = answer.decode()?;
            if self.client.json {
                output.json(answer.body())?;
            } else {
                for user in &page.users {
                    output.whole_line(&row(user))?;
                }
            }
            match page.next_cursor {
                None => return Ok(()),
                next if next == cursor => {
                    return Err(Failure::failed("the server leads from a page to the same page"));
                }
                next => cursor = next,
            }
        }
    }

    fn show(&self, answer: &Answer) -> Result<(), Failure> {
        match self.client.json {
            true => Output::new().json(answer.body()),
            false => Output::new().whole_line(&row(&answer.decode()?)),
        }
    }

    fn show_removed(&self, id: &UserId, answer: &Answer) -> Result<(), Failure> {
        let output = Output::new();
        if self.client.json {
            return output.json(answer.body());
        }
        let Removed { hidden_at, purged_by } = answer.decode()?;
        // Null where the log keeps its records for good.
        let purged_by = purged_by.as_deref().unwrap_or("never");
        output.whole_line(&format!("{id} removed: hidden_at {hidden_at}, purged_by {purged_by}"))
    }
}

/// How wide the column of ids is; a longer id is shown whole.
const ID_COLUMNS: usize = 8;

fn row(user: &UserView) -> String {
    let id = harmless(&user.id);
    let id = if id.len() <= ID_COLUMNS { column(&id, ID_COLUMNS) } else { id };
    format!("{id}  {}", user.name)
}
