//! People as articulated figures: from a pose to soft-edged parts.

use crate::camera::Camera;
use crate::figure::Parts;
use crate::math::{Vec3, cosine, mix, sine, vec3};
use crate::outfit::{carried, helmet};
use crate::paint::{NO_BANDS, Paint, linear};
use crate::pen::Pen;
use crate::{Load, PersonLook, Posture};

/// How a person stands at one instant.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pose {
    /// Where on the ground, in metres.
    pub(crate) x: f32,
    pub(crate) z: f32,
    /// Looking direction on the ground, length 1.
    pub(crate) heading: Vec3,
    /// Metres walked so far: drives the gait.
    pub(crate) walked: f32,
    /// 0 standing, 1 walking at full stride.
    pub(crate) pace: f32,
    pub(crate) posture: Posture,
    /// Slow sway, in turns.
    pub(crate) sway: f32,
    /// Height of the ground there.
    pub(crate) ground: f32,
}

/// One leg or arm seen from the side: where its joints are.
struct Chain {
    top: Vec3,
    middle: Vec3,
    end: Vec3,
}

fn chain(top: Vec3, ahead: Vec3, upper: f32, lower: f32, first: f32, second: f32) -> Chain {
    let down = Vec3::UP * -1.0;
    let middle = top + (ahead * sine(first) + down * cosine(first)) * upper;
    let end = middle + (ahead * sine(second) + down * cosine(second)) * lower;
    Chain { top, middle, end }
}

