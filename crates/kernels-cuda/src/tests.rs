//! Every kernel against plain arithmetic in f64, on whatever processors there are: the emulation, and the first device.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use half::f16;

use crate::operation::{Depthwise, TILINGS, Tiling};
use crate::{
    Beside, Candidate, Constants, Executor, KernelError, Limits, Map, Plan, PlanSettings, Processor, View,
};

/// With `MINESEAL_REQUIRE_DEVICE`, a machine without a device fails the tests.
fn processors() -> Vec<Processor> {
    let mut found = Vec::new();
    #[cfg(feature = "emulation")]
    found.push(Processor::Emulation);
    #[cfg(feature = "device")]
    match Processor::device(0) {
        Ok(device) => found.push(device),
        Err(error) if std::env::var_os("MINESEAL_REQUIRE_DEVICE").is_some() => panic!("{error}"),
        Err(error) => println!("skipped: the kernels on a device: {error}"),
    }
    found
}

/// Numbers that differ from run to run of nothing: a linear congruential generator.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    fn many(&mut self, count: usize, size: f32) -> Vec<f32> {
        // As the device keeps them, so that what is compared is the arithmetic.
        (0..count)
            .map(|_| f16::from_f32(self.next() * size).to_f32())
            .collect()
    }
}

fn settings(pictures: usize, height: usize, width: usize) -> PlanSettings {
    PlanSettings {
        pictures,
        height,
        width,
        strides: [8, 16, 32],
        limits: Limits {
            least_objectness: f32::NEG_INFINITY,
            score: 0.5,
        },
        capacity: None,
        keep_classes: true,
    }
}

fn silu(x: f64) -> f64 {
    x / (1.0 + (-x).exp())
}

fn put(input: &mut [u8], numbers: &[f32]) {
    for (bytes, number) in input.chunks_exact_mut(2).zip(numbers) {
        bytes.copy_from_slice(&f16::from_f32(*number).to_le_bytes());
    }
}

fn halves(executor: &mut Executor, start: usize, count: usize) -> Vec<f32> {
    let bytes = executor.read(start..start + 2 * count).unwrap();
    bytes
        .as_chunks::<2>()
        .0
        .iter()
        .map(|&bytes| f16::from_le_bytes(bytes).to_f32())
        .collect()
}

fn agree(found: &[f32], expected: &[f64], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (place, (&found, &expected)) in found.iter().zip(expected).enumerate() {
        let distance = (f64::from(found) - expected).abs();
        // An f16 has 11 bits; the depthwise part is rounded to it once more on the way.
        assert!(
            distance <= 2e-3 * (1.0 + expected.abs()),
            "{what}: place {place} is {found}, not {expected}"
        );
    }
}

/// A convolution, and what stands beside it.
#[derive(Clone, Copy, Debug)]
struct Case {
    pictures: usize,
    /// Of the input.
    height: usize,
    width: usize,
    inputs: usize,
    outputs: usize,
    stride: usize,
    depthwise: bool,
    silu: bool,
    before: bool,
    residual: bool,
}

/// Numbers between one map's pixels that belong to somebody else.
const GAP: usize = 8;

