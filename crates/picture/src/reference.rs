//! The views that a camera is known by, one for each light, and how a picture compares with them.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::cells::{CELL_COLUMNS, CELLS, cells, has_text, median};
use crate::look::{Look, noise};
use crate::slopes::{Products, inner, slopes};

/// Views that are kept: day, dusk, night, each with this and that lamp.
const MOST_VIEWS: usize = 8;
/// A cell has structure from this mean square of its gradient on, in quarters of a level: some two and a half
/// levels between pixels two apart. Sensor noise stays below a tenth of it.
const STRUCTURE: f32 = 100.0;
/// Fewer cells with structure say nothing.
const LEAST_CELLS: usize = 10;
/// A cell shows the same edges from this normalised correlation of the gradients on, of either sign: what is
/// brighter than its ground by day may be darker by night.
const SAME_EDGES: f32 = 0.45;
/// A cell is flat below this part of the reference's gradient energy,
const FLAT: f32 = 0.12;
/// or below this mean square, which sensor noise alone may give.
const NOISE: f32 = 30.0;
/// What shines through a cover keeps its edges: a cell is flat in any case below this part of the view's energy and
/// this mean square, seven tenths of a level between pixels two apart.
const FAINT: f32 = 0.02;
const FAINTEST: f32 = 8.0;
/// But where one pixel of twenty at most is brighter than this, no light comes in, and everything is faint.
const NO_LIGHT_AT_ALL: f32 = 24.0;
/// The cells whose detail is compared had at least this mean square of the Laplacian.
const DETAIL: f32 = 40.0;
/// A flat cell is white from this mean luma on.
const WHITE: f32 = 222.0;
/// What hides a part leaves this share of the cells beside it.
const OTHERS_KEPT: f32 = 0.6;
/// Of so many cells of an even area one at least must have had structure.
const LEAST_LOST: u32 = 3;
/// Two lights are the same where the cells' brightness differs by no more than this, levels, in the median.
const SAME_LIGHT: f32 = 7.0;

/// One view: what does not move, as it looks in one light.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reference {
    width: usize,
    height: usize,
    /// Luma in quarters of a level.
    luma: Vec<i16>,
    /// Mean luma of the cells.
    means: Vec<f32>,
    /// Mean square of the gradient in the cells.
    structure: Vec<f32>,
    /// Mean square of the Laplacian in the cells.
    fine: Vec<f32>,
    /// Mean distance of the chroma from grey; −1 where unknown.
    colour: f32,
}

/// How a picture compares with one view.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Comparison {
    pub(crate) kept: f32,
    pub(crate) flat: f32,
    /// −1 where unknown.
    pub(crate) detail: f32,
    /// Median difference of the cells' brightness.
    pub(crate) light: f32,
    /// Share of the cells with structure that are white now,
    pub(crate) clipped: f32,
    /// and that are hidden by one even, connected thing.
    pub(crate) hidden: f32,
}

impl Reference {
    /// None where the picture has too little structure to be known again.
    pub(crate) fn new(look: &Look, colour: f32) -> Option<Self> {
        let mut structure = vec![0.0; CELLS];
        let mut energies = Energies::NONE;
        for (cell, columns, rows) in cells(look.width, look.height) {
            if cell % CELL_COLUMNS == 0 {
                energies = Energies::of(&look.luma, &look.luma, &rows, look.width, look.height);
            }
            let inside = inner(&columns, look.width);
            let energy = energies.own.within(&inside);
            let count = inside.len() * inner(&rows, look.height).len();
            structure[cell] = energy as f32 / count.max(1) as f32;
        }
        let reference = Self {
            width: look.width,
            height: look.height,
            luma: look.luma.clone(),
            means: look.means.clone(),
            structure,
            fine: look.fine.clone(),
            colour,
        };
        let with_structure = (0..CELLS).filter(|&cell| reference.has_structure(cell)).count();
        (with_structure >= LEAST_CELLS).then_some(reference)
    }

    fn has_structure(&self, cell: usize) -> bool {
        !has_text(cell) && self.structure[cell] >= STRUCTURE
    }

