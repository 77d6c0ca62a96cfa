use half::f16;

use crate::error::{KernelError, misfit};
use crate::operation::{Place, Space};
use crate::packing::{self, CHUNK, LANE};

/// Every weight begins at a multiple of this many bytes.
const ALIGNMENT: usize = 256;

/// The packed weights of a net, as they lie in the device's memory.
#[derive(Clone, Debug, Default)]
pub struct Constants {
    bytes: Vec<u8>,
}

/// The first convolution.
#[derive(Clone, Copy, Debug)]
pub struct Stem {
    pub(crate) weight: Place,
    pub(crate) bias: Place,
    pub(crate) outputs: usize,
}

/// A 1x1 convolution, with SiLU or without.
#[derive(Clone, Copy, Debug)]
pub struct Pointwise {
    pub(crate) weight: Place,
    pub(crate) bias: Place,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
    pub(crate) silu: bool,
}

/// A 3x3 depthwise and a 1x1 convolution, each with SiLU.
#[derive(Clone, Copy, Debug)]
pub struct Separable {
    pub(crate) taps: Place,
    pub(crate) tap_bias: Place,
    pub(crate) stride: usize,
    pub(crate) pointwise: Pointwise,
}

/// The last 1x1 convolution of the head: at most 8 outputs, f32.
#[derive(Clone, Copy, Debug)]
pub struct Prediction {
    pub(crate) weight: Place,
    pub(crate) bias: Place,
    pub(crate) inputs: usize,
    pub(crate) outputs: usize,
}

impl Constants {
    /// Without weights.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn keep(&mut self, numbers: impl Iterator<Item = u8>) -> Place {
        let offset = self.bytes.len().next_multiple_of(ALIGNMENT);
        self.bytes.resize(offset, 0);
        self.bytes.extend(numbers);
        Place {
            space: Space::Constants,
            offset,
        }
    }

    fn halves(&mut self, numbers: &[f16]) -> Place {
        self.keep(numbers.iter().flat_map(|number| number.to_le_bytes()))
    }

    /// f32, filled up with zeros to a multiple of `unit`.
    fn floats(&mut self, numbers: &[f32], unit: usize) -> Place {
        let rest = numbers.len().next_multiple_of(unit) - numbers.len();
        let all = numbers.iter().copied().chain(std::iter::repeat_n(0.0, rest));
        self.keep(all.flat_map(f32::to_le_bytes))
    }

    /// Focus and a 3x3 convolution with SiLU; weight `[outputs, 12, 3, 3]`, in the order of YOLOX's Focus: top left,
    /// bottom left, top right, bottom right, each blue, green, red.
    ///
    /// # Errors
    /// Where the numbers do not fit, or the outputs are no multiple of 16.
    pub fn stem(&mut self, weight: &[f32], bias: &[f32]) -> Result<Stem, KernelError> {
        let outputs = bias.len();
        if outputs == 0 || !outputs.is_multiple_of(16) || weight.len() != outputs * 12 * 9 {
            return misfit("stem", format!("{} weights for {outputs} outputs", weight.len()));
        }
        Ok(Stem {
            weight: self.halves(&packing::stem(weight, outputs)),
            bias: self.floats(bias, LANE),
            outputs,
        })
    }

    /// A 1x1 convolution `[outputs, inputs]`.
    ///
    /// # Errors
    /// Where the numbers do not fit, or the channels are no multiples of 8.
    pub fn pointwise(&mut self, weight: &[f32], bias: &[f32], silu: bool) -> Result<Pointwise, KernelError> {
        let outputs = bias.len();
        let inputs = inputs_of("1x1 convolution", weight, outputs)?;
        if !outputs.is_multiple_of(LANE) {
            return misfit(
                "1x1 convolution",
                format!("{outputs} outputs, no multiple of {LANE}"),
            );
        }
        Ok(Pointwise {
            weight: self.halves(&packing::pointwise(weight, outputs, inputs)),
            bias: self.floats(bias, CHUNK),
            inputs,
            outputs,
            silu,
        })
    }

    /// A depthwise convolution `[channels, 3, 3]` with padding 1, and the 1x1 convolution that follows.
    ///
    /// # Errors
    /// Where the numbers do not fit, or the stride is neither 1 nor 2.
    pub fn separable(
        &mut self,
        weight: &[f32],
        bias: &[f32],
        stride: usize,
        pointwise: Pointwise,
    ) -> Result<Separable, KernelError> {
        let channels = bias.len();
        if weight.len() != channels * 9 || channels != pointwise.inputs || !(1..=2).contains(&stride) {
            let reason = format!(
                "{} weights, {channels} biases and a stride of {stride} before {} inputs",
                weight.len(),
                pointwise.inputs
            );
            return misfit("depthwise convolution", reason);
        }
        Ok(Separable {
            taps: self.floats(&packing::depthwise(weight, channels), 1),
            tap_bias: self.floats(bias, CHUNK),
            stride,
            pointwise,
        })
    }

    /// A last convolution `[outputs, inputs]`.
    ///
    /// # Errors
    /// Where the numbers do not fit, or there are more than 8 outputs.
    pub fn prediction(&mut self, weight: &[f32], bias: &[f32]) -> Result<Prediction, KernelError> {
        let outputs = bias.len();
        let inputs = inputs_of("prediction", weight, outputs)?;
        if outputs > LANE {
            return misfit(
                "prediction",
                format!("{outputs} outputs, at most {LANE} are possible"),
            );
        }
        Ok(Prediction {
            weight: self.halves(&packing::prediction(weight, outputs, inputs)),
            bias: self.floats(bias, LANE),
            inputs,
            outputs,
        })
    }
}

fn inputs_of(operation: &'static str, weight: &[f32], outputs: usize) -> Result<usize, KernelError> {
    let inputs = weight.len().checked_div(outputs).unwrap_or_default();
    if inputs == 0 || inputs * outputs != weight.len() || !inputs.is_multiple_of(LANE) {
        return misfit(
            operation,
            format!("{} weights for {outputs} outputs", weight.len()),
        );
    }
    Ok(inputs)
}
