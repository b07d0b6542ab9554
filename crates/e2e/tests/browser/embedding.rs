//! A page of another origin.

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

pub(crate) struct Page {
    pub(crate) origin: String,
}

impl Page {
    /// The page that embeds the inbox of this consumer.
    pub(crate) fn url(&self, consumer: &str) -> String {
        format!("{}/?{consumer}", self.origin)
    }
}

/// Serves pages until the test ends.
pub(crate) async fn serve() -> Result<Page> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let origin = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = vec![0; 4096];
            let Ok(read) = stream.read(&mut head).await else { continue };
            let head = String::from_utf8_lossy(&head[..read]).into_owned();
            let consumer = head.split(['?', ' ']).nth(2).unwrap_or_default();
            let page = format!(
                "<!doctype html><html lang=en><title>Another site</title><h1>Another site</h1>\
                 <script type=module src=\"http://{consumer}/client.js\"></script>\
                 <notify-inbox user-id=1></notify-inbox>"
            );
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{page}",
                page.len()
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    Ok(Page { origin })
}
