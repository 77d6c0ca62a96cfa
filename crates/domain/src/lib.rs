//! The words of the field as types: mines, cameras, places, pictures, people and alarms.
//!
//! Everything here is pure: no clock, no input or output. Chinese terms stand beside the English ones in
//! `docs/glossary.md`.

mod alarm;
mod camera;
mod codes;
mod detection;
mod geometry;
mod health;
mod mine;
mod time;

pub use alarm::{ActivityKind, ActivityState, AlarmKind, AlarmPhase, DispositionVerdict, Severity};
pub use camera::{Analysis, CountingLine, Gate, Region, Sampling};
pub use codes::{CameraCode, CodeError, MineCode, PlaceClass};
pub use detection::{Detection, ObjectClass, ObjectGroup};
pub use geometry::{Anchor, BoundingBox, Direction, Line, Point};
pub use health::{HealthCondition, HealthMeasures, RegionMeasure, ViewMeasures};
pub use mine::{MineState, Shift, shift_at};
pub use time::UtcMicros;