fn check(processor: &Processor, case: Case, tiling: Option<&'static Tiling>) {
    let what = format!("{} {case:?}", processor.name());
    let Case {
        pictures,
        height,
        width,
        inputs,
        outputs,
        stride,
        ..
    } = case;
    let (out_height, out_width) = (height.div_ceil(stride), width.div_ceil(stride));
    let (in_pixels, out_pixels) = (pictures * height * width, pictures * out_height * out_width);
    let half_pixels = pictures * (out_height / 2) * (out_width / 2);
    let mut numbers = Numbers((inputs * 31 + outputs * 7 + width) as u64);
    let in_pitch = inputs + GAP;
    let input = numbers.many(in_pixels * in_pitch, 2.0);
    let before = numbers.many(half_pixels * outputs, 1.0);
    let residual = numbers.many(out_pixels * outputs, 1.0);
    let taps = numbers.many(inputs * 9, 0.5);
    let tap_bias = numbers.many(inputs, 0.5);
    let weight = numbers.many(outputs * inputs, 2.0 / (inputs as f32).sqrt());
    let bias = numbers.many(outputs, 0.5);

    let mut constants = Constants::new();
    let pointwise = constants.pointwise(&weight, &bias, case.silu).unwrap();
    let separable = constants.separable(&taps, &tap_bias, stride, pointwise);
    let bytes = 2 * (input.len() + before.len() + residual.len());
    // Large enough for all maps in the bytes of its pictures.
    let columns = bytes.div_ceil(32 * 3).next_multiple_of(32);
    let mut plan = Plan::new(settings(pictures, 32, columns)).unwrap();
    if let Some(tiling) = tiling {
        plan.always(tiling);
    }
    let in_size = (height, width);
    let out_size = (out_height, out_width);
    // The input begins behind the gap, so that the map is a part of a wider one.
    let input_view = View::of_input(2 * GAP, in_pitch, inputs, in_size);
    let before_view = View::of_input(2 * input.len(), outputs, outputs, (out_height / 2, out_width / 2));
    let residual_view = View::of_input(2 * (input.len() + before.len()), outputs, outputs, out_size);
    let beside = Beside {
        before: case.before.then_some(before_view),
        residual: case.residual.then_some(residual_view),
    };
    let joined: Map = plan.map(outputs + 2 * GAP, out_height, out_width);
    let output = joined.part(GAP..GAP + outputs).unwrap();
    if case.depthwise {
        plan.separable_into(&separable.unwrap(), input_view, beside, output)
            .unwrap();
    } else {
        plan.pointwise_into(&pointwise, input_view, beside, output)
            .unwrap();
    }
    let (start, pitch) = (joined.view().offset(), joined.channels());
    drop(joined);
    let mut executor = Executor::new(processor, &constants, vec![plan.finish()]).unwrap();
    let uploaded = executor.input(pictures).unwrap();
    let all: Vec<f32> = input.iter().chain(&before).chain(&residual).copied().collect();
    put(uploaded, &all);
    executor.run(pictures).unwrap();
    let found = halves(&mut executor, start, out_pixels * pitch);

    let mut expected = Vec::new();
    let mut kept = Vec::new();
    for pixel in 0..out_pixels {
        let (picture, row, column) = (
            pixel / (out_height * out_width),
            pixel / out_width % out_height,
            pixel % out_width,
        );
        let at = |row: usize, column: usize, channel: usize| {
            f64::from(input[((picture * height + row) * width + column) * in_pitch + GAP + channel])
        };
        let mixed: Vec<f64> = (0..inputs)
            .map(|channel| {
                if !case.depthwise {
                    return at(row, column, channel);
                }
                let mut sum = f64::from(tap_bias[channel]);
                for tap in 0..9 {
                    let (y, x) = (row * stride + tap / 3, column * stride + tap % 3);
                    if (1..=height).contains(&y) && (1..=width).contains(&x) {
                        sum += at(y - 1, x - 1, channel) * f64::from(taps[channel * 9 + tap]);
                    }
                }
                silu(sum)
            })
            .collect();
        for output in 0..outputs {
            let products = mixed.iter().zip(&weight[output * inputs..]);
            let mut sum = f64::from(bias[output]) + products.map(|(a, &b)| a * f64::from(b)).sum::<f64>();
            if case.before {
                let place = (picture * (out_height / 2) + row / 2) * (out_width / 2) + column / 2;
                sum += f64::from(before[place * outputs + output]);
            }
            if case.silu {
                sum = silu(sum);
            }
            if case.residual {
                sum += f64::from(residual[pixel * outputs + output]);
            }
            expected.push(sum);
        }
        kept.extend_from_slice(&found[pixel * pitch + GAP..pixel * pitch + GAP + outputs]);
    }
    agree(&kept, &expected, &what);
}

const CASE: Case = Case {
    pictures: 3,
    height: 5,
    width: 7,
    inputs: 16,
    outputs: 16,
    stride: 1,
    depthwise: false,
    silu: true,
    before: false,
    residual: false,
};

