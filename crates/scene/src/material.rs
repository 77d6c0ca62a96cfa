//! Surfaces of the still scene: colour as a function of place.

use crate::math::{Vec3, clamp01, cloud, hash2, mix, noise2, smoothstep, unit, vec3};
use crate::text::Bitmap;

/// What a still body is made of.
#[derive(Clone, Debug)]
pub(crate) enum Material {
    /// Trodden earth with coal dust and stones; rails and sleepers in it run along `z` around `rails`.
    Earth { tint: Vec3, rails: Option<f32> },
    /// Road with worn tracks and a dashed middle line, earth beyond `half` metres.
    Road { half: f32 },
    /// Floor tiles of that size in metres.
    Tiles { tint: Vec3, size: f32 },
    /// Poured concrete with stains; darker towards the ground.
    Concrete { tint: Vec3 },
    /// Bricks with mortar.
    Brick { tint: Vec3 },
    /// Shotcrete of a tunnel, with ribs every metre and a half.
    Lining { tint: Vec3 },
    /// Painted or bare metal.
    Metal { tint: Vec3 },
    /// Corrugated sheet.
    Sheet { tint: Vec3 },
    /// Wall with a dado painted in a second colour up to `height`.
    Dado { upper: Vec3, lower: Vec3, height: f32 },
    /// A dark window with a light frame; `light` shines out.
    Window { light: Vec3 },
    /// A front of windows, `wide` by `high` metres each.
    Facade {
        tint: Vec3,
        wide: f32,
        high: f32,
        lit: f32,
    },
    /// Gives light.
    Glow { light: Vec3 },
    /// A monitor picture.
    Screen { seed: u32 },
    /// Writing on a board that faces the camera: lies in x and y from `low` to `high`.
    Board {
        text: Bitmap,
        back: Vec3,
        ink: Vec3,
        low: Vec3,
        high: Vec3,
    },
    /// Yellow and black warning stripes.
    Warning,
    /// A heap or bed of coal.
    CoalBed,
    /// Belt rubber; the moving belt replaces it.
    Rubber,
    /// Leaves and grass.
    Green { tint: Vec3 },
}

/// Colour that the surface returns, and light that it gives.
pub(crate) struct Look {
    pub(crate) albedo: Vec3,
    pub(crate) glow: Vec3,
    /// How much it mirrors at a flat angle: puddles, tiles.
    pub(crate) wet: f32,
}

fn grey(value: f32) -> Vec3 {
    vec3(value, value, value)
}

/// The two coordinates along a surface with that normal, in metres.
fn along(position: Vec3, normal: Vec3) -> (f32, f32) {
    if normal.y.abs() > 0.7 {
        (position.x, position.z)
    } else if normal.x.abs() > normal.z.abs() {
        (position.z, position.y)
    } else {
        (position.x, position.y)
    }
}

