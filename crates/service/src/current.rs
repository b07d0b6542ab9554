//! What a service works with at the moment.

use std::sync::{Arc, PoisonError, RwLock};

/// What requests are answered from at the moment: nothing before Kafka was reached, and another
/// value once the topics were made anew.
#[derive(Debug)]
pub struct Current<T>(RwLock<Option<Arc<T>>>);

impl<T> Current<T> {
    /// What there is; a request keeps what it began with.
    pub fn get(&self) -> Option<Arc<T>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on this is it.
    pub fn set(&self, value: T) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(value));
    }

    /// From now on there is nothing.
    pub fn clear(&self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl<T> Default for Current<T> {
    fn default() -> Self {
        Self(RwLock::new(None))
    }
}
