use thiserror::Error;

/// What can go wrong with a device and with a net on it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum KernelError {
    /// The driver's library is not there.
    #[error("no NVIDIA driver on this machine: libcuda.so.1 cannot be loaded")]
    NoDriver,
    /// The driver finds no device, or does not run.
    #[error("no NVIDIA device can be used: {0}")]
    NoDevice(String),
    /// There are fewer devices.
    #[error("there is no device cuda:{wanted}: this machine has {found}, counted from 0")]
    DeviceNumber {
        /// The one that was asked for.
        wanted: usize,
        /// How many there are.
        found: usize,
    },
    /// The tensor cores lack what the kernels use.
    #[error("{name} has compute capability {major}.{minor}; 8.0 (Ampere) or later is needed")]
    TooOld {
        /// The device's name.
        name: String,
        /// Of its capability.
        major: i32,
        /// Of its capability.
        minor: i32,
    },
    /// The program was built where CUDA's compiler is missing.
    #[error(
        "this program was built without CUDA's compiler and has no kernels in it; `make gpu-bin` builds one that has"
    )]
    NoKernels,
    /// The driver refused something.
    #[error("CUDA failed to {what}: {reason}")]
    Driver {
        /// What was tried.
        what: &'static str,
        /// What the driver says.
        reason: String,
    },
    /// A layer's weights or its input do not fit.
    #[error("{operation}: {reason}")]
    Shape {
        /// Of the layer.
        operation: &'static str,
        /// What does not fit.
        reason: String,
    },
    /// More cells are candidates than there is room for.
    #[error("{found} candidates, room for {room}")]
    TooManyCandidates {
        /// So many there were.
        found: usize,
        /// So many can be kept.
        room: usize,
    },
}

pub(crate) fn misfit<T>(operation: &'static str, reason: impl Into<String>) -> Result<T, KernelError> {
    Err(KernelError::Shape {
        operation,
        reason: reason.into(),
    })
}
