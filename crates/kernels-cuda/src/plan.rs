use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use crate::constants::{Pointwise, Prediction, Separable, Stem};
use crate::error::{KernelError, misfit};
use crate::executor::Program;
use crate::map::{Map, Regions, View};
use crate::operation::{
    Candidate, Kernel, Lane, Launch, Operation, Pixels, Place, Pool, Predict, Space, StemOperation, Step,
};
use crate::packing::{CHUNK, LANE};
#[cfg(test)]
use crate::tiling::Tiling;
use crate::tiling::{TILE, choose};

/// Warps in a block.
const WARPS: usize = 4;
const THREADS: u32 = 128;
/// The input begins behind the number of its pictures.
pub(crate) const INPUT_OFFSET: usize = 256;
/// The candidates lie behind their number.
pub(crate) const CANDIDATES_OFFSET: usize = 32;
/// Numbers that are kept for a cell, of the box and of the classes.
pub(crate) const CELL: usize = 8;
const COLOURS: usize = 3;

/// Below these, cells are no candidates.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Objectness before the sigmoid.
    pub least_objectness: f32,
    /// Objectness times class, after the sigmoid.
    pub score: f32,
}

/// What a plan is for.
#[derive(Clone, Debug)]
pub struct PlanSettings {
    /// In a batch.
    pub pictures: usize,
    /// Rows of the input, a multiple of 32.
    pub height: usize,
    /// Columns of the input, a multiple of 32.
    pub width: usize,
    /// Pixels of the input for one cell of each level.
    pub strides: [usize; 3],
    /// What becomes a candidate.
    pub limits: Limits,
    /// Room for candidates of the whole batch; `None` for all cells.
    pub capacity: Option<usize>,
    /// Whether the numbers of all classes are kept, to be read with [`crate::Executor::raw`].
    pub keep_classes: bool,
}

/// What is added to a convolution.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beside<'a> {
    /// Before SiLU: a map of half the height and width, each of its pixels four times.
    pub before: Option<View<'a>>,
    /// After everything else. It may be where the output goes.
    pub residual: Option<View<'a>>,
}

/// The launches of a net for one size of a batch, written down in their order.
#[derive(Debug)]
pub struct Plan {
    settings: PlanSettings,
    regions: Rc<RefCell<Regions>>,
    steps: Vec<Step>,
    lane: Lane,
    lanes: usize,
    answer: Range<usize>,
    boxes: Range<usize>,
    classes: Option<Range<usize>>,
    capacity: usize,
    #[cfg(test)]
    always: Option<&'static Tiling>,
    /// The first cell of each level, and the number of all.
    first_cells: [usize; 4],
}

impl Plan {
    /// Without launches.
    ///
    /// # Errors
    /// Where the input's size does not serve.
    pub fn new(settings: PlanSettings) -> Result<Self, KernelError> {
        let PlanSettings {
            pictures,
            height,
            width,
            strides,
            ..
        } = settings;
        let serves = |length: usize| length > 0 && length.is_multiple_of(32);
        if pictures == 0 || !serves(height) || !serves(width) || strides.contains(&0) {
            return misfit("plan", format!("{pictures} pictures of {width}x{height}"));
        }
        let mut first_cells = [0; 4];
        for (level, stride) in strides.into_iter().enumerate() {
            first_cells[level + 1] = first_cells[level] + (height / stride) * (width / stride);
        }
        let all_cells = pictures * first_cells[3];
        let capacity = settings.capacity.unwrap_or(all_cells);
        let mut regions = Regions::default();
        // At the very beginning, whatever the batch.
        let _input = regions.take(INPUT_OFFSET + pictures * height * width * COLOURS);
        let answer = regions.take(CANDIDATES_OFFSET + capacity * Candidate::BYTES);
        let numbers = all_cells * CELL * size_of::<f32>();
        let boxes = regions.take(numbers);
        let classes = settings.keep_classes.then(|| regions.take(numbers));
        Ok(Self {
            settings,
            regions: Rc::new(RefCell::new(regions)),
            steps: Vec::new(),
            lane: 0,
            lanes: 1,
            answer,
            boxes,
            classes,
            capacity,
            #[cfg(test)]
            always: None,
            first_cells,
        })
    }

