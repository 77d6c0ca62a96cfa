//! Nets of every size, with random weights, against the same nets made of candle's own operations.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout)]

#[path = "support/weights.rs"]
mod weights;

use candle_core::{DType, Device, Result, Tensor};
use mineseal_detector::{Detector, DetectorSettings, InputSize, Instructions, PictureRef, YoloxDetector};
use tempfile::TempDir;
use weights::{SIZES, Size, Tensors, save};

const SIDE: InputSize = InputSize {
    width: 96,
    height: 64,
};

/// What a number may be off by, as a share of the numbers' size: some thousand roundings of 6e-8, which mostly cancel. A
/// filter that is left out moves them by a hundred times as much.
const TOLERANCE: f64 = 1e-4;

/// YOLOX as its paper and the reference implementation have it, without any of the detector's short cuts.
struct Plain<'a> {
    tensors: &'a Tensors,
    depthwise: bool,
    precision: DType,
}

impl Plain<'_> {
    fn convolution(&self, name: &str, input: &Tensor, stride: usize, groups: usize) -> Result<Tensor> {
        let (shape, numbers) = &self.tensors[&format!("{name}.weight")];
        let weight = Tensor::from_slice(numbers, shape.as_slice(), &Device::Cpu)?.to_dtype(self.precision)?;
        let (shape, numbers) = &self.tensors[&format!("{name}.bias")];
        let bias =
            Tensor::from_slice(numbers, (1, shape[0], 1, 1), &Device::Cpu)?.to_dtype(self.precision)?;
        let padding = weight.dim(2)? / 2;
        input
            .conv2d(&weight, padding, stride, 1, groups)?
            .broadcast_add(&bias)
    }

    fn base(&self, name: &str, input: &Tensor) -> Result<Tensor> {
        self.convolution(&format!("{name}.conv"), input, 1, 1)?.silu()
    }

    fn window(&self, name: &str, input: &Tensor, stride: usize) -> Result<Tensor> {
        if !self.depthwise {
            return self
                .convolution(&format!("{name}.conv"), input, stride, 1)?
                .silu();
        }
        let groups = input.dim(1)?;
        let middle = self.convolution(&format!("{name}.dconv.conv"), input, stride, groups)?;
        self.base(&format!("{name}.pconv"), &middle.silu()?)
    }

    fn cross_stage(&self, name: &str, input: &Tensor, shortcut: bool) -> Result<Tensor> {
        let mut through = self.base(&format!("{name}.conv1"), input)?;
        let past = self.base(&format!("{name}.conv2"), input)?;
        for number in 0.. {
            let bottleneck = format!("{name}.m.{number}");
            if !self
                .tensors
                .contains_key(&format!("{bottleneck}.conv1.conv.weight"))
            {
                break;
            }
            let middle = self.base(&format!("{bottleneck}.conv1"), &through)?;
            let out = self.window(&format!("{bottleneck}.conv2"), &middle, 1)?;
            through = if shortcut { (out + through)? } else { out };
        }
        self.base(&format!("{name}.conv3"), &Tensor::cat(&[&through, &past], 1)?)
    }

    /// Rows of cells, from the finest level to the coarsest.
    fn forward(&self, picture: &Tensor) -> Result<Vec<f64>> {
        let picture = &picture.to_dtype(self.precision)?;
        let dark = |stage| format!("backbone.backbone.dark{stage}");
        // Focus: top left, bottom left, top right, bottom right.
        let quarters: Vec<Tensor> = [(0, 0), (1, 0), (0, 1), (1, 1)]
            .into_iter()
            .map(|(down, right)| every_second(picture, down, right))
            .collect::<Result<_>>()?;
        let stem = self.base("backbone.backbone.stem.conv", &Tensor::cat(&quarters, 1)?)?;
        let mut features = Vec::new();
        let mut latest = stem;
        for stage in 2..5 {
            let half = self.window(&format!("{}.0", dark(stage)), &latest, 2)?;
            latest = self.cross_stage(&format!("{}.1", dark(stage)), &half, true)?;
            features.push(latest.clone());
        }
        let half = self.window(&format!("{}.0", dark(5)), &latest, 2)?;
        let narrow = self.base(&format!("{}.1.conv1", dark(5)), &half)?;
        let mut pooled = vec![narrow.clone()];
        for window in [5, 9, 13] {
            pooled.push(pool(&narrow, window)?);
        }
        let wide = self.base(&format!("{}.1.conv2", dark(5)), &Tensor::cat(&pooled, 1)?)?;
        let dark5 = self.cross_stage(&format!("{}.2", dark(5)), &wide, false)?;

        let lateral = self.base("backbone.lateral_conv0", &dark5)?;
        let joined = Tensor::cat(&[&doubled(&lateral)?, &features[2]], 1)?;
        let p4 = self.cross_stage("backbone.C3_p4", &joined, false)?;
        let reduced = self.base("backbone.reduce_conv1", &p4)?;
        let joined = Tensor::cat(&[&doubled(&reduced)?, &features[1]], 1)?;
        let p3 = self.cross_stage("backbone.C3_p3", &joined, false)?;
        let down = self.window("backbone.bu_conv2", &p3, 2)?;
        let n3 = self.cross_stage("backbone.C3_n3", &Tensor::cat(&[&down, &reduced], 1)?, false)?;
        let down = self.window("backbone.bu_conv1", &n3, 2)?;
        let n4 = self.cross_stage("backbone.C3_n4", &Tensor::cat(&[&down, &lateral], 1)?, false)?;

        let mut rows = Vec::new();
        for (level, input) in [p3, n3, n4].iter().enumerate() {
            let stem = self.base(&format!("head.stems.{level}"), input)?;
            let way = |name: &str| -> Result<Tensor> {
                let middle = self.window(&format!("head.{name}_convs.{level}.0"), &stem, 1)?;
                self.window(&format!("head.{name}_convs.{level}.1"), &middle, 1)
            };
            let (class_way, box_way) = (way("cls")?, way("reg")?);
            let last =
                |name: &str, way: &Tensor| self.convolution(&format!("head.{name}_preds.{level}"), way, 1, 1);
            let parts = [
                last("reg", &box_way)?,
                last("obj", &box_way)?,
                last("cls", &class_way)?,
            ];
            let cells = Tensor::cat(&parts, 1)?
                .flatten_from(2)?
                .transpose(1, 2)?
                .contiguous()?;
            rows.extend(cells.flatten_all()?.to_dtype(DType::F64)?.to_vec1::<f64>()?);
        }
        Ok(rows)
    }
}

