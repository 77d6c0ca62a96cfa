use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::constants::Constants;
use crate::error::KernelError;
use crate::operation::{Candidate, Launch, Step};
use crate::plan::{CANDIDATES_OFFSET, CELL, INPUT_OFFSET};

/// Candidates for each picture that are brought back at once, without asking how many there are.
const FIRST_CANDIDATES: usize = 128;

/// Where plans are run.
#[derive(Clone)]
pub enum Processor {
    /// A device.
    #[cfg(feature = "device")]
    Cuda(Arc<crate::cuda::Device>),
    /// The host.
    #[cfg(feature = "emulation")]
    Emulation,
}

/// Weights in a processor's memory. Cheap to clone.
#[derive(Clone)]
pub(crate) enum Loaded {
    #[cfg(feature = "device")]
    Cuda(Arc<crate::cuda::DeviceMemory>),
    #[cfg(feature = "emulation")]
    Emulation(Arc<crate::emulation::Memory>),
}

/// A finished plan.
#[derive(Clone, Debug)]
pub struct Program {
    pub(crate) pictures: usize,
    pub(crate) picture_bytes: usize,
    pub(crate) steps: Vec<Step>,
    pub(crate) lanes: usize,
    pub(crate) work_bytes: usize,
    pub(crate) answer: Range<usize>,
    pub(crate) boxes: Range<usize>,
    pub(crate) classes: Option<Range<usize>>,
    pub(crate) capacity: usize,
    pub(crate) cells: usize,
}

impl Program {
    /// Bytes of memory that it needs beside the weights.
    #[must_use]
    pub fn work_bytes(&self) -> usize {
        self.work_bytes
    }

    /// How many kernels are launched.
    #[must_use]
    pub fn launches(&self) -> usize {
        self.launch_steps().count()
    }

    pub(crate) fn launch_steps(&self) -> impl Iterator<Item = &Launch> {
        self.steps.iter().filter_map(|step| match step {
            Step::Launch(launch) => Some(launch),
            Step::Wait { .. } => None,
        })
    }

    /// Bytes that are brought back at once.
    pub(crate) fn first_answer(&self) -> usize {
        (CANDIDATES_OFFSET + FIRST_CANDIDATES * self.pictures * Candidate::BYTES).min(self.answer.len())
    }
}

/// What runs programs; one thread at a time.
pub(crate) trait Machine: Send {
    /// What is uploaded: the number of pictures, and from `INPUT_OFFSET` on the pictures.
    fn input(&mut self) -> &mut [u8];
    /// Uploads the first `upload` bytes of the input, runs a program and brings the first bytes of its answer back.
    fn run(&mut self, program: usize, upload: usize) -> Result<&[u8], KernelError>;
    /// Reads from the memory that programs work in.
    fn read(&mut self, bytes: Range<usize>) -> Result<Vec<u8>, KernelError>;
    /// Runs a program over and over on what was uploaded last; how long all took together.
    fn repeat(&mut self, program: usize, times: usize) -> Result<Duration, KernelError>;
    /// Runs each launch of a program over and over; how long each took, all `times` together.
    fn profile(&mut self, program: usize, times: usize) -> Result<Vec<Duration>, KernelError>;
}

/// Runs the programs of a net, one for each size of a batch.
pub struct Executor {
    processor: Processor,
    loaded: Loaded,
    machine: Box<dyn Machine>,
    programs: Arc<[Program]>,
}

/// What all cells say, before any threshold.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// For each cell of each picture: centre x and y, width, height, objectness, and three numbers without meaning.
    pub boxes: Vec<f32>,
    /// For each cell of each picture 8 classes, of which the net's come first; only of cells whose objectness is high
    /// enough, and empty where the plan does not keep them.
    pub classes: Vec<f32>,
}

impl Processor {
    /// The device of this number, from 0.
    ///
    /// # Errors
    /// Where there is none, or none that serves.
    #[cfg(feature = "device")]
    pub fn device(number: usize) -> Result<Self, KernelError> {
        Ok(Self::Cuda(Arc::new(crate::cuda::Device::open(number)?)))
    }

