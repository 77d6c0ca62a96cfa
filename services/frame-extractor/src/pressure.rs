//! Who gives way when Kafka takes frames more slowly than cameras give them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use mineseal_domain::{Analysis, MineCode};
use mineseal_schemas::Camera;

/// Frames of all live cameras that Kafka has not acknowledged, at most.
const MOST_IN_FLIGHT: usize = 512;

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
    most: usize,
    by_mine: Mutex<BTreeMap<MineCode, usize>>,
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
            most,
            by_mine: Mutex::default(),
        }))
    }

    /// A place for a frame of `mine`, or why there is none. From half of all on, a mine that has more than its even
    /// share in flight gives way to the others.
    pub(crate) fn place(&self, mine: &MineCode, standing: Standing) -> Result<Place, Skipped> {
        let mut by_mine = self.0.by_mine.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = by_mine.values().sum();
        if all >= standing.share(self.0.most) {
            return Err(Skipped::Pressure);
        }
        let own = by_mine.get(mine).copied().unwrap_or(0);
        let mines = by_mine.len() + usize::from(own == 0);
        if all >= self.0.most / 2 && mines > 1 && own >= self.0.most / mines {
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
