use mineseal_domain::{HealthMeasures, Point, Region, RegionMeasure};

use crate::LumaPlane;
use crate::shrunk::Shrunk;

/// Luma of 8-bit video runs from 16 to 235.
const DARK_BELOW: u8 = 16 + 8;
const BRIGHT_ABOVE: u8 = 235 - 5;

/// Measures the published frames of one reading of one camera, in their order.
#[derive(Clone, Debug)]
pub struct HealthMeter {
    regions: Vec<MeasuredRegion>,
    now: Shrunk,
    before: Option<Shrunk>,
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
        }
    }

    /// Measures the next frame, on a picture shrunk to at most 160 pixels.
    ///
    /// `change` and the regions' `motion` are −1 where there is nothing to compare with: in the first frame,
    /// after a change of size, and in a region that covers no pixel.
    pub fn measure(&mut self, plane: &LumaPlane<'_>) -> HealthMeasures {
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