#[test]
fn convolutions_agree_with_plain_arithmetic() {
    for processor in processors() {
        for (inputs, outputs) in [(8, 8), (16, 32), (24, 40), (32, 64), (64, 128), (136, 24)] {
            for depthwise in [false, true] {
                check(
                    &processor,
                    Case {
                        inputs,
                        outputs,
                        depthwise,
                        ..CASE
                    },
                    None,
                );
            }
        }
    }
}

#[test]
fn strides_edges_and_small_maps() {
    for processor in processors() {
        for (height, width) in [(1, 1), (2, 3), (6, 4), (9, 17), (7, 33)] {
            for stride in [1, 2] {
                let case = Case {
                    pictures: 2,
                    height,
                    width,
                    inputs: 40,
                    outputs: 32,
                    stride,
                    depthwise: true,
                    ..CASE
                };
                check(&processor, case, None);
            }
        }
    }
}

#[test]
fn what_stands_beside_is_added() {
    for processor in processors() {
        for depthwise in [false, true] {
            for (silu, before, residual) in [
                (false, false, false),
                (true, true, false),
                (true, false, true),
                (false, true, true),
            ] {
                let case = Case {
                    height: 6,
                    width: 10,
                    inputs: 24,
                    outputs: 48,
                    depthwise,
                    silu,
                    before,
                    residual,
                    ..CASE
                };
                check(&processor, case, None);
            }
        }
    }
}

#[test]
fn every_tiling_computes_the_same() {
    for processor in processors() {
        for tiling in &TILINGS {
            let strides: &[usize] = match tiling.depthwise {
                Depthwise::Nothing => &[1],
                Depthwise::Stride(1) => &[1],
                Depthwise::Stride(_) => &[2],
                Depthwise::Any => &[1, 2],
            };
            for &stride in strides {
                // Rows of the output are 12 pixels, or 11 where that does not matter.
                let width = match tiling.depthwise {
                    Depthwise::Stride(2) => 23,
                    Depthwise::Stride(_) => 12,
                    _ => 11,
                };
                let case = Case {
                    inputs: if tiling.half { 16 } else { 48 },
                    outputs: 128,
                    height: 9,
                    width,
                    stride,
                    residual: true,
                    depthwise: tiling.depthwise != Depthwise::Nothing,
                    ..CASE
                };
                check(&processor, case, Some(tiling));
            }
        }
    }
}

#[test]
fn the_first_convolution_is_focus_and_a_convolution() {
    const HEIGHT: usize = 64;
    const WIDTH: usize = 96;
    for processor in processors() {
        for outputs in [16, 48] {
            let pictures = 2;
            let mut numbers = Numbers(outputs as u64);
            let weight = numbers.many(outputs * 108, 0.002);
            let bias = numbers.many(outputs, 0.5);
            let bytes: Vec<u8> = (0..pictures * HEIGHT * WIDTH * 3)
                .map(|_| (numbers.next() * 128.0 + 128.0) as u8)
                .collect();
            let mut constants = Constants::new();
            let stem = constants.stem(&weight, &bias).unwrap();
            let mut plan = Plan::new(settings(pictures, HEIGHT, WIDTH)).unwrap();
            let map = plan.stem(&stem).unwrap();
            let start = map.view().offset();
            drop(map);
            let mut executor = Executor::new(&processor, &constants, vec![plan.finish()]).unwrap();
            executor.input(pictures).unwrap().copy_from_slice(&bytes);
            executor.run(pictures).unwrap();
            let (height, width) = (HEIGHT / 2, WIDTH / 2);
            let found = halves(&mut executor, start, pictures * height * width * outputs);
            // Focus: top left, bottom left, top right, bottom right.
            let focus = |picture: usize, row: usize, column: usize, channel: usize| {
                let (square, colour) = (channel / 3, channel % 3);
                let (y, x) = (2 * row + square % 2, 2 * column + square / 2);
                f64::from(bytes[((picture * HEIGHT + y) * WIDTH + x) * 3 + colour])
            };
            let mut expected = Vec::new();
            for pixel in 0..pictures * height * width {
                let (picture, row, column) =
                    (pixel / (height * width), pixel / width % height, pixel % width);
                for output in 0..outputs {
                    let mut sum = f64::from(bias[output]);
                    for tap in 0..9 {
                        let (y, x) = (row + tap / 3, column + tap % 3);
                        if !(1..=height).contains(&y) || !(1..=width).contains(&x) {
                            continue;
                        }
                        for channel in 0..12 {
                            sum += focus(picture, y - 1, x - 1, channel)
                                * f64::from(weight[(output * 12 + channel) * 9 + tap]);
                        }
                    }
                    expected.push(silu(sum));
                }
            }
            agree(&found, &expected, processor.name());
        }
    }
}

