//! What works on maps, against the single operations on tensors, on every path.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod common;

use candle_core::{Device, Tensor};
use common::{Numbers, assert_near, numbers};
use mineseal_kernels::{
    Dense, Depthwise, Entrance, Instructions, Map, Pointwise, Separable, SpatialPyramid, Stem, Upsample,
    Workspace, block, unblock,
};
use proptest::prelude::*;

/// A workspace whose memory is full of NaN: what an operation does not write is seen.
fn used_workspace() -> Workspace {
    let workspace = Workspace::new();
    let maps: Vec<Map> = (0..6)
        .map(|_| {
            let mut map = workspace.map(12, 40, 40);
            map.numbers_mut().fill(f32::NAN);
            map
        })
        .collect();
    drop(maps);
    workspace
}

fn map(workspace: &Workspace, tensor: &Tensor) -> Map {
    let (_, blocks, height, width, _) = tensor.dims5().unwrap();
    let mut map = workspace.map(blocks, height, width);
    map.numbers_mut().copy_from_slice(&numbers(tensor));
    map
}

fn tensor(numbers: Vec<f32>, blocks: usize, height: usize, width: usize) -> Tensor {
    Tensor::from_vec(numbers, (1, blocks, height, width, 16), &Device::Cpu).unwrap()
}

/// NaN is NaN whatever its bits: which of two a processor keeps is not said anywhere.
fn bits(numbers: &[f32]) -> Vec<u32> {
    let bits = |number: &f32| {
        if number.is_nan() {
            f32::NAN.to_bits()
        } else {
            number.to_bits()
        }
    };
    numbers.iter().map(bits).collect()
}

fn bits_of(tensor: &Tensor) -> Vec<u32> {
    bits(&numbers(tensor))
}

