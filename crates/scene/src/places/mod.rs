//! The four places: what stands where, what the camera looks at, where is counted.

mod belt;
mod gate;
mod mouth;
mod room;

use mineseal_domain::ObjectGroup;

use crate::math::{Vec3, vec3};
use crate::text::Typeface;
use crate::world::World;
use crate::{SceneKind, SceneScript};

pub(crate) use belt::{FEED_Z, SURFACE_Y};

/// A place ready to be seen.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) world: World,
    /// What the camera looks at.
    pub(crate) target: Vec3,
    /// The counting line on the ground, directed so that away from the camera is inwards.
    pub(crate) line: Option<GroundLine>,
    /// Named regions: corners in the world.
    pub(crate) regions: Vec<(&'static str, Vec<Vec3>)>,
}

/// A counting line on the ground.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GroundLine {
    pub(crate) name: &'static str,
    pub(crate) from: Vec3,
    pub(crate) to: Vec3,
    pub(crate) group: ObjectGroup,
}

/// Builds the place of a script.
pub(crate) fn build(script: &SceneScript, typeface: &Typeface) -> Place {
    let mut place = match script.kind {
        SceneKind::ShaftMouth => mouth::build(script, typeface),
        SceneKind::VehicleGate => gate::build(script, typeface),
        SceneKind::Belt => belt::build(script, typeface),
        SceneKind::DispatchRoom => room::build(script, typeface),
    };
    place.world.finish();
    place
}

pub(crate) fn rgb(red: f32, green: f32, blue: f32) -> Vec3 {
    vec3(red, green, blue)
}
