use mineseal_domain::BoundingBox;
use nalgebra::{Matrix2, Vector2};
use serde::{Deserialize, Serialize};

use crate::camera::Innovation;

/// Standard deviation of a detection's centre with the worst detector that is still followed, in sides: what may
/// belong to a track is judged by this, what it is worth to the filter by the model's own.
pub(crate) const LARGEST_JITTER: f64 = 0.08;

/// How one quantity of a box moves and is seen. Lengths are shares of the box's longer side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct AxisModel {
    /// Standard deviation of the velocity that an object may have when it is first seen, sides per second.
    pub(crate) first_velocity: f64,
    /// Random change of the velocity: sides per second, gathered over one second.
    pub(crate) agitation: f64,
    /// Time constant with which the velocity decays towards zero while nothing is seen, in seconds.
    pub(crate) memory_seconds: f64,
    /// Standard deviation of one detection, sides.
    pub(crate) jitter: f64,
}

/// One quantity and its velocity, with their uncertainty.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct AxisFilter {
    /// Value in pixels, velocity in pixels per second.
    mean: Vector2<f64>,
    covariance: Matrix2<f64>,
}

impl AxisFilter {
    fn new(value: f64, model: &AxisModel, scale: f64) -> Self {
        let (jitter, velocity) = (model.jitter * scale, model.first_velocity * scale);
        Self {
            mean: Vector2::new(value, 0.0),
            covariance: Matrix2::new(jitter * jitter, 0.0, 0.0, velocity * velocity),
        }
    }

    /// Moves the estimate on by `seconds`: an Ornstein-Uhlenbeck velocity (it decays with the model's time
    /// constant), driven by white acceleration.
    fn predict(&mut self, seconds: f64, model: &AxisModel, scale: f64) {
        let decay = (-seconds / model.memory_seconds).exp();
        let reach = model.memory_seconds * (1.0 - decay);
        let transition = Matrix2::new(1.0, reach, 0.0, decay);
        let density = (model.agitation * scale).powi(2);
        let noise = Matrix2::new(
            seconds.powi(3) / 3.0,
            seconds.powi(2) / 2.0,
            seconds.powi(2) / 2.0,
            seconds,
        ) * density;
        self.mean = transition * self.mean;
        self.covariance = transition * self.covariance * transition.transpose() + noise;
    }

    fn correct(&mut self, value: f64, variance: f64) {
        let gain = self.covariance.column(0) / (self.covariance[(0, 0)] + variance);
        self.mean += gain * (value - self.mean[0]);
        // Joseph's form: stays symmetric and positive whatever the rounding.
        let keep = Matrix2::new(1.0 - gain[0], 0.0, -gain[1], 1.0);
        self.covariance = keep * self.covariance * keep.transpose() + gain * gain.transpose() * variance;
    }
}

/// The models of a box's four quantities.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct MotionModel {
    /// Of the centre, both ways.
    pub(crate) centre: AxisModel,
    /// Of width and height.
    pub(crate) extent: AxisModel,
}

/// A Kalman filter over centre, width, height and their velocities. No model couples the four quantities, so
/// the 8 by 8 covariance is four 2 by 2 blocks and is kept as such.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct BoxFilter {
    x: AxisFilter,
    y: AxisFilter,
    width: AxisFilter,
    height: AxisFilter,
}

impl BoxFilter {
    pub(crate) fn new(seen: &BoundingBox, model: &MotionModel) -> Self {
        let [x, y, width, height] = quantities(seen);
        let scale = width.max(height).max(1.0);
        Self {
            x: AxisFilter::new(x, &model.centre, scale),
            y: AxisFilter::new(y, &model.centre, scale),
            width: AxisFilter::new(width, &model.extent, scale),
            height: AxisFilter::new(height, &model.extent, scale),
        }
    }

    pub(crate) fn predict(&mut self, seconds: f64, model: &MotionModel) {
        let scale = self.scale();
        self.x.predict(seconds, &model.centre, scale);
        self.y.predict(seconds, &model.centre, scale);
        self.width.predict(seconds, &model.extent, scale);
        self.height.predict(seconds, &model.extent, scale);
    }

    pub(crate) fn correct(&mut self, seen: &BoundingBox, model: &MotionModel) {
        let [x, y, width, height] = quantities(seen);
        let scale = self.scale();
        let centre_variance = (model.centre.jitter * scale).powi(2);
        let extent_variance = (model.extent.jitter * scale).powi(2);
        self.x.correct(x, centre_variance);
        self.y.correct(y, centre_variance);
        self.width.correct(width, extent_variance);
        self.height.correct(height, extent_variance);
    }

    /// Moves the estimate by what the picture moved, in pixels.
    pub(crate) fn shift(&mut self, [x, y]: [f64; 2]) {
        self.x.mean[0] += x;
        self.y.mean[0] += y;
    }

    /// How far a detection's centre lies from the estimate, and how far it should.
    pub(crate) fn innovation(&self, seen: &BoundingBox, model: &MotionModel) -> Innovation {
        let [x, y, ..] = quantities(seen);
        let size = self.scale();
        let jitter = (model.centre.jitter * size).powi(2);
        Innovation {
            offset: [x - self.x.mean[0], y - self.y.mean[0]],
            variance: [&self.x, &self.y].map(|axis| axis.covariance[(0, 0)] + jitter),
            size,
        }
    }

    /// The estimated box.
    pub(crate) fn bounding_box(&self) -> BoundingBox {
        let (width, height) = (self.width.mean[0].max(1.0), self.height.mean[0].max(1.0));
        BoundingBox {
            left: (self.x.mean[0] - width / 2.0) as f32,
            top: (self.y.mean[0] - height / 2.0) as f32,
            width: width as f32,
            height: height as f32,
        }
    }

    /// Standard deviations, in pixels, with which a detection's centre is expected around the estimate's.
    pub(crate) fn centre_deviation(&self) -> [f64; 2] {
        let variance = (LARGEST_JITTER * self.scale()).powi(2);
        [&self.x, &self.y].map(|axis| (axis.covariance[(0, 0)] + variance).sqrt())
    }

    /// The longer side, never below one pixel: the unit of all noises. A person's is his height; a car's does
    /// not shrink when it is seen from the side.
    fn scale(&self) -> f64 {
        self.width.mean[0].max(self.height.mean[0]).max(1.0)
    }
}

/// Centre x, centre y, width, height.
fn quantities(seen: &BoundingBox) -> [f64; 4] {
    let [left, top, width, height] = [seen.left, seen.top, seen.width, seen.height].map(f64::from);
    [left + width / 2.0, top + height / 2.0, width, height]
}
