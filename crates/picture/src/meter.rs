use mineseal_domain::{HealthMeasures, Point, Region, RegionMeasure, UtcMicros, ViewMeasures};

use crate::shrunk::Shrunk;
use crate::{LumaPlane, ViewMeter};

/// Luma of 8-bit video runs from 16 to 235.
const DARK_BELOW: u8 = 16 + 8;
const BRIGHT_ABOVE: u8 = 235 - 5;

/// Measures the published frames of one reading of one camera, in their order.
#[derive(Clone, Debug)]
pub struct HealthMeter {
    regions: Vec<MeasuredRegion>,
    now: Shrunk,
    before: Option<Shrunk>,
    view: ViewMeter,
}

#[derive(Clone, Debug)]
struct MeasuredRegion {
    region: Region,
    /// Which pixels of the shrunk picture lie inside.
    indices: Vec<u32>,
}

impl HealthMeter {
    /// A meter that has seen nothing.
    #[must_use]
    pub fn new(regions: &[Region]) -> Self {
        let regions = regions
            .iter()
            .map(|region| MeasuredRegion {
                region: region.clone(),
                indices: Vec::new(),
            })
            .collect();
        Self {
            regions,
            now: Shrunk::default(),
            before: None,
            view: ViewMeter::new(),
        }
    }

    /// The same meter, going on with what an earlier one knew of the camera.
    #[must_use]
    pub fn with_view(self, view: ViewMeter) -> Self {
        Self { view, ..self }
    }

    /// What is known of the camera: to be kept, so that a later reading can go on with it.
    #[must_use]
    pub fn view(&self) -> &ViewMeter {
        &self.view
    }

    /// The same, to tell it that the camera may stand as it does.
    pub fn view_mut(&mut self) -> &mut ViewMeter {
        &mut self.view
    }

    /// Measures the next frame, taken at `at`, by itself and against the earlier ones. `chroma` are the two
    /// colour planes, where there are any.
    pub fn measure_all(
        &mut self,
        at: UtcMicros,
        luma: &LumaPlane<'_>,
        chroma: Option<&[LumaPlane<'_>; 2]>,
    ) -> (HealthMeasures, ViewMeasures) {
        let mut view = std::mem::take(&mut self.view);
        let mut seen = ViewMeasures::default();
        let health = self.measure_and(luma, |now, before| seen = view.measure(at, now, before, chroma));
        self.view = view;
        (health, seen)
    }

    /// Measures the next frame, on a picture shrunk to at most 160 pixels.
    ///
    /// `change` and the regions' `motion` are −1 where there is nothing to compare with: in the first frame,
    /// after a change of size, and in a region that covers no pixel.
    pub fn measure(&mut self, plane: &LumaPlane<'_>) -> HealthMeasures {
        self.measure_and(plane, |_, _| {})
    }

    fn measure_and(
        &mut self,
        plane: &LumaPlane<'_>,
        mut also: impl FnMut(&Shrunk, Option<&Shrunk>),
    ) -> HealthMeasures {
        self.now.take(plane);
        let before = self.before.take().filter(|before| before.same_size(&self.now));
        if before.is_none() {
            for measured in &mut self.regions {
                measured.indices = indices(&measured.region, self.now.width, self.now.height);
            }
        }
        let now = &self.now;
        let mean_luma = now.mean();
        let regions = self.regions.iter().map(|measured| {
            let inside = &measured.indices;
            let motion = before
                .as_ref()
                .filter(|_| !inside.is_empty())
                .map_or(-1.0, |before| now.difference(before, Some(inside)));
            RegionMeasure {
                region: measured.region.name.clone(),
                motion,
                mean_luma: now.mean_at(inside),
            }
        });
        let measures = HealthMeasures {
            mean_luma,
            luma_deviation: now.deviation(mean_luma),
            sharpness: now.sharpness(),
            dark_share: now.share(|luma| luma < DARK_BELOW),
            bright_share: now.share(|luma| luma > BRIGHT_ABOVE),
            change: before
                .as_ref()
                .map_or(-1.0, |before| now.difference(before, None)),
            fingerprint: now.fingerprint(),
            regions: regions.collect(),
        };
        also(now, before.as_ref());
        let reused = before.unwrap_or_default();
        self.before = Some(std::mem::replace(&mut self.now, reused));
        measures
    }
}

/// The pixels of a picture of `width` by `height` whose centres lie inside `region`, row by row.
fn indices(region: &Region, width: usize, height: usize) -> Vec<u32> {
    let centre = |index: usize, side: usize| (index as f32 + 0.5) / side as f32;
    let mut inside = Vec::new();
    for y in 0..height {
        for x in 0..width {
            if region.contains(Point {
                x: centre(x, width),
                y: centre(y, height),
            }) {
                inside.push((y * width + x) as u32);
            }
        }
    }
    inside
}

#[cfg(test)]
mod tests;
