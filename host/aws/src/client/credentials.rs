//! Credentials that can be thrown away.

use super::AwsOptions;
use super::config;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{self, ProvideCredentials, SharedCredentialsProvider, future};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};
use tokio::sync::Mutex;

/// Credentials are asked for anew so long before they expire.
const RENEW_BEFORE: Duration = Duration::from_secs(60);
/// A source of credentials (a process, a sign-in server) that does not answer fails the call that needs them.
const PATIENCE: Duration = Duration::from_secs(30);

/// Keeps credentials until they are about to expire or a service says that they have. Then the profile is read again too,
/// since the file may hold new keys. Clones share what is kept.
#[derive(Debug, Clone)]
pub(super) struct Renewable(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    options: AwsOptions,
    http: SharedHttpClient,
    /// Raised each time the kept credentials are refused.
    refused: AtomicU64,
    kept: Mutex<Kept>,
}

#[derive(Debug)]
struct Kept {
    provider: SharedCredentialsProvider,
    credentials: Option<Credentials>,
    /// The count of refusals that the credentials answer to.
    refused: u64,
}

impl Renewable {
    pub(super) fn new(options: AwsOptions, http: SharedHttpClient, provider: SharedCredentialsProvider) -> Self {
        let kept = Mutex::new(Kept { provider, credentials: None, refused: 0 });
        Self(Arc::new(Shared { options, http, refused: AtomicU64::new(0), kept }))
    }

    /// Counts refusals. A caller remembers the count from before its call and gives it to [`Renewable::refuse`].
    pub(super) fn refusals(&self) -> u64 {
        self.0.refused.load(Ordering::SeqCst)
    }

    /// Throws the credentials away, once for all the calls that were made with them.
    pub(super) fn refuse(&self, seen: u64) {
        let _ = self.0.refused.compare_exchange(seen, seen + 1, Ordering::SeqCst, Ordering::SeqCst);
    }

    async fn credentials(&self) -> provider::Result {
        // held while they are fetched: many calls wait for one answer
        let mut kept = self.0.kept.lock().await;
        let refused = self.refusals();
        if kept.refused != refused {
            kept.provider = self.reload().await?;
            kept.credentials = None;
            kept.refused = refused;
        }
        if let Some(good) = kept.credentials.as_ref().filter(|kept| !expires_within(kept, RENEW_BEFORE)) {
            return Ok(good.clone());
        }
        match fetch(&kept.provider).await {
            Ok(new) => Ok(kept.credentials.insert(new).clone()),
            Err(error) => match kept.credentials.as_ref().filter(|old| !expires_within(old, Duration::ZERO)) {
                Some(old) => {
                    tracing::warn!(%error, "credentials could not be renewed; those at hand are still good");
                    Ok(old.clone())
                }
                None => Err(error),
            },
        }
    }

    async fn reload(&self) -> Result<SharedCredentialsProvider, CredentialsError> {
        let config =
            config::load(&self.0.options, &self.0.http).await.map_err(CredentialsError::invalid_configuration)?;
        config.credentials_provider().ok_or_else(CredentialsError::not_loaded_no_source)
    }
}

async fn fetch(provider: &SharedCredentialsProvider) -> provider::Result {
    match tokio::time::timeout(PATIENCE, provider.provide_credentials()).await {
        Ok(result) => result,
        Err(_) => Err(CredentialsError::provider_timed_out(PATIENCE)),
    }
}

fn expires_within(credentials: &Credentials, time: Duration) -> bool {
    credentials.expiry().is_some_and(|expiry| expiry <= SystemTime::now() + time)
}

impl ProvideCredentials for Renewable {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}
