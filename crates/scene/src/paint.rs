//! Light on figures: from a surface point to linear light, and from linear light to display values.

use crate::Look;
use crate::math::{Vec3, clamp01, hash2, unit, vec3};
use crate::raster::Hit;

/// Light where a figure stands; directions in the camera's axes, pointing towards the light.
#[derive(Clone, Debug, Default)]
pub(crate) struct LocalLight {
    /// From above.
    pub(crate) sky: Vec3,
    /// From the ground.
    pub(crate) bounce: Vec3,
    /// World up in the camera's axes.
    pub(crate) up: Vec3,
    /// Sun and lamps.
    pub(crate) beams: Vec<(Vec3, Vec3)>,
}

impl LocalLight {
    /// Light that a matt white surface with that normal returns.
    pub(crate) fn on(&self, normal: Vec3) -> Vec3 {
        let upward = 0.5 + 0.5 * normal.dot(self.up);
        let mut light = self.bounce.mix(self.sky, upward);
        for (direction, colour) in &self.beams {
            let lambert = normal.dot(*direction);
            // Wrapped a little: cloth and skin scatter.
            let lit = clamp01((lambert + 0.18) / 1.18);
            light = light + *colour * (lit * lit.sqrt());
        }
        light
    }

    /// Mirror-like light for a surface of that roughness (exponent by squarings).
    pub(crate) fn gloss(&self, normal: Vec3, squarings: u32) -> Vec3 {
        let mut light = Vec3::ZERO;
        for (direction, colour) in &self.beams {
            let half = (*direction + vec3(0.0, 0.0, -1.0)).normalised();
            let mut power = clamp01(normal.dot(half));
            for _ in 0..squarings {
                power *= power;
            }
            light = light + *colour * power;
        }
        light
    }
}

/// What a part is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Paint {
    /// Cloth with up to three light reflecting bands (from, to along the part); straps run along a torso.
    Cloth {
        colour: Vec3,
        bands: [(f32, f32); 3],
        straps: bool,
    },
    /// Skin; `face` is 1 where the face looks into the camera, -1 where the back of the head does.
    Skin { colour: Vec3 },
    /// Helmet shell.
    Plastic { colour: Vec3 },
    /// Painted metal of vehicles.
    Lacquer { colour: Vec3, dirt: f32, seed: u32 },
    /// Ribbed sheet of a truck's bed.
    Ribbed { colour: Vec3 },
    /// Red and white stripes of a barrier.
    Stripes,
    /// Window glass.
    Glass,
    /// Rubber, boots, chassis.
    Dull { colour: Vec3 },
    /// Lumps of coal.
    Coal { seed: u32 },
    /// Gives light itself.
    Glow { colour: Vec3 },
}

pub(crate) const NO_BANDS: [(f32, f32); 3] = [(2.0, 2.0); 3];

