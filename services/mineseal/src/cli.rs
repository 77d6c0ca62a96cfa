use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use mineseal_detector::Device;

/// mineseal, the coal-mine electronic seal: counts who goes underground, watches whether a mine works, raises
/// alarms with evidence.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
pub(crate) struct Cli {
    /// Configuration file in TOML; the environment (MINESEAL_SECTION__KEY) lies over it.
    #[arg(long, global = true, env = "MINESEAL_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Folder of everything that is kept on this machine (data_directory).
    #[arg(long, global = true, value_name = "FOLDER")]
    pub(crate) data: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Start everything on this machine and keep it running until Ctrl-C.
    Up(UpArguments),
    /// Stop the `mineseal up` that runs in the data folder.
    Down,
    /// Say how the running system is: services, lag, latency, headcounts.
    Status,
    /// Create missing topics and apply ClickHouse migrations, then end: for a cluster, before its services start.
    Prepare,
    /// Count crossings of a line in a video.
    Count(CountArguments),
    /// Find people and vehicles in pictures.
    Detect(DetectArguments),
    /// Track given detections (MOTChallenge format).
    Track(TrackArguments),
    /// Registered mines and cameras.
    #[command(subcommand)]
    Mines(MinesCommand),
    /// Single cameras.
    #[command(subcommand)]
    Camera(CameraCommand),
    /// The configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Run recorded detections through the counting rules again and print what comes out.
    Replay(ReplayArguments),
    /// Say why a crossing was counted.
    Explain(ExplainArguments),
    /// Correct headcounts.
    #[command(subcommand)]
    Headcount(HeadcountCommand),
    /// Give files of a mine's positioning system (人员定位) to the counter, which compares them with its count.
    Positioning(PositioningArguments),
    /// Render mine scenes with exact ground truth.
    #[command(subcommand)]
    Scene(SceneCommand),
    /// Files of weights: what is in one, and from other forms into ours.
    #[command(subcommand)]
    Weights(WeightsCommand),
    /// Train the detector on rendered scenes.
    Train(TrainArguments),
    /// Train the detector on rendered scenes and hold it to open weights on real pictures.
    Distil(DistilArguments),
}