    /// None for a picture of another size.
    pub(crate) fn compare(&self, look: &Look) -> Option<Comparison> {
        if !look.same_size(self.width, self.height) {
            return None;
        }
        let (mut structured, mut kept, mut flat, mut clipped) = (0_u32, 0_u32, 0_u32, 0_u32);
        let mut all = [0.0_f32; 3];
        // Of sensor noise the Laplacian has 20 parts, the gradient of the picture of half the size 16.
        let noise = noise(&look.fine).min(noise(&self.fine));
        let noise_gradient = 0.8 * noise;
        let black = (0.0..=NO_LIGHT_AT_ALL).contains(&look.inner.white);
        let mut evenness = [Evenness::Uneven; CELLS];
        let mut details = Vec::with_capacity(CELLS);
        let mut energies = Energies::NONE;
        for (cell, columns, rows) in cells(self.width, self.height) {
            if has_text(cell) {
                continue;
            }
            if cell % CELL_COLUMNS == 0 {
                energies = Energies::of(&look.luma, &self.luma, &rows, self.width, self.height);
            }
            let inside = inner(&columns, self.width);
            let count = inside.len() * inner(&rows, self.height).len();
            let own = energies.own.within(&inside);
            let other = energies.other.within(&inside);
            let common = energies.common.within(&inside);
            if !self.has_structure(cell) {
                if own as f32 <= NOISE * count as f32 {
                    evenness[cell] = Evenness::Even;
                }
                continue;
            }
            structured += 1;
            for (sum, energy) in all.iter_mut().zip([own, other, common]) {
                *sum += energy as f32;
            }
            let likeness =
                common.unsigned_abs() as f32 / ((own as f32).sqrt() * (other as f32).sqrt()).max(1.0);
            let faint = !black && own as f32 <= FAINT * other as f32 && own as f32 <= FAINTEST * count as f32;
            if likeness >= SAME_EDGES && !faint {
                kept += 1;
                let now = own as f32 / count.max(1) as f32;
                let [fine_now, fine_was] = [look.fine[cell], self.fine[cell]].map(|fine| fine - noise);
                let [now, was] = [now, self.structure[cell]].map(|energy| energy - noise_gradient);
                if fine_was >= DETAIL && now > 0.0 && was > 0.0 {
                    details.push(fine_now.max(0.0) / now / (fine_was / was));
                }
            } else if own as f32 <= (FLAT * other as f32).max(NOISE * count as f32) {
                flat += 1;
                if look.means[cell] >= WHITE {
                    clipped += 1;
                } else {
                    evenness[cell] = Evenness::Lost;
                }
            }
        }
        let mut lights: Vec<f32> = self
            .means
            .iter()
            .zip(&look.means)
            .map(|(was, now)| (was - now).abs())
            .collect();
        let total = structured.max(1) as f32;
        // A camera that was turned to a wall shows nothing of the view beside it either.
        let others_remain = kept as f32 >= OTHERS_KEPT * structured.saturating_sub(flat) as f32;
        let mut kept_share = kept as f32 / total;
        if black {
            // Of the few levels that are left a single cell has hardly an edge: they tell together.
            let [own, other, common] = all;
            kept_share = kept_share.max(common.abs() / (own.sqrt() * other.sqrt()).max(1.0));
        }
        Some(Comparison {
            kept: kept_share.min(1.0),
            flat: flat as f32 / total,
            detail: median(&mut details)
                .filter(|_| details.len() >= LEAST_CELLS / 2)
                .unwrap_or(-1.0),
            light: median(&mut lights).unwrap_or(f32::MAX),
            clipped: clipped as f32 / total,
            hidden: if others_remain {
                hidden(&evenness) as f32 / total
            } else {
                0.0
            },
        })
    }
}

/// What a cell shows of what the view has there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Evenness {
    /// It has structure.
    Uneven,
    /// It is even, and was.
    Even,
    /// It is even and had structure.
    Lost,
}

