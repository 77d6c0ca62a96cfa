//! The service `frame-extractor`: reads cameras and publishes their pictures.

use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    mineseal_service::run("frame-extractor", |context| async move {
        let settings = context.settings;
        let evidence = match (
            settings.evidence.location.as_str(),
            settings.data_directory.as_os_str().is_empty(),
        ) {
            ("", true) => PathBuf::from(".mineseal/evidence"),
            ("", false) => settings.data_directory.join("evidence"),
            (location, _) => PathBuf::from(location),
        };
        mineseal_frame_extractor::run(
            settings.extractor,
            &evidence,
            context.bus,
            context.metrics,
            context.shutdown,
        )
        .await
    })
}