#[test]
fn the_pyramid_takes_maxima_and_leaves_what_is_no_number() {
    let (pictures, height, width, part) = (2, 9, 15, 16);
    for processor in processors() {
        let pixels = pictures * height * width;
        let mut numbers = Numbers(5);
        let mut input = numbers.many(pixels * part, 3.0);
        input[part * 20] = f32::NAN;
        input[part * 40 + 1] = f32::NEG_INFINITY;
        input[part * 60 + 2] = f32::INFINITY;
        let constants = Constants::new();
        let mut plan = Plan::new(settings(pictures, 64, 64)).unwrap();
        let joined = plan.map(4 * part, height, width);
        let start = joined.view().offset();
        plan.pyramid_of(View::of_input(0, part, part, (height, width)), &joined)
            .unwrap();
        drop(joined);
        let mut executor = Executor::new(&processor, &constants, vec![plan.finish()]).unwrap();
        put(executor.input(pictures).unwrap(), &input);
        executor.run(pictures).unwrap();
        let found = halves(&mut executor, start, pixels * 4 * part);
        for pixel in 0..pixels {
            let (picture, row, column) = (pixel / (height * width), pixel / width % height, pixel % width);
            for step in 1..4 {
                let reach = 2 * step;
                for channel in 0..part {
                    let mut best = f32::NEG_INFINITY;
                    for y in row.saturating_sub(reach)..(row + reach + 1).min(height) {
                        for x in column.saturating_sub(reach)..(column + reach + 1).min(width) {
                            best = best.max(input[((picture * height + y) * width + x) * part + channel]);
                        }
                    }
                    let place = pixel * 4 * part + step * part + channel;
                    assert_eq!(
                        found[place],
                        best,
                        "{} pixel {pixel} window {step}",
                        processor.name()
                    );
                }
            }
        }
    }
}

/// The head's last convolutions over given features, on one level.
fn predicted(
    processor: &Processor,
    features: &[f32],
    capacity: Option<usize>,
    limits: Limits,
    pictures: usize,
) -> (Result<Vec<Candidate>, KernelError>, Vec<f32>, Vec<f32>) {
    const INPUTS: usize = 8;
    // The first five features are the box and the objectness, and three of them are the classes too.
    let mut box_weight = vec![0.0; 5 * INPUTS];
    let mut class_weight = vec![0.0; 3 * INPUTS];
    (0..5).for_each(|k| box_weight[k * INPUTS + k] = 1.0);
    (0..3).for_each(|k| class_weight[k * INPUTS + 5 + k] = 1.0);
    let mut constants = Constants::new();
    let boxes = constants.prediction(&box_weight, &[0.0; 5]).unwrap();
    let classes = constants.prediction(&class_weight, &[0.0; 3]).unwrap();
    let mut plan = Plan::new(PlanSettings {
        capacity,
        limits,
        ..settings(4, 64, 96)
    })
    .unwrap();
    let view = View::of_input(0, INPUTS, INPUTS, (8, 12));
    plan.predict_boxes(&boxes, view, 0).unwrap();
    plan.predict_classes(&classes, view, 0).unwrap();
    let mut executor = Executor::new(processor, &constants, vec![plan.finish()]).unwrap();
    put(executor.input(4).unwrap(), features);
    // As after a larger batch: the others are still there.
    executor.run(4).ok();
    let found = executor.run(pictures);
    let raw = executor.raw(pictures).unwrap();
    (found, raw.boxes, raw.classes)
}

