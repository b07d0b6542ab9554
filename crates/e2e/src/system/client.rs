//! Asking a system's services.

use anyhow::Result;

use super::{Addresses, Part, System};
use crate::{Answer, Http};

/// Asks a system's services. It can be cloned and used while the system is restarted.
#[derive(Clone, Debug)]
pub struct Client {
    http: Http,
    addresses: Addresses,
}

impl System {
    /// Something that asks this system.
    pub fn client(&self) -> Client {
        Client { http: self.http.clone(), addresses: self.addresses.clone() }
    }

    /// See [`Client::send`].
    ///
    /// # Errors
    /// There was no answer.
    pub async fn send(&self, from: u32, to: u32, message: &str) -> Result<Answer> {
        self.client().send(from, to, message).await
    }

    /// See [`Client::inbox`].
    ///
    /// # Errors
    /// There was no answer.
    pub async fn inbox(&self, user: u32) -> Result<Answer> {
        self.client().inbox(user).await
    }

    /// A count in a part's `/metrics`; 0 where there is none yet.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn metric(&self, part: Part, name: &str) -> Result<u64> {
        let metrics = self.get(part, "/metrics").await?.body;
        let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(line.map_or(Ok(0), str::parse)?)
    }

    /// GET on a part's address.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn get(&self, part: Part, path: &str) -> Result<Answer> {
        self.http.get(&format!("http://{}{path}", self.address(part))).await
    }
}

impl Client {
    /// `POST /send`. The message goes into the form as it is, as with `curl -d`.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn send(&self, from: u32, to: u32, message: &str) -> Result<Answer> {
        self.send_form(&format!("fromID={from}&toID={to}&message={message}")).await
    }

    /// `POST /send` of a form that is encoded already.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn send_form(&self, form: &str) -> Result<Answer> {
        let url = format!("http://{}/send", self.addresses.producer);
        self.http.post_form(&url, form.to_owned()).await
    }

    /// `GET /notifications/{user}`.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn inbox(&self, user: u32) -> Result<Answer> {
        self.get_inbox(&user.to_string()).await
    }

    /// `GET /notifications/{path}`, whatever the path.
    ///
    /// # Errors
    /// There was no answer.
    pub async fn get_inbox(&self, path: &str) -> Result<Answer> {
        self.http.get(&format!("http://{}/notifications/{path}", self.addresses.consumer)).await
    }
}