impl Material {
    pub(crate) fn look(&self, position: Vec3, normal: Vec3, seed: u32) -> Look {
        let (u, v) = along(position, normal);
        let mut glow = Vec3::ZERO;
        let mut wet = 0.0;
        let albedo = match self {
            Self::Earth { tint, rails } => {
                let (colour, wetness) = earth(*tint, *rails, position, seed);
                wet = wetness;
                colour
            }
            Self::Road { half } => road(*half, position, seed),
            Self::Tiles { tint, size } => {
                let (cu, cv) = (u / size, v / size);
                let (fu, fv) = (cu - cu.floor(), cv - cv.floor());
                let seam = fu < 0.02 || fv < 0.02;
                let each = unit(hash2(cu.floor() as i32, cv.floor() as i32, seed));
                wet = 0.25;
                *tint
                    * (if seam { 0.6 } else { 0.93 + 0.07 * each })
                    * (0.92 + 0.08 * cloud(u * 1.3, v * 1.3, seed))
            }
            Self::Concrete { tint } => {
                let blotch = cloud(u * 0.9, v * 0.9, seed);
                let grain = noise2(u * 22.0, v * 22.0, seed ^ 9);
                let streak = noise2(u * 3.1, v * 0.25, seed ^ 21);
                let joint = (u / 2.4 - (u / 2.4).floor()) < 0.012 || (v / 1.35 - (v / 1.35).floor()) < 0.015;
                let foot = smoothstep(0.0, 0.7, v + 0.25 * blotch);
                *tint
                    * (0.66 + 0.28 * blotch + 0.12 * (grain - 0.5) + 0.2 * (streak - 0.5))
                    * (if joint { 0.68 } else { 1.0 })
                    * mix(0.52, 1.0, foot)
            }
            Self::Brick { tint } => {
                let row = (v / 0.085).floor();
                let shifted = u / 0.26 + 0.5 * (row - 2.0 * (row / 2.0).floor());
                let (fu, fv) = (shifted - shifted.floor(), v / 0.085 - row);
                let mortar = fu < 0.05 || fv < 0.14;
                let each = unit(hash2(shifted.floor() as i32, row as i32, seed));
                let soot = 0.7 + 0.3 * cloud(u * 0.6, v * 0.6, seed);
                let foot = mix(0.6, 1.0, smoothstep(0.0, 0.9, v));
                if mortar {
                    grey(0.20) * (soot * foot)
                } else {
                    *tint * ((0.72 + 0.5 * each) * soot * foot)
                }
            }
            Self::Lining { tint } => {
                let rib = position.z / 1.5;
                let on_rib = (rib - rib.floor()) < 0.09;
                let rough = cloud(position.z * 2.1 + position.x, position.y * 2.1, seed);
                let damp = smoothstep(
                    0.45,
                    0.8,
                    cloud(position.z * 0.5, position.y * 0.4 + position.x, seed ^ 5),
                );
                *tint * ((0.6 + 0.55 * rough) * (1.0 - 0.35 * damp) * if on_rib { 0.62 } else { 1.0 })
            }
            Self::Metal { tint } => {
                let rust = smoothstep(0.62, 0.85, cloud(u * 2.7, v * 2.7, seed));
                tint.mix(vec3(0.16, 0.075, 0.035), rust * 0.45)
                    * (0.85 + 0.15 * noise2(u * 9.0, v * 9.0, seed))
            }
            Self::Sheet { tint } => {
                let wave = crate::math::sine(u / 0.22);
                *tint * (0.78 + 0.2 * wave) * (0.8 + 0.3 * cloud(u * 0.4, v * 0.7, seed))
            }
            Self::Dado { upper, lower, height } => {
                let worn = 0.9 + 0.14 * cloud(u * 0.8, v * 0.8, seed);
                (if position.y < *height { *lower } else { *upper }) * worn
            }
            Self::Window { light } => {
                let (fu, fv) = (u / 0.62 - (u / 0.62).floor(), v / 0.9 - (v / 0.9).floor());
                if fu < 0.08 || fv < 0.07 {
                    grey(0.42)
                } else {
                    glow = *light * (0.75 + 0.4 * noise2(u * 2.0, v * 2.0, seed));
                    grey(0.05)
                }
            }
            Self::Facade {
                tint,
                wide,
                high,
                lit,
            } => {
                let (cu, cv) = (u / wide, v / high);
                let (fu, fv) = (cu - cu.floor(), cv - cv.floor());
                let pane = (0.22..0.78).contains(&fu) && (0.3..0.8).contains(&fv);
                if pane {
                    let on = unit(hash2(cu.floor() as i32, cv.floor() as i32, seed)) < *lit;
                    if on {
                        glow = vec3(0.9, 0.75, 0.45) * 0.7;
                    }
                    vec3(0.06, 0.075, 0.09)
                } else {
                    *tint * (0.82 + 0.22 * cloud(u * 0.5, v * 0.5, seed))
                }
            }
            Self::Glow { light } => {
                glow = *light;
                grey(0.8)
            }
            Self::Screen { seed: own } => {
                glow = screen(u, v, *own);
                grey(0.02)
            }
            Self::Board {
                text,
                back,
                ink,
                low,
                high,
            } => {
                if normal.z < -0.5 {
                    let (fu, fv) = (
                        (position.x - low.x) / (high.x - low.x),
                        (high.y - position.y) / (high.y - low.y),
                    );
                    let inside = clamp01(text.sample((fu - 0.05) / 0.9, (fv - 0.12) / 0.76));
                    back.mix(*ink, inside) * (0.88 + 0.16 * cloud(u, v, seed))
                } else {
                    *back * 0.8
                }
            }
            Self::Warning => {
                let stripe = (u + v) / 0.36;
                if stripe - stripe.floor() < 0.5 {
                    vec3(0.62, 0.44, 0.03)
                } else {
                    grey(0.025)
                }
            }
            Self::CoalBed => {
                grey(0.012 + 0.04 * noise2(u * 9.0, v * 9.0, seed) * noise2(u * 21.0, v * 21.0, seed))
            }
            Self::Rubber => grey(0.035),
            Self::Green { tint } => {
                let leaf = cloud(u * 3.0, v * 3.0 + position.z, seed);
                *tint * (0.35 + 1.1 * leaf)
            }
        };
        Look { albedo, glow, wet }
    }
}

