//! Every path against candle's own operations, and every vector path against the portable one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use candle_core::{DType, Device, Tensor};
use common::{Numbers, assert_near, numbers};
use mineseal_kernels::{Depthwise, Instructions, Pointwise, SpatialPyramid, Stem, Upsample, block, unblock};
use proptest::prelude::*;

/// `[pictures, channels, height, width]`.
fn picture(source: &mut Numbers, wild: bool, shape: (usize, usize, usize, usize)) -> Tensor {
    let count = shape.0 * shape.1 * shape.2 * shape.3;
    let numbers = if wild {
        source.wild(count)
    } else {
        source.many(count)
    };
    Tensor::from_vec(numbers, shape, &Device::Cpu).unwrap()
}

/// `[pictures, channels, height, width]` as [`unblock`] gives it.
fn pixels_first(tensor: &Tensor) -> Vec<f32> {
    numbers(
        &tensor
            .flatten_from(2)
            .unwrap()
            .transpose(1, 2)
            .unwrap()
            .contiguous()
            .unwrap(),
    )
}

fn bits(tensor: &Tensor) -> Vec<u32> {
    numbers(tensor).into_iter().map(f32::to_bits).collect()
}

fn biased(tensor: &Tensor, bias: &[f32]) -> Tensor {
    let bias = Tensor::from_slice(bias, (1, bias.len(), 1, 1), &Device::Cpu).unwrap();
    tensor.broadcast_add(&bias).unwrap()
}

