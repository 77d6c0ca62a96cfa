//! Upper platforms: one adapter for each interface, the tables of their codes, and a stand-in platform that
//! records what reaches it. And what comes from the mine's own systems in the authority's formats: positioning.
//!
//! No adapter is called official: the interface of the regional transfer platform is not published
//! (`docs/platforms.md` says what each one is modelled on).

mod adapter;
mod coal_json;
mod codes;
mod positioning;
mod stand_in;

pub use adapter::{Delivery, Outgoing, PlatformAdapter, PlatformError};
pub use coal_json::{CoalJson, CoalJsonSettings};
pub use codes::{AlarmCode, CodeTable, SendAs};
pub use positioning::{PositioningError, read_positioning};
pub use stand_in::{Behaviour, Received, StandIn};