const CELLS: usize = 8 * 12;
const ALL_CELLS: usize = CELLS + 4 * 6 + 2 * 3;

#[test]
fn candidates_are_decoded_in_order_and_left_over_pictures_are_not_looked_at() {
    for processor in processors() {
        let mut features = Numbers(9).many(4 * CELLS * 8, 1.0);
        // Not a number, equal classes, and the best class last.
        features[4] = f32::NAN;
        features[8 + 4..16].copy_from_slice(&[3.0, 2.0, 2.0, 1.0]);
        features[16 + 4..24].copy_from_slice(&[3.0, -1.0, 0.5, 3.0]);
        let limits = Limits {
            least_objectness: 0.0,
            score: 0.4,
        };
        let (found, boxes, _) = predicted(&processor, &features, None, limits, 3);
        let found = found.unwrap();
        let sigmoid = |x: f32| 1.0 / (1.0 + (-x).exp());
        let mut expected = Vec::new();
        for (number, cell) in features.chunks_exact(8).take(3 * CELLS).enumerate() {
            let raw = &boxes[(number / CELLS * ALL_CELLS + number % CELLS) * 8..];
            // What is no number is so in all products of its cell.
            assert!(cell[4].is_nan() || raw.iter().zip(&cell[..5]).all(|(a, b)| a == b));
            let class = (0..3).fold(0, |best, k| if cell[5 + k] > cell[5 + best] { k } else { best });
            let score = sigmoid(cell[4]) * sigmoid(cell[5 + class]);
            if cell[4] >= 0.0 && score >= 0.4 {
                let (width, height) = (cell[2].exp() * 8.0, cell[3].exp() * 8.0);
                expected.push(Candidate {
                    picture: (number / CELLS) as i32,
                    cell: (number % CELLS) as i32,
                    class: class as i32,
                    score,
                    left: (cell[0] + (number % CELLS % 12) as f32) * 8.0 - width / 2.0,
                    top: (cell[1] + (number % CELLS / 12) as f32) * 8.0 - height / 2.0,
                    width,
                    height,
                });
            }
        }
        assert!(expected.len() > 20);
        assert_eq!(expected.len(), found.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(
                (found.picture, found.cell, found.class),
                (expected.picture, expected.cell, expected.class)
            );
            let near = |a: f32, b: f32| (a - b).abs() <= 1e-4 * (1.0 + b.abs());
            assert!(
                near(found.score, expected.score)
                    && near(found.left, expected.left)
                    && near(found.top, expected.top)
                    && near(found.width, expected.width)
                    && near(found.height, expected.height),
                "{found:?} {expected:?}"
            );
        }
    }
}

#[test]
fn more_candidates_than_there_is_room_for_are_told() {
    let features = [0.0, 0.0, 0.0, 0.0, 5.0, 1.0, 5.0, 1.0].repeat(4 * CELLS);
    let limits = Limits {
        least_objectness: 0.0,
        score: 0.4,
    };
    for processor in processors() {
        let (found, ..) = predicted(&processor, &features, Some(100), limits, 4);
        let error = KernelError::TooManyCandidates {
            found: 4 * CELLS,
            room: 100,
        };
        assert_eq!(found, Err(error));
        let (found, ..) = predicted(&processor, &features, None, limits, 4);
        let found = found.unwrap();
        assert_eq!(found.len(), 4 * CELLS);
        assert!(found.iter().all(|candidate| candidate.class == 1));
        let nothing = Limits {
            score: 0.999_999,
            ..limits
        };
        let (found, ..) = predicted(&processor, &features, None, nothing, 4);
        assert_eq!(found, Ok(Vec::new()));
    }
}

