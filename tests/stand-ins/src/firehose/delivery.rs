//! From the buffers to S3.

use super::state::Shared;
use super::stream::Parcel;
use std::io;
use std::time::Duration;

/// How often the clock is looked at.
const TICK: Duration = Duration::from_millis(10);

/// How long an object waits that S3 did not take; the service tries for 24 hours, this one for ever.
const RETRY_AFTER: Duration = Duration::from_millis(200);

impl Shared {
    /// Delivers as buffers become due.
    pub(super) async fn deliver_for_ever(&self) {
        loop {
            let _woken = tokio::time::timeout(TICK, self.due.notified()).await;
            if self.deliver(false).await.is_err() {
                tokio::time::sleep(RETRY_AFTER).await;
            }
        }
    }

    /// Delivers what is due, or all there is; what S3 does not take stays.
    pub(super) async fn deliver(&self, all: bool) -> io::Result<()> {
        let _one_at_a_time = self.delivering.lock().await;
        let parcels = self.state().take_due(self.clock().now(), all)?;
        let mut result = Ok(());
        for parcel in parcels {
            match self.upload(&parcel).await {
                Ok(()) => self.state().delivered.push(parcel.key),
                Err(error) => {
                    result = Err(error);
                    self.state().take_back(parcel);
                }
            }
        }
        result
    }

    async fn upload(&self, parcel: &Parcel) -> io::Result<()> {
        let put = self.s3.put_object().bucket(&parcel.bucket).key(&parcel.key).body(parcel.body.clone().into());
        let put = put.content_type("application/octet-stream").send().await;
        put.map(drop).map_err(|error| {
            io::Error::other(format!(
                "object `s3://{}/{}`: {:?}",
                parcel.bucket,
                parcel.key,
                error.into_service_error()
            ))
        })
    }
}
