/// The instructions that the inner loops are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Instructions {
    /// Plain Rust: every processor.
    Portable,
    /// AVX2 with fused multiply-add: x86-64 since 2013 (Intel Haswell) and 2015 (AMD Excavator).
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// AVX-512 F, BW, DQ and VL: Intel servers since 2017 (Skylake-SP), AMD since 2022 (Zen 4).
    #[cfg(target_arch = "x86_64")]
    Avx512,
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
        {
            use std::arch::is_x86_feature_detected as has;
            let avx2 = has!("avx2") && has!("fma");
            if avx2 {
                found.push(Self::Avx2);
            }
            if avx2 && has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl") {
                found.push(Self::Avx512);
            }
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

    /// They multiply bytes as well ([`crate::Pointwise::with_bytes`]): AVX-512 with VNNI (Intel since 2019, AMD since
    /// Zen 4), and the portable path, for comparison.
    #[must_use]
    pub fn has_bytes(self) -> bool {
        match self {
            Self::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => false,
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => std::arch::is_x86_feature_detected!("avx512vnni"),
        }
    }

    /// For logs and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Portable => "portable",
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => "avx2",
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => "avx512",
        }
    }
}
