use super::{Numbers, agree, halves, processors, put, settings, silu};
use crate::{Beside, Constants, Executor, Plan, View};

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