    /// What follows runs beside what the first lane does from here on, after all that it has done so far. From the first
    /// branch on, memory is not used again.
    pub fn branch(&mut self) {
        self.regions.borrow_mut().keep();
        self.lane = self.lanes;
        self.lanes += 1;
        self.steps.push(Step::Wait {
            lane: self.lane,
            other: 0,
        });
    }

    /// Back to the first lane.
    pub fn trunk(&mut self) {
        self.lane = 0;
    }

    /// A map whose numbers are left over from an earlier one.
    #[must_use]
    pub fn map(&self, channels: usize, height: usize, width: usize) -> Map {
        Map::new(&self.regions, self.settings.pictures, channels, (height, width))
    }

    /// Takes this kernel for all convolutions of its kind.
    #[cfg(test)]
    pub(crate) fn always(&mut self, tiling: &'static Tiling) {
        self.always = Some(tiling);
    }

    /// What is run.
    #[must_use]
    pub fn finish(mut self) -> Program {
        // All lanes end where the first one ends.
        self.steps
            .extend((1..self.lanes).map(|other| Step::Wait { lane: 0, other }));
        let work_bytes = self.regions.borrow().length();
        Program {
            pictures: self.settings.pictures,
            picture_bytes: self.settings.height * self.settings.width * COLOURS,
            steps: self.steps,
            lanes: self.lanes,
            work_bytes,
            answer: self.answer,
            boxes: self.boxes,
            classes: self.classes,
            capacity: self.capacity,
            cells: self.first_cells[3],
        }
    }

    fn launch(&mut self, kernel: Kernel, grid: [usize; 3], operation: Operation) -> Result<(), KernelError> {
        let mut blocks = [0; 3];
        for (target, source) in blocks.iter_mut().zip(grid) {
            *target = number(source)? as u32;
        }
        self.steps.push(Step::Launch(Launch {
            lane: self.lane,
            kernel,
            grid: blocks,
            threads: THREADS,
            operation,
        }));
        Ok(())
    }

    /// The first convolution, of the input, with half of its height and width.
    ///
    /// # Errors
    /// Where the input is too large.
    pub fn stem(&mut self, stem: &Stem) -> Result<Map, KernelError> {
        let PlanSettings {
            pictures,
            height,
            width,
            ..
        } = self.settings;
        let output = self.map(stem.outputs, height / 2, width / 2);
        let view = output.view();
        let operation = StemOperation {
            input: Place {
                space: Space::Work,
                offset: INPUT_OFFSET,
            },
            weight: stem.weight,
            bias: stem.bias,
            output: view.place,
            input_size: (number(height)?, number(width)?),
            outputs: number(stem.outputs)?,
            output_pitch: number(view.pitch)?,
        };
        let grid = [(width / 2).div_ceil(32), (height / 2).div_ceil(8), pictures];
        self.launch("stem", grid, Operation::Stem(operation))?;
        Ok(output)
    }

    /// A 1x1 convolution into a map of its own.
    ///
    /// # Errors
    /// Where the input does not fit.
    pub fn pointwise(&mut self, layer: &Pointwise, input: View<'_>) -> Result<Map, KernelError> {
        let output = self.map(layer.outputs, input.height, input.width);
        self.pointwise_into(layer, input, Beside::default(), output.view())?;
        Ok(output)
    }

    /// A 1x1 convolution into a part of a map, which must not be the one that is read.
    ///
    /// # Errors
    /// Where one of the maps does not fit.
    pub fn pointwise_into(
        &mut self,
        layer: &Pointwise,
        input: View<'_>,
        beside: Beside<'_>,
        output: View<'_>,
    ) -> Result<(), KernelError> {
        self.pixels(layer, None, input, beside, None, output)
    }

    /// A depthwise and a 1x1 convolution into a map of their own.
    ///
    /// # Errors
    /// Where the input does not fit.
    pub fn separable(&mut self, layer: &Separable, input: View<'_>) -> Result<Map, KernelError> {
        let output = self.separable_output(layer, input);
        self.separable_into(layer, input, Beside::default(), output.view())?;
        Ok(output)
    }

