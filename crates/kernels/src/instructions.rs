/// The instructions that the inner loops are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Instructions {
    /// Plain Rust: every processor.
    Portable,
    /// AVX2 with fused multiply-add: x86-64 since 2013 (Intel Haswell) and 2015 (AMD Excavator).
    #[cfg(target_arch = "x86_64")]
    Avx2,
}

impl Instructions {
    /// The fastest that this processor has.
    #[must_use]
    pub fn detect() -> Self {
        Self::available().last().copied().unwrap_or(Self::Portable)
    }

    /// All that this processor has, the slowest first.
    #[must_use]
    pub fn available() -> Vec<Self> {
        #[allow(unused_mut)]
        let mut found = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
            found.push(Self::Avx2);
        }
        found
    }

    /// `self` where this processor has it, else the fastest that it has: the only way into an operation, so that
    /// none can be run on a processor without its instructions.
    pub(crate) fn checked(self) -> Self {
        if Self::available().contains(&self) {
            self
        } else {
            Self::detect()
        }
    }

    /// For logs and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "avx2",
        }
    }
}
