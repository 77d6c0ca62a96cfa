use super::{Numbers, agree, halves, processors, put, settings, silu};
use crate::tiling::{Depthwise, TILINGS, Tiling};
use crate::{Beside, Constants, Executor, Map, Plan, Processor, View};

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
