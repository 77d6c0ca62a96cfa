//! Decoding by a device of the machine: VAAPI (Intel, AMD) or NVDEC (NVIDIA), as FFmpeg has them.
//!
//! A decoder that was given a device chooses the device's pictures itself, and FFmpeg's own decoding where the device
//! refuses a stream. Pictures stay on the device until somebody wants them: most of them are never sampled.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::ffi::CString;
use std::fmt;
use std::ptr;
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ffmpeg_next::{Codec, codec, ffi, frame};

use crate::VideoError;

/// Pictures that are looked at while the decoder goes on; a device has a fixed number of them.
const HELD_PICTURES: i32 = 4;

/// What decodes a source.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum DecodeDevice {
    /// FFmpeg's own decoders.
    #[default]
    Processor,
    /// VAAPI by a render node such as `/dev/dri/renderD128`; empty: the first one.
    Vaapi(String),
    /// NVDEC of the NVIDIA device of this number.
    Cuda(u16),
}

impl FromStr for DecodeDevice {
    type Err = String;

    /// `cpu`, `vaapi`, `vaapi:/dev/dri/renderD128` or `cuda:0`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let device = match text.split_once(':') {
            None if text == "cpu" => Some(Self::Processor),
            None if text == "vaapi" => Some(Self::Vaapi(String::new())),
            Some(("vaapi", node)) if node.starts_with('/') && !node.contains('\0') => {
                Some(Self::Vaapi(node.to_owned()))
            }
            Some(("cuda", number)) => number.parse().ok().map(Self::Cuda),
            _ => None,
        };
        device.ok_or_else(|| {
            format!("{text:?} decodes nothing; cpu, vaapi, vaapi:/dev/dri/renderD128 or cuda:0 do")
        })
    }
}

impl fmt::Display for DecodeDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Processor => f.write_str("cpu"),
            Self::Vaapi(node) if node.is_empty() => f.write_str("vaapi"),
            Self::Vaapi(node) => write!(f, "vaapi:{node}"),
            Self::Cuda(number) => write!(f, "cuda:{number}"),
        }
    }
}

impl DecodeDevice {
    /// FFmpeg's kind of device, and which one of them.
    fn of_ffmpeg(&self) -> Option<(ffi::AVHWDeviceType, String)> {
        match self {
            Self::Processor => None,
            Self::Vaapi(node) => Some((ffi::AVHWDeviceType::AV_HWDEVICE_TYPE_VAAPI, node.clone())),
            Self::Cuda(number) => Some((ffi::AVHWDeviceType::AV_HWDEVICE_TYPE_CUDA, number.to_string())),
        }
    }
}

/// By what one camera is decoded, from one reading to the next: by its device, until that has failed with it. Clones
/// know of each other.
#[derive(Clone, Debug, Default)]
pub struct Decoding {
    device: DecodeDevice,
    failed: Arc<AtomicBool>,
}

impl Decoding {
    /// By this device, and by the processor where the device is not there, does not take the source's codec, or fails.
    #[must_use]
    pub fn by(device: DecodeDevice) -> Self {
        Self {
            device,
            failed: Arc::default(),
        }
    }

    /// The device gave nothing of a source, which whoever reads it is told as well: what is opened from now on is decoded by the
    /// processor.
    pub(crate) fn fall_back(&self, reason: &str) {
        if !self.failed.swap(true, Ordering::Relaxed) {
            tracing::warn!(device = %self.device, reason, "the device fails, decoded by the processor from now on");
        }
    }

    /// Gives the device to a decoder that is not open yet. False where the processor decodes.
    pub(crate) fn attach(&self, source: &str, codec: Codec, context: &mut codec::context::Context) -> bool {
        let Some((kind, name)) = self.device.of_ffmpeg() else {
            return false;
        };
        if self.failed.load(Ordering::Relaxed) {
            return false;
        }
        if !takes(codec, kind) {
            tracing::info!(source, codec = codec.name(), device = %self.device, "no codec of the device, decoded by the processor");
            return false;
        }
        let mut devices = DEVICES.lock().unwrap_or_else(PoisonError::into_inner);
        let opened = devices
            .entry(self.device.clone())
            .or_insert_with(|| match Device::open(kind, name) {
                Ok(device) => {
                    tracing::info!(device = %self.device, "decodes pictures");
                    Some(device)
                }
                Err(reason) => {
                    tracing::warn!(device = %self.device, reason, "the device cannot be used, all is decoded by the processor");
                    None
                }
            });
        let Some(opened) = opened else { return false };
        // SAFETY: the device's reference is valid while it stands in the map, which is locked. The decoder owns the new
        // reference and gives it back when it is freed; the context is valid and not open yet, as FFmpeg asks.
        unsafe {
            let own = ffi::av_buffer_ref(opened.0);
            let context = context.as_mut_ptr();
            (*context).hw_device_ctx = own;
            (*context).extra_hw_frames = HELD_PICTURES;
            !own.is_null()
        }
    }

