//! The kernels on a device, through the driver's library, which is loaded when the first device is asked for.

use std::ffi::{CString, c_void};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use cudarc::driver::sys::{
    CUdeviceptr, CUevent_flags, CUfunction, CUgraphInstantiate_flags, CUmodule, CUstreamCaptureMode,
};
use cudarc::driver::{CudaContext, CudaEvent, CudaGraph, CudaStream, DriverError, result, sys};

use crate::error::KernelError;
use crate::executor::{Machine, Program};
use crate::operation::{Bases, Kernel, Launch, Step};
use crate::plan::{CANDIDATES_OFFSET, INPUT_OFFSET};
use crate::tiling::kernels;

/// The compiled kernels; empty where there was no compiler.
const IMAGE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/kernels.fatbin"));
/// The kernels use the tensor cores as they are from compute capability 8.0 on.
const LEAST_CAPABILITY: i32 = 8;

fn failed(what: &'static str) -> impl Fn(DriverError) -> KernelError {
    move |error| KernelError::Driver {
        what,
        reason: reason(error),
    }
}

fn reason(error: DriverError) -> String {
    let text = |found: Result<&std::ffi::CStr, DriverError>| {
        found.map_or_else(|_| "?".to_owned(), |text| text.to_string_lossy().into_owned())
    };
    format!("{} ({})", text(error.error_string()), text(error.error_name()))
}

/// Held while a stream and its graphs are made: what one thread asks of the driver must not fall into the recording of
/// another's graph.
static OPENING: Mutex<()> = Mutex::new(());

/// An opened device with the kernels on it.
pub struct Device {
    context: Arc<CudaContext>,
    module: CUmodule,
    functions: Vec<(Kernel, CUfunction)>,
    name: String,
}

// SAFETY: handles of modules and functions belong to the context and may be used by every thread that has made it its
// current one, which every method does first; nothing of them is changed after `open`.
unsafe impl Send for Device {}
// SAFETY: as above.
unsafe impl Sync for Device {}

impl Device {
    pub(crate) fn open(number: usize) -> Result<Self, KernelError> {
        // SAFETY: it loads a library by its well-known name and runs the library's own beginning, nothing else.
        if !unsafe { sys::is_culib_present() } {
            return Err(KernelError::NoDriver);
        }
        if IMAGE.is_empty() {
            return Err(KernelError::NoKernels);
        }
        let unusable = |error| KernelError::NoDevice(reason(error));
        result::init().map_err(unusable)?;
        let found = result::device::get_count().map_err(unusable)?;
        let found = usize::try_from(found).unwrap_or(0);
        if number >= found {
            return Err(KernelError::DeviceNumber {
                wanted: number,
                found,
            });
        }
        let context = CudaContext::new(number).map_err(unusable)?;
        let name = context.name().map_err(unusable)?;
        let (major, minor) = context.compute_capability().map_err(unusable)?;
        if major < LEAST_CAPABILITY {
            return Err(KernelError::TooOld { name, major, minor });
        }
        // SAFETY: events order the use of `CudaSlice` by several streams, and there is none here: every stream has memory
        // of its own. With them, making a stream would wait for the whole device.
        unsafe { context.disable_event_tracking() };
        // Who waits for the device leaves the processor to those who decode pictures.
        context
            .set_blocking_synchronize()
            .map_err(failed("choose how to wait"))?;
        // SAFETY: the image is what nvcc made, and the driver reads no further than its own length fields say.
        let module = unsafe { result::module::load_data(IMAGE.as_ptr().cast()) }
            .map_err(failed("load the kernels; the driver may be too old for them"))?;
        let mut device = Self {
            context,
            module,
            functions: Vec::new(),
            name,
        };
        for kernel in kernels() {
            let name = CString::new(kernel).unwrap_or_default();
            // SAFETY: the module was loaded above and is unloaded when the device is dropped.
            let function = unsafe { result::module::get_function(module, name) };
            device
                .functions
                .push((kernel, function.map_err(failed("find a kernel"))?));
        }
        Ok(device)
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn bind(&self) -> Result<(), KernelError> {
        self.context
            .bind_to_thread()
            .map_err(failed("use the device from a thread"))
    }

    fn function(&self, kernel: Kernel) -> Option<CUfunction> {
        let found = self.functions.iter().find(|(one, _)| *one == kernel);
        found.map(|(_, function)| *function)
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        if self.bind().is_ok() {
            // SAFETY: streams and graphs hold the device, so that nothing uses the module any more.
            unsafe { result::module::unload(self.module) }.ok();
        }
    }
}

/// Memory of a device.
pub(crate) struct DeviceMemory {
    device: Arc<Device>,
    address: CUdeviceptr,
}

impl DeviceMemory {
    fn new(device: &Arc<Device>, length: usize) -> Result<Self, KernelError> {
        device.bind()?;
        // SAFETY: it only asks for memory; nobody reads it before it is written.
        let address = unsafe { result::malloc_sync(length.max(1)) }.map_err(failed("get memory"))?;
        Ok(Self {
            device: Arc::clone(device),
            address,
        })
    }

