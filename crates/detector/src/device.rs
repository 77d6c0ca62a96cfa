use std::fmt;
use std::str::FromStr;

/// Where the net runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Device {
    /// On the processor, on the calling thread.
    #[default]
    Cpu,
    /// On an NVIDIA device, numbered from 0 as the driver numbers them. Needs the feature `cuda`.
    Cuda(usize),
    /// The device's kernels on the processor, slowly: for tests. Needs the feature `emulation`.
    #[cfg(feature = "emulation")]
    Emulated,
}

/// A text that names no device.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is no device; expected cpu, or cuda:0 and so on")]
pub struct UnknownDevice(String);

impl FromStr for Device {
    type Err = UnknownDevice;

    fn from_str(text: &str) -> Result<Self, UnknownDevice> {
        let number = |text: &str| text.strip_prefix("cuda:").and_then(|number| number.parse().ok());
        match text {
            "cpu" => Ok(Self::Cpu),
            #[cfg(feature = "emulation")]
            "emulated" => Ok(Self::Emulated),
            _ => number(text)
                .map(Self::Cuda)
                .ok_or_else(|| UnknownDevice(text.to_owned())),
        }
    }
}

impl fmt::Display for Device {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cpu => formatter.write_str("cpu"),
            Self::Cuda(number) => write!(formatter, "cuda:{number}"),
            #[cfg(feature = "emulation")]
            Self::Emulated => formatter.write_str("emulated"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Device;

    #[test]
    fn devices_are_written_as_they_are_read() {
        for device in [Device::Cpu, Device::Cuda(0), Device::Cuda(7)] {
            assert_eq!(device.to_string().parse(), Ok(device));
        }
        for text in ["", "cuda", "cuda:", "cuda:-1", "CPU", "gpu:0"] {
            assert!(text.parse::<Device>().is_err(), "{text}");
        }
    }
}
