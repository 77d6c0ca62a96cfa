use mineseal_domain::UtcMicros;
use serde::{Deserialize, Serialize};

use crate::SceneError;

/// What a scene shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SceneKind {
    /// The mouth of an inclined shaft with people walking in and out.
    ShaftMouth,
    /// A gate with a barrier, trucks and cars.
    VehicleGate,
    /// A belt conveyor.
    Belt,
    /// A dispatch room with people at the desk.
    DispatchRoom,
}

impl SceneKind {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::ShaftMouth,
        Self::VehicleGate,
        Self::Belt,
        Self::DispatchRoom,
    ];
}

/// Everything that decides a scene: the same script gives the same bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SceneScript {
    /// What is shown.
    pub kind: SceneKind,
    /// Decides surfaces, stains and sensor noise.
    pub seed: u64,
    /// Picture width in pixels, even, 160 to 4096.
    pub width: u32,
    /// Picture height in pixels, even, 90 to 4096.
    pub height: u32,
    /// Pictures in a second, above 0 to 60.
    pub frames_per_second: f64,
    /// Length of the clip in seconds.
    pub seconds: f64,
    /// Instant of the first picture; shown top left in Asia/Shanghai.
    pub start: UtcMicros,
    /// The mine's short name, bottom right.
    pub mine_name: String,
    /// The exact place, bottom right after the mine's name.
    pub place_name: String,
    /// Camera, light and sensor.
    pub look: Look,
    /// People and vehicles.
    pub actors: Vec<Actor>,
    /// What the plant does.
    pub events: Vec<SceneEvent>,
    /// What is done to the camera.
    pub disturbances: Vec<Disturbance>,
}

/// Camera, light and sensor.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// Time of the day that the light stands for.
    pub daylight: Daylight,
    /// Height of the camera above the ground in metres.
    pub camera_height: f32,
    /// How far the camera stands before the line, belt or desk, in metres.
    pub camera_distance: f32,
    /// How far the camera stands to the right of the middle, in metres.
    pub camera_aside: f32,
    /// Horizontal angle of view in degrees.
    pub view_degrees: f32,
    /// Turned to the side from the point that it looks at, in degrees.
    pub pan_degrees: f32,
    /// Leaning to the side, in degrees.
    pub roll_degrees: f32,
    /// Brightness; 1 is neutral.
    pub exposure: f32,
    /// 0 is grey, 1 natural colours.
    pub saturation: f32,
    /// Colour balance of the camera: factors of red, green and blue.
    pub balance: [f32; 3],
    /// Standard deviation of the sensor noise in grey levels of 255.
    pub noise: f32,
}

/// Time of the day that the light stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Daylight {
    /// Sun, sharp shadows.
    Day,
    /// Covered sky, soft light.
    Overcast,
    /// Little blue light, lamps lit.
    Dusk,
    /// Lamps only.
    Night,
}

/// A person or a vehicle and its way. It is present from its first to its last waypoint.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Actor {
    /// Unique in the script.
    pub id: i64,
    /// Who or what it is.
    pub figure: Figure,
    /// The way, at least two points, times rising.
    pub way: Vec<Waypoint>,
}

/// Who or what an actor is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    /// A person.
    Person(PersonLook),
    /// A vehicle.
    Vehicle(VehicleLook),
}

/// How a person looks. Colours are display red, green, blue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PersonLook {
    /// From sole to helmet top without the helmet, 1.4 to 2.1 metres.
    pub height: f32,
    /// Breadth as a factor; 1 is ordinary.
    pub build: f32,
    /// The helmet; without one the hair shows.
    pub helmet: Option<[u8; 3]>,
    /// Whether the cap lamp burns (it needs a helmet).
    pub lamp: bool,
    /// Jacket.
    pub jacket: [u8; 3],
    /// Trousers.
    pub trousers: [u8; 3],
    /// A vest over the jacket.
    pub vest: Option<[u8; 3]>,
    /// Whether jacket and trousers have light reflecting bands.
    pub bands: bool,
    /// Skin.
    pub skin: [u8; 3],
    /// What the person carries.
    pub carries: Option<Load>,
}

/// What a person carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Load {
    /// A bag in one hand.
    Bag,
    /// A long tool over the shoulder.
    Shovel,
}

/// How a vehicle looks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VehicleLook {
    /// Its build.
    pub model: VehicleModel,
    /// Paint, display red, green, blue.
    pub paint: [u8; 3],
    /// Whether a heap of coal lies on it (trucks).
    pub loaded: bool,
}