    /// Its name, for people.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            #[cfg(feature = "device")]
            Self::Cuda(device) => device.name(),
            #[cfg(feature = "emulation")]
            Self::Emulation => "emulation on the host",
        }
    }

    fn load(&self, constants: &Constants) -> Result<Loaded, KernelError> {
        match self {
            #[cfg(feature = "device")]
            Self::Cuda(device) => {
                let memory = crate::cuda::DeviceMemory::holding(device, constants.bytes())?;
                Ok(Loaded::Cuda(Arc::new(memory)))
            }
            #[cfg(feature = "emulation")]
            Self::Emulation => {
                let memory = crate::emulation::Memory::holding(constants.bytes());
                Ok(Loaded::Emulation(Arc::new(memory)))
            }
        }
    }

    fn machine(&self, loaded: &Loaded, programs: &Arc<[Program]>) -> Result<Box<dyn Machine>, KernelError> {
        match (self, loaded) {
            #[cfg(feature = "device")]
            (Self::Cuda(device), Loaded::Cuda(constants)) => {
                Ok(Box::new(crate::cuda::Stream::new(device, constants, programs)?))
            }
            #[cfg(feature = "emulation")]
            (Self::Emulation, Loaded::Emulation(constants)) => {
                Ok(Box::new(crate::emulation::Host::new(constants, programs)))
            }
            #[cfg(all(feature = "device", feature = "emulation"))]
            _ => Err(KernelError::NoKernels),
        }
    }
}

impl Executor {
    /// Brings the weights and the programs to the processor.
    ///
    /// # Errors
    /// Where the processor refuses, for lack of memory for example.
    pub fn new(
        processor: &Processor,
        constants: &Constants,
        mut programs: Vec<Program>,
    ) -> Result<Self, KernelError> {
        programs.sort_by_key(|program| program.pictures);
        let loaded = processor.load(constants)?;
        let programs: Arc<[Program]> = programs.into();
        Ok(Self {
            machine: processor.machine(&loaded, &programs)?,
            processor: processor.clone(),
            loaded,
            programs,
        })
    }

    /// One more, for another thread; both share the weights.
    ///
    /// # Errors
    /// As for `new`.
    pub fn another(&self) -> Result<Self, KernelError> {
        self.with(Arc::clone(&self.programs))
    }

    /// One with other programs over the same weights.
    ///
    /// # Errors
    /// As for `new`.
    pub fn beside(&self, mut programs: Vec<Program>) -> Result<Self, KernelError> {
        programs.sort_by_key(|program| program.pictures);
        self.with(programs.into())
    }

    fn with(&self, programs: Arc<[Program]>) -> Result<Self, KernelError> {
        Ok(Self {
            machine: self.processor.machine(&self.loaded, &programs)?,
            processor: self.processor.clone(),
            loaded: self.loaded.clone(),
            programs,
        })
    }

    /// Where it runs.
    #[must_use]
    pub fn processor(&self) -> &Processor {
        &self.processor
    }

    /// Pictures of the largest batch.
    #[must_use]
    pub fn max_pictures(&self) -> usize {
        self.programs.last().map_or(0, |program| program.pictures)
    }

    /// The smallest program for so many pictures.
    fn program(&self, pictures: usize) -> Result<usize, KernelError> {
        let found = self
            .programs
            .iter()
            .position(|program| program.pictures >= pictures);
        found.ok_or_else(|| KernelError::Shape {
            operation: "batch",
            reason: format!(
                "{pictures} pictures, at most {} are possible",
                self.max_pictures()
            ),
        })
    }

    /// Where `pictures` pictures are drawn: bytes, `[pictures, height, width, 3]`, blue first.
    ///
    /// # Errors
    /// Where they are too many.
    pub fn input(&mut self, pictures: usize) -> Result<&mut [u8], KernelError> {
        let program = self.program(pictures)?;
        let length = pictures * self.programs[program].picture_bytes;
        Ok(&mut self.machine.input()[INPUT_OFFSET..INPUT_OFFSET + length])
    }

