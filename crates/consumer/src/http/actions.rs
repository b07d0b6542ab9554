//! `POST /v1/users/{id}/notifications/actions`.

use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use models::{Change, Position, Selection};
use serde::{Deserialize, Deserializer};
use service::{Code, Problem};

use super::Shared;
use super::document::{ActionRequestSchema, BodyProblems, UserIdText};
use super::request::{ShownId, foreign_position, json, no_parameters, read_body, user_id};
use crate::inboxes::UserInbox;
use crate::views::CountsView;

/// The largest body: 1,000 ids take 39,000 bytes.
const MAX_BODY_BYTES: usize = 128 * 1024;

/// The most ids of one action. Larger, and one record holds up all behind it; smaller, and a page of
/// a few thousand takes several.
pub(super) const MAX_IDS: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ActionRequest {
    action: Action,
    #[serde(default, deserialize_with = "given")]
    ids: Option<Vec<ShownId>>,
    #[serde(default, deserialize_with = "given")]
    before: Option<String>,
}

/// What is there is not null.
fn given<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Action {
    Read,
    Unread,
    Archive,
    Unarchive,
    Delete,
    Seen,
}

impl Action {
    fn change(self) -> Change {
        match self {
            Self::Read => Change::Read(true),
            Self::Unread => Change::Read(false),
            Self::Archive => Change::Archived(true),
            Self::Unarchive => Change::Archived(false),
            Self::Delete => Change::Deleted,
            Self::Seen => Change::Seen,
        }
    }
}

/// What is selected, before it is known whose inbox it is of.
enum Selected {
    Ids(Vec<ShownId>),
    Before(Position),
    /// What was applied when the request came.
    Applied,
}

impl ActionRequest {
    fn selected(self) -> Result<Selected, Problem> {
        let invalid = |detail: String| Problem::new(Code::InvalidRequest, detail);
        match (self.ids, self.before) {
            (Some(_), Some(_)) => Err(invalid("give ids or before, not both".to_owned())),
            (Some(_), None) if matches!(self.action, Action::Seen) => {
                Err(invalid("ids: the list is seen as a whole: give before, or nothing".to_owned()))
            }
            (Some(ids), None) if ids.is_empty() || ids.len() > MAX_IDS => {
                Err(invalid(format!("ids: not 1 to {MAX_IDS} ids")))
            }
            (Some(ids), None) => Ok(Selected::Ids(ids)),
            (None, Some(before)) => match before.parse() {
                Ok(position) => Ok(Selected::Before(position)),
                Err(error) => Err(Problem::new(Code::InvalidPosition, format!("before: {error}"))),
            },
            (None, None) => Ok(Selected::Applied),
        }
    }
}

impl Selected {
    fn of(self, inbox: &UserInbox<'_>) -> Result<Selection, Problem> {
        Ok(match self {
            Self::Ids(mut ids) => {
                ids.sort_unstable_by_key(|id| id.0);
                ids.dedup();
                Selection::Ids(ids.into_iter().map(|id| id.0).collect())
            }
            Self::Before(position) => {
                Selection::Before(inbox.offset_of(position).ok_or_else(foreign_position)?)
            }
            Self::Applied => Selection::Before(inbox.next_offset()),
        })
    }
}

/// Does something to many notifications at once.
///
/// To those that `ids` names, or to all that were there at a position, by default at what was applied
/// when the request came: what arrives meanwhile stays as it is. Answers the counts once the effect
/// can be read. Ids that the inbox does not have are ignored.
#[utoipa::path(
    post,
    path = "/v1/users/{id}/notifications/actions",
    tag = "inbox",
    params(("id" = inline(UserIdText), Path, description = "Whose inbox")),
    request_body = inline(ActionRequestSchema),
    responses(
        (status = 200, description = "The counts after it", body = CountsView),
        BodyProblems
    )
)]
pub(crate) async fn act(
    request: HttpRequest,
    path: Path<String>,
    payload: Payload,
    shared: Data<Shared>,
) -> Result<HttpResponse, Problem> {
    let user_id = user_id(&path)?;
    no_parameters(&request)?;
    let body: ActionRequest = read_body(&request, payload, &shared, MAX_BODY_BYTES).await?;
    let change = body.action.change();
    let selected = body.selected()?;
    let inboxes = shared.inboxes()?;
    let inbox = inboxes.of(&user_id).await?;
    let selection = selected.of(&inbox)?;
    json(&inbox, &inbox.log.counts(inbox.act(&selection, change).await?))
}