#[derive(Args)]
pub(crate) struct UpArguments {
    /// File of mines and cameras; without it, three rendered mines play.
    #[arg(long, value_name = "FILE")]
    pub(crate) mines: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Classes {
    Person,
    Vehicle,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum AnchorName {
    Foot,
    Centre,
}

#[derive(Args)]
pub(crate) struct CountArguments {
    /// The video.
    pub(crate) video: PathBuf,
    /// The line, in pixels of the video: X1,Y1,X2,Y2. Going from the negative to the positive side of
    /// (x2-x1)(y-y1)-(y2-y1)(x-x1) is `in`.
    #[arg(long, value_name = "X1,Y1,X2,Y2", allow_hyphen_values = true)]
    pub(crate) line: String,
    /// Sampled frames in a second of media time; without it 10, or all where the video has fewer.
    #[arg(long)]
    pub(crate) fps: Option<f64>,
    /// What is counted.
    #[arg(long, value_enum, default_value = "person")]
    pub(crate) classes: Classes,
    /// Which point of the box crosses; without it the foot for persons, the centre for vehicles.
    #[arg(long, value_enum)]
    pub(crate) anchor: Option<AnchorName>,
    #[command(flatten)]
    pub(crate) detector: DetectorArguments,
    /// Write the video with boxes, tracks, line and running count.
    #[arg(long, value_name = "OUT.mp4")]
    pub(crate) draw: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct DetectorArguments {
    /// Weights in safetensors; without it the ones for rendered scenes that the product brings.
    #[arg(long, value_name = "FILE")]
    pub(crate) weights: Option<PathBuf>,
    /// Where the detector runs: cpu, or cuda:0 for the first NVIDIA device.
    #[arg(long, default_value_t = Device::Cpu)]
    pub(crate) device: Device,
    /// Width and height of the detector's input, such as 640x384; without it what the weights suggest.
    #[arg(long, value_name = "WxH")]
    pub(crate) input: Option<String>,
}

#[derive(Args)]
pub(crate) struct DetectArguments {
    /// JPEG or PNG files.
    #[arg(required = true)]
    pub(crate) pictures: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) detector: DetectorArguments,
    /// Boxes below this score are left out, 0 to 1.
    #[arg(long, default_value_t = 0.3)]
    pub(crate) score: f32,
}

#[derive(Args)]
pub(crate) struct TrackArguments {
    /// Rows: frame, -1, left, top, width, height, score.
    pub(crate) detections: PathBuf,
    /// Frames in a second.
    #[arg(long)]
    pub(crate) fps: f64,
}

#[derive(Subcommand)]
pub(crate) enum MinesCommand {
    /// Register the mines and cameras of a file.
    Apply {
        /// The file; see config/mines.example.toml.
        file: PathBuf,
        /// Remove mines and cameras that the file does not name.
        #[arg(long)]
        prune: bool,
    },
    /// Show what is registered.
    List,
}

#[derive(Args)]
pub(crate) struct SourceArguments {
    /// An rtsp:// address (rtspu:// over UDP), a video file, or a folder of pictures.
    pub(crate) source: String,
    /// File with user:password, so that they stand in no list of processes.
    #[arg(long, value_name = "FILE")]
    pub(crate) credential: Option<PathBuf>,
    /// Take an RTSP stream over UDP.
    #[arg(long)]
    pub(crate) udp: bool,
}

#[derive(Subcommand)]
pub(crate) enum CameraCommand {
    /// Say what a camera gives, and whether that is enough: 1920x1080, 15 frames a second, 2 Mb/s.
    Probe {
        #[command(flatten)]
        source: SourceArguments,
        /// Seconds of video that are looked at.
        #[arg(long, default_value_t = 5.0)]
        seconds: f64,
        /// Write the first whole picture into this file.
        #[arg(long, value_name = "FILE.jpg")]
        snapshot: Option<PathBuf>,
    },
    /// Write a picture of a camera at its full size.
    Snapshot {
        #[command(flatten)]
        source: SourceArguments,
        /// The file.
        #[arg(value_name = "FILE.jpg")]
        file: PathBuf,
    },
    /// Accept what a registered camera shows from now on: its view and the size of its picture are learnt anew.
    Accept {
        /// Its code.
        code: String,
    },
}

#[derive(Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check configuration and, if given, a file of mines.
    Check {
        /// A file of mines and cameras.
        #[arg(long, value_name = "FILE")]
        mines: Option<PathBuf>,
    },
    /// Print the JSON schema of the configuration file.
    Schema,
    /// Print the configuration as it takes effect.
    Show,
}

#[derive(Args)]
pub(crate) struct ReplayArguments {
    /// File of mines and cameras whose lines and limits are used; without it those that are registered.
    #[arg(long, value_name = "FILE")]
    pub(crate) mines: Option<PathBuf>,
    /// First offset of each partition of `detections`; without it the oldest that is kept.
    #[arg(long)]
    pub(crate) from: Option<i64>,
    /// Read this recorded input (JSON lines, as `--record` writes them) instead of the bus.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["mines", "from", "record"])]
    pub(crate) file: Option<PathBuf>,
    /// Write what the bus holds into this file, to be replayed elsewhere, instead of replaying it.
    #[arg(long, value_name = "FILE")]
    pub(crate) record: Option<PathBuf>,
    /// Records that are taken at once; what comes out does not depend on it.
    #[arg(long, default_value_t = 4096)]
    pub(crate) batch: usize,
    /// Threads; what comes out does not depend on them.
    #[arg(long, default_value_t = 1)]
    pub(crate) threads: usize,
}

#[derive(Args)]
pub(crate) struct ExplainArguments {
    /// Identity of the crossing.
    #[arg(value_name = "CROSSING-ID")]
    pub(crate) crossing: String,
    /// Write the deciding picture, if it is still kept, into this file.
    #[arg(long, value_name = "FILE.jpg")]
    pub(crate) picture: Option<PathBuf>,
}

#[derive(Subcommand)]
pub(crate) enum HeadcountCommand {
    /// Say how many people are underground, by a count of heads. The order is signed and kept with its reason.
    Correct {
        /// Code of the mine.
        mine: String,
        /// People underground.
        #[arg(long)]
        people: i64,
        /// Why.
        #[arg(long)]
        reason: String,
        /// Who answers for it; without it the user.
        #[arg(long)]
        by: Option<String>,
        /// His secret key; without it the one of his name in the data folder.
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        /// Seconds to wait for what a counter makes of it.
        #[arg(long, default_value_t = 30)]
        wait: u64,
    },
    /// Make a pair of keys for somebody who may correct headcounts, in the data folder.
    Key {
        /// His name.
        name: String,
    },
}

#[derive(Args)]
pub(crate) struct PositioningArguments {
    /// Files called MINE_RYSS_yyyyMMddHHmmss.txt, in any order.
    #[arg(required_unless_present = "watch", value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Take them in as they arrive in this folder, until Ctrl-C. What was taken goes into its folder `done`, what cannot be
    /// used into `refused`, with the reason.
    #[arg(long, value_name = "FOLDER", conflicts_with = "files")]
    pub(crate) watch: Option<PathBuf>,
}

#[derive(Subcommand)]
pub(crate) enum SceneCommand {
    /// Render the scenes of the demo with their ground truth.
    Demo {
        /// Folder to write to.
        folder: PathBuf,
    },
    /// Render one scene from a script in JSON.
    Render {
        /// The script.
        script: PathBuf,
        /// The video; the ground truth lies beside it.
        video: PathBuf,
    },
}

#[derive(Subcommand)]
pub(crate) enum WeightsCommand {
    /// Say what is in a file of weights, as JSON.
    Inspect {
        /// Safetensors or ONNX.
        file: PathBuf,
    },
    /// Convert a YOLOX export (ONNX, or a PyTorch state saved as safetensors) into weights for the detector.
    Convert {
        /// ONNX or safetensors.
        from: PathBuf,
        /// The file to write.
        to: PathBuf,
        /// Names of the classes in their order, where the source does not say; without them the 80 of COCO, or person.
        #[arg(long, value_delimiter = ',', value_name = "NAME,NAME")]
        classes: Option<Vec<String>>,
        /// The size that the weights were made for.
        #[arg(long, value_name = "WIDTHxHEIGHT")]
        input: Option<String>,
    },
}

#[derive(Args)]
pub(crate) struct TrainArguments {
    /// Folder for pictures, checkpoints and the result.
    #[arg(long, default_value = "training")]
    pub(crate) folder: PathBuf,
    /// Everything random comes from it.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Steps in all; a run that was cut goes on where its last checkpoint stands.
    #[arg(long, default_value_t = 3000)]
    pub(crate) steps: u64,
    /// Pictures in a step.
    #[arg(long, default_value_t = 16)]
    pub(crate) batch: usize,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    pub(crate) threads: usize,
    /// Highest learning rate.
    #[arg(long, default_value_t = 2e-3)]
    pub(crate) rate: f32,
    /// Steps until the highest learning rate.
    #[arg(long, default_value_t = 100)]
    pub(crate) warm_up: u64,
    /// Steps over which the exported average of the weights forgets.
    #[arg(long, default_value_t = 400.0)]
    pub(crate) average_over: f64,
    /// Rendered scenes to learn from.
    #[arg(long, default_value_t = 800)]
    pub(crate) scenes: u64,
    /// Pictures of each.
    #[arg(long, default_value_t = 8)]
    pub(crate) pictures_per_scene: u64,
    /// Scenes to judge by, never learnt from.
    #[arg(long, default_value_t = 60)]
    pub(crate) held_out_scenes: u64,
    /// Start from an earlier checkpoint or from a file of weights instead of random ones.
    #[arg(long, value_name = "FILE")]
    pub(crate) start_from: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct DistilArguments {
    /// Folder for pictures, checkpoints and the result.
    #[arg(long, default_value = "distillation")]
    pub(crate) folder: PathBuf,
    /// Folder with real clips (data/video) and open weights (models).
    #[arg(long, default_value = "../shared")]
    pub(crate) shared: PathBuf,
    /// Weights to begin with and to be held to; without it models/yolox_nano.safetensors in the folder of clips.
    #[arg(long, value_name = "FILE")]
    pub(crate) teacher: Option<PathBuf>,
    /// Everything random comes from it.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Steps in all; a run that was cut goes on where its last checkpoint stands.
    #[arg(long, default_value_t = 1500)]
    pub(crate) steps: u64,
    /// Pictures in a step, half of them rendered, half real.
    #[arg(long, default_value_t = 8)]
    pub(crate) batch: usize,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    pub(crate) threads: usize,
    /// Highest learning rate.
    #[arg(long, default_value_t = 1e-4)]
    pub(crate) rate: f32,
    /// Steps until the highest learning rate.
    #[arg(long, default_value_t = 50)]
    pub(crate) warm_up: u64,
    /// Steps over which the exported average of the weights forgets.
    #[arg(long, default_value_t = 150.0)]
    pub(crate) average_over: f64,
    /// Weight of the distance from the teacher on real pictures against the loss on rendered ones.
    #[arg(long, default_value_t = 2.0)]
    pub(crate) loyalty: f64,
    /// Rendered scenes to learn from.
    #[arg(long, default_value_t = 420)]
    pub(crate) scenes: u64,
    /// Pictures of each.
    #[arg(long, default_value_t = 6)]
    pub(crate) pictures_per_scene: u64,
    /// Scenes to judge by, never learnt from.
    #[arg(long, default_value_t = 40)]
    pub(crate) held_out_scenes: u64,
    /// Frames of each clip to learn from.
    #[arg(long, default_value_t = 150)]
    pub(crate) frames_per_clip: usize,
    /// Steps between two evaluations.
    #[arg(long, default_value_t = 250)]
    pub(crate) evaluate_every: u64,
}
