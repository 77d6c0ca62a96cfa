//! YOLOX on a device: the same net as in `crate::network`, written down as a plan.

use mineseal_kernels_cuda::{Beside, KernelError, Map, Plan, Pointwise, Prediction, Separable, Stem};

use super::LoadError;
use super::layers::{CrossStage, FineCrossStage, Loader};
use crate::network::Path;

/// The whole net's packed weights.
pub(super) struct DeviceNetwork {
    stem: Stem,
    dark2: Stage,
    dark3: Stage,
    dark4: Stage,
    dark5: LastStage,
    neck: Neck,
    head: [LevelHead; 3],
}

/// What the neck's way back joins: features at stride 8, and maps whose second parts are written.
struct Joined {
    p3: Map,
    for_n3: Map,
    for_n4: Map,
}

struct Stage {
    halve: Separable,
    layer: CrossStage,
}

struct LastStage {
    halve: Separable,
    narrow: Pointwise,
    widen: Pointwise,
    layer: CrossStage,
}

struct Neck {
    lateral: Pointwise,
    fine_to_p4: FineCrossStage,
    reduce: Pointwise,
    fine_to_p3: FineCrossStage,
    down_from_p3: Separable,
    coarse_to_n3: CrossStage,
    down_from_n3: Separable,
    coarse_to_n4: CrossStage,
}

struct LevelHead {
    stem: Pointwise,
    class_way: [Separable; 2],
    classes: Prediction,
    box_way: [Separable; 2],
    boxes: Prediction,
}

impl DeviceNetwork {
    /// `classes`: how many the weights have, and the places of those that are computed.
    pub(super) fn load(
        loader: &mut Loader<'_>,
        path: &Path<'_>,
        base: usize,
        classes: (usize, &[usize]),
    ) -> Result<Self, LoadError> {
        let darknet = path.at("backbone.backbone");
        let (weight, bias) = darknet.at("stem.conv.conv").convolution(base, 12, 3)?;
        let level = |loader: &mut Loader<'_>, number: usize| {
            let inputs = (4 * base) << number;
            LevelHead::load(loader, &path.at("head"), number, (inputs, 4 * base), classes)
        };
        Ok(Self {
            stem: loader.constants.stem(&weight, &bias)?,
            dark2: Stage::load(loader, &darknet.at("dark2"), base)?,
            dark3: Stage::load(loader, &darknet.at("dark3"), 2 * base)?,
            dark4: Stage::load(loader, &darknet.at("dark4"), 4 * base)?,
            dark5: LastStage::load(loader, &darknet.at("dark5"), 8 * base)?,
            neck: Neck::load(loader, &path.at("backbone"), base)?,
            head: [level(loader, 0)?, level(loader, 1)?, level(loader, 2)?],
        })
    }

    /// Writes all layers down. The fine levels' heads run beside what follows for the coarser ones, which is too small to
    /// fill a device.
    pub(super) fn plan(&self, plan: &mut Plan) -> Result<(), KernelError> {
        let entered = plan.stem(&self.stem)?;
        let dark2 = self.dark2.plan(plan, &entered)?;
        drop(entered);
        let dark3 = self.dark3.plan(plan, &dark2)?;
        drop(dark2);
        let dark4 = self.dark4.plan(plan, &dark3)?;
        let dark5 = self.dark5.plan(plan, &dark4)?;
        let [fine, middle, coarse] = &self.head;
        let joined = self.neck.coarse_to_fine(plan, [dark3, dark4, dark5])?;
        plan.branch();
        fine.plan(plan, &joined.p3, 0)?;
        plan.trunk();
        let n3 = self.neck.fine_to_middle(plan, &joined)?;
        plan.branch();
        middle.plan(plan, &n3, 1)?;
        plan.trunk();
        let n4 = self.neck.middle_to_coarse(plan, &joined, &n3)?;
        coarse.plan(plan, &n4, 2)
    }
}

impl Stage {
    fn load(loader: &mut Loader<'_>, path: &Path<'_>, inputs: usize) -> Result<Self, LoadError> {
        Ok(Self {
            halve: loader.separable(&path.at("0"), inputs, 2 * inputs, 2)?,
            layer: CrossStage::load(loader, &path.at("1"), 2 * inputs, 2 * inputs, true)?,
        })
    }

    fn plan(&self, plan: &mut Plan, input: &Map) -> Result<Map, KernelError> {
        let half = plan.separable(&self.halve, input.view())?;
        self.layer.plan(plan, half.view())
    }
}

impl LastStage {
    fn load(loader: &mut Loader<'_>, path: &Path<'_>, inputs: usize) -> Result<Self, LoadError> {
        Ok(Self {
            halve: loader.separable(&path.at("0"), inputs, 2 * inputs, 2)?,
            narrow: loader.pointwise(&path.at("1.conv1"), 2 * inputs, inputs)?,
            widen: loader.pointwise(&path.at("1.conv2"), 4 * inputs, 2 * inputs)?,
            layer: CrossStage::load(loader, &path.at("2"), 2 * inputs, 2 * inputs, false)?,
        })
    }

    /// The pyramid's four parts lie in one map from the start.
    fn plan(&self, plan: &mut Plan, input: &Map) -> Result<Map, KernelError> {
        let half = plan.separable(&self.halve, input.view())?;
        let part = half.channels() / 2;
        let pyramid = plan.map(4 * part, half.height(), half.width());
        plan.pointwise_into(
            &self.narrow,
            half.view(),
            Beside::default(),
            pyramid.part(0..part)?,
        )?;
        drop(half);
        plan.pyramid(&pyramid)?;
        let wide = plan.pointwise(&self.widen, pyramid.view())?;
        drop(pyramid);
        self.layer.plan(plan, wide.view())
    }
}

