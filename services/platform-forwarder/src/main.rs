//! The service `platform-forwarder`: tells upper platforms what happened.

use std::process::ExitCode;

fn main() -> ExitCode {
    mineseal_service::run("platform-forwarder", |context| {
        mineseal_platform_forwarder::run(context.settings.forwarder, context.bus, context.shutdown)
    })
}
