use async_trait::async_trait;
use mineseal_schemas::{Alarm, Camera, CameraHealth, Headcount};
use thiserror::Error;

/// What an upper platform is told.
#[derive(Clone, Debug)]
pub enum Outgoing {
    /// A camera, before anything else is said of it.
    Camera(Camera),
    /// A step in an alarm's life, with its picture if there is one.
    Alarm(Alarm, Option<Vec<u8>>),
    /// People underground; the camera is one of the mine's mouths.
    Headcount(Headcount),
    /// A camera's condition.
    Health(CameraHealth),
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// The platform took it.
    Accepted {
        /// HTTP status.
        status: u16,
        /// Its answer.
        answer: String,
    },
    /// The platform will not take it, however often it is sent; or there is no code for it.
    Refused {
        /// HTTP status, 0 where it was not sent.
        status: u16,
        /// Its answer, or why it was not sent.
        answer: String,
    },
    /// Nobody answered, or the platform is not able now: send it again.
    Unreachable {
        /// What went wrong.
        reason: String,
    },
    /// The interface has no word for it and does not need one.
    NotNeeded,
}

/// Why an adapter cannot be made.
#[derive(Debug, Error)]
pub enum PlatformError {
    /// The table of codes cannot be used.
    #[error("code table {file}: {cause}; config/platforms/coal-json.toml shows one")]
    CodeTable {
        /// Its path.
        file: String,
        /// What is wrong.
        cause: String,
    },
    /// The client's secret cannot be read.
    #[error("cannot read the platform's client secret {file}: {cause}")]
    Secret {
        /// Its path.
        file: String,
        /// What is wrong.
        cause: String,
    },
    /// The HTTP client or the listener cannot be made.
    #[error("cannot {what}: {cause}")]
    Network {
        /// What was tried.
        what: String,
        /// What is wrong.
        cause: String,
    },
}

/// One interface of one platform. Stateless but for its token: order, retries and receipts are the forwarder's.
#[async_trait]
pub trait PlatformAdapter: Send + Sync {
    /// Tells the platform once.
    async fn deliver(&self, outgoing: &Outgoing) -> Delivery;
}