impl Neck {
    fn load(loader: &mut Loader<'_>, path: &Path<'_>, base: usize) -> Result<Self, LoadError> {
        let (fine, middle, coarse) = (4 * base, 8 * base, 16 * base);
        Ok(Self {
            lateral: loader.pointwise(&path.at("lateral_conv0"), coarse, middle)?,
            fine_to_p4: FineCrossStage::load(loader, &path.at("C3_p4"), 2 * middle, middle)?,
            reduce: loader.pointwise(&path.at("reduce_conv1"), middle, fine)?,
            fine_to_p3: FineCrossStage::load(loader, &path.at("C3_p3"), 2 * fine, fine)?,
            down_from_p3: loader.separable(&path.at("bu_conv2"), fine, fine, 2)?,
            coarse_to_n3: CrossStage::load(loader, &path.at("C3_n3"), 2 * fine, middle, false)?,
            down_from_n3: loader.separable(&path.at("bu_conv1"), middle, middle, 2)?,
            coarse_to_n4: CrossStage::load(loader, &path.at("C3_n4"), 2 * middle, coarse, false)?,
        })
    }

    /// What two layers join lies in one map, into whose parts they write.
    fn coarse_to_fine(
        &self,
        plan: &mut Plan,
        [dark3, dark4, dark5]: [Map; 3],
    ) -> Result<Joined, KernelError> {
        let size = |map: &Map| (map.height(), map.width());
        let (fine, middle) = (dark3.channels(), dark4.channels());
        let for_n4 = plan.map(2 * middle, dark5.height(), dark5.width());
        let lateral = for_n4.part(middle..2 * middle)?;
        plan.pointwise_into(&self.lateral, dark5.view(), Beside::default(), lateral)?;
        drop(dark5);
        let p4 = self.fine_to_p4.plan(plan, lateral, dark4.view(), size(&dark4))?;
        drop(dark4);
        let for_n3 = plan.map(2 * fine, p4.height(), p4.width());
        let reduced = for_n3.part(fine..2 * fine)?;
        plan.pointwise_into(&self.reduce, p4.view(), Beside::default(), reduced)?;
        drop(p4);
        let p3 = self.fine_to_p3.plan(plan, reduced, dark3.view(), size(&dark3))?;
        Ok(Joined { p3, for_n3, for_n4 })
    }

    /// Features at stride 16.
    fn fine_to_middle(&self, plan: &mut Plan, joined: &Joined) -> Result<Map, KernelError> {
        let Joined { p3, for_n3, .. } = joined;
        let down = for_n3.part(0..p3.channels())?;
        plan.separable_into(&self.down_from_p3, p3.view(), Beside::default(), down)?;
        self.coarse_to_n3.plan(plan, for_n3.view())
    }

    /// Features at stride 32.
    fn middle_to_coarse(&self, plan: &mut Plan, joined: &Joined, n3: &Map) -> Result<Map, KernelError> {
        let Joined { for_n4, .. } = joined;
        let down = for_n4.part(0..n3.channels())?;
        plan.separable_into(&self.down_from_n3, n3.view(), Beside::default(), down)?;
        self.coarse_to_n4.plan(plan, for_n4.view())
    }
}

impl LevelHead {
    fn load(
        loader: &mut Loader<'_>,
        path: &Path<'_>,
        number: usize,
        (inputs, hidden): (usize, usize),
        (class_count, used): (usize, &[usize]),
    ) -> Result<Self, LoadError> {
        let mut way = |name: &str| {
            let mut separable =
                |j: usize| loader.separable(&path.at(&format!("{name}.{number}.{j}")), hidden, hidden, 1);
            Ok::<_, LoadError>([separable(0)?, separable(1)?])
        };
        let (class_way, box_way) = (way("cls_convs")?, way("reg_convs")?);
        let last = |name: &str, outputs| {
            path.at(&format!("{name}.{number}"))
                .convolution(outputs, hidden, 1)
        };
        let (class_weight, class_bias) = last("cls_preds", class_count)?;
        let rows: Vec<&[f32]> = class_weight.chunks_exact(hidden).collect();
        let used_weight: Vec<f32> = used.iter().flat_map(|&place| rows[place]).copied().collect();
        let used_bias: Vec<f32> = used.iter().map(|&place| class_bias[place]).collect();
        let (mut box_weight, mut box_bias) = last("reg_preds", 4)?;
        let (objectness_weight, objectness_bias) = last("obj_preds", 1)?;
        box_weight.extend(objectness_weight);
        box_bias.extend(objectness_bias);
        Ok(Self {
            stem: loader.pointwise(&path.at(&format!("stems.{number}")), inputs, hidden)?,
            class_way,
            classes: loader.constants.prediction(&used_weight, &used_bias)?,
            box_way,
            boxes: loader.constants.prediction(&box_weight, &box_bias)?,
        })
    }

    /// The second convolution of the classes is left out where no box is wanted.
    fn plan(&self, plan: &mut Plan, features: &Map, level: usize) -> Result<(), KernelError> {
        let stem = plan.pointwise(&self.stem, features.view())?;
        let [first, second] = &self.box_way;
        let middle = plan.separable(first, stem.view())?;
        let boxes = plan.separable(second, middle.view())?;
        drop(middle);
        plan.predict_boxes(&self.boxes, boxes.view(), level)?;
        drop(boxes);
        let [first, second] = &self.class_way;
        let middle = plan.separable(first, stem.view())?;
        let classes = plan.separable_where_wanted(second, middle.view(), level)?;
        plan.predict_classes(&self.classes, classes.view(), level)
    }
}
