//! Rendered mine scenes with exact ground truth: a [`SceneScript`] gives the same bytes and the same truth on
//! every machine with the same font.
//!
//! [`Scene::render`] and [`Scene::truth`] are pure functions of script and picture number, so pictures can be
//! taken in any order and from several threads.

mod bake;
mod belt;
mod bodywork;
mod camera;
mod cast;
mod clip;
mod crossings;
mod demo;
mod drive;
mod error;
mod figure;
mod looks;
mod material;
mod math;
mod mines;
mod osd;
mod outfit;
mod paint;
mod passages;
mod pen;
mod person;
mod places;
mod random;
mod raster;
mod scene;
mod script;
mod sensor;
mod shadow;
mod solid;
mod text;
mod tree;
mod truth;
mod vehicle;
mod view;
mod way;
mod weather;
mod world;

pub use clip::write_video;
pub use demo::DemoCourse;
pub use error::SceneError;
pub use mines::{DemoCamera, DemoMine, demo_mines};
pub use scene::{RgbPicture, Scene};
pub use script::{
    Actor, Change, Daylight, Disturbance, DisturbanceKind, Figure, Load, Look, PersonLook, Posture,
    SceneEvent, SceneKind, SceneScript, VehicleLook, VehicleModel, Waypoint,
};
pub use truth::{FrameTruth, Truth, TruthCrossing, TruthHeader, TruthObject};
