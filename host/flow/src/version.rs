//! A pipeline in use, with what is known of the health of its rules.

use crate::breaker::Breaker;
use crate::pipeline::Pipeline;
use std::sync::Arc;

/// A version of a dataset's pipeline. Versions are told apart by the identity of what they do: two of the same identity
/// give the same objects.
pub(crate) struct Version {
    pub(crate) pipeline: Arc<Pipeline>,
    /// One for each step.
    pub(crate) breakers: Vec<Breaker>,
    key: String,
}

impl Version {
    pub(crate) fn new(pipeline: Arc<Pipeline>) -> Arc<Self> {
        let breakers = pipeline.steps.iter().map(|_| Breaker::new(pipeline.plan.breaker)).collect();
        let key = pipeline.key();
        Arc::new(Self { pipeline, breakers, key })
    }

    /// The key of its identity.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }
}
