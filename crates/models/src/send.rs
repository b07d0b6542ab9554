//! What a client sends: the body of `POST /v1/notifications` and a line of a batch.

use std::collections::HashSet;
use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::{Deserialize, Deserializer, Serialize, de};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

use crate::{
    IdempotencyKey, NotificationId, Priority, RawJson, Timestamp, UserId, UserName, text_limits,
};

/// The most recipients of one request.
///
/// Larger, and one request fills the writers' queues; smaller, and a team needs several.
pub const MAX_RECIPIENTS: usize = 1_000;

/// The most tags of a notification.
pub const MAX_TAGS: usize = 20;
/// The longest tag, in characters.
pub const MAX_TAG_CHARACTERS: usize = 64;
/// The longest title, in characters.
pub const MAX_TITLE_CHARACTERS: usize = 1_000;
/// The longest link, in characters.
pub const MAX_URL_CHARACTERS: usize = 2_048;
/// How deep arrays and objects of `data` may be nested. Deeper, and readers that recurse, browsers
/// among them, give up.
pub const MAX_DATA_DEPTH: usize = 100;

/// A notification to send to one or many.
#[derive(Clone, Debug, PartialEq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SendRequest {
    /// Who sends it: a user's id, or `{"name":"Billing"}` for a service that is no user. Left out:
    /// nobody, shown with an empty name.
    #[serde(default)]
    #[schema(schema_with = crate::schema::sender)]
    pub from: Option<SendFrom>,
    /// Whom it goes to: an id, or 1 to 1,000 of them; one that occurs twice counts once.
    #[schema(schema_with = crate::schema::recipients)]
    pub to: Recipients,
    /// The text.
    pub message: String,
    /// A headline, of up to 1,000 characters without control characters.
    #[serde(default, deserialize_with = "title")]
    #[schema(schema_with = crate::schema::title)]
    pub title: Option<String>,
    /// Where it leads: http(s), or relative to the site (it begins with one `/`).
    #[serde(default, deserialize_with = "url")]
    #[schema(schema_with = crate::schema::url)]
    pub url: Option<String>,
    /// Labels to filter by: up to 20, of 1 to 64 characters without control characters.
    #[serde(default, deserialize_with = "tags")]
    #[schema(schema_with = crate::schema::tags)]
    pub tags: Vec<String>,
    /// How urgent it is, from 1 (lowest) to 5; 3 where none is given.
    #[serde(default, deserialize_with = "crate::notification::null_is_default")]
    #[schema(value_type = Option<u8>, minimum = 1, maximum = 5, default = 3)]
    pub priority: Priority,
    /// Any JSON, passed on to the byte; nested no deeper than 100.
    #[serde(default, deserialize_with = "data")]
    #[schema(value_type = Option<serde_json::Value>)]
    pub data: Option<RawJson>,
    /// From when on it is no longer shown.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// In a line of a batch, what the header `Idempotency-Key` is elsewhere.
    #[serde(default)]
    #[schema(schema_with = crate::schema::idempotency_key)]
    pub idempotency_key: Option<IdempotencyKey>,
}

/// The body of a request: a [`SendRequest`] whose key is in the header `Idempotency-Key` instead.
pub struct SendBody;

impl PartialSchema for SendBody {
    fn schema() -> RefOr<Schema> {
        let mut schema = SendRequest::schema();
        if let RefOr::T(Schema::Object(object)) = &mut schema {
            object.properties.remove("idempotency_key");
        }
        schema
    }
}

impl ToSchema for SendBody {}

/// Who sends: a user, or a service that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SendFrom {
    /// A user of the directory.
    User(UserId),
    /// Whoever has this name.
    Service(UserName),
}

/// Whom a notification goes to: 1 to 1,000 users, each once, in the order asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipients(Vec<UserId>);

impl Recipients {
    /// The users, at least one.
    pub fn as_slice(&self) -> &[UserId] {
        &self.0
    }
}

impl SendRequest {
    /// What tells this request from another under the same key, whoever its recipients are: a UUID
    /// v5 of all that is sent.
    ///
    /// # Errors
    /// Never for texts; the error is that of the JSON writer.
    pub fn fingerprint(&self) -> Result<String, serde_json::Error> {
        let Self { message, title, url, tags, priority, data, expires_at, .. } = self;
        let sender = self.sender_identity();
        let content =
            Content { sender: &sender, message, title, url, tags, priority, data, expires_at };
        let content = serde_json::to_vec(&content)?;
        Ok(Uuid::new_v5(&CONTENTS, &content).simple().to_string())
    }

    /// The id of the notification that a user gets: one of its own, or with a key always the same.
    pub fn notification_id(
        &self,
        key: Option<&IdempotencyKey>,
        recipient: &UserId,
    ) -> NotificationId {
        match key {
            Some(key) => NotificationId::of_key(&self.sender_identity(), key, recipient),
            None => NotificationId::new(),
        }
    }