    /// As [`Self::separable`], of one level of the head, where cells whose objectness is too low may stay without output.
    /// Their boxes must have been predicted before.
    ///
    /// # Errors
    /// Where the input does not fit.
    pub fn separable_where_wanted(
        &mut self,
        layer: &Separable,
        input: View<'_>,
        level: usize,
    ) -> Result<Map, KernelError> {
        let output = self.separable_output(layer, input);
        let depthwise = Some(layer);
        self.pixels(
            &layer.pointwise,
            depthwise,
            input,
            Beside::default(),
            Some(level),
            output.view(),
        )?;
        Ok(output)
    }

    /// A depthwise and a 1x1 convolution into a part of a map, which must not be the one that is read.
    ///
    /// # Errors
    /// Where one of the maps does not fit.
    pub fn separable_into(
        &mut self,
        layer: &Separable,
        input: View<'_>,
        beside: Beside<'_>,
        output: View<'_>,
    ) -> Result<(), KernelError> {
        self.pixels(&layer.pointwise, Some(layer), input, beside, None, output)
    }

    fn separable_output(&self, layer: &Separable, input: View<'_>) -> Map {
        let along = |length: usize| length.div_ceil(layer.stride);
        self.map(layer.pointwise.outputs, along(input.height), along(input.width))
    }

    fn pixels(
        &mut self,
        layer: &Pointwise,
        depthwise: Option<&Separable>,
        input: View<'_>,
        beside: Beside<'_>,
        level: Option<usize>,
        output: View<'_>,
    ) -> Result<(), KernelError> {
        let stride = depthwise.map_or(1, |layer| layer.stride);
        let size = (input.height.div_ceil(stride), input.width.div_ceil(stride));
        if input.channels != layer.inputs || output.channels != layer.outputs {
            let reason = format!(
                "{} channels into {}, made for {} and {}",
                input.channels, output.channels, layer.inputs, layer.outputs
            );
            return misfit("convolution", reason);
        }
        let whole = |view: View<'_>| view.channels == layer.outputs && (view.height, view.width) == size;
        let half =
            |view: View<'_>| view.channels == layer.outputs && (2 * view.height, 2 * view.width) == size;
        if !whole(output) || !beside.residual.is_none_or(whole) || !beside.before.is_none_or(half) {
            return misfit("convolution", "what is written or added has another size");
        }
        let pixels = self.settings.pictures * size.0 * size.1;
        let first_cell = match level {
            None => 0,
            Some(level) => self.level(level, size)?,
        };
        let operation = Pixels {
            input: input.place,
            weight: layer.weight,
            bias: layer.bias,
            taps: depthwise.map(|layer| layer.taps),
            tap_bias: depthwise.map(|layer| layer.tap_bias),
            before: beside.before.map(|view| view.place),
            residual: beside.residual.map(|view| view.place),
            output: output.place,
            boxes: level.map(|_| self.boxes_place()),
            pixels: number(pixels)?,
            size: (number(size.0)?, number(size.1)?),
            input_size: (number(input.height)?, number(input.width)?),
            stride: number(stride)?,
            inputs: number(layer.inputs)?,
            outputs: number(layer.outputs)?,
            input_pitch: number(input.pitch)?,
            output_pitch: number(output.pitch)?,
            before_pitch: number(beside.before.map_or(0, |view| view.pitch))?,
            residual_pitch: number(beside.residual.map_or(0, |view| view.pitch))?,
            silu: layer.silu,
            cells: number(self.first_cells[3])?,
            first_cell: number(first_cell)?,
            least: self.settings.limits.least_objectness,
        };
        number(self.settings.pictures * input.height * input.width)?;
        let stride = depthwise.map(|layer| layer.stride);
        let tiling = choose(stride, pixels, size.1, layer.inputs, layer.outputs);
        #[cfg(test)]
        let tiling = self.always.unwrap_or(tiling);
        let grid = [
            pixels.div_ceil(TILE * tiling.tiles * WARPS),
            layer.outputs.div_ceil(CHUNK) / tiling.chunks,
            1,
        ];
        self.launch(tiling.kernel, grid, Operation::Pixels(Box::new(operation)))
    }

    /// Of a map with four equal parts: the first part's maxima over windows of 5, 9 and 13 into the others.
    ///
    /// # Errors
    /// Where the channels cannot be parted.
    pub fn pyramid(&mut self, joined: &Map) -> Result<(), KernelError> {
        self.pyramid_of(joined.part(0..joined.channels() / 4)?, joined)
    }