/// Builds of vehicles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VehicleModel {
    /// Coal truck with an open bed.
    CoalTruck,
    /// Passenger car.
    Car,
    /// Small bus.
    Bus,
}

/// A point of a way. Where: `x` metres to the right of the middle, `z` metres behind the counting line, the
/// belt's middle or the desk (negative: on the camera's side).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waypoint {
    /// Seconds since the first picture; may be negative.
    pub at_seconds: f64,
    /// To the right.
    pub x: f32,
    /// Away from the camera.
    pub z: f32,
    /// How the person holds himself from here to the next point.
    pub posture: Posture,
}

/// How a person holds himself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Posture {
    /// On his feet, walking where the way moves.
    #[default]
    Upright,
    /// On a chair, looking away from the camera (`z` growing).
    Seated,
}

/// Something that the plant does.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct SceneEvent {
    /// Seconds since the first picture; at or before 0 gives the state at the start.
    pub at_seconds: f64,
    /// What happens.
    pub change: Change,
}

/// A change of the plant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The belt starts; it gains speed within two seconds.
    BeltStarts,
    /// The belt stops within two seconds.
    BeltStops,
    /// Coal is fed on the belt, up the belt from the camera.
    CoalOn,
    /// No more coal is fed.
    CoalOff,
}

/// Something done to the camera during an interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Disturbance {
    /// First second of it.
    pub from_seconds: f64,
    /// It is over at this second.
    pub until_seconds: f64,
    /// What is done.
    pub kind: DisturbanceKind,
}

/// What is done to a camera.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisturbanceKind {
    /// Something hangs before the lens.
    Covered,
    /// The camera looks elsewhere.
    Turned,
    /// The camera was knocked by a few degrees.
    Moved,
    /// Hardly any light.
    Dark,
    /// Far too much light.
    OverExposed,
    /// Out of focus.
    Blurred,
    /// The picture stands still, clock included.
    Frozen,
    /// The last seconds before the interval are shown again and again.
    Looped {
        /// How many seconds are repeated.
        seconds: f64,
        /// The clock on the picture goes on nevertheless.
        clock_runs: bool,
    },
    /// Something smooth hangs before a part of the lens.
    PartlyCovered {
        /// Share of the picture that it hides, from the left, 0 to 1.
        share: f32,
    },
    /// The camera shakes.
    Shaking {
        /// The widest sway, as a share of the picture's width, 0 to 0.2.
        share: f32,
    },
    /// The colours are gone.
    Grey,
    /// Rain before the camera. Like the following kinds no fault, and so it may go together with one.
    Rain,
    /// Insects near the lens.
    Insects,
    /// A lamp beside the scene is on for the first half of each period.
    Lamp {
        /// Seconds from one lighting up to the next, above 0.
        period_seconds: f64,
    },
    /// Machines make the camera tremble by less than a thousandth of the picture's width.
    Vibrating,
}

impl DisturbanceKind {
    /// Whether it belongs to a camera's ordinary day and is no fault of it.
    #[must_use]
    pub fn is_ordinary(self) -> bool {
        matches!(
            self,
            Self::Rain | Self::Insects | Self::Lamp { .. } | Self::Vibrating
        )
    }

    /// What is wrong with its numbers, if anything. Written so that a NaN is wrong too.
    fn wrong_number(self) -> Option<String> {
        let (name, value, low, high) = match self {
            Self::PartlyCovered { share } => ("share", f64::from(share), 0.0, 1.0),
            Self::Shaking { share } => ("share", f64::from(share), 0.0, 0.2),
            Self::Lamp { period_seconds } => ("period_seconds", period_seconds, 1e-3, 86_400.0),
            _ => return None,
        };
        (!(value >= low && value <= high))
            .then(|| format!("{name} {value} of {self:?} must be within {low}..={high}"))
    }
}

impl SceneScript {
    /// Number of pictures.
    #[must_use]
    pub fn frame_count(&self) -> u64 {
        (self.seconds * self.frames_per_second).round().max(0.0) as u64
    }

    /// Time of a picture since the first one, in microseconds.
    #[must_use]
    pub fn media_time_micros(&self, index: u64) -> i64 {
        (index as f64 * 1e6 / self.frames_per_second).round() as i64
    }

    /// The fault at that second, if any; the later one in the list wins.
    #[must_use]
    pub fn disturbance_at(&self, seconds: f64) -> Option<&Disturbance> {
        self.disturbances
            .iter()
            .rev()
            .find(|disturbance| !disturbance.kind.is_ordinary() && disturbance.covers(seconds))
    }

