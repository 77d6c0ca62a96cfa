use std::collections::VecDeque;
use std::ops::Range;

use mineseal_domain::{UtcMicros, ViewMeasures};
use serde::{Deserialize, Serialize};

use crate::LumaPlane;
use crate::cells::{CELL_COLUMNS, CELLS, cells, has_text, median};
use crate::echo::Echoes;
use crate::look::{Inner, Look, MOST_COLUMNS, colour};
use crate::recurrence::Recurrences;
use crate::reference::{Comparison, Reference, References};
use crate::repeat::Repeats;
use crate::residue::Residues;
use crate::shrunk::Shrunk;
use crate::slopes::{Products, inner, slopes};
use crate::stillness::Stillness;

/// The background takes a picture in this often at most, microseconds.
const BACKGROUND_EVERY: i64 = 1_000_000;
/// Pictures whose mean the background is, from its start on.
const BACKGROUND_PICTURES: i32 = 16;
/// The first view is learnt from this many pictures.
const FIRST_VIEW_PICTURES: i32 = 12;
/// A view is the median of so many of the last pictures: what passes for less than half of them is not in it.
const VIEW_PICTURES: usize = 15;
/// A view that fits less well than this, but at least `RELATED`, has another light.
const OTHER_LIGHT: f32 = 0.88;
const RELATED: f32 = 0.6;
/// More lost cells than this are a cover, not another light.
const MOST_FLAT: f32 = 0.3;
const MOST_HIDDEN: f32 = 0.15;
/// Pictures in a row, a second apart or more, that must show the other light before it is learnt.
const LEARN_PICTURES: u32 = 25;
/// Cells that must tell something of a shift.
const LEAST_TOLD: usize = 6;
/// A shift is seen in a cell where it explains this share of the square of what changed: what a lamp or somebody who
/// passes changes is no shift.
const EXPLAINED: f32 = 0.3;
/// A picture is shifted where the same shift is seen in this share of the cells,
const MOVED_TOGETHER: f32 = 0.5;
/// or where this share of them tells the same direction at least: far shifts cannot be measured, but have one.
const SAME_WAY: f32 = 0.75;
/// After a longer silence the background starts anew.
const LONGEST_GAP: i64 = 60_000_000;
/// Parts of a quarter level in which the background is kept.
const PARTS: i32 = 8;

/// Compares the pictures of one camera with each other and with the views that it is known by.
///
/// Its state serialises, so that a camera that was moved while nobody looked is found afterwards. At most some
/// 1.4 MB for each camera: eight views of 9 kB, a background of 7 kB, the last pictures of 130 kB, and ten minutes of
/// signatures of 250 kB, of noise of 220 kB, of zones of 220 kB and of changes of 520 kB.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ViewMeter {
    width: usize,
    height: usize,
    /// Mean of the last pictures, luma in 32nds of a level.
    background: Vec<i16>,
    /// The last pictures of the background, the newest last.
    recent: VecDeque<Recent>,
    /// How many pictures it holds, to `BACKGROUND_PICTURES`.
    pictures: i32,
    taken_at: Option<UtcMicros>,
    references: References,
    other_light: u32,
    /// Pictures in a row, a second apart or more, that a view can be learnt from.
    #[serde(default)]
    fit: i32,
    repeats: Repeats,
    residues: Residues,
    #[serde(default)]
    recurrences: Recurrences,
    #[serde(default)]
    echoes: Echoes,
    #[serde(default)]
    stillness: Stillness,
    #[serde(skip)]
    look: Scratch,
}

/// What a view is learnt from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Recent {
    luma: Vec<i16>,
    fine: Vec<f32>,
    means: Vec<f32>,
    colour: f32,
}

/// Memory that is used again; no part of the state.
#[derive(Clone, Debug, Default)]
struct Scratch(Look);

