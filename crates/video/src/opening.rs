use std::fs;
use std::path::Path;

use ffmpeg_next::error::{ECONNREFUSED, ECONNRESET, EHOSTUNREACH, EIO, ENETUNREACH, ETIMEDOUT};
use ffmpeg_next::{Dictionary, format};

use crate::source::RtspAddress;
use crate::watch::Watch;
use crate::writer::protocol_name;
use crate::{OpenSettings, Source, Transport, VideoError};

/// Opens the container or the connection.
pub(crate) fn open(
    source: &Source,
    settings: &OpenSettings,
    watch: &Watch,
) -> Result<format::context::Input, VideoError> {
    let interrupt = {
        let watch = watch.clone();
        move || watch.interrupts()
    };
    match source {
        Source::File(path) | Source::PictureFolder(path) => {
            check_file(path)?;
            let source_name = source.to_string();
            let name = protocol_name(path).map_err(|reason| VideoError::Broken {
                source_name: source_name.clone(),
                reason,
            })?;
            // A play list must not make this reader fetch from elsewhere.
            let mut options = Dictionary::new();
            options.set("protocol_whitelist", "file");
            format::input_with_interrupt_and_dictionary(&name, interrupt, options).map_err(|error| {
                if watch.is_cancelled() {
                    return VideoError::Cancelled { source_name };
                }
                VideoError::Broken {
                    source_name,
                    reason: error.to_string(),
                }
            })
        }
        Source::Rtsp(address) => {
            let mut options = Dictionary::new();
            options.set(
                "rtsp_transport",
                match address.transport().unwrap_or(settings.transport) {
                    Transport::Tcp => "tcp",
                    Transport::Udp => "udp",
                },
            );
            format::input_with_interrupt_and_dictionary(&address.with_login(), interrupt, options)
                .map_err(|error| rtsp_fault(source, address, settings, watch, error))
        }
    }
}

fn check_file(path: &Path) -> Result<(), VideoError> {
    let source_name = path.display().to_string();
    let facts = match fs::metadata(path) {
        Ok(facts) => facts,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(VideoError::Missing { source_name });
        }
        Err(reason) => return Err(VideoError::NotReadable { source_name, reason }),
    };
    if let Err(reason) = fs::File::open(path) {
        return Err(VideoError::NotReadable { source_name, reason });
    }
    if facts.is_file() && facts.len() == 0 {
        return Err(VideoError::Broken {
            source_name,
            reason: "the file is empty".to_owned(),
        });
    }
    Ok(())
}

fn rtsp_fault(
    source: &Source,
    address: &RtspAddress,
    settings: &OpenSettings,
    watch: &Watch,
    error: ffmpeg_next::Error,
) -> VideoError {
    use ffmpeg_next::Error as Fault;
    let url = source.to_string();
    let reason = error.to_string();
    tracing::debug!(?address, %reason, "RTSP source not opened");
    if watch.is_cancelled() {
        return VideoError::Cancelled { source_name: url };
    }
    if watch.is_over() {
        // Whatever was half read when the deadline broke it off.
        return VideoError::Unreachable {
            url,
            reason: format!("no answer within {:?}", settings.deadline),
        };
    }
    match error {
        Fault::HttpUnauthorized | Fault::HttpForbidden => VideoError::WrongCredential { url },
        Fault::HttpNotFound => VideoError::NoSuchStream { url },
        Fault::Other { errno: EIO } => VideoError::Unreachable {
            url,
            reason: "host name unknown, or connection broken".to_owned(),
        },
        Fault::Other {
            errno: ECONNREFUSED | ECONNRESET | EHOSTUNREACH | ENETUNREACH | ETIMEDOUT,
        } => VideoError::Unreachable { url, reason },
        // A connection that breaks between question and answer looks to FFmpeg like a bad answer.
        Fault::InvalidData => {
            let reason = "it hung up, or what it sent is no RTSP".to_owned();
            VideoError::Unreachable { url, reason }
        }
        _ => VideoError::Refused { url, reason },
    }
}
