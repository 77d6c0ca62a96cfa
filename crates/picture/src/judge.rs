use mineseal_domain::{HealthCondition, HealthMeasures, UtcMicros, ViewMeasures};
use serde::{Deserialize, Serialize};

use crate::hold::Hold;
use crate::sway::Sway;
use crate::usual::Usual;
use crate::{HealthChange, PictureSettings};

/// What one frame says about its camera.
#[derive(Clone, Copy, Debug)]
pub struct Evidence<'frame> {
    /// The measures of the picture by itself.
    pub health: &'frame HealthMeasures,
    /// Its measures against others.
    pub view: &'frame ViewMeasures,
    /// Width and height of the camera's own picture, pixels; (0, 0) where unknown.
    pub source_size: (u32, u32),
}

/// The faults that are judged, the gravest first: of several at once the first is reported.
pub(crate) const PICTURE_FAULTS: [HealthCondition; 11] = [
    HealthCondition::Lost,
    HealthCondition::Covered,
    HealthCondition::Frozen,
    HealthCondition::Replayed,
    HealthCondition::Shaking,
    HealthCondition::Moved,
    HealthCondition::OverExposed,
    HealthCondition::Dark,
    HealthCondition::WrongResolution,
    HealthCondition::Blurred,
    HealthCondition::GreyOnly,
];

/// Judges the condition of one camera's picture by all measures.
///
/// Deterministic; its state serialises and is a few hundred bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PictureJudge {
    condition: HealthCondition,
    since: Option<UtcMicros>,
    faults: [Hold; PICTURE_FAULTS.len()],
    /// Evidence that the present fault has ended.
    gone: Hold,
    /// Evidence that there is no fault at all.
    clean: Hold,
    /// Evidence that the camera has no colours at all.
    #[serde(default)]
    colourless: Hold,
    sway: Sway,
    /// How dark the darkest parts are when nothing is over-exposed.
    #[serde(default)]
    usual_black: Usual,
    /// The size that the camera is known by.
    size: Option<(u32, u32)>,
    heard_at: Option<UtcMicros>,
}

impl Default for PictureJudge {
    fn default() -> Self {
        Self::new()
    }
}

impl PictureJudge {
    /// A judge who has seen nothing and believes in a normal picture.
    #[must_use]
    pub fn new() -> Self {
        Self {
            condition: HealthCondition::Normal,
            since: None,
            faults: Default::default(),
            gone: Hold::default(),
            clean: Hold::default(),
            colourless: Hold::default(),
            sway: Sway::default(),
            usual_black: Usual::default(),
            size: None,
            heard_at: None,
        }
    }

    /// A judge who takes over from another that believed in `condition` since `since`.
    #[must_use]
    pub fn after(condition: HealthCondition, since: Option<UtcMicros>) -> Self {
        Self {
            condition,
            since,
            ..Self::new()
        }
    }

    /// The condition, and since when; no time before the first frame.
    #[must_use]
    pub fn condition(&self) -> (HealthCondition, Option<UtcMicros>) {
        (self.condition, self.since)
    }

    /// Forgets the size that the camera is known by; the next frame's becomes the right one.
    pub fn accept_size(&mut self) {
        self.size = None;
    }

    /// Takes the frame of time `at`; returns the change that it decides.
    pub fn step(
        &mut self,
        settings: &PictureSettings,
        at: UtcMicros,
        evidence: &Evidence<'_>,
    ) -> Option<HealthChange> {
        self.since.get_or_insert(at);
        self.heard_at = Some(at);
        self.sway
            .take(at, evidence.view.shift_right, evidence.view.shift_down);
        if evidence.source_size != (0, 0) {
            self.size.get_or_insert(evidence.source_size);
        }
        let tolerated = settings.tolerated_frames;
        let frame = crate::settings::Frame {
            evidence,
            known_size: self.size,
            sway: self.sway.widest(settings.sway_window_micros),
            usual_black: self.usual_black.get(),
        };
        let black = evidence.view.black_level;
        if black >= 0.0 && settings.shows(HealthCondition::OverExposed, true, &frame) == Some(false) {
            self.usual_black.take(at, black);
        }
        let mut lasting = None;
        let mut at_fault = false;
        for (fault, hold) in PICTURE_FAULTS.into_iter().zip(&mut self.faults) {
            let active = fault == self.condition;
            let Some(shown) = settings.shows(fault, active, &frame) else {
                at_fault |= active;
                continue;
            };
            at_fault |= shown;
            // One living frame proves that the picture is not frozen.
            let tolerated = if fault == HealthCondition::Frozen {
                0
            } else {
                tolerated
            };
            let since = hold.step(at, shown, settings.lasting(fault, &frame), tolerated);
            lasting = lasting.or(since.filter(|_| !active).map(|since| (fault, since)));
        }
        let colourless = (0.0..=settings.colourless).contains(&evidence.view.colour);
        let since = self
            .colourless
            .step(at, colourless, settings.colourless_after_micros, tolerated);
        let grey = HealthCondition::GreyOnly;
        lasting = lasting.or(since
            .filter(|_| self.condition != grey)
            .map(|since| (grey, since)));
        let shown = settings.shows(self.condition, true, &frame);
        let normal_after = settings.normal_after_micros;
        let gone = self.gone.step(at, shown == Some(false), normal_after, tolerated);
        let clean = self.clean.step(at, !at_fault, normal_after, tolerated);
        let (condition, since) = match (lasting, clean) {
            (Some((fault, since)), _) if rank(fault) < rank(self.condition) || gone.is_some() => {
                (fault, since)
            }
            (_, Some(since)) if self.condition != HealthCondition::Normal => (HealthCondition::Normal, since),
            _ => return None,
        };
        Some(self.become_condition(condition, since))
    }

    /// Tells that it is `now` and no frame has come since the last one; returns the change to
    /// [`HealthCondition::Lost`] that the silence decides.
    pub fn silence(&mut self, settings: &PictureSettings, now: UtcMicros) -> Option<HealthChange> {
        let heard_at = self.heard_at?;
        let silent = now.micros_since(heard_at);
        if silent < settings.lost_after_micros || self.condition == HealthCondition::Lost {
            return None;
        }
        Some(self.become_condition(HealthCondition::Lost, heard_at))
    }

    fn become_condition(&mut self, condition: HealthCondition, since: UtcMicros) -> HealthChange {
        self.condition = condition;
        self.since = Some(since);
        self.gone = Hold::default();
        self.clean = Hold::default();
        HealthChange { condition, since }
    }
}

/// The place among the faults; no fault comes last.
fn rank(condition: HealthCondition) -> usize {
    PICTURE_FAULTS
        .iter()
        .position(|&fault| fault == condition)
        .unwrap_or(PICTURE_FAULTS.len())
}

#[cfg(test)]
mod tests;