    /// The maxima of a map of its own.
    pub(crate) fn pyramid_of(&mut self, first: View<'_>, joined: &Map) -> Result<(), KernelError> {
        let part = joined.channels() / 4;
        let (height, width) = (joined.height(), joined.width());
        let pixels = self.settings.pictures * height * width;
        for step in 0..3 {
            let input = match step {
                0 => first,
                _ => joined.part(step * part..(step + 1) * part)?,
            };
            let output = joined.part((step + 1) * part..(step + 2) * part)?;
            let operation = Pool {
                input: input.place,
                output: output.place,
                pixels: number(pixels)?,
                size: (number(height)?, number(width)?),
                channels: number(part)?,
                input_pitch: number(input.pitch)?,
                output_pitch: number(output.pitch)?,
            };
            let lanes = pixels * (part / LANE);
            number(lanes)?;
            self.launch(
                "pool",
                [lanes.div_ceil(THREADS as usize), 1, 1],
                Operation::Pool(operation),
            )?;
        }
        Ok(())
    }

    /// Centre, size and objectness of every cell of a level.
    ///
    /// # Errors
    /// Where the input does not fit.
    pub fn predict_boxes(
        &mut self,
        layer: &Prediction,
        input: View<'_>,
        level: usize,
    ) -> Result<(), KernelError> {
        if layer.outputs != 5 {
            return misfit("prediction", format!("{} outputs for a box", layer.outputs));
        }
        self.predict("predict_boxes", layer, input, level)
    }

    /// The classes of a level's cells whose objectness is high enough, and from them the candidates. The boxes must have
    /// been predicted before.
    ///
    /// # Errors
    /// Where the input does not fit.
    pub fn predict_classes(
        &mut self,
        layer: &Prediction,
        input: View<'_>,
        level: usize,
    ) -> Result<(), KernelError> {
        self.predict("predict_classes", layer, input, level)
    }

    fn predict(
        &mut self,
        kernel: Kernel,
        layer: &Prediction,
        input: View<'_>,
        level: usize,
    ) -> Result<(), KernelError> {
        if input.channels != layer.inputs {
            let reason = format!("{} channels, made for {}", input.channels, layer.inputs);
            return misfit("prediction", reason);
        }
        let size = (input.height, input.width);
        let first_cell = self.level(level, size)?;
        let pixels = self.settings.pictures * size.0 * size.1;
        let work = |offset| Place {
            space: Space::Work,
            offset,
        };
        let operation = Predict {
            input: input.place,
            weight: layer.weight,
            bias: layer.bias,
            boxes: self.boxes_place(),
            classes: self.classes.as_ref().map(|region| work(region.start)),
            count: work(self.answer.start),
            candidates: work(self.answer.start + CANDIDATES_OFFSET),
            pictures: work(0),
            capacity: number(self.capacity)?,
            pixels: number(pixels)?,
            size: (number(size.0)?, number(size.1)?),
            inputs: number(layer.inputs)?,
            input_pitch: number(input.pitch)?,
            cells: number(self.first_cells[3])?,
            first_cell: number(first_cell)?,
            class_count: number(layer.outputs)?,
            stride: self.settings.strides[level] as f32,
            least: self.settings.limits.least_objectness,
            threshold: self.settings.limits.score,
        };
        let grid = [pixels.div_ceil(TILE * WARPS), 1, 1];
        self.launch(kernel, grid, Operation::Predict(Box::new(operation)))
    }

    /// The first cell of a level, whose map must have this size.
    fn level(&self, level: usize, size: (usize, usize)) -> Result<usize, KernelError> {
        let expected = |stride: &usize| (self.settings.height / stride, self.settings.width / stride);
        if self.settings.strides.get(level).map(expected) != Some(size) {
            return misfit(
                "prediction",
                format!("level {level} of {}x{} cells", size.1, size.0),
            );
        }
        Ok(self.first_cells[level])
    }

    fn boxes_place(&self) -> Place {
        Place {
            space: Space::Work,
            offset: self.boxes.start,
        }
    }
}

/// The kernels count in 32 bits.
fn number(count: usize) -> Result<i32, KernelError> {
    match i32::try_from(count) {
        Ok(count) => Ok(count),
        Err(_) => misfit(
            "plan",
            format!("{count} numbers are more than a launch can count"),
        ),
    }
}
