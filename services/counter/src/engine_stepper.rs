use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use mineseal_domain::MineCode;
use mineseal_engine::{
    Beside, InputPosition, MineEngine, MineRegistration, OrderedCorrection, Output, STATE_FORMAT, Statistics,
    decode_state,
};

use crate::corrections::CorrectionKeys;
use crate::stepper::{Input, Registrations, StepError, Stepper};

/// Counts with `mineseal-engine`.
#[derive(Debug, Default)]
pub struct EngineStepper {
    keys: CorrectionKeys,
    registrations: RefCell<Prepared>,
}

impl EngineStepper {
    /// With the keys of those who may correct headcounts.
    #[must_use]
    pub fn new(keys: CorrectionKeys) -> Self {
        Self {
            keys,
            registrations: RefCell::default(),
        }
    }
}

/// A mine as the engine wants it.
#[derive(Clone, Debug)]
struct OfMine {
    registration: Arc<MineRegistration>,
    /// By their time.
    corrections: Arc<Vec<OrderedCorrection>>,
}

/// The registrations in the engine's form: made once for each mine and version of the tables.
#[derive(Debug, Default)]
struct Prepared {
    source: Registrations,
    mines: BTreeMap<MineCode, Option<OfMine>>,
}

impl Prepared {
    /// None for a mine that is not registered.
    fn of(&mut self, mine: &MineCode, now: &Registrations, keys: &CorrectionKeys) -> Option<OfMine> {
        let same = Arc::ptr_eq(&self.source.mines, &now.mines)
            && Arc::ptr_eq(&self.source.cameras, &now.cameras)
            && Arc::ptr_eq(&self.source.corrections, &now.corrections);
        if !same {
            *self = Self {
                source: now.clone(),
                mines: BTreeMap::new(),
            };
        }
        if let Some(known) = self.mines.get(mine) {
            return known.clone();
        }
        let prepared = now.mines.get(mine.as_str()).map(|registered| {
            let of_mine = now.cameras.values().filter(|camera| camera.value.mine == *mine);
            let cameras = of_mine
                .map(|camera| (camera.value.code.clone(), camera.value.clone()))
                .collect();
            let of_mine = now.corrections.values().map(|entry| &entry.value);
            let ordered = of_mine.filter(|correction| correction.mine == *mine);
            let mut corrections: Vec<OrderedCorrection> =
                ordered.map(|correction| keys.check(correction.clone())).collect();
            corrections.sort_by_key(|ordered| (ordered.correction.at, ordered.correction.id));
            OfMine {
                registration: Arc::new(MineRegistration {
                    mine: registered.value.clone(),
                    cameras,
                }),
                corrections: Arc::new(corrections),
            }
        });
        self.mines.insert(mine.clone(), prepared.clone());
        prepared
    }
}

impl Stepper for EngineStepper {
    type State = MineEngine;

    fn begin(&self, mine: &MineCode) -> MineEngine {
        MineEngine::new(mine.clone())
    }

    fn step(&self, state: &mut MineEngine, registrations: &Registrations, input: &Input) -> Vec<Output> {
        let mine = &input.detections.mine;
        let mut prepared = self.registrations.borrow_mut();
        let Some(of_mine) = prepared.of(mine, registrations, &self.keys) else {
            tracing::debug!(%mine, "is not registered; its frames are not counted");
            return Vec::new();
        };
        let position = InputPosition {
            partition: input.partition,
            offset: input.offset,
        };
        let report = registrations.positioning.get(mine.as_str());
        let beside = Beside {
            corrections: &of_mine.corrections,
            positioning: report.map_or(&[], |entry| std::slice::from_ref(&entry.value)),
        };
        state.step_with(&of_mine.registration, beside, &input.detections, position)
    }

    fn statistics(&self, state: &MineEngine) -> Option<Statistics> {
        Some(state.statistics())
    }

    fn format(&self) -> i32 {
        STATE_FORMAT
    }

    fn encode(&self, state: &MineEngine) -> Result<Vec<u8>, StepError> {
        state.encode_state().map_err(|error| StepError(error.to_string()))
    }

    fn decode(&self, mine: &MineCode, _format: i32, bytes: &[u8]) -> Result<MineEngine, StepError> {
        // The bytes carry their format themselves.
        let engine = decode_state(bytes).map_err(|error| StepError(error.to_string()))?;
        if engine.mine() == mine {
            Ok(engine)
        } else {
            Err(StepError(format!("it is the state of mine {}", engine.mine())))
        }
    }
}
