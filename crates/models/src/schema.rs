//! Schemas (OpenAPI 3.1) of what derives cannot describe.

use utoipa::openapi::schema::{
    AdditionalProperties, ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, Type,
};

use crate::{MAX_NAME_CHARACTERS, MAX_RECIPIENTS, MAX_USER_ID_BYTES};

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

pub(crate) fn recipients() -> Schema {
    let list = ArrayBuilder::new()
        .items(utoipa::openapi::RefOr::T(user_id()))
        .min_items(Some(1))
        .max_items(Some(MAX_RECIPIENTS))
        .description(Some("One that occurs twice counts once."));
    OneOfBuilder::new().item(user_id()).item(list).into()
}

pub(crate) fn sender() -> Schema {
    let name = ObjectBuilder::new()
        .schema_type(Type::String)
        .min_length(Some(1))
        .max_length(Some(MAX_NAME_CHARACTERS))
        .pattern(Some(r"^[^\u0000-\u001f\u007f-\u009f]+$"));
    let service = ObjectBuilder::new()
        .property("name", name)
        .required("name")
        .additional_properties(Some(AdditionalProperties::FreeForm(false)));
    let nobody = ObjectBuilder::new().schema_type(Type::Null);
    OneOfBuilder::new().item(user_id()).item(service).item(nobody).into()
}
