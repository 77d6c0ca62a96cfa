use mineseal_settings::Settings;
use tokio_util::sync::CancellationToken;

use super::reach::prepared;
use crate::commands::{Failure, block_on};
use crate::output::note;

pub(crate) fn run(settings: &Settings) -> Result<(), Failure> {
    block_on(async {
        prepared(settings, "mineseal-prepare", &CancellationToken::new()).await?;
        note("topics: all there");
        note("ClickHouse: all migrations applied");
        Ok(())
    })
}
