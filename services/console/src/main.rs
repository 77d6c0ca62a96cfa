//! The service `console`: the page for duty officers and dispatchers.

use std::process::ExitCode;

use mineseal_evidence::EvidenceStore;

fn main() -> ExitCode {
    mineseal_service::run("console", |context| async move {
        let evidence = EvidenceStore::configured(&context.settings)?;
        mineseal_console::run(&context.settings.console, evidence, context.bus, context.shutdown).await
    })
}