fn vector_paths() -> Vec<Instructions> {
    Instructions::available()
        .into_iter()
        .filter(|&path| path != Instructions::Portable)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn pointwise_is_candles(
        (pictures, height, width) in (1usize..3, 1usize..9, 1usize..14),
        (input_blocks, outputs, silu) in (1usize..5, 1usize..40, any::<bool>()),
        seed in any::<u64>(),
    ) {
        let mut source = Numbers(seed);
        let inputs = input_blocks * 16;
        let picture = picture(&mut source, false, (pictures, inputs, height, width));
        let (weight, bias) = (source.many(outputs * inputs), source.many(outputs));
        let kernel = Tensor::from_slice(&weight, (outputs, inputs, 1, 1), &Device::Cpu).unwrap();
        let mut expected = biased(&picture.conv2d(&kernel, 0, 1, 1, 1).unwrap(), &bias);
        if silu {
            expected = expected.silu().unwrap();
        }
        for path in Instructions::available() {
            let operation = Pointwise::new(&weight, &bias, silu).unwrap().with_instructions(path);
            let found = unblock(&operation.forward(&block(&picture).unwrap()).unwrap(), outputs).unwrap();
            assert_near(&numbers(&found), &pixels_first(&expected), 1e-4);
        }
    }

    #[test]
    fn pointwise_of_a_pair_and_with_residual(
        (pictures, height, width) in (1usize..3, 1usize..6, 1usize..14),
        (first, second, outputs) in (1usize..4, 1usize..4, 1usize..4),
        seed in any::<u64>(),
    ) {
        let mut source = Numbers(seed);
        let one = block(&picture(&mut source, false, (pictures, first * 16, height, width))).unwrap();
        let two = block(&picture(&mut source, false, (pictures, second * 16, height, width))).unwrap();
        let residual = block(&picture(&mut source, false, (pictures, outputs * 16, height, width))).unwrap();
        let weight = source.many(outputs * 16 * (first + second) * 16);
        let bias = source.many(outputs * 16);
        for path in Instructions::available() {
            let operation = Pointwise::new(&weight, &bias, true).unwrap().with_instructions(path);
            let joined = Tensor::cat(&[&one, &two], 1).unwrap();
            let plain = operation.forward(&joined).unwrap();
            prop_assert_eq!(bits(&operation.forward_pair(&one, &two).unwrap()), bits(&plain));
            let added = operation.forward_residual(&joined, &residual).unwrap();
            prop_assert_eq!(bits(&added), bits(&(plain + &residual).unwrap()));
        }
    }

    #[test]
    fn depthwise_is_candles(
        (pictures, height, width) in (1usize..3, 1usize..12, 1usize..20),
        (blocks, stride) in (1usize..4, 1usize..3),
        seed in any::<u64>(),
    ) {
        let mut source = Numbers(seed);
        let channels = blocks * 16;
        let picture = picture(&mut source, false, (pictures, channels, height, width));
        let (weight, bias) = (source.many(channels * 9), source.many(channels));
        let kernel = Tensor::from_slice(&weight, (channels, 1, 3, 3), &Device::Cpu).unwrap();
        let convolved = picture.conv2d(&kernel, 1, stride, 1, channels).unwrap();
        let expected = biased(&convolved, &bias).silu().unwrap();
        for path in Instructions::available() {
            let operation = Depthwise::new(&weight, &bias, stride).unwrap().with_instructions(path);
            let found = operation.forward(&block(&picture).unwrap()).unwrap();
            prop_assert_eq!(found.dims(), &[pictures, blocks, height.div_ceil(stride), width.div_ceil(stride), 16]);
            assert_near(&numbers(&unblock(&found, channels).unwrap()), &pixels_first(&expected), 1e-5);
        }
    }

    #[test]
    fn stem_is_focus_and_convolution(
        (pictures, half_height, half_width, blocks) in (1usize..3, 1usize..8, 1usize..16, 1usize..3),
        seed in any::<u64>(),
    ) {
        let (height, width, outputs) = (half_height * 2, half_width * 2, blocks * 16);
        let mut source = Numbers(seed);
        let bytes: Vec<u8> = source.many(pictures * height * width * 3).iter().map(|x| (x * 127.0 + 128.0) as u8).collect();
        let picture = Tensor::from_vec(bytes, (pictures, height, width, 3), &Device::Cpu).unwrap();
        let weight: Vec<f32> = source.many(outputs * 108).iter().map(|x| x / 255.0).collect();
        let bias = source.many(outputs);

        let planes = picture.to_dtype(DType::F32).unwrap().permute((0, 3, 1, 2)).unwrap().contiguous().unwrap();
        let parts = planes.reshape((pictures, 3, half_height, 2, half_width, 2)).unwrap();
        let quarter = |down: usize, right: usize| {
            let part = parts.narrow(3, down, 1).unwrap().narrow(5, right, 1).unwrap();
            part.reshape((pictures, 3, half_height, half_width)).unwrap()
        };
        let focus = Tensor::cat(&[quarter(0, 0), quarter(1, 0), quarter(0, 1), quarter(1, 1)], 1).unwrap();
        let kernel = Tensor::from_slice(&weight, (outputs, 12, 3, 3), &Device::Cpu).unwrap();
        let expected = biased(&focus.conv2d(&kernel, 1, 1, 1, 1).unwrap(), &bias).silu().unwrap();
        for path in Instructions::available() {
            let operation = Stem::new(&weight, &bias).unwrap().with_instructions(path);
            let found = unblock(&operation.forward(&picture).unwrap(), outputs).unwrap();
            assert_near(&numbers(&found), &pixels_first(&expected), 1e-4);
        }
    }

    #[test]
    fn pyramid_is_the_maximum_over_its_windows(
        (pictures, height, width, blocks) in (1usize..3, 1usize..16, 1usize..16, 1usize..3),
        seed in any::<u64>(),
    ) {
        let channels = blocks * 16;
        let picture = picture(&mut Numbers(seed), true, (pictures, channels, height, width));
        let given = numbers(&picture);
        let at = |n: usize, c: usize, y: usize, x: usize| given[((n * channels + c) * height + y) * width + x];
        let found = numbers(&unblock(&SpatialPyramid.forward(&block(&picture).unwrap()).unwrap(), channels * 4).unwrap());
        for (index, &found) in found.iter().enumerate() {
            let (place, channel) = (index / (channels * 4), index % (channels * 4));
            let (n, y, x) = (place / (height * width), place / width % height, place % width);
            let (reach, c) = ([0, 2, 4, 6][channel / channels], channel % channels);
            let mut expected = f32::NEG_INFINITY;
            for y in y.saturating_sub(reach)..(y + reach + 1).min(height) {
                for x in x.saturating_sub(reach)..(x + reach + 1).min(width) {
                    expected = expected.max(at(n, c, y, x));
                }
            }
            if reach == 0 {
                expected = at(n, c, y, x);
            }
            prop_assert_eq!(found.to_bits(), expected.to_bits(), "picture {} channel {} at {},{}", n, channel, x, y);
        }
    }

    #[test]
    fn upsample_repeats_pixels(
        (pictures, height, width, blocks) in (1usize..3, 1usize..8, 1usize..8, 1usize..3),
        seed in any::<u64>(),
    ) {
        let picture = picture(&mut Numbers(seed), false, (pictures, blocks * 16, height, width));
        let expected = picture.upsample_nearest2d(height * 2, width * 2).unwrap();
        let found = Upsample.forward(&block(&picture).unwrap()).unwrap();
        prop_assert_eq!(bits(&found), bits(&block(&expected).unwrap()));
    }

    #[test]
    fn vector_paths_agree_with_the_portable_one_on_wild_numbers(
        (pictures, height, width) in (1usize..3, 1usize..10, 1usize..20),
        (inputs, outputs, stride) in (1usize..4, 1usize..50, 1usize..3),
        seed in any::<u64>(),
    ) {
        let mut source = Numbers(seed);
        let picture = block(&picture(&mut source, true, (pictures, inputs * 16, height, width))).unwrap();
        let pointwise = Pointwise::new(&source.many(outputs * inputs * 16), &source.many(outputs), true).unwrap();
        let depthwise = Depthwise::new(&source.many(inputs * 16 * 9), &source.many(inputs * 16), stride).unwrap();
        let portable = Instructions::Portable;
        let expected = pointwise.clone().with_instructions(portable).forward(&picture).unwrap();
        let expected_depthwise = depthwise.clone().with_instructions(portable).forward(&picture).unwrap();
        for path in vector_paths() {
            let found = pointwise.clone().with_instructions(path).forward(&picture).unwrap();
            assert_near_or_huge(&numbers(&found), &numbers(&expected));
            let found = depthwise.clone().with_instructions(path).forward(&picture).unwrap();
            assert_near_or_huge(&numbers(&found), &numbers(&expected_depthwise));
        }
    }

    #[test]
    fn a_batch_gives_the_bits_of_its_pictures(
        (height, width, blocks, outputs) in (1usize..8, 1usize..20, 1usize..4, 1usize..40),
        seed in any::<u64>(),
    ) {
        let mut source = Numbers(seed);
        let batch = block(&picture(&mut source, false, (3, blocks * 16, height, width))).unwrap();
        let pointwise = Pointwise::new(&source.many(outputs * blocks * 16), &source.many(outputs), true).unwrap();
        let depthwise = Depthwise::new(&source.many(blocks * 16 * 9), &source.many(blocks * 16), 1).unwrap();
        let whole = [pointwise.forward(&batch).unwrap(), depthwise.forward(&batch).unwrap()];
        for index in 0..3 {
            let picture = batch.narrow(0, index, 1).unwrap();
            let alone = [pointwise.forward(&picture).unwrap(), depthwise.forward(&picture).unwrap()];
            for (whole, alone) in whole.iter().zip(&alone) {
                prop_assert_eq!(bits(&whole.narrow(0, index, 1).unwrap()), bits(alone));
            }
        }
    }
}

