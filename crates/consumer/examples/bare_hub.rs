//! What actix-web alone costs: a hub without a log, an inbox, limits or resumption. `bare_hub <port>`.
//!
//! `GET /stream` is an event stream, `POST /publish` hands its body to all of them.
#![allow(clippy::print_stdout)]

use std::convert::Infallible;
use std::sync::{Mutex, PoisonError};

use actix_web::web::{Bytes, Data};
use actix_web::{App, HttpResponse, HttpServer, web};
use futures_util::stream;
use tokio::sync::mpsc;

/// Events that wait for one stream.
const QUEUED: usize = 64;

#[derive(Default)]
struct Hub(Mutex<Vec<mpsc::Sender<Bytes>>>);

#[actix_web::main]
async fn main() -> anyhow::Result<()> {
    let port = std::env::args().nth(1).unwrap_or_default().parse()?;
    let hub = Data::new(Hub::default());
    let app = move || {
        App::new()
            .app_data(hub.clone())
            .route("/stream", web::get().to(subscribe))
            .route("/publish", web::post().to(publish))
    };
    Ok(HttpServer::new(app).max_connections(20_000).bind(("127.0.0.1", port))?.run().await?)
}

async fn subscribe(hub: Data<Hub>) -> HttpResponse {
    let (sender, events) = mpsc::channel(QUEUED);
    hub.0.lock().unwrap_or_else(PoisonError::into_inner).push(sender);
    let body = stream::unfold(events, |mut events| async {
        let bytes: Bytes = events.recv().await?;
        Some((Ok::<_, Infallible>(bytes), events))
    });
    HttpResponse::Ok().content_type("text/event-stream").streaming(body)
}

async fn publish(hub: Data<Hub>, body: Bytes) -> HttpResponse {
    let mut streams = hub.0.lock().unwrap_or_else(PoisonError::into_inner);
    streams.retain(|stream| stream.try_send(body.clone()).is_ok());
    HttpResponse::NoContent().finish()
}
