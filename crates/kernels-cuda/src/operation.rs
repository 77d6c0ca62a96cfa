//! What is launched, and what the kernels are told: the structures of `kernels/parameters.hpp`.

/// Which memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Space {
    /// Weights.
    Constants,
    /// Inputs, maps and outputs.
    Work,
}

/// Bytes from the beginning of a memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) space: Space,
    pub(crate) offset: usize,
}

/// Where the memories begin, as the kernels see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bases {
    pub(crate) constants: u64,
    pub(crate) work: u64,
}

impl Bases {
    pub(crate) fn address(self, place: Place) -> u64 {
        let base = match place.space {
            Space::Constants => self.constants,
            Space::Work => self.work,
        };
        base + place.offset as u64
    }

    /// Null for nothing.
    fn maybe(self, place: Option<Place>) -> u64 {
        place.map_or(0, |place| self.address(place))
    }
}

/// The name of a kernel in the image.
pub(crate) type Kernel = &'static str;

/// What runs side by side: launches of one lane run in their order, those of two lanes in any.
pub(crate) type Lane = usize;

/// One step of a plan.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Launch(Launch),
    /// What comes later on `lane` begins after everything that was written down for `other` up to here.
    Wait {
        lane: Lane,
        other: Lane,
    },
}

/// One launch of a plan.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    pub(crate) lane: Lane,
    pub(crate) kernel: Kernel,
    /// Blocks.
    pub(crate) grid: [u32; 3],
    /// In a block.
    pub(crate) threads: u32,
    pub(crate) operation: Operation,
}

impl Launch {
    /// For people.
    pub(crate) fn label(&self) -> String {
        let name = self.kernel;
        match &self.operation {
            Operation::Pixels(it) => format!(
                "{name} {} pixels, {} to {} channels, stride {}",
                it.pixels, it.inputs, it.outputs, it.stride
            ),
            Operation::Stem(it) => format!("{name} {}x{}", it.input_size.1, it.input_size.0),
            Operation::Pool(it) => format!("{name} {} pixels of {} channels", it.pixels, it.channels),
            Operation::Predict(it) => format!("{name} {} pixels of {} channels", it.pixels, it.inputs),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Pixels(Box<Pixels>),
    Stem(StemOperation),
    Pool(Pool),
    Predict(Box<Predict>),
}

#[derive(Clone, Debug)]
pub(crate) struct Pixels {
    pub(crate) input: Place,
    pub(crate) weight: Place,
    pub(crate) bias: Place,
    pub(crate) taps: Option<Place>,
    pub(crate) tap_bias: Option<Place>,
    pub(crate) before: Option<Place>,
    pub(crate) residual: Option<Place>,
    pub(crate) output: Place,
    pub(crate) boxes: Option<Place>,
    pub(crate) pixels: i32,
    pub(crate) size: (i32, i32),
    pub(crate) input_size: (i32, i32),
    pub(crate) stride: i32,
    pub(crate) inputs: i32,
    pub(crate) outputs: i32,
    pub(crate) input_pitch: i32,
    pub(crate) output_pitch: i32,
    pub(crate) before_pitch: i32,
    pub(crate) residual_pitch: i32,
    pub(crate) silu: bool,
    pub(crate) cells: i32,
    pub(crate) first_cell: i32,
    pub(crate) least: f32,
}

#[derive(Clone, Debug)]
pub(crate) struct StemOperation {
    pub(crate) input: Place,
    pub(crate) weight: Place,
    pub(crate) bias: Place,
    pub(crate) output: Place,
    pub(crate) input_size: (i32, i32),
    pub(crate) outputs: i32,
    pub(crate) output_pitch: i32,
}

#[derive(Clone, Debug)]
pub(crate) struct Pool {
    pub(crate) input: Place,
    pub(crate) output: Place,
    pub(crate) pixels: i32,
    pub(crate) size: (i32, i32),
    pub(crate) channels: i32,
    pub(crate) input_pitch: i32,
    pub(crate) output_pitch: i32,
}

#[derive(Clone, Debug)]
pub(crate) struct Predict {
    pub(crate) input: Place,
    pub(crate) weight: Place,
    pub(crate) bias: Place,
    pub(crate) boxes: Place,
    pub(crate) classes: Option<Place>,
    pub(crate) count: Place,
    pub(crate) candidates: Place,
    pub(crate) pictures: Place,
    pub(crate) capacity: i32,
    pub(crate) pixels: i32,
    pub(crate) size: (i32, i32),
    pub(crate) inputs: i32,
    pub(crate) input_pitch: i32,
    pub(crate) cells: i32,
    pub(crate) first_cell: i32,
    pub(crate) class_count: i32,
    pub(crate) stride: f32,
    pub(crate) least: f32,
    pub(crate) threshold: f32,
}

/// A cell that reached the threshold, as the device writes it down.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Candidate {
    /// Its place in the batch.
    pub picture: i32,
    /// Cells are numbered from the finest level on, row by row.
    pub cell: i32,
    /// Among the classes of the prediction.
    pub class: i32,
    /// Objectness times class, 0 to 1.
    pub score: f32,
    /// Of the box, in pixels of the net's input.
    pub left: f32,
    /// Of the box, in pixels of the net's input.
    pub top: f32,
    /// Of the box, in pixels of the net's input.
    pub width: f32,
    /// Of the box, in pixels of the net's input.
    pub height: f32,
}

impl Candidate {
    pub(crate) const BYTES: usize = size_of::<Self>();