impl PartialEq for Scratch {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl ViewMeter {
    /// A meter that has seen nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets all views: somebody has looked at the camera and accepts how it stands now.
    pub fn accept_view(&mut self) {
        self.references = References::default();
        self.pictures = 0;
    }

    /// The part of it that stays true however long nobody looks, some 70 kB at most: to be kept for a later reading.
    #[must_use]
    pub fn lasting(&self) -> Self {
        Self {
            references: self.references.clone(),
            recurrences: self.recurrences.lasting(),
            ..Self::default()
        }
    }

    /// How many views were learnt so far: when this changes, what lasts has changed.
    #[must_use]
    pub fn learnt(&self) -> u64 {
        self.references.learnt()
    }

    /// Whether the camera is known by a view yet.
    #[must_use]
    pub fn has_view(&self) -> bool {
        !self.references.is_empty()
    }

    /// Whether a state that was read from somewhere can be gone on with.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.references.is_sound()
            && self.repeats.is_sound()
            && self.residues.is_sound()
            && self.recurrences.is_sound()
            && self.echoes.is_sound()
            && self.stillness.is_sound()
            && (self.pictures == 0
                || (self.width >= 2
                    && self.height >= 2
                    && self.width.checked_mul(self.height) == Some(self.background.len())))
            && self.recent.len() <= VIEW_PICTURES
            && self.recent.iter().all(|recent| {
                recent.luma.len() == self.background.len()
                    && [recent.fine.len(), recent.means.len()] == [CELLS; 2]
            })
            && (0..=BACKGROUND_PICTURES).contains(&self.pictures)
    }

