//! Bodies that a handler does not read to their end.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use actix_web::HttpMessage;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::http::header::TRANSFER_ENCODING;
use actix_web::web::Bytes;
use futures_util::{Stream, StreamExt};

/// A chunked body, held until its request is answered.
///
/// actix (actix-http 3.20, `should_close_for_unread_payload`) reads a chunked body whose reader is
/// gone to its end, however long that takes. One whose reader is still there when the answer has
/// been sent makes it close the connection, within its disconnect timeout. So we are that reader.
pub(crate) struct Unread(Rc<RefCell<Payload>>);

impl Unread {
    /// Takes hold of a request's body, if it is chunked; the handler reads it all the same.
    pub(crate) fn of(request: &mut ServiceRequest) -> Option<Self> {
        if !request.headers().contains_key(TRANSFER_ENCODING) {
            return None;
        }
        let payload = Rc::new(RefCell::new(request.take_payload()));
        let shared: Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>> =
            Box::pin(Self(payload.clone()));
        request.set_payload(Payload::from(shared));
        Some(Self(payload))
    }

    /// Holds the body until the answer has been sent.
    pub(crate) fn until_sent(self, answer: ServiceResponse) -> ServiceResponse {
        answer.map_body(|_, body| BoxBody::new(Held { body, _unread: self }))
    }
}

impl Stream for Unread {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        // Polled by the handler alone; nobody else borrows it.
        self.0.borrow_mut().poll_next_unpin(context)
    }
}

/// An answer's body, and the request's.
struct Held {
    body: BoxBody,
    _unread: Unread,
}

impl MessageBody for Held {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }
}
