//! A place seen through one camera: everything that does not move.

use crate::bake::{Still, bake};
use crate::belt::BeltPixels;
use crate::camera::Camera;
use crate::material::Material;
use crate::paint::Grade;
use crate::places::Place;
use crate::{SceneKind, SceneScript};

/// How far the camera is turned when it looks elsewhere: pan, tilt, roll in degrees.
const TURNED: [f32; 3] = [34.0, -7.0, 0.0];
/// How far when it was knocked.
const MOVED: [f32; 3] = [-5.0, 2.2, 2.5];

/// Where the camera looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Aim {
    Straight,
    Turned,
    Moved,
}

#[derive(Clone, Debug)]
pub(crate) struct View {
    pub(crate) camera: Camera,
    pub(crate) still: Still,
    pub(crate) belt: Option<BeltPixels>,
}

impl View {
    pub(crate) fn camera(script: &SceneScript, place: &Place, aim: Aim) -> Camera {
        let extra = match aim {
            Aim::Straight => [0.0; 3],
            Aim::Turned => TURNED,
            Aim::Moved => MOVED,
        };
        Camera::new(&script.look, place.target, script.width, script.height, extra)
    }

    pub(crate) fn new(script: &SceneScript, place: &Place, grade: &Grade, aim: Aim) -> Self {
        let camera = Self::camera(script, place, aim);
        let (columns, rows) = (script.width as usize, script.height as usize);
        let still = bake(&place.world, &camera, grade, columns, rows);
        let belt = (script.kind == SceneKind::Belt).then(|| {
            let is_rubber = |offset: usize| {
                still
                    .bodies
                    .get(offset)
                    .and_then(|&body| place.world.things.get(usize::from(body)))
                    .is_some_and(|thing| matches!(thing.material, Material::Rubber))
            };
            BeltPixels::new(
                &place.world,
                &camera,
                grade,
                (columns, rows),
                &still.depth,
                is_rubber,
            )
        });
        Self { camera, still, belt }
    }
}