    /// Names the sender; no user and service have the same.
    pub fn sender_identity(&self) -> String {
        match &self.from {
            Some(SendFrom::User(id)) => format!("user:{id}"),
            Some(SendFrom::Service(name)) => format!("service:{}", name.as_str()),
            None => "nobody".to_owned(),
        }
    }
}

/// Namespace of fingerprints. Changing it makes conflicts of retries that began before.
const CONTENTS: Uuid = Uuid::from_u128(0x0c54_b0a5_5d1c_4f43_a7a4_4c1f_3f0e_91d8);

#[derive(Serialize)]
struct Content<'a> {
    sender: &'a str,
    message: &'a str,
    title: &'a Option<String>,
    url: &'a Option<String>,
    tags: &'a [String],
    priority: &'a Priority,
    data: &'a Option<RawJson>,
    expires_at: &'a Option<Timestamp>,
}

impl<'de> Deserialize<'de> for SendFrom {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SendFromVisitor)
    }
}

struct SendFromVisitor;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Service {
    name: UserName,
}

impl<'de> de::Visitor<'de> for SendFromVisitor {
    type Value = SendFrom;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(r#"a user id, or {"name": a service's name}"#)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<SendFrom, E> {
        UserId::deserialize(de::value::U64Deserializer::new(number)).map(SendFrom::User)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<SendFrom, E> {
        text.parse().map(SendFrom::User).map_err(E::custom)
    }

    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<SendFrom, A::Error> {
        let service = Service::deserialize(MapAccessDeserializer::new(map))?;
        Ok(SendFrom::Service(service.name))
    }
}

impl<'de> Deserialize<'de> for Recipients {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RecipientsVisitor)
    }
}

struct RecipientsVisitor;

impl<'de> de::Visitor<'de> for RecipientsVisitor {
    type Value = Recipients;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a user id, or 1 to {MAX_RECIPIENTS} of them")
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Recipients, E> {
        let id = UserId::deserialize(de::value::U64Deserializer::new(number))?;
        Ok(Recipients(vec![id]))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Recipients, E> {
        Ok(Recipients(vec![text.parse().map_err(E::custom)?]))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Recipients, A::Error> {
        let (mut ids, mut known) = (Vec::new(), HashSet::new());
        while let Some(id) = seq.next_element::<UserId>()? {
            if known.insert(id.clone()) {
                if ids.len() == MAX_RECIPIENTS {
                    return Err(de::Error::custom(format!(
                        "more than {MAX_RECIPIENTS} recipients"
                    )));
                }
                ids.push(id);
            }
        }
        if ids.is_empty() {
            return Err(de::Error::custom("no recipients"));
        }
        Ok(Recipients(ids))
    }
}

fn title<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let title: Option<String> = Option::deserialize(deserializer)?;
    if let Some(title) = &title {
        text_limits::check(title, 0..=MAX_TITLE_CHARACTERS).map_err(de::Error::custom)?;
    }
    Ok(title)
}

fn url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let url: Option<String> = Option::deserialize(deserializer)?;
    if let Some(url) = &url {
        text_limits::check(url, 1..=MAX_URL_CHARACTERS).map_err(de::Error::custom)?;
        if !leads_somewhere_safe(url) {
            return Err(de::Error::custom("neither http(s) nor relative to the site"));
        }
    }
    Ok(url)
}

/// Browsers take `//host` and `/\host` for another site, and skip white space.
fn leads_somewhere_safe(url: &str) -> bool {
    if url.contains(char::is_whitespace) || url.contains('\\') {
        return false;
    }
    let scheme = |name: &str| url.get(..name.len()).is_some_and(|s| s.eq_ignore_ascii_case(name));
    let host = |name: &str| scheme(name) && !url.get(name.len()..).unwrap_or_default().is_empty();
    host("http://") || host("https://") || (url.starts_with('/') && !url.starts_with("//"))
}

fn tags<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let tags: Option<Vec<String>> = Option::deserialize(deserializer)?;
    let tags = tags.unwrap_or_default();
    if tags.len() > MAX_TAGS {
        return Err(de::Error::custom(format!("more than {MAX_TAGS} tags")));
    }
    for tag in &tags {
        text_limits::check(tag, 1..=MAX_TAG_CHARACTERS).map_err(de::Error::custom)?;
    }
    Ok(tags)
}

fn data<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<RawJson>, D::Error> {
    let data: Option<RawJson> = Option::deserialize(deserializer)?;
    if data.as_ref().is_some_and(|data| data.depth() > MAX_DATA_DEPTH) {
        return Err(de::Error::custom(format!("nested deeper than {MAX_DATA_DEPTH}")));
    }
    if data.as_ref().is_some_and(RawJson::has_half_a_character) {
        return Err(de::Error::custom("has an escape that is half of a surrogate pair"));
    }
    Ok(data)
}
