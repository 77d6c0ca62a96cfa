//! Where an actor is at an instant: its way, rounded at the corners.

use crate::math::{Vec3, clamp01, hash, unit, vec3};
use crate::person::Pose;
use crate::{Actor, Posture, Waypoint};

/// Half of the time over which positions are averaged, which rounds corners and softens starts, in seconds.
const ROUNDING: f64 = 0.22;

/// An actor's way with the metres walked at each point.
#[derive(Clone, Debug)]
pub(crate) struct Way {
    points: Vec<Waypoint>,
    walked: Vec<f32>,
    phase: f32,
}

impl Way {
    pub(crate) fn new(actor: &Actor) -> Self {
        let mut walked = Vec::with_capacity(actor.way.len());
        let mut total = 0.0_f32;
        for (index, point) in actor.way.iter().enumerate() {
            if let Some(previous) = index.checked_sub(1).and_then(|before| actor.way.get(before)) {
                let (dx, dz) = (point.x - previous.x, point.z - previous.z);
                total += (dx * dx + dz * dz).sqrt();
            }
            walked.push(total);
        }
        Self {
            points: actor.way.clone(),
            walked,
            phase: unit(hash(actor.id as u32 ^ 0x77)) * 1.4,
        }
    }

    pub(crate) fn present(&self, seconds: f64) -> bool {
        match (self.points.first(), self.points.last()) {
            (Some(first), Some(last)) => seconds >= first.at_seconds && seconds < last.at_seconds,
            _ => false,
        }
    }

    /// Position on the straight pieces: x, z, metres walked.
    fn straight(&self, seconds: f64) -> (f32, f32, f32) {
        let after = self.points.partition_point(|point| point.at_seconds <= seconds);
        let before = after.saturating_sub(1).min(self.points.len().saturating_sub(1));
        let (Some(from), Some(&walked)) = (self.points.get(before), self.walked.get(before)) else {
            return (0.0, 0.0, 0.0);
        };
        let (Some(to), Some(&walked_after)) = (self.points.get(before + 1), self.walked.get(before + 1))
        else {
            return (from.x, from.z, walked);
        };
        let share = clamp01(((seconds - from.at_seconds) / (to.at_seconds - from.at_seconds)) as f32);
        (
            from.x + (to.x - from.x) * share,
            from.z + (to.z - from.z) * share,
            walked + (walked_after - walked) * share,
        )
    }

    fn rounded(&self, seconds: f64) -> (f32, f32, f32) {
        let (mut x, mut z, mut walked) = (0.0, 0.0, 0.0);
        for step in -2_i32..=2 {
            let (one_x, one_z, one_walked) = self.straight(seconds + f64::from(step) * ROUNDING * 0.5);
            x += one_x * 0.2;
            z += one_z * 0.2;
            walked += one_walked * 0.2;
        }
        (x, z, walked)
    }

    fn posture(&self, seconds: f64) -> Posture {
        let after = self.points.partition_point(|point| point.at_seconds <= seconds);
        self.points
            .get(after.saturating_sub(1))
            .map_or(Posture::Upright, |point| point.posture)
    }

    /// Direction of the movement around `seconds`, or of the last one before it, or of the first one after it.
    fn heading(&self, seconds: f64) -> Vec3 {
        let reach = 0.35;
        let (x0, z0, _) = self.rounded(seconds - reach);
        let (x1, z1, _) = self.rounded(seconds + reach);
        let movement = vec3(x1 - x0, 0.0, z1 - z0);
        if movement.length() > 0.08 {
            return movement.normalised();
        }
        let after = self.points.partition_point(|point| point.at_seconds <= seconds);
        let pieces = self.points.windows(2).enumerate();
        let mut found = vec3(0.0, 0.0, 1.0);
        for (index, pair) in pieces {
            let [from, to] = pair else { continue };
            let piece = vec3(to.x - from.x, 0.0, to.z - from.z);
            if piece.length() > 0.05 {
                found = piece.normalised();
                if index + 1 >= after {
                    break;
                }
            } else if index + 1 >= after && found != vec3(0.0, 0.0, 1.0) {
                break;
            }
        }
        found
    }

    /// How the actor stands at `seconds`.
    pub(crate) fn pose(&self, seconds: f64) -> Pose {
        let (x, z, walked) = self.rounded(seconds);
        let (_, _, before) = self.rounded(seconds - 0.12);
        let (_, _, after) = self.rounded(seconds + 0.12);
        let speed = (after - before) / 0.24;
        let posture = self.posture(seconds);
        let heading = if posture == Posture::Seated {
            vec3(0.0, 0.0, 1.0)
        } else {
            self.heading(seconds)
        };
        Pose {
            x,
            z,
            heading,
            walked: walked + self.phase,
            pace: clamp01(speed / 1.15),
            posture,
            sway: (seconds * 0.21) as f32 + self.phase,
            ground: 0.0,
        }
    }
}
