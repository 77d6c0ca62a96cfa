use mineseal_domain::{AlarmPhase, CameraCode, MineCode, UtcMicros};
use mineseal_rules::AlarmStep;
use mineseal_schemas::{EvidenceRequest, FrameLocation};

use crate::Output;
use crate::identity;
use crate::outputs;

/// Clip before and after the moment, seconds: the default of this project.
const CLIP_SECONDS: f32 = 10.0;

/// The frame that decides alarms.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deciding<'input> {
    pub(crate) camera: &'input CameraCode,
    pub(crate) captured_at: UtcMicros,
    pub(crate) frame: FrameLocation,
}

/// Writes the steps of alarms that one frame decided, each raised one followed by the request for its evidence.
pub(crate) fn write_with_evidence(
    mine: &MineCode,
    steps: Vec<AlarmStep>,
    deciding: Deciding<'_>,
    written: &mut Vec<Output>,
) {
    for step in steps {
        let request = (step.phase == AlarmPhase::Raised).then(|| EvidenceRequest {
            id: identity::evidence_request(step.id, step.revision),
            alarm: step.id,
            mine: mine.clone(),
            camera: step.camera.clone().unwrap_or_else(|| deciding.camera.clone()),
            captured_at: deciding.captured_at,
            frame: deciding.frame,
            seconds_before: CLIP_SECONDS,
            seconds_after: CLIP_SECONDS,
        });
        written.push(Output::Alarm(outputs::alarm(mine, step, Some(deciding.frame))));
        written.extend(request.map(Output::EvidenceRequest));
    }
}

/// Writes the steps of alarms that no frame decided: there is nothing to keep for them.
pub(crate) fn write_without_frame(mine: &MineCode, steps: Vec<AlarmStep>, written: &mut Vec<Output>) {
    written.extend(
        steps
            .into_iter()
            .map(|step| Output::Alarm(outputs::alarm(mine, step, None))),
    );
}