fn earth(tint: Vec3, rails: Option<f32>, position: Vec3, seed: u32) -> (Vec3, f32) {
    let (x, z) = (position.x, position.z);
    let large = cloud(x * 0.45, z * 0.45, seed);
    let fine = noise2(x * 11.0, z * 11.0, seed ^ 1);
    let pebble = smoothstep(0.74, 0.86, noise2(x * 17.0, z * 17.0, seed ^ 2));
    let dust = smoothstep(0.4, 0.75, cloud(x * 0.8 + 7.0, z * 0.35, seed ^ 3));
    let mut colour = tint * (0.62 + 0.42 * large + 0.22 * (fine - 0.5)) * mix(1.0, 0.5, dust);
    colour = colour.mix(grey(0.2), pebble * 0.55);
    // The trodden way in the middle is smoother and paler.
    let path = 1.0 - smoothstep(0.7, 1.7, (x - 0.35).abs());
    colour = colour.mix(tint * (0.95 + 0.15 * large), path * 0.45);
    let puddle = smoothstep(0.66, 0.72, cloud(x * 0.55 + 3.0, z * 0.8, seed ^ 4));
    if puddle > 0.0 {
        colour = colour * mix(1.0, 0.42, puddle);
    }
    if let Some(middle) = rails {
        let off = (x - middle).abs();
        if off < 0.62 {
            let tie = z / 0.62;
            let on_tie = (tie - tie.floor()) < 0.34;
            let ballast = 0.5 + 0.7 * noise2(x * 13.0, z * 13.0, seed ^ 6);
            colour = if on_tie {
                vec3(0.075, 0.06, 0.05) * (0.7 + 0.6 * fine)
            } else {
                grey(0.085) * ballast
            };
        }
        if (off - 0.38).abs() < 0.035 {
            colour = if (off - 0.38).abs() < 0.02 {
                vec3(0.34, 0.33, 0.32)
            } else {
                vec3(0.09, 0.06, 0.045)
            };
        }
    }
    (colour, puddle * 0.8)
}

fn road(half: f32, position: Vec3, seed: u32) -> Vec3 {
    let (x, z) = (position.x, position.z);
    let off = x.abs();
    let fine = noise2(x * 15.0, z * 15.0, seed ^ 1);
    let large = cloud(x * 0.3, z * 0.3, seed);
    let edge = half + 0.35 * (noise2(z * 0.7, 0.0, seed) - 0.5);
    if off > edge {
        let (colour, _) = earth(vec3(0.21, 0.18, 0.145), None, position, seed);
        return colour;
    }
    // Coal dust lies along the wheel tracks.
    let track = [-3.0_f32, -1.3, 1.3, 3.0]
        .iter()
        .map(|&at| 1.0 - smoothstep(0.1, 0.55, (x - at).abs()))
        .fold(0.0, f32::max);
    let mut colour = grey(0.15) * (0.7 + 0.4 * large + 0.25 * (fine - 0.5));
    colour = colour.mix(grey(0.045), track * (0.3 + 0.35 * noise2(x, z * 0.2, seed ^ 7)));
    let crack = (cloud(x * 0.8, z * 0.8, seed ^ 8) - 0.5).abs() < 0.008;
    if crack {
        colour = colour * 0.5;
    }
    let dash = z / 4.0;
    let worn = smoothstep(0.25, 0.5, noise2(x * 6.0, z * 3.0, seed ^ 9));
    if (off < 0.08 && (dash - dash.floor()) < 0.55) || (off - (half - 0.35)).abs() < 0.07 {
        colour = colour.mix(grey(0.5), 0.75 * worn);
    }
    // The stop line before the barrier.
    if (z + 1.2).abs() < 0.18 && x > 0.2 {
        colour = colour.mix(grey(0.52), 0.8 * worn);
    }
    colour
}

/// What a monitor shows: a grid of camera pictures, a plan of the mine, or a table.
fn screen(u: f32, v: f32, seed: u32) -> Vec3 {
    let kind = seed % 3;
    let (u, v) = (u * 3.0, v * 3.0);
    match kind {
        0 => {
            let (cu, cv) = (u / 0.72, v / 0.46);
            let cell = hash2(cu.floor() as i32, cv.floor() as i32, seed);
            let (fu, fv) = (cu - cu.floor(), cv - cv.floor());
            if fu < 0.04 || fv < 0.05 {
                return grey(0.01);
            }
            let base = 0.12 + 0.25 * unit(cell);
            let horizon = if fv > 0.45 + 0.2 * unit(cell ^ 3) {
                1.5
            } else {
                0.7
            };
            vec3(0.9, 1.0, 1.1) * (base * horizon * (0.6 + 0.8 * noise2(u * 9.0, v * 9.0, cell)))
        }
        1 => {
            let line = (cloud(u * 0.9, v * 0.9, seed) - 0.5).abs() < 0.02;
            let spot = unit(hash2((u * 6.0).floor() as i32, (v * 6.0).floor() as i32, seed)) > 0.93;
            if spot {
                vec3(0.9, 0.35, 0.1)
            } else if line {
                vec3(0.2, 0.8, 0.9)
            } else {
                vec3(0.02, 0.06, 0.13)
            }
        }
        _ => {
            let row = v / 0.085;
            let word = unit(hash2((u / 0.11).floor() as i32, row.floor() as i32, seed));
            if row - row.floor() > 0.45 && word > 0.4 {
                vec3(0.35, 0.55, 0.75)
            } else {
                vec3(0.05, 0.09, 0.16)
            }
        }
    }
}
