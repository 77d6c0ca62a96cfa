use mineseal_bus::Snapshot;
use mineseal_domain::MineCode;
use mineseal_engine::{Output, Statistics};
use mineseal_schemas::{Camera, Correction, Detections, Mine, Positioning};
use thiserror::Error;

/// What is registered at this moment.
#[derive(Clone, Debug, Default)]
pub struct Registrations {
    /// By mine code.
    pub mines: Snapshot<Mine>,
    /// By camera code.
    pub cameras: Snapshot<Camera>,
    /// Corrections of headcounts, by identity.
    pub corrections: Snapshot<Correction>,
    /// The newest report of each mine's positioning system, by mine code.
    pub positioning: Snapshot<Positioning>,
}

/// One record of `detections`.
#[derive(Clone, Debug, PartialEq)]
pub struct Input {
    /// The record.
    pub detections: Detections,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
}

/// Why a state can be neither written nor read.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct StepError(pub String);

/// The counting itself: a pure function from a mine's state and one record to outputs.
///
/// The same states and records must give the same outputs, whenever and wherever it runs: after a crash the records
/// since the last commit are stepped through again.
pub trait Stepper: Send + 'static {
    /// All that is remembered of one mine.
    type State: Send;

    /// A mine that was never seen before.
    fn begin(&self, mine: &MineCode) -> Self::State;

    /// Takes in one record of the state's mine.
    fn step(&self, state: &mut Self::State, registrations: &Registrations, input: &Input) -> Vec<Output>;

    /// What the state has seen so far, for the metrics; none if it does not count that.
    fn statistics(&self, _state: &Self::State) -> Option<Statistics> {
        None
    }

    /// How [`Stepper::encode`] writes, as a number that changes whenever older builds could not read it.
    fn format(&self) -> i32;

    /// The whole state as bytes.
    ///
    /// # Errors
    /// When it cannot be written; the counter then stops.
    fn encode(&self, state: &Self::State) -> Result<Vec<u8>, StepError>;

    /// The state that was written as `format`.
    ///
    /// # Errors
    /// When this build cannot read it; the counter then stops, because a wrong state gives wrong counts.
    fn decode(&self, mine: &MineCode, format: i32, bytes: &[u8]) -> Result<Self::State, StepError>;
}