#[test]
fn weights_and_maps_that_do_not_fit_are_refused() {
    let mut constants = Constants::new();
    assert!(constants.pointwise(&[0.0; 12], &[0.0; 4], true).is_err());
    assert!(constants.stem(&[0.0; 108 * 8], &[0.0; 8]).is_err());
    assert!(constants.prediction(&[0.0; 72], &[0.0; 9]).is_err());
    let layer = constants.pointwise(&[0.0; 64], &[0.0; 8], true).unwrap();
    assert!(constants.separable(&[0.0; 72], &[0.0; 8], 3, layer).is_err());
    assert!(Plan::new(settings(1, 33, 64)).is_err());
    assert!(Plan::new(settings(0, 32, 64)).is_err());
    let mut plan = Plan::new(settings(1, 32, 64)).unwrap();
    let map = plan.map(16, 4, 4);
    assert!(plan.pointwise(&layer, map.view()).is_err());
    assert!(map.part(8..20).is_err());
    let small = plan.map(8, 4, 4);
    assert!(
        plan.pointwise_into(&layer, map.part(0..8).unwrap(), Beside::default(), small.view())
            .is_ok()
    );
    let other = plan.map(8, 4, 8);
    assert!(
        plan.pointwise_into(&layer, map.part(0..8).unwrap(), Beside::default(), other.view())
            .is_err()
    );
}

/// Microseconds of every kernel that can compute the convolutions of YOLOX-Nano at 640x384: how `plan.rs` came to its
/// choices.
#[test]
#[ignore = "prints times, on a device alone"]
#[cfg(feature = "device")]
fn times_of_all_tilings() {
    const TIMES: usize = 50;
    let device = Processor::device(0).unwrap();
    // Height and width of the output, inputs, outputs, stride of a depthwise convolution before.
    let shapes = [
        (96, 160, 16, 32, Some(2)),
        (96, 160, 32, 32, None),
        (96, 160, 16, 16, None),
        (96, 160, 16, 16, Some(1)),
        (48, 80, 32, 64, Some(2)),
        (48, 80, 64, 64, None),
        (48, 80, 32, 32, None),
        (48, 80, 32, 32, Some(1)),
        (48, 80, 64, 64, Some(1)),
        (24, 40, 64, 128, Some(2)),
        (24, 40, 128, 128, None),
        (24, 40, 64, 64, None),
        (24, 40, 64, 64, Some(1)),
        (12, 20, 128, 256, Some(2)),
        (12, 20, 256, 256, None),
        (12, 20, 512, 256, None),
        (12, 20, 128, 128, None),
        (12, 20, 128, 128, Some(1)),
        (12, 20, 64, 64, Some(1)),
    ];
    for pictures in [1, 8, 32] {
        for (height, width, inputs, outputs, stride) in shapes {
            let mut line = String::new();
            for tiling in &TILINGS {
                let fits = match (tiling.depthwise, stride) {
                    (Depthwise::Nothing, None) | (Depthwise::Any, Some(_)) => true,
                    (Depthwise::Stride(own), Some(stride)) => {
                        own == stride && width % (2 * tiling.tiles) == 0
                    }
                    _ => false,
                };
                if !fits
                    || tiling.half != (inputs <= 16)
                    || !usize::div_ceil(outputs, 32).is_multiple_of(tiling.chunks)
                {
                    continue;
                }
                let mut numbers = Numbers(1);
                let mut constants = Constants::new();
                let weight = numbers.many(outputs * inputs, 0.1);
                let pointwise = constants.pointwise(&weight, &vec![0.1; outputs], true).unwrap();
                let mut plan = Plan::new(settings(pictures, 32, 32)).unwrap();
                plan.always(tiling);
                let step = stride.unwrap_or(1);
                let input = plan.map(inputs, height * step, width * step);
                if stride.is_some() {
                    let taps = numbers.many(inputs * 9, 0.3);
                    let separable = constants
                        .separable(&taps, &vec![0.1; inputs], step, pointwise)
                        .unwrap();
                    plan.separable(&separable, input.view()).unwrap();
                } else {
                    plan.pointwise(&pointwise, input.view()).unwrap();
                }
                drop(input);
                let mut executor = Executor::new(&device, &constants, vec![plan.finish()]).unwrap();
                let profile = executor.profile(pictures, TIMES).unwrap();
                let microseconds = profile[0].1.as_secs_f64() * 1e6 / TIMES as f64;
                line += &format!("  {} {microseconds:.1}", tiling.kernel);
            }
            println!("TIME {pictures} x {height}x{width} {inputs}->{outputs} {stride:?}:{line}");
        }
    }
}
