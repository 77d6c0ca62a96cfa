//! CLEAR MOT (Bernardin and Stiefelhagen 2008) and identity F1 (Ristani et al. 2016) at IoU 0.5, with the rules
//! of py-motmetrics: a pair of the past is kept while it overlaps, the rest is assigned for the greatest overlap.

use std::collections::BTreeMap;

use pathfinding::prelude::{Matrix, kuhn_munkres};

use crate::files::{Frames, Row};

const LEAST_OVERLAP: f32 = 0.5;

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Scores {
    pub(crate) mota: f64,
    pub idf1: f64,
    pub(crate) false_positives: usize,
    pub(crate) misses: usize,
    pub(crate) switches: usize,
}

/// Pairs of row and column with the greatest sum of weights; a weight of 0 is no pair.
fn best_pairs(rows: usize, columns: usize, weight: impl Fn(usize, usize) -> i64) -> Vec<(usize, usize)> {
    if rows == 0 || columns == 0 {
        return Vec::new();
    }
    let size = rows.max(columns);
    let matrix = Matrix::from_fn(
        rows,
        size,
        |(row, column)| if column < columns { weight(row, column) } else { 0 },
    );
    let (_, of_rows) = kuhn_munkres(&matrix);
    of_rows
        .into_iter()
        .enumerate()
        .filter(|&(row, column)| matrix[(row, column)] > 0)
        .collect()
}

/// As many pairs as possible, and among those the greatest overlap.
fn overlap_weight(truth: &Row, result: &Row) -> i64 {
    let overlap = truth.bounding_box.intersection_over_union(&result.bounding_box);
    if overlap >= LEAST_OVERLAP {
        1_000_000_000 + (f64::from(overlap) * 1e6) as i64
    } else {
        0
    }
}

/// Takes out results that lie on a distractor (MOT16 and later), and truth that is not to be evaluated.
pub(crate) fn clean_up(truth: &Frames, results: &Frames) -> (Frames, Frames) {
    let distractor = |row: &Row| matches!(row.class, 2 | 7 | 8 | 12);
    let mut kept = Frames::new();
    for (frame, found) in results {
        let there = truth.get(frame).cloned().unwrap_or_default();
        let pairs = best_pairs(there.len(), found.len(), |i, j| {
            overlap_weight(&there[i], &found[j])
        });
        let on_distractor = |j: usize| {
            pairs
                .iter()
                .any(|&(i, other)| other == j && distractor(&there[i]))
        };
        let rows = (0..found.len())
            .filter(|&j| !on_distractor(j))
            .map(|j| found[j])
            .collect();
        kept.insert(*frame, rows);
    }
    let evaluated = |rows: &Vec<Row>| rows.iter().filter(|row| row.confidence >= 1.0).copied().collect();
    (
        truth
            .iter()
            .map(|(frame, rows)| (*frame, evaluated(rows)))
            .collect(),
        kept,
    )
}

pub(crate) fn score(truth: &Frames, results: &Frames) -> Scores {
    let mut scores = Scores::default();
    let mut partner: BTreeMap<i64, i64> = BTreeMap::new();
    let (mut truths, mut found_count) = (0, 0);
    let mut together: BTreeMap<(i64, i64), i64> = BTreeMap::new();
    let none = Vec::new();
    let mut frames: Vec<i64> = truth.keys().chain(results.keys()).copied().collect();
    frames.sort_unstable();
    frames.dedup();
    for frame in frames {
        let there = truth.get(&frame).unwrap_or(&none);
        let found = results.get(&frame).unwrap_or(&none);
        truths += there.len();
        found_count += found.len();
        let mut weights = vec![vec![0; found.len()]; there.len()];
        for (i, a) in there.iter().enumerate() {
            for (j, b) in found.iter().enumerate() {
                weights[i][j] = overlap_weight(a, b);
                if weights[i][j] > 0 {
                    *together.entry((a.id, b.id)).or_default() += 1;
                }
            }
        }
        let mut taken = vec![false; found.len()];
        let mut matched = 0;
        let mut open = Vec::new();
        for (i, a) in there.iter().enumerate() {
            let kept = partner
                .get(&a.id)
                .and_then(|id| found.iter().position(|b| b.id == *id));
            match kept {
                Some(j) if weights[i][j] > 0 && !taken[j] => {
                    taken[j] = true;
                    matched += 1;
                }
                _ => open.push(i),
            }
        }
        let free: Vec<usize> = (0..found.len()).filter(|&j| !taken[j]).collect();
        for (row, column) in best_pairs(open.len(), free.len(), |i, j| weights[open[i]][free[j]]) {
            let (a, b) = (there[open[row]].id, found[free[column]].id);
            if partner.insert(a, b).is_some_and(|before| before != b) {
                scores.switches += 1;
            }
            matched += 1;
        }
        scores.misses += there.len() - matched;
        scores.false_positives += found.len() - matched;
    }
    let errors = scores.misses + scores.false_positives + scores.switches;
    scores.mota = 100.0 * (1.0 - errors as f64 / truths as f64);
    let index = |ids: Vec<i64>| {
        let mut ids = ids;
        ids.sort_unstable();
        ids.dedup();
        ids
    };
    let rows = index(together.keys().map(|pair| pair.0).collect());
    let columns = index(together.keys().map(|pair| pair.1).collect());
    let common = |i: usize, j: usize| together.get(&(rows[i], columns[j])).copied().unwrap_or(0);
    let identified: i64 = best_pairs(rows.len(), columns.len(), common)
        .iter()
        .map(|&(i, j)| common(i, j))
        .sum();
    scores.idf1 = 100.0 * 2.0 * identified as f64 / (truths + found_count) as f64;
    scores
}
