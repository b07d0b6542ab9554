//! Schemas (OpenAPI 3.1) of what derives cannot describe.

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{
    AdditionalProperties, ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, Type,
};

use crate::{
    MAX_KEY_CHARACTERS, MAX_NAME_CHARACTERS, MAX_RECIPIENTS, MAX_TAG_CHARACTERS, MAX_TAGS,
    MAX_TITLE_CHARACTERS, MAX_URL_CHARACTERS, MAX_USER_ID_BYTES,
};

const MAX_EXACT_INTEGER: i64 = (1 << 53) - 1;

/// A user id in a request: a text, or an integer.
pub fn user_id() -> Schema {
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(MAX_USER_ID_BYTES))
        .pattern(Some(r"^[A-Za-z0-9._:@-]+$"));
    let integer = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(0))
        .maximum(Some(MAX_EXACT_INTEGER));
    OneOfBuilder::new().item(text).item(integer).into()
}

/// A user id in a path: a text.
pub fn user_id_text() -> Schema {
    text(1, MAX_USER_ID_BYTES).pattern(Some(r"^[A-Za-z0-9._:@-]+$")).into()
}

pub(crate) fn recipients() -> Schema {
    let list = ArrayBuilder::new()
        .items(RefOr::T(user_id()))
        .min_items(Some(1))
        .max_items(Some(MAX_RECIPIENTS))
        .description(Some("One that occurs twice counts once."));
    OneOfBuilder::new().item(user_id()).item(list).into()
}

/// A text without control characters.
const NO_CONTROLS: &str = r"^[^\u0000-\u001f\u007f-\u009f]*$";

/// http(s), or relative to the site: no white space, no control character, no backslash.
const SAFE_URL: &str = r"^([Hh][Tt][Tt][Pp][Ss]?://[!-\[\]-~]+|/([!-.0-\[\]-~][!-\[\]-~]*)?)$";

/// The name of a user or of a service.
pub fn name() -> Schema {
    text(1, MAX_NAME_CHARACTERS).pattern(Some(NO_CONTROLS)).into()
}

fn text(shortest: usize, longest: usize) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(shortest))
        .max_length(Some(longest))
}

fn or_null(schema: impl Into<Schema>) -> Schema {
    let null = ObjectBuilder::new().schema_type(Type::Null);
    OneOfBuilder::new().item(schema.into()).item(null).into()
}

pub(crate) fn title() -> Schema {
    or_null(text(0, MAX_TITLE_CHARACTERS).pattern(Some(NO_CONTROLS)))
}

pub(crate) fn url() -> Schema {
    or_null(text(1, MAX_URL_CHARACTERS).pattern(Some(SAFE_URL)))
}

pub(crate) fn tags() -> Schema {
    let tag: Schema = text(1, MAX_TAG_CHARACTERS).pattern(Some(NO_CONTROLS)).into();
    or_null(ArrayBuilder::new().items(RefOr::T(tag)).max_items(Some(MAX_TAGS)))
}

pub(crate) fn idempotency_key() -> Schema {
    or_null(text(1, MAX_KEY_CHARACTERS).pattern(Some("^[!-~]+$")))
}

pub(crate) fn sender() -> Schema {
    let service = ObjectBuilder::new()
        .property("name", name())
        .required("name")
        .additional_properties(Some(AdditionalProperties::FreeForm(false)));
    let nobody = ObjectBuilder::new().schema_type(Type::Null);
    OneOfBuilder::new().item(user_id()).item(service).item(nobody).into()
}
