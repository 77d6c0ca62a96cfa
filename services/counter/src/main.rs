//! The service `counter`: counts people, watches mines, raises alarms. Exactly once.

use std::process::ExitCode;
use std::time::Duration;

use mineseal_counter::CounterSettings;

fn main() -> ExitCode {
    mineseal_service::run("counter", |context| {
        let configured = context.settings.counter;
        let settings = CounterSettings {
            commit_interval: Duration::from_millis(configured.commit_interval_milliseconds),
            max_records: configured.batch_records,
            ..CounterSettings::default()
        };
        mineseal_counter::run(settings, context.bus, context.shutdown)
    })
}