/// Where numbers of 1e30 cancel, rounding decides what is left: only their size is held to.
fn assert_near_or_huge(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (&found, &expected) in found.iter().zip(expected) {
        if found.abs().min(expected.abs()) < 1e20 && found.abs().max(expected.abs()) < 1e24 {
            assert_near(&[found], &[expected], 2e-3);
        } else {
            assert_eq!(found.is_nan(), expected.is_nan(), "{found} instead of {expected}");
            assert_eq!(
                found.is_infinite(),
                expected.is_infinite(),
                "{found} instead of {expected}"
            );
        }
    }
}

#[test]
fn a_position_does_not_change_the_bits() {
    // A picture whose pixels are all equal gives equal outputs in the middle, in a group and in the tail.
    let mut source = Numbers(7);
    let colours = source.many(32);
    let picture = Tensor::from_vec(colours, (1, 32, 1, 1), &Device::Cpu)
        .unwrap()
        .repeat((1, 1, 5, 17))
        .unwrap();
    let operation = Pointwise::new(&source.many(16 * 32), &source.many(16), true).unwrap();
    let found = bits(
        &operation
            .forward(&block(&picture.contiguous().unwrap()).unwrap())
            .unwrap(),
    );
    assert!(found.chunks_exact(16).all(|pixel| pixel == &found[..16]));
}

#[test]
fn wrong_shapes_are_named() {
    let tensor = Tensor::zeros((1, 2, 3, 3, 16), DType::F32, &Device::Cpu).unwrap();
    let operation = Pointwise::new(&[0.0; 16 * 48], &[0.0; 16], false).unwrap();
    let message = operation.forward(&tensor).unwrap_err().to_string();
    assert!(message.contains("32 channels in, 48 expected"), "{message}");
    assert!(Pointwise::new(&[0.0; 17], &[0.0], false).is_err());
    assert!(Depthwise::new(&[0.0; 144], &[0.0; 16], 3).is_err());
    let odd = Tensor::zeros((1, 3, 4, 3), DType::U8, &Device::Cpu).unwrap();
    assert!(
        Stem::new(&[0.0; 16 * 108], &[0.0; 16])
            .unwrap()
            .forward(&odd)
            .is_err()
    );
}
