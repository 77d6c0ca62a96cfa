use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use mineseal_domain::MineCode;
use mineseal_engine::{InputPosition, MineEngine, MineRegistration, Output, STATE_FORMAT, decode_state};

use crate::stepper::{Input, Registrations, StepError, Stepper};

/// Counts with `mineseal-engine`.
#[derive(Debug, Default)]
pub struct EngineStepper {
    registrations: RefCell<Prepared>,
}

/// The registrations in the engine's form: made once for each mine and version of the tables.
#[derive(Debug, Default)]
struct Prepared {
    source: Registrations,
    mines: BTreeMap<MineCode, Option<Arc<MineRegistration>>>,
}

impl Prepared {
    /// None for a mine that is not registered.
    fn of(&mut self, mine: &MineCode, now: &Registrations) -> Option<Arc<MineRegistration>> {
        let same =
            Arc::ptr_eq(&self.source.mines, &now.mines) && Arc::ptr_eq(&self.source.cameras, &now.cameras);
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
            Arc::new(MineRegistration {
                mine: registered.value.clone(),
                cameras,
            })
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
        let Some(registration) = self.registrations.borrow_mut().of(mine, registrations) else {
            tracing::debug!(%mine, "is not registered; its frames are not counted");
            return Vec::new();
        };
        let position = InputPosition {
            partition: input.partition,
            offset: input.offset,
        };
        state.step(&registration, &input.detections, position)
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