    /// What else is over the picture at that second, in the order of the list.
    pub(crate) fn ordinary_at(&self, seconds: f64) -> impl Iterator<Item = &Disturbance> {
        self.disturbances
            .iter()
            .filter(move |disturbance| disturbance.kind.is_ordinary() && disturbance.covers(seconds))
    }

    /// Whether the script can be rendered.
    ///
    /// # Errors
    /// The first thing that is wrong, with the field's name and its value.
    pub fn validate(&self) -> Result<(), SceneError> {
        let wrong = |what: String| Err(SceneError::Script { what });
        for (name, value, least) in [("width", self.width, 160), ("height", self.height, 90)] {
            if value < least || value > 4096 || value % 2 != 0 {
                return wrong(format!("{name} {value} must be even and within {least}..=4096"));
            }
        }
        if !(self.frames_per_second > 0.0 && self.frames_per_second <= 60.0) {
            return wrong(format!(
                "frames_per_second {} must be above 0 and at most 60",
                self.frames_per_second
            ));
        }
        if !(self.seconds > 0.0 && self.seconds <= 86_400.0) {
            return wrong(format!(
                "seconds {} must be above 0 and at most 86400",
                self.seconds
            ));
        }
        self.look.validate()?;
        let mut ids = std::collections::BTreeSet::new();
        for actor in &self.actors {
            if !ids.insert(actor.id) {
                return wrong(format!("actor id {} appears twice", actor.id));
            }
            actor.validate()?;
        }
        for event in &self.events {
            if !event.at_seconds.is_finite() {
                return wrong(format!("an event {:?} has no finite time", event.change));
            }
        }
        for disturbance in &self.disturbances {
            // Written so that a NaN fails too.
            if !(disturbance.from_seconds >= 0.0 && disturbance.until_seconds > disturbance.from_seconds) {
                return wrong(format!("disturbance {disturbance:?} must end after it begins"));
            }
            if let Some(what) = disturbance.kind.wrong_number() {
                return wrong(what);
            }
            if let DisturbanceKind::Looped { seconds, .. } = disturbance.kind
                && !(seconds > 0.0 && seconds <= disturbance.from_seconds)
            {
                return wrong(format!(
                    "looped repeats {seconds} s, but only {} s lie before it",
                    disturbance.from_seconds
                ));
            }
        }
        Ok(())
    }
}

impl Disturbance {
    fn covers(&self, seconds: f64) -> bool {
        seconds >= self.from_seconds && seconds < self.until_seconds
    }
}

impl Look {
    fn validate(&self) -> Result<(), SceneError> {
        for (name, value, low, high) in [
            ("camera_height", self.camera_height, 1.0, 30.0),
            ("camera_distance", self.camera_distance, 1.0, 60.0),
            ("camera_aside", self.camera_aside, -30.0, 30.0),
            ("view_degrees", self.view_degrees, 20.0, 110.0),
            ("pan_degrees", self.pan_degrees, -60.0, 60.0),
            ("roll_degrees", self.roll_degrees, -30.0, 30.0),
            ("exposure", self.exposure, 0.1, 10.0),
            ("saturation", self.saturation, 0.0, 2.0),
            ("noise", self.noise, 0.0, 30.0),
        ] {
            if !(value >= low && value <= high) {
                return Err(SceneError::Script {
                    what: format!("look.{name} {value} must be within {low}..={high}"),
                });
            }
        }
        Ok(())
    }
}

impl Actor {
    fn validate(&self) -> Result<(), SceneError> {
        let wrong = |what: String| {
            Err(SceneError::Script {
                what: format!("actor {}: {what}", self.id),
            })
        };
        if self.way.len() < 2 {
            return wrong(format!(
                "its way has {} points and needs at least 2",
                self.way.len()
            ));
        }
        for point in &self.way {
            if !(point.at_seconds.is_finite() && point.x.abs() <= 200.0 && point.z.abs() <= 200.0) {
                return wrong(format!("waypoint {point:?} is out of the world (200 m)"));
            }
        }
        for pair in self.way.windows(2) {
            if let [earlier, later] = pair
                && later.at_seconds <= earlier.at_seconds
            {
                return wrong(format!(
                    "waypoint times must rise, {} s follows {} s",
                    later.at_seconds, earlier.at_seconds
                ));
            }
        }
        if let Figure::Person(person) = &self.figure
            && !(person.height >= 1.4 && person.height <= 2.1 && person.build >= 0.6 && person.build <= 1.6)
        {
            return wrong(format!(
                "height {} m or build {} is not a person's",
                person.height, person.build
            ));
        }
        Ok(())
    }
}