    /// A picture in memory, from the device if that has it.
    pub(crate) fn in_memory(&self, picture: &frame::Video) -> Result<Option<frame::Video>, VideoError> {
        // SAFETY: a frame is a valid AVFrame as long as it is borrowed.
        if unsafe { (*picture.as_ptr()).hw_frames_ctx.is_null() } {
            return Ok(None);
        }
        let mut here = frame::Video::empty();
        // SAFETY: both are valid; FFmpeg gives an empty frame the memory that the picture needs.
        let code = unsafe { ffi::av_hwframe_transfer_data(here.as_mut_ptr(), picture.as_ptr(), 0) };
        if code < 0 {
            let reason = ffmpeg_next::Error::from(code).to_string();
            self.fall_back(&reason);
            return Err(VideoError::Conversion(format!("from {}: {reason}", self.device)));
        }
        Ok(Some(here))
    }
}

/// Devices that were opened, or could not be: one of each in a process, as each takes hundreds of megabytes.
static DEVICES: Mutex<BTreeMap<DecodeDevice, Option<Device>>> = Mutex::new(BTreeMap::new());

/// An open device; it stays open until the process ends.
struct Device(*mut ffi::AVBufferRef);

// SAFETY: references are counted atomically, and FFmpeg's device contexts may be used from any thread once they are made.
unsafe impl Send for Device {}

impl Device {
    fn open(kind: ffi::AVHWDeviceType, name: String) -> Result<Self, String> {
        let name = CString::new(name).map_err(|error| error.to_string())?;
        let which = if name.is_empty() {
            ptr::null()
        } else {
            name.as_ptr()
        };
        let mut device = ptr::null_mut();
        // SAFETY: the name ends with a zero and outlives the call; FFmpeg writes a reference of ours to `device`, or an error.
        let code = unsafe { ffi::av_hwdevice_ctx_create(&raw mut device, kind, which, ptr::null_mut(), 0) };
        if code < 0 || device.is_null() {
            return Err(ffmpeg_next::Error::from(code).to_string());
        }
        Ok(Self(device))
    }
}

/// Whether FFmpeg can decode this codec by such a device.
fn takes(codec: Codec, kind: ffi::AVHWDeviceType) -> bool {
    let by_device = ffi::AV_CODEC_HW_CONFIG_METHOD_HW_DEVICE_CTX as i32;
    (0..)
        .map_while(|index| {
            // SAFETY: the codec is FFmpeg's own and lives for ever, and so does what it answers: null after the last one.
            unsafe { ffi::avcodec_get_hw_config(codec.as_ptr(), index).as_ref() }
        })
        .any(|config| config.device_type == kind && config.methods & by_device != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_written_as_they_are_read() {
        for text in ["cpu", "vaapi", "vaapi:/dev/dri/renderD129", "cuda:0", "cuda:7"] {
            assert_eq!(text.parse::<DecodeDevice>().unwrap().to_string(), text);
        }
        for text in [
            "",
            "gpu",
            "cuda",
            "cuda:",
            "cuda:first",
            "cuda:-1",
            "vaapi:",
            "vaapi:renderD128",
            "cpu:0",
            "vaapi:/a\0b",
        ] {
            let error = text.parse::<DecodeDevice>().unwrap_err();
            assert!(error.contains("vaapi:/dev/dri/renderD128"), "{error}");
        }
    }

    #[test]
    fn a_camera_whose_device_failed_is_decoded_by_the_processor_ever_after() {
        crate::library::start();
        let codec = ffmpeg_next::decoder::find(codec::Id::H264).unwrap();
        let decoding = Decoding::by(DecodeDevice::Cuda(0));
        decoding.clone().fall_back("no picture");
        let mut context = codec::context::Context::new_with_codec(codec);
        assert!(!decoding.attach("rtsp://a", codec, &mut context));
        // SAFETY: the context is valid until it is dropped.
        assert!(unsafe { (*context.as_ptr()).hw_device_ctx.is_null() });
    }

    #[test]
    fn common_codecs_are_taken_where_ffmpeg_was_built_for_it() {
        crate::library::start();
        let of = |id| ffmpeg_next::decoder::find(id).unwrap();
        for kind in [
            ffi::AVHWDeviceType::AV_HWDEVICE_TYPE_VAAPI,
            ffi::AVHWDeviceType::AV_HWDEVICE_TYPE_CUDA,
        ] {
            assert!(takes(of(codec::Id::H264), kind) && takes(of(codec::Id::HEVC), kind));
            assert!(!takes(of(codec::Id::PNG), kind));
        }
    }
}
