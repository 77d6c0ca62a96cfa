use serde::{Deserialize, Serialize};

use crate::BoundingBox;

/// What a detector can find.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectClass {
    /// A person (人员).
    Person,
    /// A bicycle.
    Bicycle,
    /// A car (轿车, 客车 below bus size).
    Car,
    /// A motorcycle.
    Motorcycle,
    /// A bus.
    Bus,
    /// A train or mine locomotive.
    Train,
    /// A truck (货车, 运煤车).
    Truck,
}

/// Classes that are counted together: one vehicle is often seen as car in one frame and truck in the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ObjectGroup {
    /// People.
    Person,
    /// Cars, buses, trucks.
    Vehicle,
}

impl ObjectClass {
    /// The group that this class is counted with, if it is counted at all.
    #[must_use]
    pub fn group(self) -> Option<ObjectGroup> {
        match self {
            Self::Person => Some(ObjectGroup::Person),
            Self::Car | Self::Bus | Self::Truck => Some(ObjectGroup::Vehicle),
            Self::Bicycle | Self::Motorcycle | Self::Train => None,
        }
    }

    /// The name used in JSON and on pictures.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Bicycle => "bicycle",
            Self::Car => "car",
            Self::Motorcycle => "motorcycle",
            Self::Bus => "bus",
            Self::Train => "train",
            Self::Truck => "truck",
        }
    }
}

/// One object found in one picture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Detection {
    /// What it is.
    pub class: ObjectClass,
    /// How sure the detector is, 0 to 1.
    pub score: f32,
    /// Where it is, in pixels of the picture.
    pub bounding_box: BoundingBox,
}