    /// Looks at the pictures that were drawn. Candidates come picture by picture, in the order of the cells.
    ///
    /// # Errors
    /// Where the device fails, and where there are more candidates than the plan has room for.
    pub fn run(&mut self, pictures: usize) -> Result<Vec<Candidate>, KernelError> {
        let index = self.start(pictures)?;
        let program = &self.programs[index];
        let upload = INPUT_OFFSET + pictures * program.picture_bytes;
        let (answer, first, capacity) = (program.answer.clone(), program.first_answer(), program.capacity);
        let brought = self.machine.run(index, upload)?;
        let count = count(brought);
        if count > capacity {
            return Err(KernelError::TooManyCandidates {
                found: count,
                room: capacity,
            });
        }
        let length = CANDIDATES_OFFSET + count * Candidate::BYTES;
        let mut candidates = read_candidates(&brought[CANDIDATES_OFFSET..length.min(first)]);
        if length > first {
            let rest = self.machine.read(answer.start + first..answer.start + length)?;
            candidates.extend(read_candidates(&rest));
        }
        candidates.sort_unstable_by_key(|candidate| (candidate.picture, candidate.cell));
        Ok(candidates)
    }

    /// What all cells of the pictures say that were looked at last, `pictures` in number.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn raw(&mut self, pictures: usize) -> Result<Answer, KernelError> {
        let index = self.program(pictures)?;
        let program = &self.programs[index];
        let length = pictures * program.cells * CELL * size_of::<f32>();
        let (boxes, classes) = (program.boxes.start, program.classes.as_ref().map(|one| one.start));
        let mut numbers = |start: usize| -> Result<Vec<f32>, KernelError> {
            let bytes = self.machine.read(start..start + length)?;
            let (words, _) = bytes.as_chunks::<4>();
            Ok(words.iter().map(|&word| f32::from_le_bytes(word)).collect())
        };
        Ok(Answer {
            boxes: numbers(boxes)?,
            classes: classes.map_or_else(|| Ok(Vec::new()), numbers)?,
        })
    }

    /// Looks at the pictures that were uploaded last `times` times, without bringing anything back: how long the net
    /// alone takes.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn repeat(&mut self, pictures: usize, times: usize) -> Result<Duration, KernelError> {
        let program = self.program(pictures)?;
        self.machine.repeat(program, times)
    }

    /// Runs each launch for `pictures` pictures `times` times in a row: what it is, and how long all together took. A
    /// launch that follows itself finds in the caches what it would not find there in its place in the net.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn profile(&mut self, pictures: usize, times: usize) -> Result<Vec<(String, Duration)>, KernelError> {
        let index = self.program(pictures)?;
        let durations = self.machine.profile(index, times)?;
        let labels = self.programs[index].launch_steps().map(Launch::label);
        Ok(labels.zip(durations).collect())
    }

    /// Any bytes of the working memory.
    #[cfg(test)]
    pub(crate) fn read(&mut self, bytes: Range<usize>) -> Result<Vec<u8>, KernelError> {
        self.machine.read(bytes)
    }

    fn start(&mut self, pictures: usize) -> Result<usize, KernelError> {
        let program = self.program(pictures)?;
        // As many as a plan has fit into 32 bits.
        self.machine.input()[..4].copy_from_slice(&(pictures as u32).to_le_bytes());
        Ok(program)
    }
}

fn count(answer: &[u8]) -> usize {
    answer
        .first_chunk::<4>()
        .map_or(0, |bytes| u32::from_le_bytes(*bytes) as usize)
}

fn read_candidates(bytes: &[u8]) -> Vec<Candidate> {
    bytes
        .as_chunks::<{ Candidate::BYTES }>()
        .0
        .iter()
        .map(Candidate::read)
        .collect()
}