    pub(crate) fn holding(device: &Arc<Device>, bytes: &[u8]) -> Result<Self, KernelError> {
        let memory = Self::new(device, bytes.len())?;
        // SAFETY: the memory is as long as the bytes.
        unsafe { result::memcpy_htod_sync(memory.address, bytes) }.map_err(failed("upload weights"))?;
        Ok(memory)
    }
}

impl Drop for DeviceMemory {
    fn drop(&mut self) {
        if self.device.bind().is_ok() {
            // SAFETY: it came from `malloc_sync`; the driver waits for launches that still use it.
            unsafe { result::free_sync(self.address) }.ok();
        }
    }
}

/// Memory of the host that the device copies from and to by itself.
struct PinnedMemory {
    device: Arc<Device>,
    start: *mut u8,
    length: usize,
}

// SAFETY: it is plain memory with one owner.
unsafe impl Send for PinnedMemory {}

impl PinnedMemory {
    fn new(device: &Arc<Device>, length: usize) -> Result<Self, KernelError> {
        device.bind()?;
        // SAFETY: it only asks for memory, which is filled at once.
        let start = unsafe { result::malloc_host(length.max(1), 0) }
            .map_err(failed("get memory of the host"))?
            .cast::<u8>();
        // SAFETY: the memory is that long.
        unsafe { start.write_bytes(0, length) };
        Ok(Self {
            device: Arc::clone(device),
            start,
            length,
        })
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: so many bytes were given and written; every copy by the device is waited for before this is called.
        unsafe { std::slice::from_raw_parts(self.start, self.length) }
    }

    fn bytes_mut(&mut self) -> &mut [u8] {
        // SAFETY: as in `bytes`.
        unsafe { std::slice::from_raw_parts_mut(self.start, self.length) }
    }
}

impl Drop for PinnedMemory {
    fn drop(&mut self) {
        if self.device.bind().is_ok() {
            // SAFETY: it came from `malloc_host`.
            unsafe { result::free_host(self.start.cast()) }.ok();
        }
    }
}

/// One user of a device: a stream, memory to work in, and a graph for each program. Fields are dropped in this order.
pub(crate) struct Stream {
    graphs: Vec<CudaGraph>,
    /// The first is the one that everything else waits for; the others are the further lanes of graphs.
    stream: Arc<CudaStream>,
    lanes: Vec<Arc<CudaStream>>,
    work: DeviceMemory,
    input: PinnedMemory,
    answer: PinnedMemory,
    constants: Arc<DeviceMemory>,
    programs: Arc<[Program]>,
    device: Arc<Device>,
}

// SAFETY: a graph may be used by one thread at a time, and a `Stream` is only used through `&mut`.
unsafe impl Send for Stream {}

impl Stream {
    pub(crate) fn new(
        device: &Arc<Device>,
        constants: &Arc<DeviceMemory>,
        programs: &Arc<[Program]>,
    ) -> Result<Self, KernelError> {
        let _opening = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
        device.bind()?;
        let most = |length: fn(&Program) -> usize| programs.iter().map(length).max().unwrap_or(0);
        let stream = device.context.new_stream().map_err(failed("make a stream"))?;
        let more = most(|program| program.lanes).saturating_sub(1);
        let lanes = (0..more).map(|_| device.context.new_stream().map_err(failed("make a stream")));
        let mut made = Self {
            graphs: Vec::with_capacity(programs.len()),
            stream,
            lanes: lanes.collect::<Result<_, _>>()?,
            work: DeviceMemory::new(device, most(|program| program.work_bytes))?,
            input: PinnedMemory::new(
                device,
                most(|program| INPUT_OFFSET + program.pictures * program.picture_bytes),
            )?,
            answer: PinnedMemory::new(device, most(Program::first_answer))?,
            constants: Arc::clone(constants),
            programs: Arc::clone(programs),
            device: Arc::clone(device),
        };
        for program in programs.iter() {
            let graph = made.capture(program)?;
            made.graphs.push(graph);
        }
        Ok(made)
    }

    /// Makes a program into one graph, which is then started with one call.
    fn capture(&self, program: &Program) -> Result<CudaGraph, KernelError> {
        let mode = CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        self.stream.begin_capture(mode).map_err(failed("begin a graph"))?;
        let written = self.write_down(program);
        let graph = self.stream.end_capture(CUgraphInstantiate_flags(0));
        written?;
        let graph = graph.map_err(failed("end a graph"))?;
        let graph = graph.ok_or_else(|| KernelError::Driver {
            what: "make a graph",
            reason: "it is empty".to_owned(),
        })?;
        graph.upload().map_err(failed("upload a graph"))?;
        Ok(graph)
    }

    fn bases(&self) -> Bases {
        Bases {
            constants: self.constants.address,
            work: self.work.address,
        }
    }

