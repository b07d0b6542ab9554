//! `GET /v1/users/{id}/notifications`.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use inbox::Status;
use models::{Cursor, Timestamp, UserId};
use service::{Code, Parameters, Problem};

use super::Shared;
use super::document::{InboxProblems, ListParameters};
use super::request::{Freshness, invalid, json, user_id};
use crate::filter::{Filter, Slice, StatusName};
use crate::inboxes::UserInbox;
use crate::views::PageView;

/// The most notifications of a page. Larger, and a page takes long to read and to send; smaller, and
/// reading an inbox takes more requests.
pub(super) const MAX_LIMIT: usize = 200;

const LIMIT: u64 = 20;

/// The longest tag, as a notification may have it.
const MAX_TAG_CHARACTERS: usize = models::MAX_TAG_CHARACTERS;

const PARAMETERS: [&str; 9] = [
    "limit",
    "cursor",
    "status",
    "since",
    "until",
    "tag",
    "from",
    Freshness::PARAMETERS[0],
    Freshness::PARAMETERS[1],
];

/// What a page is asked for with.
struct Asked {
    filter: Filter,
    limit: usize,
    cursor: Option<Cursor>,
    freshness: Freshness,
}

/// A page of an inbox, newest first.
///
/// Paging while notifications arrive shows none twice and skips none that was there at the first
/// page. A filtered page may be short, because a page looks at 10,000 notifications at most: only a
/// `next_cursor` of null is the end.
#[utoipa::path(
    get,
    path = "/v1/users/{id}/notifications",
    tag = "inbox",
    params(
        ("id" = inline(super::document::UserIdText), Path, description = "Whose inbox"),
        ListParameters
    ),
    responses(
        (
            status = 200,
            description = "A page",
            body = PageView,
            headers(("Staleness" = u64, description = "Milliseconds since the log was last read, where that is long"))
        ),
        InboxProblems
    )
)]
pub(crate) async fn list(
    request: HttpRequest,
    path: Path<String>,
    shared: Data<Shared>,
) -> Result<HttpResponse, Problem> {
    let user_id = user_id(&path)?;
    let asked = Asked::read(&request)?;
    let inboxes = shared.inboxes()?;
    let inbox = inboxes.of(&user_id).await?;
    let slice = asked.slice(&inbox, &user_id)?;
    asked.freshness.reached(&inbox).await?;
    json(&inbox, &inbox.list(slice).await?)
}

impl Asked {
    fn read(request: &HttpRequest) -> Result<Self, Problem> {
        let parameters = Parameters::of(request, &PARAMETERS)?;
        let limit = parameters.integer("limit", 1..=MAX_LIMIT as u64)?.unwrap_or(LIMIT);
        Ok(Self {
            filter: read_filter(&parameters)?,
            limit: usize::try_from(limit).unwrap_or(MAX_LIMIT),
            cursor: parameters.value("cursor", Code::InvalidCursor)?,
            freshness: Freshness::read(&parameters)?,
        })
    }

    /// # Errors
    /// The cursor is one of another list.
    fn slice(&self, inbox: &UserInbox<'_>, user_id: &UserId) -> Result<Slice, Problem> {
        let Self { filter, limit, cursor, .. } = self;
        let (filter, limit) = (filter.clone(), *limit);
        let before = match cursor {
            None => None,
            Some(cursor) => {
                let (topic_id, partition) = (inbox.log.topic_id, inbox.log.partition);
                if *cursor != filter.cursor(user_id, topic_id, partition, cursor.before) {
                    let detail = "the cursor is one of another list: of other filters, of another \
                                  user, or of another life of the topic";
                    return Err(Problem::new(Code::InvalidCursor, detail));
                }
                Some(cursor.before)
            }
        };
        Ok(Slice { filter, limit, before })
    }
}

fn read_filter(parameters: &Parameters) -> Result<Filter, Problem> {
    const BAD: Code = Code::InvalidRequest;
    let status = parameters.value::<StatusName>("status", BAD)?;
    let since: Option<Timestamp> = parameters.value("since", BAD)?;
    let until: Option<Timestamp> = parameters.value("until", BAD)?;
    if since.zip(until).is_some_and(|(since, until)| since > until) {
        return Err(invalid("query parameter since", "it is after until"));
    }
    Ok(Filter {
        status: status.map_or(Status::default(), |status| status.0),
        since,
        until,
        tag: parameters.text("tag").map(read_tag).transpose()?,
        from: parameters.value("from", BAD)?,
    })
}

fn read_tag(text: &str) -> Result<String, Problem> {
    let is_short = (1..=MAX_TAG_CHARACTERS).contains(&text.chars().count());
    if !is_short || text.chars().any(char::is_control) {
        let error = format!("not 1 to {MAX_TAG_CHARACTERS} characters without control characters");
        return Err(invalid("query parameter tag", error));
    }
    Ok(text.to_owned())
}