fn every_second(picture: &Tensor, down: usize, right: usize) -> Result<Tensor> {
    let (_, _, height, width) = picture.dims4()?;
    let places = |from: usize, length: usize| {
        let places: Vec<u32> = (from..length).step_by(2).map(|place| place as u32).collect();
        Tensor::new(places, &Device::Cpu)
    };
    picture
        .index_select(&places(down, height)?, 2)?
        .index_select(&places(right, width)?, 3)
}

fn doubled(input: &Tensor) -> Result<Tensor> {
    let (_, _, height, width) = input.dims4()?;
    input.upsample_nearest2d(2 * height, 2 * width)
}

/// Maximum over a window around each pixel; outside there is nothing.
fn pool(input: &Tensor, window: usize) -> Result<Tensor> {
    let edge = window / 2;
    let least = f32::MIN;
    let pad = |input: &Tensor, dimension: usize| -> Result<Tensor> {
        let mut shape = input.dims().to_vec();
        shape[dimension] = edge;
        let outside = Tensor::full(least, shape, &Device::Cpu)?.to_dtype(input.dtype())?;
        Tensor::cat(&[&outside, input, &outside], dimension)
    };
    pad(&pad(input, 2)?, 3)?.max_pool2d_with_stride(window, 1)
}

/// How far `found` is from the exact numbers at most, as a share of their size: of a number itself, or of the root of the
/// mean square of all where that is more. A sum's rounding is as large as what is added up; a sum that comes out small by
/// chance is not more exact for that, and random weights make the sums of a deep net large.
fn furthest(found: &[f64], exact: &[f64]) -> f64 {
    let squares: f64 = exact.iter().map(|number| number * number).sum();
    let size = (squares / exact.len() as f64).sqrt();
    let apart = |(found, exact): (&f64, &f64)| (found - exact).abs() / exact.abs().max(size);
    found.iter().zip(exact).map(apart).fold(0.0, f64::max)
}

