//! The service `frame-extractor`: reads cameras and publishes their pictures.

use std::process::ExitCode;

use mineseal_evidence::EvidenceStore;

fn main() -> ExitCode {
    mineseal_service::run("frame-extractor", |context| async move {
        let evidence = EvidenceStore::configured(&context.settings)?;
        mineseal_frame_extractor::run(
            context.settings.extractor,
            evidence,
            context.bus,
            context.metrics,
            context.shutdown,
        )
        .await
    })
}
