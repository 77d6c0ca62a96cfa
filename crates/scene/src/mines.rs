use mineseal_domain::{Analysis, CameraCode, CodeError, MineCode, MineState, PlaceClass, Sampling};

use crate::math::Dice;
use crate::{Daylight, DemoCourse, SceneKind, SceneScript};

/// A made-up mine for the demonstration.
#[derive(Clone, Debug, PartialEq)]
pub struct DemoMine {
    /// 煤矿编码.
    pub code: MineCode,
    /// 煤矿名称; says that it is an example.
    pub name: String,
    /// What the mine may do.
    pub state: MineState,
    /// People who may be underground at once.
    pub headcount_limit: i32,
    /// The dispatch room must be manned although the mine is stopped.
    pub watch_ordered: bool,
    /// Its cameras.
    pub cameras: Vec<DemoCamera>,
}

/// A camera of a made-up mine and the clip that it plays again and again.
#[derive(Clone, Debug, PartialEq)]
pub struct DemoCamera {
    /// 摄像仪编码.
    pub code: CameraCode,
    /// 安装位置分类编码.
    pub place: PlaceClass,
    /// 具体安装位置描述.
    pub name: String,
    /// What the clip shows; its lines and regions come from the rendered scene.
    pub script: SceneScript,
    /// Which frames are taken.
    pub sampling: Sampling,
    /// What is looked for.
    pub analyses: Vec<Analysis>,
}

/// Length of every clip of the demonstration.
const SECONDS: f64 = 120.0;

/// Three made-up mines with four cameras each: one that works within its limit, one whose crew exceeds the
/// approved number, and a stopped one where a person goes in and the belt starts.
///
/// # Errors
/// Never with the codes that stand here; the tests hold that.
pub fn demo_mines() -> Result<Vec<DemoMine>, CodeError> {
    Ok(vec![
        mine(
            1,
            "示例一号煤矿",
            MineState::Producing,
            9,
            DemoCourse::Working { peak_people: 6 },
            Daylight::Overcast,
        )?,
        mine(
            2,
            "示例二号煤矿",
            MineState::Producing,
            9,
            DemoCourse::Working { peak_people: 13 },
            Daylight::Day,
        )?,
        mine(
            3,
            "示例三号煤矿",
            MineState::Stopped,
            9,
            DemoCourse::Stopped,
            Daylight::Night,
        )?,
    ])
}

fn mine(
    number: u64,
    name: &str,
    state: MineState,
    headcount_limit: i32,
    course: DemoCourse,
    daylight: Daylight,
) -> Result<DemoMine, CodeError> {
    let mut cameras = Vec::with_capacity(4);
    for (kind, place, camera_name, frames_per_second, analysis) in [
        (
            SceneKind::ShaftMouth,
            PlaceClass::MAIN_SHAFT,
            "主井口",
            5.0,
            Analysis::PersonCrossing,
        ),
        (
            SceneKind::VehicleGate,
            PlaceClass::VEHICLE_GATE,
            "车辆出入口",
            5.0,
            Analysis::VehicleCrossing,
        ),
        (
            SceneKind::Belt,
            PlaceClass::BELT_HEAD,
            "主运输皮带机头",
            2.0,
            Analysis::BeltMotion,
        ),
        (
            SceneKind::DispatchRoom,
            PlaceClass::DISPATCH_ROOM,
            "调度室",
            1.0,
            Analysis::PostOccupancy,
        ),
    ] {
        // Seeds far apart, so that the mines do not look alike.
        let seed = Dice::new(number * 100 + kind as u64).next();
        let mut script = SceneScript::demo(kind, seed, SECONDS, course);
        // Pictures that nobody looks at only cost a newcomer's first minute.
        script.frames_per_second = if frames_per_second < 5.0 {
            2.0 * frames_per_second
        } else {
            frames_per_second
        };
        script.mine_name = name.to_owned();
        script.place_name = camera_name.to_owned();
        script.look.daylight = daylight;
        if daylight == Daylight::Night {
            // 23:20 instead of 08:00.
            script.start = script.start.plus_micros((15 * 60 + 20) * 60_000_000);
        }
        cameras.push(DemoCamera {
            // Province, city and county, mine, industry, device type, network, enterprise, place class, serial
            // (table B.2 of the national norm).
            code: format!("15060200419996999{number:03}{:02}01", place.number()).parse()?,
            place,
            name: camera_name.to_owned(),
            script,
            sampling: Sampling {
                frames_per_second,
                key_frames_only: false,
            },
            analyses: vec![analysis],
        });
    }
    Ok(DemoMine {
        code: format!("150602999{number:03}").parse()?,
        name: name.to_owned(),
        state,
        headcount_limit,
        watch_ordered: state == MineState::Stopped,
        cameras,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_mines_with_four_cameras_and_scripts_that_hold() {
        let mines = demo_mines().expect("mines");
        assert_eq!(mines.len(), 3);
        let mut codes = std::collections::BTreeSet::new();
        for mine in &mines {
            assert!(mine.code.as_str().starts_with("150602999"), "{}", mine.code);
            assert_eq!(mine.cameras.len(), 4);
            for camera in &mine.cameras {
                // Digits 15 to 20 are the last six of the mine's code.
                assert_eq!(camera.code.as_str().get(14..20), mine.code.as_str().get(6..12));
                assert!(codes.insert(camera.code.clone()));
                camera.script.validate().expect("a sound script");
            }
        }
    }
}
