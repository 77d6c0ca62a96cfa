//! AdamW (Loshchilov and Hutter 2019) with warm-up and cosine, and a moving average of the weights.

use std::collections::BTreeMap;

use candle_core::{Device, Error, Result, Tensor};

use crate::net::Net;

const FIRST_DECAY: f32 = 0.9;
const SECOND_DECAY: f32 = 0.999;
const EPSILON: f32 = 1e-8;
/// Gradients with a larger norm than this are shortened to it.
const LARGEST_NORM: f64 = 35.0;

/// How fast to learn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Schedule {
    /// Highest rate, reached after the warm-up.
    pub(crate) peak: f32,
    /// Steps over which the rate rises from zero.
    pub(crate) warm_up: u64,
    /// Steps after which the rate has fallen to a twentieth of the peak.
    pub(crate) steps: u64,
}

impl Schedule {
    /// The rate of the step numbered from 0.
    pub(crate) fn rate(&self, step: u64) -> f32 {
        const FLOOR: f64 = 0.05;
        if step < self.warm_up {
            return self.peak * (step + 1) as f32 / self.warm_up as f32;
        }
        let length = self.steps.saturating_sub(self.warm_up).max(1) as f64;
        let share = ((step - self.warm_up) as f64 / length).min(1.0);
        let cosine = 0.5 + 0.5 * (std::f64::consts::PI * share).cos();
        self.peak * (FLOOR + (1.0 - FLOOR) * cosine) as f32
    }
}

/// What belongs to one variable.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct State {
    /// The value itself.
    pub(crate) value: Vec<f32>,
    /// Moving mean of the gradient.
    pub(crate) first: Vec<f32>,
    /// Moving mean of its square.
    pub(crate) second: Vec<f32>,
    /// Moving average of the value: what is exported.
    pub(crate) average: Vec<f32>,
}

/// All variables, their moments and averages.
pub(crate) struct Optimiser {
    /// By the variable's name.
    pub(crate) states: BTreeMap<String, State>,
    /// Steps made.
    pub(crate) step: u64,
    schedule: Schedule,
    weight_decay: f32,
    /// Steps over which the moving average forgets.
    memory: f64,
}

impl Optimiser {
    /// Starts from the variables of `net`.
    pub(crate) fn new(net: &Net, schedule: Schedule, weight_decay: f32, memory: f64) -> Result<Self> {
        let mut states = BTreeMap::new();
        for (name, variable) in net.variables() {
            let value = variable.flatten_all()?.to_vec1::<f32>()?;
            let zeros = vec![0.0; value.len()];
            let state = State {
                first: zeros.clone(),
                second: zeros,
                average: value.clone(),
                value,
            };
            states.insert(name.clone(), state);
        }
        Ok(Self {
            states,
            step: 0,
            schedule,
            weight_decay,
            memory,
        })
    }

    /// The rate of the next step.
    pub(crate) fn rate(&self) -> f32 {
        self.schedule.rate(self.step)
    }

    /// One step down the gradients, which also go to the net's variables.
    pub(crate) fn step(&mut self, net: &Net, gradients: &BTreeMap<String, Vec<f32>>) -> Result<f64> {
        let squares = gradients
            .values()
            .flatten()
            .map(|slope| f64::from(*slope) * f64::from(*slope));
        let norm = squares.sum::<f64>().sqrt();
        if !norm.is_finite() {
            return Err(Error::Msg(format!(
                "the gradient of step {} is not finite; lower the learning rate and resume from the last checkpoint",
                self.step
            )));
        }
        let shorten = if norm > LARGEST_NORM {
            (LARGEST_NORM / norm) as f32
        } else {
            1.0
        };
        let rate = self.rate();
        self.step += 1;
        let first_bias = 1.0 - FIRST_DECAY.powf(self.step as f32);
        let second_bias = 1.0 - SECOND_DECAY.powf(self.step as f32);
        // The average follows quickly at first, so that the random start is forgotten.
        let keep = (1.0 - 1.0 / self.memory).min(self.step as f64 / (self.step as f64 + 9.0)) as f32;
        for (name, state) in &mut self.states {
            let Some(gradient) = gradients.get(name) else {
                return Err(Error::Msg(format!("{name} has no gradient")));
            };
            // Scales, shifts and biases are not drawn to zero.
            let decay = if name.ends_with(".weight") {
                rate * self.weight_decay
            } else {
                0.0
            };
            let rows = state
                .value
                .iter_mut()
                .zip(&mut state.first)
                .zip(&mut state.second);
            for (((value, first), second), (average, slope)) in
                rows.zip(state.average.iter_mut().zip(gradient))
            {
                let slope = slope * shorten;
                *first += (1.0 - FIRST_DECAY) * (slope - *first);
                *second += (1.0 - SECOND_DECAY) * (slope * slope - *second);
                let direction = (*first / first_bias) / ((*second / second_bias).sqrt() + EPSILON);
                *value -= rate * direction + decay * *value;
                *average = keep * *average + (1.0 - keep) * *value;
            }
        }
        self.publish(net, |state| &state.value)?;
        Ok(norm)
    }

    /// Sets the net's variables to the values, or to their averages.
    pub(crate) fn publish(&self, net: &Net, choose: impl Fn(&State) -> &Vec<f32>) -> Result<()> {
        for (name, variable) in net.variables() {
            let Some(state) = self.states.get(name) else {
                return Err(Error::Msg(format!("{name} has no state")));
            };
            variable.set(&Tensor::from_slice(
                choose(state),
                variable.shape(),
                &Device::Cpu,
            )?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_and_falls() {
        let schedule = Schedule {
            peak: 1.0,
            warm_up: 10,
            steps: 110,
        };
        assert!((schedule.rate(0) - 0.1).abs() < 1e-6);
        assert!((schedule.rate(10) - 1.0).abs() < 1e-6);
        assert!((schedule.rate(60) - 0.525).abs() < 1e-3);
        assert!((schedule.rate(110) - 0.05).abs() < 1e-6);
        assert!((schedule.rate(1000) - 0.05).abs() < 1e-6);
    }

    #[test]
    fn a_step_goes_against_the_gradient_and_the_average_follows() {
        let net = Net::new(1).unwrap();
        let schedule = Schedule {
            peak: 0.01,
            warm_up: 1,
            steps: 100,
        };
        let mut optimiser = Optimiser::new(&net, schedule, 0.0, 100.0).unwrap();
        let name = "head.obj_preds.0.bias";
        let before = optimiser.states[name].value[0];
        let gradients = optimiser
            .states
            .iter()
            .map(|(n, s)| (n.clone(), vec![2.0; s.value.len()]))
            .collect();
        optimiser.step(&net, &gradients).unwrap();
        let state = &optimiser.states[name];
        assert!((state.value[0] - (before - 0.01)).abs() < 1e-5);
        assert!((state.average[0] - (before - 0.009)).abs() < 1e-5);
        assert_eq!(net.variables()[name].to_vec1::<f32>().unwrap(), state.value);
        let broken = BTreeMap::from([(name.to_owned(), vec![f32::NAN])]);
        assert!(
            optimiser
                .step(&net, &broken)
                .unwrap_err()
                .to_string()
                .contains("not finite")
        );
    }
}