    /// Measures the picture taken at `at`, shrunk already, against the one before.
    pub(crate) fn measure(
        &mut self,
        at: UtcMicros,
        now: &Shrunk,
        before: Option<&Shrunk>,
        chroma: Option<&[LumaPlane<'_>; 2]>,
    ) -> ViewMeasures {
        let mut look = std::mem::take(&mut self.look.0);
        let mut measures = ViewMeasures {
            colour: chroma.map_or(-1.0, colour),
            ..ViewMeasures::default()
        };
        if look.take(now) {
            measures.still_share = before.map_or(-1.0, |before| self.stillness.take(now, before));
            measures.blank_share = look.blank_share();
            measures.black_level = look.inner.black;
            measures.white_level = look.inner.white;
            measures.deviation = look.inner.deviation;
            measures.sharpness = look.inner.sharpness;
            self.against_the_past(at, &look, &mut measures);
            let noise = self.residues.take(at, now);
            let motion = self.repeats.take(at, now);
            let changes = self.recurrences.take(at, now);
            let zones = self.echoes.take(at, now);
            measures.repeat_micros = [noise, zones, changes, motion]
                .into_iter()
                .find(|&period| period > 0)
                .unwrap_or(0);
        }
        self.look.0 = look;
        measures
    }

    fn against_the_past(&mut self, at: UtcMicros, look: &Look, measures: &mut ViewMeasures) {
        let since = self.taken_at.map_or(0, |taken| at.micros_since(taken));
        if !look.same_size(self.width, self.height) || !(0..=LONGEST_GAP).contains(&since) {
            self.pictures = 0;
        }
        let compared = self.references.compare(look);
        if let Some(compared) = compared {
            measures.kept_share = compared.kept;
            measures.flat_share = compared.flat;
            measures.detail = compared.detail;
            measures.clipped_share = compared.clipped;
            measures.hidden_share = compared.hidden;
            measures.reference_colour = self.references.colour(&compared);
        }
        if self.pictures >= BACKGROUND_PICTURES / 2 {
            [measures.shift_right, measures.shift_down] = self.shift(look);
        }
        if self.pictures == 0 || since >= BACKGROUND_EVERY {
            self.taken_at = Some(at);
            self.take_in(look, measures.colour);
            self.learn(compared, look.inner.is_out_of_range());
        }
    }

    fn take_in(&mut self, look: &Look, colour: f32) {
        if self.pictures == 0 {
            (self.width, self.height) = (look.width, look.height);
            self.background.clear();
            // Four pixels of 255 levels in eighths: at most 8,160.
            self.background
                .extend(look.luma.iter().map(|&luma| luma.wrapping_mul(PARTS as i16)));
            self.recent.clear();
            self.remember(look, colour);
            self.pictures = 1;
            return;
        }
        self.remember(look, colour);
        self.pictures = (self.pictures + 1).min(BACKGROUND_PICTURES);
        // Nearly always the same weight, which the compiler divides by more quickly when it knows it.
        if self.pictures == BACKGROUND_PICTURES {
            step_towards(&mut self.background, &look.luma, BACKGROUND_PICTURES);
        } else {
            step_towards(&mut self.background, &look.luma, self.pictures);
        }
    }

    fn remember(&mut self, look: &Look, colour: f32) {
        // The memory of the oldest one is used again.
        let mut recent = if self.recent.len() >= VIEW_PICTURES {
            self.recent.pop_front().unwrap_or_default()
        } else {
            Recent::default()
        };
        recent.luma.clone_from(&look.luma);
        recent.fine.clone_from(&look.fine);
        recent.means.clone_from(&look.means);
        recent.colour = colour;
        self.recent.push_back(recent);
    }

    /// Learns the first view, and the same view in another light.
    fn learn(&mut self, compared: Option<Comparison>, out_of_range: bool) {
        self.fit = if out_of_range {
            0
        } else {
            self.fit.saturating_add(1)
        };
        let Some(compared) = compared else {
            let enough = self.pictures.min(self.fit) >= FIRST_VIEW_PICTURES;
            if self.references.is_empty() && enough {
                self.add_view();
            }
            return;
        };
        let other = (RELATED..OTHER_LIGHT).contains(&compared.kept)
            && compared.flat <= MOST_FLAT
            && compared.hidden <= MOST_HIDDEN
            && !out_of_range
            && !(0.0..0.6).contains(&compared.detail);
        self.other_light = if other { self.other_light + 1 } else { 0 };
        if self.other_light >= LEARN_PICTURES {
            self.other_light = 0;
            self.add_view();
        }
    }

    fn add_view(&mut self) {
        if self.recent.is_empty() {
            return;
        }
        let luma = (0..self.background.len()).map(|pixel| {
            let mut values: Vec<i16> = self.recent.iter().map(|recent| recent.luma[pixel]).collect();
            let middle = values.len() / 2;
            *values.select_nth_unstable(middle).1
        });
        let middle_of = |of: &dyn Fn(&Recent) -> f32| {
            let mut values: Vec<f32> = self.recent.iter().map(of).collect();
            median(&mut values).unwrap_or(0.0)
        };
        let look = Look {
            width: self.width,
            height: self.height,
            luma: luma.collect(),
            means: (0..CELLS)
                .map(|cell| middle_of(&|recent| recent.means[cell]))
                .collect(),
            fine: (0..CELLS)
                .map(|cell| middle_of(&|recent| recent.fine[cell]))
                .collect(),
            spread: Vec::new(),
            inner: Inner::default(),
        };
        let colour = middle_of(&|recent| recent.colour);
        if let Some(view) = Reference::new(&look, colour) {
            self.references.add(view);
        }
    }

    /// How far the picture lies to the right of and below the background, in shares of its width: the median
    /// over the cells of one step of B. D. Lucas and T. Kanade, IJCAI 1981. Good to about a pixel and a half of
    /// 80; beyond, it tells the direction still.
    fn shift(&self, look: &Look) -> [f32; 2] {
        let (width, height) = (self.width, self.height);
        // Smoothed, so that what is fine does not hide how far it has moved.
        let scaled = look.luma.iter().map(|&luma| luma.wrapping_mul(PARTS as i16));
        let scaled: Vec<i16> = scaled.collect();
        let [background, luma] = [&self.background, &scaled].map(|luma| smoothed(luma, width));
        let mut told = Vec::with_capacity(CELLS);
        let mut changes = Changes::NONE;
        for (cell, columns, rows) in cells(width, height) {
            if has_text(cell) {
                continue;
            }
            if cell % CELL_COLUMNS == 0 {
                changes = Changes::of(&background, &luma, &rows, width, height);
            }
            told.extend(Told::of(&changes, &inner(&columns, width)));
        }
        if told.len() < LEAST_TOLD {
            return [0.0; 2];
        }
        let along = |axis: usize, of: &dyn Fn(&&Told) -> bool| -> Vec<f32> {
            told.iter().filter(of).map(|told| told.shift[axis]).collect()
        };
        // One shift of the whole picture, if it is one.
        let common = [0, 1].map(|axis| {
            let mut clear = along(axis, &|told| told.explained(told.shift) >= EXPLAINED);
            median(&mut clear).unwrap_or(0.0)
        });
        let with_it = told
            .iter()
            .filter(|told| told.explained(common) >= EXPLAINED)
            .count();
        let shift = if with_it as f32 >= MOVED_TOGETHER * told.len() as f32 {
            common
        } else {
            [0, 1].map(|axis| {
                let mut values = along(axis, &|_| true);
                let middle = median(&mut values).unwrap_or(0.0);
                // Where a lamp changes the light, every cell tells another direction.
                let with_it = values.iter().filter(|&&value| value * middle > 0.0).count();
                if with_it as f32 >= SAME_WAY * values.len() as f32 {
                    middle
                } else {
                    0.0
                }
            })
        };
        shift.map(|pixels| (pixels / width as f32).clamp(-0.2, 0.2))
    }
}

/// Moves the mean of `weight` pictures, one of which is new, towards that one.
#[inline]
fn step_towards(background: &mut [i16], luma: &[i16], weight: i32) {
    for (mean, &luma) in background.iter_mut().zip(luma) {
        let difference = (i32::from(luma).wrapping_mul(PARTS)).wrapping_sub(i32::from(*mean));
        // Rounded away from zero, or a small difference would never be taken in.
        let away = difference.signum().wrapping_mul(weight.wrapping_sub(1));
        *mean = mean.wrapping_add((difference.wrapping_add(away) / weight) as i16);
    }
}

/// Each pixel with a quarter of either beside it and half of itself, in rows and then in columns; edges stay as they are.
fn smoothed(luma: &[i16], width: usize) -> Vec<i16> {
    let mean = |[before, here, after]: [i16; 3]| {
        // At most four times 8,160, and 2 more to round to the nearest.
        let [before, here, after] = [before, here, after].map(i32::from);
        let sum = before.wrapping_add(here.wrapping_mul(2)).wrapping_add(after);
        (sum.wrapping_add(2) >> 2) as i16
    };
    let mut across = luma.to_vec();
    for (to, line) in across.chunks_exact_mut(width).zip(luma.chunks_exact(width)) {
        let beside = line.iter().zip(&line[1..]).zip(&line[2..]);
        for (to, ((left, here), right)) in to[1..].iter_mut().zip(beside) {
            *to = mean([*left, *here, *right]);
        }
    }
    let mut both = across.clone();
    let lines = across.iter().zip(&across[width..]).zip(&across[2 * width..]);
    for (to, ((above, here), below)) in both[width..].iter_mut().zip(lines) {
        *to = mean([*above, *here, *below]);
    }
    both
}

/// What one cell tells of the picture's shift.
struct Told {
    /// Pixels to the right and down.
    shift: [f32; 2],
    /// Products, summed up over its pixels, of what is left of the slopes to the right and down and of the change: right
    /// squared, right times down, down squared, change times either, and squared.
    sums: [f32; 6],
}

impl Told {
    /// None where the cell has no edges in two directions.
    fn of(changes: &Changes, inside: &Range<usize>) -> Option<Self> {
        let sums = changes.left(inside);
        let [xx, xy, yy, xt, yt, _] = sums;
        let (determinant, trace) = (xx * yy - xy * xy, xx + yy);
        // Well above the noise: 32nds of a level, squared, over some 25 pixels.
        if trace < 100_000.0 || determinant < 0.02 * trace * trace {
            return None;
        }
        // The gradient spans two pixels, hence the factor.
        let shift = [
            -2.0 * (yy * xt - xy * yt) / determinant,
            -2.0 * (xx * yt - xy * xt) / determinant,
        ];
        Some(Self { shift, sums })
    }

