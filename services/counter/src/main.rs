//! The service `counter`: counts people, watches mines, raises alarms. Exactly once.

use std::process::ExitCode;
use std::time::Duration;

use mineseal_counter::{CORRECTION_KEYS_FOLDER, CorrectionKeys, CounterSettings};

fn main() -> ExitCode {
    mineseal_service::run("counter", |context| async move {
        let configured = context.settings.counter;
        let keys = context.settings.data_directory.join(CORRECTION_KEYS_FOLDER);
        let settings = CounterSettings {
            instance: (!configured.instance.is_empty()).then_some(configured.instance),
            commit_interval: Duration::from_millis(configured.commit_interval_milliseconds),
            max_records: configured.batch_records,
            correction_keys: CorrectionKeys::read(&keys)?,
            ..CounterSettings::default()
        };
        mineseal_counter::run_counted(settings, context.bus, context.metrics, context.shutdown).await
    })
}