    fn event(&self) -> Result<CudaEvent, KernelError> {
        let flags = Some(CUevent_flags::CU_EVENT_DEFAULT);
        let event = self
            .device
            .context
            .new_event(flags)
            .map_err(failed("make an event"))?;
        event.record(&self.stream).map_err(failed("record an event"))?;
        Ok(event)
    }

    fn write_down(&self, program: &Program) -> Result<(), KernelError> {
        let stream = self.stream.cu_stream();
        let count = self.work.address + program.answer.start as u64;
        // SAFETY: the answer lies in the memory that programs work in.
        unsafe { result::memset_d8_async(count, 0, CANDIDATES_OFFSET, stream) }
            .map_err(failed("clear the count"))?;
        program.steps.iter().try_for_each(|step| match step {
            Step::Launch(launch) => self.launch(launch, self.lane(launch.lane)),
            Step::Wait { lane, other } => self
                .lane(*lane)
                .join(self.lane(*other))
                .map_err(failed("let one lane wait for another")),
        })
    }

    fn lane(&self, number: usize) -> &CudaStream {
        let further = number.checked_sub(1).and_then(|further| self.lanes.get(further));
        further.unwrap_or(&self.stream)
    }

    fn launch(&self, launch: &Launch, stream: &CudaStream) -> Result<(), KernelError> {
        {
            let Some(function) = self.device.function(launch.kernel) else {
                return Err(KernelError::NoKernels);
            };
            let parameters = launch.operation.parameters(self.bases());
            let mut pointers: [*mut c_void; 1] = [parameters.as_ptr().cast_mut()];
            let [x, y, z] = launch.grid;
            // SAFETY: the parameters are the structure that this kernel takes, which the driver copies before it
            // returns; all addresses in it lie in the weights and in the memory that programs work in, which live as
            // long as the graph; the plan has made sure that every map is large enough for what the launch does.
            unsafe {
                result::launch_kernel(
                    function,
                    (x, y, z),
                    (launch.threads, 1, 1),
                    0,
                    stream.cu_stream(),
                    &mut pointers,
                )
            }
            .map_err(failed("launch a kernel"))?;
        }
        Ok(())
    }

    fn wait(&self) -> Result<(), KernelError> {
        self.stream.synchronize().map_err(failed("run the net"))
    }

    fn start(&self, program: usize) -> Result<(), KernelError> {
        match self.graphs.get(program) {
            Some(graph) => graph.launch().map_err(failed("start a graph")),
            None => Err(KernelError::NoKernels),
        }
    }
}

/// By the device's clock.
fn between(begun: &CudaEvent, ended: &CudaEvent) -> Result<Duration, KernelError> {
    let milliseconds = begun
        .elapsed_ms(ended)
        .map_err(failed("read the device's clock"))?;
    Ok(Duration::from_secs_f64(f64::from(milliseconds) / 1000.0))
}

impl Machine for Stream {
    fn input(&mut self) -> &mut [u8] {
        self.input.bytes_mut()
    }

    fn run(&mut self, program: usize, upload: usize) -> Result<&[u8], KernelError> {
        self.device.bind()?;
        let stream = self.stream.cu_stream();
        // SAFETY: input and working memory are at least that long, and both are left alone until `wait`.
        unsafe { result::memcpy_htod_async(self.work.address, &self.input.bytes()[..upload], stream) }
            .map_err(failed("upload pictures"))?;
        self.start(program)?;
        let (start, length) = {
            let program = &self.programs[program];
            (program.answer.start as u64, program.first_answer())
        };
        let source = self.work.address + start;
        // SAFETY: as above, for the answer.
        unsafe { result::memcpy_dtoh_async(&mut self.answer.bytes_mut()[..length], source, stream) }
            .map_err(failed("bring candidates back"))?;
        self.wait()?;
        Ok(&self.answer.bytes()[..length])
    }

    fn read(&mut self, bytes: Range<usize>) -> Result<Vec<u8>, KernelError> {
        self.device.bind()?;
        let mut found = vec![0; bytes.len()];
        // SAFETY: the range lies in the working memory, and nothing runs on it: `run` has waited.
        unsafe { result::memcpy_dtoh_sync(&mut found, self.work.address + bytes.start as u64) }
            .map_err(failed("read from the device"))?;
        Ok(found)
    }

    fn repeat(&mut self, program: usize, times: usize) -> Result<Duration, KernelError> {
        self.device.bind()?;
        let begun = self.event()?;
        for _ in 0..times {
            self.start(program)?;
        }
        let ended = self.event()?;
        self.wait()?;
        between(&begun, &ended)
    }

    fn profile(&mut self, program: usize, times: usize) -> Result<Vec<Duration>, KernelError> {
        self.device.bind()?;
        let timed = self.programs[program].launch_steps().map(|launch| {
            self.launch(launch, &self.stream)?;
            let begun = self.event()?;
            for _ in 0..times {
                self.launch(launch, &self.stream)?;
            }
            let ended = self.event()?;
            self.wait()?;
            between(&begun, &ended)
        });
        timed.collect()
    }
}
