//! Who gives way when Kafka takes frames more slowly than cameras give them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use mineseal_domain::{Analysis, MineCode};
use mineseal_schemas::Camera;

/// Frames of all live cameras that Kafka has not acknowledged, at most; of many cameras as many as they give in three
/// seconds, so that a broker's short silence costs a large fleet no more than a small one. Four times as many are 120 MB,
/// which the publisher's queue holds.
const MOST_IN_FLIGHT: usize = 512;
const OF_A_CAMERA: usize = 16;

/// How much is lost when a frame of a camera is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    /// Nothing but the health of its picture.
    Health,
    /// Belts and posts: a state that lasts.
    State,
    /// Crossings.
    Counting,
}

impl Standing {
    pub(crate) fn of(camera: &Camera) -> Self {
        let counts =
            |analysis: &Analysis| matches!(analysis, Analysis::PersonCrossing | Analysis::VehicleCrossing);
        if camera.analyses.iter().any(counts) {
            Self::Counting
        } else if camera.analyses.is_empty() {
            Self::Health
        } else {
            Self::State
        }
    }

    /// What may be in flight in all when a frame of this standing is still taken.
    fn share(self, of: usize) -> usize {
        match self {
            Self::Health => of / 4,
            Self::State => of / 2,
            Self::Counting => of,
        }
    }
}

/// Why a frame is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Skipped {
    /// Kafka is slow, and others matter more.
    Pressure,
    /// Kafka is slow, and the camera's mine has its share in flight already.
    MineShare,
    /// Kafka is slow with this camera.
    Camera,
    /// The queue of the client library is full.
    Queue,
}

impl Skipped {
    /// As it stands in metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pressure => "pressure",
            Self::MineShare => "mine_share",
            Self::Camera => "camera_in_flight",
            Self::Queue => "queue_full",
        }
    }
}

/// The frames of all live cameras that are on their way. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Pressure(Arc<Flight>);

#[derive(Debug)]
struct Flight {
    least: usize,
    cameras: AtomicUsize,
    by_mine: Mutex<BTreeMap<MineCode, usize>>,
}

/// A camera's seat among those that are read; dropped when its reading ends.
#[derive(Debug)]
pub(crate) struct Seat(Arc<Flight>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.cameras.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A frame's place; dropped when Kafka has the frame, or never will.
#[derive(Debug)]
pub(crate) struct Place {
    flight: Arc<Flight>,
    mine: MineCode,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut by_mine = self.flight.by_mine.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = by_mine.get_mut(&self.mine) {
            *count -= 1;
            if *count == 0 {
                by_mine.remove(&self.mine);
            }
        }
    }
}

impl Default for Pressure {
    fn default() -> Self {
        Self::new(MOST_IN_FLIGHT)
    }
}

impl Pressure {
    fn new(most: usize) -> Self {
        Self(Arc::new(Flight {
            least: most,
            cameras: AtomicUsize::new(0),
            by_mine: Mutex::default(),
        }))
    }

    /// A seat for a camera that is read live.
    pub(crate) fn join(&self) -> Seat {
        self.0.cameras.fetch_add(1, Ordering::Relaxed);
        Seat(Arc::clone(&self.0))
    }

    /// Frames that may be in flight.
    fn most(&self) -> usize {
        let wanted = self.0.cameras.load(Ordering::Relaxed) * OF_A_CAMERA;
        wanted.clamp(self.0.least, 4 * self.0.least)
    }

    /// A place for a frame of `mine`, or why there is none. From half of all on, a mine that has more than its even
    /// share in flight gives way to the others.
    pub(crate) fn place(&self, mine: &MineCode, standing: Standing) -> Result<Place, Skipped> {
        let mut by_mine = self.0.by_mine.lock().unwrap_or_else(PoisonError::into_inner);
        let (all, most): (usize, usize) = (by_mine.values().sum(), self.most());
        if all >= standing.share(most) {
            return Err(Skipped::Pressure);
        }
        let own = by_mine.get(mine).copied().unwrap_or(0);
        let mines = by_mine.len() + usize::from(own == 0);
        if all >= most / 2 && mines > 1 && own >= most / mines {
            return Err(Skipped::MineShare);
        }
        *by_mine.entry(mine.clone()).or_default() += 1;
        Ok(Place {
            flight: Arc::clone(&self.0),
            mine: mine.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mine(number: u32) -> MineCode {
        format!("1506020078{number:02}").parse().unwrap()
    }

    /// Asks for places until there is none; how many there were.
    fn fill(pressure: &Pressure, mine: &MineCode, standing: Standing, places: &mut Vec<Place>) -> Skipped {
        loop {
            match pressure.place(mine, standing) {
                Ok(place) => places.push(place),
                Err(skipped) => return skipped,
            }
        }
    }

    #[test]
    fn health_gives_way_first_and_counting_last() {
        let pressure = Pressure::new(100);
        let mut places = Vec::new();
        for (standing, until) in [
            (Standing::Health, 25),
            (Standing::State, 50),
            (Standing::Counting, 100),
        ] {
            assert_eq!(
                fill(&pressure, &mine(1), standing, &mut places),
                Skipped::Pressure
            );
            assert_eq!(places.len(), until);
        }
        // Kafka takes half of them: counting goes on, the rest waits still.
        places.truncate(50);
        assert!(pressure.place(&mine(1), Standing::Counting).is_ok());
        assert!(pressure.place(&mine(1), Standing::State).is_err());
        places.truncate(20);
        assert!(pressure.place(&mine(1), Standing::Health).is_ok());
        places.clear();
        assert!(pressure.0.by_mine.lock().unwrap().is_empty());
    }

    #[test]
    fn many_cameras_have_more_in_flight_up_to_a_bound() {
        let pressure = Pressure::new(100);
        for (cameras, most) in [(0, 100), (6, 100), (10, 160), (25, 400), (100, 400)] {
            let seats: Vec<Seat> = (0..cameras).map(|_| pressure.join()).collect();
            let mut places = Vec::new();
            fill(&pressure, &mine(1), Standing::Counting, &mut places);
            assert_eq!(places.len(), most, "{cameras} cameras");
            drop(seats);
        }
    }

    #[test]
    fn one_mine_cannot_take_the_places_of_another() {
        let pressure = Pressure::new(100);
        let (mut of_one, mut of_other) = (Vec::new(), Vec::new());
        of_other.push(pressure.place(&mine(2), Standing::Counting).unwrap());
        let skipped = fill(&pressure, &mine(1), Standing::Counting, &mut of_one);
        assert_eq!((skipped, of_one.len()), (Skipped::MineShare, 50));
        let skipped = fill(&pressure, &mine(2), Standing::Counting, &mut of_other);
        assert_eq!((skipped, of_other.len()), (Skipped::Pressure, 50));
    }
}
