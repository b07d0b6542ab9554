//! A topic to read or write.

use models::TopicId;

/// A topic, by name; and by its id, where another topic that took the name must not be taken for
/// it. The protocol's requests for data go by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// The life of the topic that is meant; any, where there is none.
    pub id: Option<TopicId>,
}

impl From<&str> for Topic {
    fn from(name: &str) -> Self {
        Self { name: name.to_owned(), id: None }
    }
}

impl From<String> for Topic {
    fn from(name: String) -> Self {
        Self { name, id: None }
    }
}