    /// Which share of the square of what changed a shift explains; negative where it makes matters worse.
    fn explained(&self, shift: [f32; 2]) -> f32 {
        let [xx, xy, yy, xt, yt, tt] = self.sums;
        let [right, down] = shift.map(|pixels| -0.5 * pixels);
        let gain = 2.0 * (right * xt + down * yt)
            - (right * right * xx + 2.0 * right * down * xy + down * down * yy);
        if tt > 0.0 { gain / tt } else { 0.0 }
    }
}

/// Slopes of the background to the right and down, what changed against it, the background itself, and one.
const TERMS: usize = 5;
/// Their products with each other.
const TERM_PAIRS: usize = TERMS * (TERMS + 1) / 2;

/// Products of the terms over a row of cells, each with itself and those after it.
struct Changes([Products; TERM_PAIRS]);

impl Changes {
    const NONE: Self = Self([Products::NONE; TERM_PAIRS]);

    /// Over the inner pixels of the lines `rows`.
    fn of(background: &[i16], luma: &[i16], rows: &Range<usize>, width: usize, height: usize) -> Self {
        let mut changes = Self::NONE;
        for y in inner(rows, height) {
            let [right, down] = slopes(background, width, y);
            let pixels = y * width + 1..(y + 1) * width - 1;
            let (mut change, mut level) = ([0; MOST_COLUMNS], [0; MOST_COLUMNS]);
            let lines = background[pixels.clone()].iter().zip(&luma[pixels]);
            for ((change, level), (mean, now)) in change.iter_mut().zip(&mut level).zip(lines) {
                *change = now.wrapping_sub(*mean);
                *level = *mean;
            }
            let terms = [&right, &down, &change, &level, &[1; MOST_COLUMNS]];
            let pairs = (0..TERMS).flat_map(|one| (one..TERMS).map(move |other| (one, other)));
            for (sums, (one, other)) in changes.0.iter_mut().zip(pairs) {
                sums.add(terms[one], terms[other]);
            }
        }
        changes
    }

    /// Products of slopes and change within a cell, in the order of [`Told`], without what a straight line of the
    /// background's brightness explains of each: a lamp makes a cell brighter by a step and by a factor, which near an
    /// edge would look like a shift.
    fn left(&self, inside: &Range<usize>) -> [f32; 6] {
        let mut sums = [[0.0_f64; TERMS]; TERMS];
        let mut products = self.0.iter();
        for one in 0..TERMS {
            for other in one..TERMS {
                let sum = products.next().map_or(0.0, |sums| sums.within(inside) as f64);
                (sums[one][other], sums[other][one]) = (sum, sum);
            }
        }
        // First the step, then the factor.
        for taken in [4, 3] {
            let whole = sums[taken][taken];
            if whole <= 0.0 {
                continue;
            }
            let parts = sums[taken];
            for one in 0..taken {
                for other in 0..taken {
                    sums[one][other] -= parts[one] * parts[other] / whole;
                }
            }
        }
        [(0, 0), (0, 1), (1, 1), (0, 2), (1, 2), (2, 2)].map(|(one, other)| sums[one][other] as f32)
    }
}

#[cfg(test)]
mod tests;
