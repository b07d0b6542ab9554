//! One request of an import: lines go out while results come in.

use std::convert::Infallible;

use bytes::Bytes;
use futures_util::stream;
use reqwest::Body;
use reqwest::header::CONTENT_TYPE;
use tokio::sync::mpsc;

use super::results::Results;
use crate::client::Client;
use crate::client_args::BaseUrl;

/// The body of a request, which lines are put into.
pub(super) struct Lines {
    /// None once the body has ended.
    texts: Option<mpsc::Sender<Bytes>>,
}

/// Begins a request: what its lines go into, and what its results come from.
pub(super) fn begin(client: &Client, base: &BaseUrl) -> (Lines, Results) {
    // One text at a time: what waits here cannot be taken back.
    let (lines, texts) = mpsc::channel::<Bytes>(1);
    let texts = stream::unfold(texts, async |mut texts| {
        texts.recv().await.map(|text| (Ok::<_, Infallible>(text), texts))
    });
    let url = base.join(&["v1", "notifications", "batch"], &[]);
    let request = client
        .http()
        .post(url.clone())
        .header(CONTENT_TYPE, "application/x-ndjson")
        .body(Body::wrap_stream(texts));
    (Lines { texts: Some(lines) }, Results::new(url, request.send()))
}

impl Lines {
    pub(super) fn is_open(&self) -> bool {
        self.texts.is_some()
    }

    /// The body ends here; the results go on.
    pub(super) fn end(&mut self) {
        self.texts = None;
    }

    /// Waits until the connection takes more. None once it takes nothing any more; the results say
    /// why.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub(super) async fn permit(&self) -> Option<mpsc::OwnedPermit<Bytes>> {
        self.texts.clone()?.reserve_owned().await.ok()
    }
}