/// How many cells with structure the largest connected even area hides. An area that was mostly even before hides
/// nothing: it is a wall, or the sky.
fn hidden(evenness: &[Evenness; CELLS]) -> u32 {
    let mut seen = [false; CELLS];
    let mut most = 0;
    let mut open = Vec::new();
    for start in 0..CELLS {
        if evenness[start] == Evenness::Uneven || seen[start] {
            continue;
        }
        seen[start] = true;
        open.push(start);
        let (mut area, mut lost) = (0_u32, 0_u32);
        while let Some(cell) = open.pop() {
            area += 1;
            lost += u32::from(evenness[cell] == Evenness::Lost);
            let column = cell % CELL_COLUMNS;
            let beside = [
                (column > 0).then(|| cell - 1),
                (column + 1 < CELL_COLUMNS).then_some(cell + 1),
                cell.checked_sub(CELL_COLUMNS),
                Some(cell + CELL_COLUMNS).filter(|&below| below < CELLS),
            ];
            for next in beside.into_iter().flatten() {
                if !seen[next] && evenness[next] != Evenness::Uneven {
                    seen[next] = true;
                    open.push(next);
                }
            }
        }
        if lost * LEAST_LOST >= area {
            most = most.max(lost);
        }
    }
    most
}

/// Energies of the slopes of two pictures over a row of cells.
struct Energies {
    own: Products,
    other: Products,
    common: Products,
}

impl Energies {
    const NONE: Self = Self {
        own: Products::NONE,
        other: Products::NONE,
        common: Products::NONE,
    };

    /// Over the inner pixels of the lines `rows` of two pictures of the same size.
    fn of(one: &[i16], two: &[i16], rows: &Range<usize>, width: usize, height: usize) -> Self {
        let mut energies = Self::NONE;
        for y in inner(rows, height) {
            for (now, was) in slopes(one, width, y).iter().zip(&slopes(two, width, y)) {
                energies.own.add(now, now);
                energies.other.add(was, was);
                energies.common.add(now, was);
            }
        }
        energies
    }
}

/// The views of one camera.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct References {
    /// The first one stays; the others give way to new ones, the one that served longest ago first.
    views: Vec<Reference>,
    /// When each served last, as numbers of `turn`.
    served: Vec<u64>,
    turn: u64,
    best: usize,
    /// Which other view is tried next.
    next: usize,
    /// Views that were ever added.
    learnt: u64,
}

/// A best view that is at least this like is not doubted.
const GOOD: f32 = 0.85;

impl References {
    pub(crate) fn is_empty(&self) -> bool {
        self.views.is_empty()
    }

    /// How the picture compares with the view that it is most like. Where the view that served last does not
    /// fit well, one other is tried in every call, so that the cost is bounded.
    pub(crate) fn compare(&mut self, look: &Look) -> Option<Comparison> {
        self.turn += 1;
        let mut best = self.views.get(self.best)?.compare(look)?;
        if (best.kept < GOOD || best.light > SAME_LIGHT) && self.views.len() > 1 {
            self.next = (self.next + 1) % self.views.len();
            if self.next != self.best
                && let Some(other) = self.views[self.next].compare(look)
                && (other.kept > best.kept + 0.02
                    || (other.kept > best.kept - 0.02 && other.light < best.light))
            {
                best = other;
                self.best = self.next;
            }
        }
        self.served[self.best] = self.turn;
        Some(best)
    }

    /// The colour of the view that serves, if the picture has its light.
    pub(crate) fn colour(&self, comparison: &Comparison) -> f32 {
        match self.views.get(self.best) {
            Some(view) if comparison.light <= SAME_LIGHT => view.colour,
            _ => -1.0,
        }
    }

    pub(crate) fn learnt(&self) -> u64 {
        self.learnt
    }

    pub(crate) fn add(&mut self, view: Reference) {
        self.learnt += 1;
        self.turn += 1;
        let oldest = (1..self.views.len()).min_by_key(|&place| self.served[place]);
        match oldest {
            Some(place) if self.views.len() >= MOST_VIEWS => {
                self.views[place] = view;
                self.served[place] = self.turn;
                self.best = place;
            }
            _ => {
                self.views.push(view);
                self.served.push(self.turn);
                self.best = self.views.len() - 1;
            }
        }
    }

    /// Whether the state, which may come from anywhere, is sound.
    pub(crate) fn is_sound(&self) -> bool {
        self.views.len() == self.served.len()
            && self.views.len() <= MOST_VIEWS
            && (self.best < self.views.len() || self.views.is_empty())
            && self.views.iter().all(|view| {
                view.width >= 2
                    && view.height >= 2
                    && view.width.checked_mul(view.height) == Some(view.luma.len())
                    && [view.means.len(), view.structure.len(), view.fine.len()] == [CELLS; 3]
            })
    }
}