/// Of every block.
fn rows(map: &Map, rows: std::ops::Range<usize>) -> Vec<u32> {
    let row = map.width() * 16;
    let plane = map.height() * row;
    let parts = map
        .numbers()
        .chunks_exact(plane)
        .map(|plane| &plane[rows.start * row..rows.end * row]);
    bits(&parts.collect::<Vec<_>>().concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_separable_convolution_has_the_bits_of_its_parts(
        (height, width, stride) in (1usize..30, 1usize..40, 1usize..3),
        (inputs, outputs) in (1usize..4, 1usize..4),
        (from, length) in (0usize..30, 1usize..30),
        seed in any::<u64>(),
    ) {
        let mut source = Numbers(seed);
        let picture = tensor(source.wild(inputs * height * width * 16), inputs, height, width);
        let (out_height, out_width) = (height.div_ceil(stride), width.div_ceil(stride));
        let residual = tensor(source.many(outputs * out_height * out_width * 16), outputs, out_height, out_width);
        let depthwise = Depthwise::new(&source.many(inputs * 16 * 9), &source.many(inputs * 16), stride).unwrap();
        let pointwise = Pointwise::new(&source.many(outputs * inputs * 256), &source.many(outputs * 16), true).unwrap();
        let last = Pointwise::new(&source.many(7 * outputs * 16), &source.many(7), false).unwrap();
        for path in Instructions::available() {
            let workspace = used_workspace();
            let depthwise = depthwise.clone().with_instructions(path);
            let pointwise = pointwise.clone().with_instructions(path);
            let last = last.clone().with_instructions(path);
            let middle = depthwise.forward(&picture).unwrap();
            let separable = Separable::new(depthwise, pointwise.clone()).unwrap();
            let input = map(&workspace, &picture);
            let expected = pointwise.forward(&middle).unwrap();
            let found = separable.apply(&workspace, input.view()).unwrap();
            prop_assert_eq!((found.blocks(), found.height(), found.width()), (outputs, out_height, out_width));
            prop_assert_eq!(bits(found.numbers()), bits_of(&expected));

            let added = separable.apply_residual(&workspace, input.view(), map(&workspace, &residual).view()).unwrap();
            prop_assert_eq!(bits(added.numbers()), bits_of(&pointwise.forward_residual(&middle, &residual).unwrap()));

            let from = from.min(out_height - 1);
            let some = from..(from + length).min(out_height);
            let part = separable.apply_rows(&workspace, input.view(), some.clone()).unwrap();
            prop_assert_eq!(rows(&part, some.clone()), rows(&found, some.clone()));
            let then = map(&workspace, &last.forward(&expected).unwrap());
            let part = separable.apply_rows_then(&workspace, input.view(), some.clone(), &last).unwrap();
            prop_assert_eq!(rows(&part, some.clone()), rows(&then, some));
        }
    }

    #[test]
    fn a_dense_convolution_is_candles(
        (height, width, stride) in (1usize..20, 1usize..30, 1usize..3),
        (inputs, outputs) in (1usize..3, 1usize..40),
        (from, length) in (0usize..20, 1usize..20),
        seed in any::<u64>(),
    ) {
        let mut source = Numbers(seed);
        let picture = source.many(inputs * 16 * height * width);
        let picture = Tensor::from_vec(picture, (1, inputs * 16, height, width), &Device::Cpu).unwrap();
        let (weight, bias) = (source.many(outputs * inputs * 144), source.many(outputs));
        let kernel = Tensor::from_slice(&weight, (outputs, inputs * 16, 3, 3), &Device::Cpu).unwrap();
        let shifts = Tensor::from_slice(&bias, (1, outputs, 1, 1), &Device::Cpu).unwrap();
        let expected = picture.conv2d(&kernel, 1, stride, 1, 1).unwrap().broadcast_add(&shifts).unwrap().silu().unwrap();
        let (out_height, out_width) = (height.div_ceil(stride), width.div_ceil(stride));
        let out_blocks = outputs.div_ceil(16);
        let residual = tensor(source.many(out_blocks * out_height * out_width * 16), out_blocks, out_height, out_width);
        let last = Pointwise::new(&source.many(5 * out_blocks * 16), &source.many(5), false).unwrap();
        for path in Instructions::available() {
            let workspace = used_workspace();
            let dense = Dense::new(&weight, &bias, stride).unwrap().with_instructions(path);
            let input = map(&workspace, &block(&picture).unwrap());
            let found = dense.apply(&workspace, input.view()).unwrap();
            prop_assert_eq!((found.blocks(), found.height(), found.width()), (out_blocks, out_height, out_width));
            let as_tensor = tensor(found.numbers().to_vec(), out_blocks, out_height, out_width);
            let by_pixels = unblock(&as_tensor, outputs).unwrap();
            let expected = expected.flatten_from(2).unwrap().transpose(1, 2).unwrap().contiguous().unwrap();
            assert_near(&numbers(&by_pixels), &numbers(&expected), 1e-4);

            let added = dense.apply_residual(&workspace, input.view(), map(&workspace, &residual).view()).unwrap();
            let sums: Vec<f32> = found.numbers().iter().zip(numbers(&residual)).map(|(a, b)| a + b).collect();
            assert_near(added.numbers(), &sums, 1e-5);

            let from = from.min(out_height - 1);
            let some = from..(from + length).min(out_height);
            let part = dense.apply_rows(&workspace, input.view(), some.clone()).unwrap();
            prop_assert_eq!(rows(&part, some.clone()), rows(&found, some.clone()));
            let last = last.clone().with_instructions(path);
            let then = last.apply(&workspace, found.view()).unwrap();
            let part = dense.apply_rows_then(&workspace, input.view(), some.clone(), &last).unwrap();
            prop_assert_eq!(rows(&part, some.clone()), rows(&then, some));
        }
    }

    #[test]
    fn the_stem_gives_a_map_as_it_gives_a_tensor(
        (half_height, half_width, blocks) in (1usize..20, 1usize..30, 1usize..3),
        seed in any::<u64>(),
    ) {
        let (height, width) = (half_height * 2, half_width * 2);
        let mut source = Numbers(seed);
        let bytes: Vec<u8> = source.many(height * width * 3).iter().map(|x| (x * 127.0 + 128.0) as u8).collect();
        let picture = Tensor::from_slice(&bytes, (1, height, width, 3), &Device::Cpu).unwrap();
        let stem = Stem::new(&source.many(blocks * 16 * 108), &source.many(blocks * 16)).unwrap();
        for path in Instructions::available() {
            let stem = stem.clone().with_instructions(path);
            let found = stem.apply(&used_workspace(), &bytes, height, width).unwrap();
            prop_assert_eq!(bits(found.numbers()), bits_of(&stem.forward(&picture).unwrap()));
        }
    }

    #[test]
    fn the_entrance_has_the_bits_of_its_parts(
        (quarter_height, quarter_width, stem_blocks, outputs) in (1usize..12, 1usize..30, 1usize..3, 1usize..4),
        seed in any::<u64>(),
    ) {
        let (height, width) = (quarter_height * 4, quarter_width * 4);
        let mut source = Numbers(seed);
        let bytes: Vec<u8> = source.many(height * width * 3).iter().map(|x| (x * 127.0 + 128.0) as u8).collect();
        let picture = Tensor::from_slice(&bytes, (1, height, width, 3), &Device::Cpu).unwrap();
        let stem = Stem::new(&source.many(stem_blocks * 16 * 108), &source.many(stem_blocks * 16)).unwrap();
        let depthwise = Depthwise::new(&source.many(stem_blocks * 144), &source.many(stem_blocks * 16), 2).unwrap();
        let pointwise = Pointwise::new(&source.many(outputs * stem_blocks * 256), &source.many(outputs * 16), true).unwrap();
        for path in Instructions::available() {
            let workspace = used_workspace();
            let stem = stem.clone().with_instructions(path);
            let depthwise = depthwise.clone().with_instructions(path);
            let pointwise = pointwise.clone().with_instructions(path);
            let expected = pointwise.forward(&depthwise.forward(&stem.forward(&picture).unwrap()).unwrap()).unwrap();
            let entrance = Entrance::new(stem, Separable::new(depthwise, pointwise).unwrap()).unwrap();
            let found = entrance.apply(&workspace, &bytes, height, width).unwrap();
            prop_assert_eq!(bits(found.numbers()), bits_of(&expected));
        }
    }

    #[test]
    fn sums_may_start_from_a_map(
        (height, width, blocks, outputs) in (1usize..6, 1usize..30, 1usize..4, 1usize..5),
        seed in any::<u64>(),
    ) {
        let mut source = Numbers(seed);
        let count = height * width * 16;
        let first = tensor(source.many(blocks * count), blocks, height, width);
        let second = tensor(source.many(blocks * count), blocks, height, width);
        let (inputs, rows) = (blocks * 16, outputs * 16);
        let (one, two) = (source.many(rows * inputs), source.many(rows * inputs));
        let joined: Vec<f32> = one.chunks_exact(inputs).zip(two.chunks_exact(inputs)).flat_map(|(a, b)| [a, b].concat()).collect();
        let bias = source.many(rows);
        for path in Instructions::available() {
            let workspace = used_workspace();
            let make = |weight: &[f32], bias: &[f32], silu| Pointwise::new(weight, bias, silu).unwrap().with_instructions(path);
            let start = make(&one, &bias, false).apply(&workspace, map(&workspace, &first).view()).unwrap();
            let zero = vec![0.0; rows];
            let found = make(&two, &zero, true).apply_from(&workspace, start.view(), map(&workspace, &second).view()).unwrap();
            // The same products in the same order: on one path the very same sums.
            let expected = make(&joined, &bias, true).forward_pair(&first, &second).unwrap();
            prop_assert_eq!(bits(found.numbers()), bits_of(&expected));
        }
    }

    #[test]
    fn maps_are_pooled_and_doubled_as_tensors_are(
        (height, width, blocks) in (1usize..16, 1usize..16, 1usize..3),
        seed in any::<u64>(),
    ) {
        let workspace = used_workspace();
        let picture = tensor(Numbers(seed).wild(blocks * height * width * 16), blocks, height, width);
        let input = map(&workspace, &picture);
        let pooled = SpatialPyramid.maxima(&workspace, input.view());
        let expected = SpatialPyramid.forward(&picture).unwrap().narrow(1, blocks, 3 * blocks).unwrap();
        prop_assert_eq!(bits(pooled.numbers()), bits_of(&expected));
        let doubled = Upsample.apply(&workspace, input.view());
        prop_assert_eq!(bits(doubled.numbers()), bits_of(&Upsample.forward(&picture).unwrap()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn bytes_are_near_and_the_same_on_every_path(
        (height, width, blocks, outputs) in (1usize..6, 1usize..30, 4usize..9, 1usize..70),
        (silu, seed) in (any::<bool>(), any::<u64>()),
    ) {
        let mut source = Numbers(seed);
        let picture = tensor(source.many(blocks * height * width * 16), blocks, height, width);
        let out_blocks = outputs.div_ceil(16);
        let residual = tensor(source.many(out_blocks * height * width * 16), out_blocks, height, width);
        let (weight, bias) = (source.many(outputs * blocks * 16), source.many(outputs));
        let exact = Pointwise::new(&weight, &bias, silu).unwrap().with_instructions(Instructions::Portable);
        let workspace = used_workspace();
        let (input, residual) = (map(&workspace, &picture), map(&workspace, &residual));
        let far = exact.apply_residual(&workspace, input.view(), residual.view()).unwrap();
        let portable = exact.clone().with_bytes().apply_residual(&workspace, input.view(), residual.view()).unwrap();
        // An input is off by 1/255 at most (half a step of 2/255), a weight by 1/254; both errors may add up.
        let bound = blocks as f32 * 16.0 * (1.0 / 255.0 + 1.0 / 254.0) * 1.2;
        let mut differ = false;
        for (far, near) in far.numbers().iter().zip(portable.numbers()) {
            prop_assert!((far - near).abs() <= bound, "{} instead of {}", near, far);
            differ |= far != near;
        }
        prop_assert!(differ, "nothing was rounded");
        for path in Instructions::available().into_iter().filter(|path| path.has_bytes()) {
            let operation = Pointwise::new(&weight, &bias, silu).unwrap().with_instructions(path).with_bytes();
            let found = operation.apply_residual(&workspace, input.view(), residual.view()).unwrap();
            for (found, expected) in found.numbers().iter().zip(portable.numbers()) {
                prop_assert!((found - expected).abs() <= 1e-4 * expected.abs().max(1.0), "{} instead of {}", found, expected);
            }
        }
    }
}

#[test]
fn few_channels_and_paths_without_bytes_stay_exact() {
    let mut source = Numbers(3);
    let (weight, bias) = (source.many(16 * 32), source.many(16));
    let picture = tensor(source.many(2 * 16), 2, 1, 1);
    for path in Instructions::available() {
        let plain = Pointwise::new(&weight, &bias, true)
            .unwrap()
            .with_instructions(path);
        let bytes = plain.clone().with_bytes();
        assert_eq!(
            bits_of(&bytes.forward(&picture).unwrap()),
            bits_of(&plain.forward(&picture).unwrap())
        );
    }
}

#[test]
fn a_workspace_gives_its_memory_again() {
    let workspace = Workspace::new();
    let first = workspace.map(2, 8, 8);
    let place = first.numbers().as_ptr();
    drop(first);
    let smaller = workspace.map(1, 8, 8);
    assert_eq!(smaller.numbers().as_ptr(), place);
    assert_eq!(smaller.numbers().len(), 1024);
    assert!(place.addr().is_multiple_of(64), "a pixel is a cache line");
    assert_ne!(workspace.map(1, 8, 8).numbers().as_ptr(), place);
}

#[test]
fn what_does_not_fit_is_refused() {
    let workspace = Workspace::new();
    let pointwise = Pointwise::new(&[0.0; 16 * 32], &[0.0; 16], true).unwrap();
    let (one, two) = (workspace.map(1, 4, 4), workspace.map(2, 4, 5));
    assert!(pointwise.apply(&workspace, one.view()).is_err());
    assert!(pointwise.apply_pair(&workspace, one.view(), two.view()).is_err());
    assert!(
        pointwise
            .apply_residual(&workspace, two.view(), one.view())
            .is_err()
    );
    assert!(one.view().split(2).is_err());
    let depthwise = Depthwise::new(&[0.0; 144], &[0.0; 16], 1).unwrap();
    assert!(Separable::new(depthwise.clone(), pointwise.clone()).is_err());
    let fitting = Pointwise::new(&[0.0; 256], &[0.0; 16], true).unwrap();
    let separable = Separable::new(depthwise, fitting).unwrap();
    assert!(separable.apply(&workspace, two.view()).is_err());
    let dense = Dense::new(&[0.0; 16 * 144], &[0.0; 16], 1).unwrap();
    assert!(dense.apply(&workspace, two.view()).is_err());
    assert!(dense.apply_residual(&workspace, one.view(), two.view()).is_err());
    assert!(
        dense
            .apply_rows_then(&workspace, one.view(), 0..1, &pointwise)
            .is_err()
    );
    assert!(
        Dense::new(&[0.0; 15 * 144], &[0.0; 16], 1).is_err()
            && Dense::new(&[0.0; 16 * 144], &[0.0; 16], 3).is_err()
    );
    let stem = Stem::new(&[0.0; 16 * 108], &[0.0; 16]).unwrap();
    assert!(stem.apply(&workspace, &[0; 11], 2, 2).is_err());
    assert!(Entrance::new(stem, separable).is_err(), "stride 1");
}
