//! Identities that follow from what they name: the same input gives the same identity, however often it is
//! counted.

use mineseal_domain::{ActivityKind, ActivityState, CameraCode, MineCode, UtcMicros};
use uuid::Uuid;

/// Namespace of the identities that the engine gives.
const NAMESPACE: Uuid = Uuid::from_u128(0x2d61_7e0c_93b4_5f18_a7d2_0c5e_81f3_6ab9);

pub(crate) fn crossing(camera: &CameraCode, session: Uuid, sequence: i64, line: &str, track: i64) -> Uuid {
    of(&format!("crossing/{camera}/{session}/{sequence}/{track}/{line}"))
}

pub(crate) fn vehicle(crossing: Uuid) -> Uuid {
    of(&format!("vehicle/{crossing}"))
}

pub(crate) fn activity(camera: &CameraCode, kind: ActivityKind, state: ActivityState, at: UtcMicros) -> Uuid {
    of(&format!("activity/{camera}/{kind:?}/{state:?}/{}", at.0))
}

pub(crate) fn evidence_request(alarm: Uuid, revision: i32) -> Uuid {
    of(&format!("evidence/{alarm}/{revision}"))
}

pub(crate) fn begin_again(mine: &MineCode, at: UtcMicros) -> Uuid {
    of(&format!("begin-again/{mine}/{}", at.0))
}

fn of(name: &str) -> Uuid {
    Uuid::new_v5(&NAMESPACE, name.as_bytes())
}