    pub(crate) fn read(bytes: &[u8; Self::BYTES]) -> Self {
        let (words, _) = bytes.as_chunks::<4>();
        let whole = |place: usize| i32::from_le_bytes(words[place]);
        let number = |place: usize| f32::from_le_bytes(words[place]);
        Self {
            picture: whole(0),
            cell: whole(1),
            class: whole(2),
            score: number(3),
            left: number(4),
            top: number(5),
            width: number(6),
            height: number(7),
        }
    }
}

/// `PixelsParameters`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct PixelsParameters {
    addresses: [u64; 9],
    numbers: [i32; 15],
    least: f32,
}

/// `StemParameters`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct StemParameters {
    addresses: [u64; 4],
    numbers: [i32; 4],
}

/// `PoolParameters`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct PoolParameters {
    addresses: [u64; 2],
    numbers: [i32; 6],
}

/// `PredictParameters`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct PredictParameters {
    addresses: [u64; 8],
    numbers: [i32; 9],
    thresholds: [f32; 3],
}

/// What a kernel is told, with true addresses.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Parameters {
    Pixels(PixelsParameters),
    Stem(StemParameters),
    Pool(PoolParameters),
    Predict(PredictParameters),
}

impl Parameters {
    /// Where the structure begins, for a launch that copies it.
    pub(crate) fn as_ptr(&self) -> *const std::ffi::c_void {
        match self {
            Self::Pixels(parameters) => std::ptr::from_ref(parameters).cast(),
            Self::Stem(parameters) => std::ptr::from_ref(parameters).cast(),
            Self::Pool(parameters) => std::ptr::from_ref(parameters).cast(),
            Self::Predict(parameters) => std::ptr::from_ref(parameters).cast(),
        }
    }
}

impl Operation {
    pub(crate) fn parameters(&self, bases: Bases) -> Parameters {
        let address = |place| bases.address(place);
        let maybe = |place| bases.maybe(place);
        match self {
            Self::Pixels(it) => Parameters::Pixels(PixelsParameters {
                addresses: [
                    address(it.input),
                    address(it.weight),
                    address(it.bias),
                    maybe(it.taps),
                    maybe(it.tap_bias),
                    maybe(it.before),
                    maybe(it.residual),
                    address(it.output),
                    maybe(it.boxes),
                ],
                numbers: [
                    it.pixels,
                    it.size.0,
                    it.size.1,
                    it.input_size.0,
                    it.input_size.1,
                    it.stride,
                    it.inputs,
                    it.outputs,
                    it.input_pitch,
                    it.output_pitch,
                    it.before_pitch,
                    it.residual_pitch,
                    i32::from(it.silu),
                    it.cells,
                    it.first_cell,
                ],
                least: it.least,
            }),
            Self::Stem(it) => Parameters::Stem(StemParameters {
                addresses: [
                    address(it.input),
                    address(it.weight),
                    address(it.bias),
                    address(it.output),
                ],
                numbers: [it.input_size.0, it.input_size.1, it.outputs, it.output_pitch],
            }),
            Self::Pool(it) => Parameters::Pool(PoolParameters {
                addresses: [address(it.input), address(it.output)],
                numbers: [
                    it.pixels,
                    it.size.0,
                    it.size.1,
                    it.channels,
                    it.input_pitch,
                    it.output_pitch,
                ],
            }),
            Self::Predict(it) => Parameters::Predict(PredictParameters {
                addresses: [
                    address(it.input),
                    address(it.weight),
                    address(it.bias),
                    address(it.boxes),
                    maybe(it.classes),
                    address(it.count),
                    address(it.candidates),
                    address(it.pictures),
                ],
                numbers: [
                    it.capacity,
                    it.pixels,
                    it.size.0,
                    it.size.1,
                    it.inputs,
                    it.input_pitch,
                    it.cells,
                    it.first_cell,
                    it.class_count,
                ],
                thresholds: [it.stride, it.least, it.threshold],
            }),
        }
    }
}