/// All parts of the person, not sorted.
pub(crate) fn parts(look: &PersonLook, pose: &Pose, camera: &Camera, out: &mut Parts) {
    let tall = look.height;
    let wide = look.build;
    let ahead = pose.heading;
    let side = vec3(ahead.z, 0.0, -ahead.x);
    let seated = pose.posture == Posture::Seated;
    let stride = tall * 0.80;
    let phase = pose.walked / stride;
    let swing = 0.068 * pose.pace;

    // Legs first with the pelvis at a nominal height; the lower foot then decides how high it really is.
    let hip_half = 0.052 * tall;
    let upper_leg = 0.245 * tall;
    let lower_leg = 0.246 * tall;
    let leg = |which: f32, pelvis: Vec3| {
        let hip = pelvis + side * (hip_half * which);
        if seated {
            let knee = hip + ahead * upper_leg + side * (0.03 * which);
            return Chain {
                top: hip,
                middle: knee,
                end: knee + vec3(0.0, -lower_leg * 0.92, 0.0) - ahead * 0.05,
            };
        }
        let turn = phase + if which > 0.0 { 0.0 } else { 0.5 };
        let forward = sine(turn);
        let lifting = cosine(turn).max(0.0);
        let thigh = swing * forward + 0.012 * pose.pace;
        let bend = pose.pace * (0.015 + 0.125 * lifting * lifting * (0.65 - 0.35 * forward)) + 0.006;
        chain(hip, ahead, upper_leg, lower_leg, thigh, thigh - bend)
    };
    let nominal = vec3(pose.x, pose.ground + 0.5 * tall, pose.z);
    let (left, right) = (leg(-1.0, nominal), leg(1.0, nominal));
    let ankle = 0.045 * tall;
    let pelvis = if seated {
        vec3(pose.x, pose.ground + 0.50, pose.z)
    } else {
        nominal + Vec3::UP * (pose.ground + ankle - left.end.y.min(right.end.y))
    };
    let (left, right) = (leg(-1.0, pelvis), leg(1.0, pelvis));

    let lean = if seated { 0.05 } else { 0.022 * pose.pace };
    let sway = sine(pose.sway) * 0.008;
    let spine = (Vec3::UP * cosine(lean) + ahead * sine(lean) + side * sway).normalised();
    let chest = pelvis + spine * (0.29 * tall);
    let neck = pelvis + spine * (0.335 * tall);
    let head = neck + spine * (0.072 * tall) + ahead * 0.015;
    let shoulder_half = 0.108 * tall * wide;
    // Shoulders turn against the hips.
    let twist = 0.03 * pose.pace * sine(phase);
    let shoulder_side = side * cosine(twist) + ahead * sine(twist);

    let trousers = linear(look.trousers);
    let jacket = linear(look.jacket);
    let vest = look.vest.map(linear);
    let skin = linear(look.skin);
    let boots = vec3(0.012, 0.011, 0.010);
    let leg_bands = if look.bands {
        [(0.35, 0.52), (2.0, 2.0), (2.0, 2.0)]
    } else {
        NO_BANDS
    };
    let arm_bands = if look.bands {
        [(0.25, 0.45), (2.0, 2.0), (2.0, 2.0)]
    } else {
        NO_BANDS
    };
    let mut pen = Pen {
        camera,
        out,
        carried: false,
    };

    for leg in [&left, &right] {
        let cloth = Paint::Cloth {
            colour: trousers,
            bands: NO_BANDS,
            straps: false,
        };
        let shin = Paint::Cloth {
            colour: trousers * 0.93,
            bands: leg_bands,
            straps: false,
        };
        pen.limb(leg.top, leg.middle, 0.053 * tall * wide, 0.036 * tall, cloth, 0.0);
        pen.limb(leg.middle, leg.end, 0.037 * tall, 0.027 * tall, shin, 0.0);
        let cuff = leg.end + (leg.middle - leg.end) * 0.25;
        pen.limb(
            cuff,
            leg.end,
            0.031 * tall,
            0.030 * tall,
            Paint::Dull { colour: boots },
            -0.01,
        );
        let shank = (leg.end - leg.middle).normalised();
        // The sole follows the shank a little when the heel lifts.
        let lift = (-ahead.dot(shank)).max(0.0);
        let toe = leg.end + (ahead * 0.095 + vec3(0.0, -0.016 - 0.055 * lift, 0.0)) * tall;
        pen.limb(
            leg.end - ahead * 0.02,
            toe,
            0.028 * tall,
            0.020 * tall,
            Paint::Dull { colour: boots },
            -0.01,
        );
    }

    let torso_paint = Paint::Cloth {
        colour: vest.unwrap_or(jacket),
        bands: if vest.is_some() || look.bands {
            [(0.44, 0.53), (0.68, 0.77), (2.0, 2.0)]
        } else {
            NO_BANDS
        },
        straps: vest.is_some(),
    };
    let waist_half = 0.078 * tall * wide;
    pen.slab(
        [
            chest + shoulder_side * (shoulder_half * 0.62),
            chest + shoulder_side * (shoulder_half * -0.62),
            pelvis - side * (waist_half * 0.55) - Vec3::UP * 0.02,
            pelvis + side * (waist_half * 0.55) - Vec3::UP * 0.02,
        ],
        0.060 * tall * wide,
        chest + Vec3::UP * (0.055 * tall),
        pelvis - Vec3::UP * (0.07 * tall),
        shoulder_half * 1.0,
        torso_paint,
    );

    for which in [-1.0_f32, 1.0] {
        let shoulder = chest + shoulder_side * (shoulder_half * which);
        let turn = phase + if which > 0.0 { 0.5 } else { 0.0 };
        let arm = if seated {
            chain(shoulder, ahead, 0.17 * tall, 0.155 * tall, 0.11, 0.23)
        } else if which > 0.0 && look.carries == Some(Load::Shovel) {
            chain(shoulder, ahead, 0.17 * tall, 0.155 * tall, 0.03, 0.36)
        } else {
            let first = 0.058 * pose.pace * sine(turn) + 0.004;
            chain(
                shoulder + side * (which * 0.012),
                ahead,
                0.17 * tall,
                0.155 * tall,
                first,
                first + 0.03 + 0.03 * pose.pace,
            )
        };
        let sleeve = Paint::Cloth {
            colour: jacket,
            bands: arm_bands,
            straps: false,
        };
        let fore = Paint::Cloth {
            colour: jacket * 0.95,
            bands: NO_BANDS,
            straps: false,
        };
        pen.limb(
            arm.top,
            arm.middle,
            0.036 * tall * wide,
            0.028 * tall,
            sleeve,
            0.0,
        );
        pen.limb(arm.middle, arm.end, 0.028 * tall, 0.022 * tall, fore, 0.0);
        let hand = arm.end + (arm.end - arm.middle).normalised() * (0.03 * tall);
        pen.limb(
            arm.end,
            hand,
            0.021 * tall,
            0.019 * tall,
            Paint::Skin { colour: skin * 0.8 },
            0.0,
        );
        if which > 0.0 && !seated {
            carried(&mut pen, look, hand, shoulder, ahead, tall);
        }
    }

    pen.limb(
        neck - spine * 0.03,
        head,
        0.031 * tall,
        0.033 * tall,
        Paint::Skin { colour: skin * 0.85 },
        0.0,
    );
    // The face looks ahead: the skull's back half is hair or helmet.
    pen.limb(
        head + ahead * 0.012,
        head + ahead * 0.014 - spine * 0.028,
        0.050 * tall,
        0.043 * tall,
        Paint::Skin { colour: skin },
        -0.01,
    );
    let facing = -camera.to_view(ahead).z;
    if facing > 0.15 {
        // Eyes in the shade of the brow, and a mouth.
        let shade = Paint::Dull { colour: skin * 0.16 };
        for which in [-1.0_f32, 1.0] {
            let eye = head + ahead * (0.056 * tall) + side * (which * 0.017 * tall) + spine * (0.002 * tall);
            pen.limb(
                eye,
                eye - side * (which * 0.008 * tall),
                0.0045 * tall,
                0.004 * tall,
                shade,
                -0.13,
            );
        }
        let mouth = head + ahead * (0.052 * tall) - spine * (0.038 * tall);
        let lips = Paint::Dull {
            colour: skin.times(vec3(0.55, 0.30, 0.28)),
        };
        pen.limb(
            mouth - side * (0.012 * tall),
            mouth + side * (0.012 * tall),
            0.0035 * tall,
            0.0035 * tall,
            lips,
            -0.13,
        );
    }
    match look.helmet {
        Some(colour) => helmet(&mut pen, look, linear(colour), head, ahead, spine, facing),
        None => {
            let hair = Paint::Dull {
                colour: vec3(0.012, 0.010, 0.009),
            };
            pen.limb(
                head - ahead * 0.02 + spine * 0.012,
                head - ahead * 0.03 - spine * 0.01,
                0.053 * tall,
                0.047 * tall,
                hair,
                if facing > 0.0 { 0.03 } else { -0.03 },
            );
            pen.dome(
                head + spine * 0.012,
                [0.056 * tall, 0.055 * tall],
                mix(-0.15, -0.35, facing.max(0.0)),
                hair,
                -0.04,
            );
        }
    }
}