/// The detector on every path against the plain net in double precision.
fn compare(name: &str, size: Size) {
    let tensors = size.random();
    let folder = TempDir::new().unwrap();
    let metadata = size.metadata();
    let path = save(
        &folder,
        &tensors,
        &metadata.each_ref().map(|(key, value)| (*key, value.as_str())),
    );
    let InputSize { width, height } = SIDE;
    // Red first, as pictures come; the net wants blue first.
    let rgb: Vec<u8> = (0..width * height * 3)
        .map(|n| ((n * 2_654_435_761) >> 7) as u8)
        .collect();
    let planes: Vec<f32> = (0..3)
        .rev()
        .flat_map(|colour| rgb.iter().skip(colour).step_by(3).map(|&byte| f32::from(byte)))
        .collect();
    let picture = Tensor::from_vec(planes, (1, 3, height, width), &Device::Cpu).unwrap();
    let plain = |precision| {
        let plain = Plain {
            tensors: &tensors,
            depthwise: size.depthwise,
            precision,
        };
        plain.forward(&picture).unwrap()
    };
    let (exact, single) = (plain(DType::F64), plain(DType::F32));
    let largest = exact.iter().fold(0.0_f64, |most, number| most.max(number.abs()));
    assert!(
        largest > 0.1,
        "{name}: all outputs are nearly zero, so nothing is compared"
    );
    let rounding = furthest(&single, &exact);
    for instructions in Instructions::available() {
        let settings = DetectorSettings {
            input: Some(SIDE),
            instructions: Some(instructions),
            ..DetectorSettings::default()
        };
        let mut detector = YoloxDetector::load(&path, settings).unwrap();
        let picture = PictureRef::Rgb {
            data: &rgb,
            width,
            height,
        };
        let found: Vec<f64> = detector
            .raw_outputs(&picture)
            .unwrap()
            .into_iter()
            .map(f64::from)
            .collect();
        assert_eq!(found.len(), exact.len());
        let worst = furthest(&found, &exact);
        println!(
            "{name}, {}: {} numbers up to {largest:.1} are off by up to {worst:.7}, the plain net's in single precision by {rounding:.7}",
            instructions.name(),
            found.len()
        );
        assert!(
            worst <= TOLERANCE,
            "{name}, {}: off by {worst}, where the plain net in single precision is off by {rounding}",
            instructions.name()
        );
        // With thresholds the short cuts of the head are taken.
        assert_eq!(detector.detect(&[picture]).unwrap().len(), 1);
    }
}

#[test]
fn sizes_up_to_m_give_the_numbers_of_the_plain_net() {
    for (name, size) in SIZES.into_iter().take(4) {
        compare(name, size);
    }
}

#[test]
#[ignore = "makes 600 MB of weights"]
fn the_largest_sizes_give_the_numbers_of_the_plain_net() {
    for (name, size) in SIZES.into_iter().skip(4) {
        compare(name, size);
    }
}

#[test]
fn a_filter_left_out_of_a_deep_net_is_noticed() {
    let (_, size) = SIZES[3];
    let mut tensors = size.random();
    let plain = |tensors: &Tensors| {
        let (depthwise, precision) = (size.depthwise, DType::F64);
        let picture = Tensor::full(90.0_f32, (1, 3, SIDE.height, SIDE.width), &Device::Cpu).unwrap();
        Plain {
            tensors,
            depthwise,
            precision,
        }
        .forward(&picture)
        .unwrap()
    };
    let right = plain(&tensors);
    // One filter forgotten, somewhere in the middle.
    let (shape, numbers) = tensors
        .get_mut("backbone.backbone.dark4.1.conv3.conv.weight")
        .unwrap();
    numbers[..shape[1]].fill(0.0);
    let apart = furthest(&plain(&tensors), &right);
    assert!(apart > 100.0 * TOLERANCE, "{apart}");
}