impl Paint {
    pub(crate) fn shade(&self, hit: Hit, light: &LocalLight) -> Vec3 {
        match self {
            Self::Cloth {
                colour,
                bands,
                straps,
            } => {
                let in_band = bands
                    .iter()
                    .any(|&(from, to)| hit.along >= from && hit.along <= to)
                    || (*straps && (hit.across.abs() - 0.5).abs() < 0.11 && hit.along < 0.62);
                let mut base = *colour;
                if in_band {
                    base = vec3(0.62, 0.64, 0.62);
                }
                // Folds.
                let fold = 0.9 + 0.1 * crate::math::sine(hit.along * 2.3 + hit.across * 0.7);
                base.times(light.on(hit.normal)) * fold
            }
            Self::Skin { colour } => colour.times(light.on(hit.normal)),
            Self::Plastic { colour } => {
                colour.times(light.on(hit.normal)) + light.gloss(hit.normal, 4) * 0.35
            }
            Self::Lacquer { colour, dirt, seed } => {
                let grain = unit(hash2(
                    (hit.along * 23.0) as i32,
                    (hit.across * 17.0) as i32,
                    *seed,
                ));
                let shade = 1.0 - dirt * (0.35 * (1.0 - hit.along).abs() + 0.12 * grain);
                (*colour * shade).times(light.on(hit.normal)) + light.gloss(hit.normal, 3) * 0.08
            }
            Self::Ribbed { colour } => {
                let rib = (hit.across + 1.0) * 4.0;
                let edge = rib - rib.floor();
                let relief = if edge < 0.14 {
                    1.25
                } else if edge < 0.22 {
                    0.6
                } else {
                    0.92
                };
                let grime = 1.0 - 0.4 * hit.along * hit.along;
                colour.times(light.on(hit.normal)) * (relief * grime)
            }
            Self::Stripes => {
                let stripe = hit.along * 9.0;
                let red = stripe - stripe.floor() < 0.5;
                let base = if red {
                    vec3(0.5, 0.02, 0.015)
                } else {
                    vec3(0.66, 0.66, 0.64)
                };
                base.times(light.on(hit.normal))
            }
            Self::Glass => {
                let sky = light.sky * (0.12 + 0.3 * (1.0 - hit.along));
                sky + light.gloss(hit.normal, 5) * 0.5 + vec3(0.004, 0.005, 0.006)
            }
            Self::Dull { colour } => colour.times(light.on(hit.normal)),
            Self::Coal { seed } => {
                let cell = unit(hash2(
                    (hit.along * 31.0) as i32,
                    (hit.across * 21.0) as i32,
                    *seed,
                ));
                vec3(0.018, 0.018, 0.020).times(light.on(hit.normal)) * (0.5 + 1.6 * cell)
                    + light.gloss(hit.normal, 2) * (0.02 * cell)
            }
            Self::Glow { colour } => *colour,
        }
    }
}

/// From a display colour to linear light.
pub(crate) fn linear(colour: [u8; 3]) -> Vec3 {
    let one = |value: u8| {
        let share = f32::from(value) / 255.0;
        share * share
    };
    let [red, green, blue] = colour;
    vec3(one(red), one(green), one(blue))
}

/// The camera's way from light to display values.
#[derive(Clone, Debug)]
pub(crate) struct Grade {
    exposure: f32,
    saturation: f32,
    balance: Vec3,
    centre: (f32, f32),
    vignette: f32,
}

impl Grade {
    pub(crate) fn new(look: &Look, width: u32, height: u32) -> Self {
        let [red, green, blue] = look.balance;
        let (half_width, half_height) = (width as f32 / 2.0, height as f32 / 2.0);
        Self {
            exposure: look.exposure,
            saturation: look.saturation,
            balance: vec3(red, green, blue),
            centre: (half_width, half_height),
            vignette: 0.34 / (half_width * half_width + half_height * half_height),
        }
    }

    /// Display values 0 to 255 of linear light at that place of the picture.
    pub(crate) fn encode(&self, light: Vec3, x: f32, y: f32) -> Vec3 {
        let (dx, dy) = (x - self.centre.0, y - self.centre.1);
        let gain = self.exposure * (1.0 - self.vignette * (dx * dx + dy * dy));
        let exposed = light.times(self.balance) * gain;
        let tone = |value: f32| {
            let value = value.max(0.0);
            (value * (1.0 + value * 0.06) / (0.92 + value)).min(1.0).sqrt()
        };
        let display = vec3(tone(exposed.x), tone(exposed.y), tone(exposed.z));
        let grey = display.x * 0.3 + display.y * 0.59 + display.z * 0.11;
        let saturated = vec3(grey, grey, grey).mix(display, self.saturation);
        vec3(
            saturated.x.clamp(0.0, 1.0) * 255.0,
            saturated.y.clamp(0.0, 1.0) * 255.0,
            saturated.z.clamp(0.0, 1.0) * 255.0,
        )
    }
}
