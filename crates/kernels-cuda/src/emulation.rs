//! The kernels on the host.

use std::ffi::{CString, c_char, c_int, c_void};
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::KernelError;
use crate::executor::{Machine, Program};
use crate::operation::{Bases, Launch, Step};

unsafe extern "C" {
    /// `kernels/emulation.cpp`.
    fn mineseal_emulate(
        name: *const c_char,
        grid: *const u32,
        threads: u32,
        parameters: *const c_void,
    ) -> c_int;
}

/// Memory whose beginning is as even as a device's.
pub(crate) struct Memory {
    lines: Vec<Line>,
    length: usize,
}

#[derive(Clone, Copy)]
#[repr(C, align(256))]
struct Line([u8; 256]);

impl Memory {
    /// Every number is NaN: what is read without having been written shows.
    fn poisoned(length: usize) -> Self {
        Self {
            lines: vec![Line([0xff; 256]); length.div_ceil(256)],
            length,
        }
    }

    pub(crate) fn holding(bytes: &[u8]) -> Self {
        let mut memory = Self::poisoned(bytes.len());
        memory.bytes_mut().copy_from_slice(bytes);
        memory
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: a `Line` is 256 bytes and nothing else, and there are enough of them for the length.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.length) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`; all bytes are valid for a `Line`.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.length) }
    }

    fn address(&self) -> u64 {
        self.lines.as_ptr() as u64
    }
}

pub(crate) struct Host {
    constants: Arc<Memory>,
    programs: Arc<[Program]>,
    work: Memory,
    input: Vec<u8>,
    answer: Vec<u8>,
}

impl Host {
    pub(crate) fn new(constants: &Arc<Memory>, programs: &Arc<[Program]>) -> Self {
        let work_bytes = programs
            .iter()
            .map(|program| program.work_bytes)
            .max()
            .unwrap_or(0);
        let inputs = programs
            .iter()
            .map(|program| crate::plan::INPUT_OFFSET + program.pictures * program.picture_bytes);
        Self {
            constants: Arc::clone(constants),
            programs: Arc::clone(programs),
            work: Memory::poisoned(work_bytes),
            input: vec![0; inputs.max().unwrap_or(0)],
            answer: Vec::new(),
        }
    }

    fn launch_all(&mut self, program: usize) -> Result<(), KernelError> {
        let answer = self.programs[program].answer.start;
        self.work.bytes_mut()[answer..answer + 4].fill(0);
        let programs = Arc::clone(&self.programs);
        let launches = latest_lane_first(&programs[program]);
        launches.into_iter().try_for_each(|launch| self.launch(launch))
    }

    fn launch(&mut self, launch: &Launch) -> Result<(), KernelError> {
        let bases = Bases {
            constants: self.constants.address(),
            work: self.work.lines.as_mut_ptr() as u64,
        };
        {
            let name = CString::new(launch.kernel).unwrap_or_default();
            let parameters = launch.operation.parameters(bases);
            // SAFETY: the parameters are the structure that the kernel of this name takes, and all its addresses lie in
            // the two memories, which live on and of which nobody else holds a reference to the one that is written.
            let code = unsafe {
                mineseal_emulate(
                    name.as_ptr(),
                    launch.grid.as_ptr(),
                    launch.threads,
                    parameters.as_ptr(),
                )
            };
            if code != 0 {
                return Err(KernelError::Driver {
                    what: "emulate a kernel",
                    reason: format!("{name:?} gave {code}"),
                });
            }
        }
        Ok(())
    }
}

/// The launches in an order that a device might take as well as the one in which they were written down: further lanes
/// before earlier ones, as soon as what they wait for is done.
fn latest_lane_first(program: &Program) -> Vec<&Launch> {
    let lane_of = |step: &Step| match step {
        Step::Launch(launch) => launch.lane,
        Step::Wait { lane, .. } => *lane,
    };
    let mut pending: Vec<(usize, &Step)> = program.steps.iter().enumerate().collect();
    let mut launches = Vec::new();
    while !pending.is_empty() {
        let ready = (0..program.lanes).rev().find_map(|lane| {
            let place = pending.iter().position(|(_, step)| lane_of(step) == lane)?;
            let (number, step) = pending[place];
            let blocked = |other: usize| {
                let before = |(earlier, step): &(usize, &Step)| *earlier < number && lane_of(step) == other;
                pending.iter().any(before)
            };
            match step {
                Step::Wait { other, .. } if blocked(*other) => None,
                _ => Some(place),
            }
        });
        // The step that was written down first waits for nothing that is pending.
        let (_, step) = pending.remove(ready.unwrap_or(0));
        if let Step::Launch(launch) = step {
            launches.push(launch);
        }
    }
    launches
}

impl Machine for Host {
    fn input(&mut self) -> &mut [u8] {
        &mut self.input
    }

    fn run(&mut self, program: usize, upload: usize) -> Result<&[u8], KernelError> {
        self.work.bytes_mut()[..upload].copy_from_slice(&self.input[..upload]);
        self.launch_all(program)?;
        let program = &self.programs[program];
        let start = program.answer.start;
        self.answer.clear();
        self.answer
            .extend_from_slice(&self.work.bytes()[start..start + program.first_answer()]);
        Ok(&self.answer)
    }

    fn read(&mut self, bytes: Range<usize>) -> Result<Vec<u8>, KernelError> {
        Ok(self.work.bytes()[bytes].to_vec())
    }

    fn repeat(&mut self, program: usize, times: usize) -> Result<Duration, KernelError> {
        let started = Instant::now();
        for _ in 0..times {
            self.launch_all(program)?;
        }
        Ok(started.elapsed())
    }

    fn profile(&mut self, program: usize, times: usize) -> Result<Vec<Duration>, KernelError> {
        let programs = Arc::clone(&self.programs);
        let timed = programs[program].launch_steps().map(|launch| {
            let started = Instant::now();
            for _ in 0..times {
                self.launch(launch)?;
            }
            Ok(started.elapsed())
        });
        timed.collect()
    }
}
