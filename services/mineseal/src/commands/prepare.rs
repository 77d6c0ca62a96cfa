use std::time::Duration;

use mineseal_settings::Settings;
use mineseal_store::Store;

use super::mines::{connect, layout};
use super::up::engines::store_settings;
use crate::commands::{Failure, block_on};
use crate::output::note;

const BROKER_DEADLINE: Duration = Duration::from_secs(60);

pub(crate) fn run(settings: &Settings) -> Result<(), Failure> {
    block_on(async {
        let bus = connect(settings, "mineseal-prepare")?;
        bus.wait_until_ready(BROKER_DEADLINE).await?;
        bus.ensure_topics(layout(settings)).await?;
        note("topics: all there");
        Store::connect(store_settings(settings)?).await?.migrate().await?;
        note("ClickHouse: all migrations applied");
        Ok(())
    })
}
