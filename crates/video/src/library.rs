use std::sync::Once;

/// FFmpeg made ready, once in a process. It stays silent on stderr, where it would print addresses with their
/// passwords; what goes wrong comes back as an error.
pub(crate) fn start() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        if let Err(error) = ffmpeg_next::init() {
            tracing::error!(%error, "FFmpeg did not start");
        }
        ffmpeg_next::log::set_level(ffmpeg_next::log::Level::Quiet);
    });
}
