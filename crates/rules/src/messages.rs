//! What operators read.

use mineseal_domain::{Direction, HealthCondition, MineState};

pub(crate) fn entered(place: &str, state: MineState, people: i64) -> String {
    format!(
        "{place}：{}煤矿有人员入井，视频计数井下现有 {people} 人",
        state.chinese()
    )
}

pub(crate) fn entered_ended(place: &str, producing: bool) -> String {
    if producing {
        format!("{place}：煤矿已转为生产建设状态，人员入井报警解除")
    } else {
        format!("{place}：视频计数井下人数已归零，人员入井报警解除")
    }
}

pub(crate) fn entered_corrected(place: &str) -> String {
    format!("{place}：井下人数经人工核实更正为 0 人，人员入井报警解除")
}

pub(crate) fn over_limit(people: i64, limit: i64) -> String {
    format!("视频计数井下现有 {people} 人，超过核定 {limit} 人")
}

pub(crate) fn over_limit_ended(people: i64, limit: i64) -> String {
    format!("视频计数井下现有 {people} 人，未超过核定 {limit} 人，超员报警解除")
}

pub(crate) fn inconsistent(people: i64) -> String {
    format!("出井人数多于入井人数，视频计数为 {people} 人，有入井人员漏计，请核对井下实际人数")
}

pub(crate) fn inconsistent_ended(people: i64) -> String {
    format!("视频计数恢复为 {people} 人，井下人数不一致报警解除")
}

pub(crate) fn non_regular(place: &str, direction: Direction, people: i64) -> String {
    let way = match direction {
        Direction::In => "入井",
        Direction::Out => "出井",
    };
    format!("{place}：有人员经非常规通道{way}，已计入井下人数，视频计数井下现有 {people} 人")
}

pub(crate) fn gate_reversed(place: &str, direction: Direction, people: i64) -> String {
    let what = match direction {
        Direction::In => "从出井闸机入闸",
        Direction::Out => "从入井闸机出闸",
    };
    format!("{place}：有人员{what}，未计入井下人数，视频计数井下现有 {people} 人，请核对")
}

pub(crate) fn gate_ended(place: &str) -> String {
    format!("{place}：闸机十分钟内再无人员逆行，报警解除")
}

pub(crate) fn non_regular_ended(place: &str) -> String {
    format!("{place}：非常规通道十分钟内再无人员通过，报警解除")
}

pub(crate) fn mismatch(video: i64, positioning: i64, allowed: i64) -> String {
    format!(
        "视频计数井下 {video} 人，人员定位 {positioning} 人，相差超过允许的 {allowed} 人，请核对井下实际人数"
    )
}

pub(crate) fn mismatch_ended(video: i64, positioning: i64) -> String {
    format!("视频计数井下 {video} 人，人员定位 {positioning} 人，相差在允许范围内，井下人数不符报警解除")
}

pub(crate) fn belt_runs(place: &str, state: MineState) -> String {
    format!("{place}：{}煤矿运输设备运行", state.chinese())
}

pub(crate) fn belt_ended(place: &str, running: bool) -> String {
    if running {
        format!("{place}：煤矿已转为生产建设状态，运输设备异常启动报警解除")
    } else {
        format!("{place}：运输设备已停止运行，报警解除")
    }
}

pub(crate) fn post_empty(place: &str) -> String {
    format!("{place}：无人在岗")
}

pub(crate) fn post_ended(place: &str, empty: bool) -> String {
    if empty {
        format!("{place}：不再要求值守，空岗报警解除")
    } else {
        format!("{place}：已有人在岗，空岗报警解除")
    }
}

pub(crate) fn fault(place: &str, condition: HealthCondition) -> String {
    format!("{place}：摄像仪画面异常，{}", condition.chinese())
}

pub(crate) fn fault_ended(place: &str) -> String {
    format!("{place}：摄像仪画面恢复正常")
}

pub(crate) fn offline(place: &str) -> String {
    format!("{place}：摄像仪离线，收不到视频")
}

pub(crate) fn offline_ended(place: &str) -> String {
    format!("{place}：摄像仪恢复在线")
}

pub(crate) fn camera_gone(place: &str) -> String {
    format!("{place}：摄像仪已注销，报警解除")
}
