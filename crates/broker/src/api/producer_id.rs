//! InitProducerId: a new id for an idempotent producer (KIP-98).

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId};
use tokio::task;

use super::Context;

pub(super) async fn init(
    context: &Context,
    request: InitProducerIdRequest,
) -> InitProducerIdResponse {
    let none =
        InitProducerIdResponse::default().with_producer_id(ProducerId(-1)).with_producer_epoch(-1);
    if request.transactional_id.is_some() {
        // The answer that ends a producer of any client library; the retriable ones make it wait.
        let error = ResponseError::TransactionalIdAuthorizationFailed;
        return none.with_error_code(error.code());
    }
    let shared = context.shared.clone();
    match task::spawn_blocking(move || shared.data_dir.next_producer_id()).await {
        Ok(Ok(id)) => none.with_producer_id(ProducerId(id)).with_producer_epoch(0),
        Ok(Err(error)) => {
            tracing::error!(%error, "cannot reserve producer ids");
            none.with_error_code(ResponseError::KafkaStorageError.code())
        }
        Err(error) => {
            tracing::error!(%error, "cannot reserve producer ids");
            none.with_error_code(ResponseError::UnknownServerError.code())
        }
    }
}
