//! Why a crossing was counted.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow};
use mineseal_bus::Bus;
use mineseal_schemas::{Alarm, Camera, Crossing, Evidence, Frame, Topic};
use mineseal_settings::Settings;
use uuid::Uuid;

use super::mines::connect;
use crate::cli::ExplainArguments;
use crate::commands::{Failure, block_on};
use crate::output::line;

const DEADLINE: Duration = Duration::from_secs(20);

/// How long the deciding frame is looked for: frames are kept for minutes only, and most are gone.
const FRAME_DEADLINE: Duration = Duration::from_secs(3);

/// Reads the crossing from its topic and prints what decided it.
pub(crate) fn run(settings: Settings, arguments: &ExplainArguments) -> Result<(), Failure> {
    let wanted = Uuid::parse_str(&arguments.crossing).with_context(|| {
        format!(
            "{:?} is not the identity of a crossing (a UUID)",
            arguments.crossing
        )
    })?;
    block_on(async move {
        let bus = connect(&settings, "mineseal-explain")?;
        bus.wait_until_ready(DEADLINE).await?;
        let found = find::<Crossing>(&bus, move |crossing| crossing.id == wanted).await?;
        let Some((crossing, (partition, offset))) = found.into_iter().next() else {
            return Err(anyhow!(
                "no crossing {wanted} stands on {}; crossings are kept for 30 days",
                bus.topic_name(Topic::Crossings)
            )
            .into());
        };
        let cameras = bus.table::<Camera>().await?;
        let camera = cameras.get(crossing.camera.as_str());
        for text in told(&crossing, camera.as_ref().map(|entry| &entry.value)) {
            line(text)?;
        }
        line(format!(
            "on the bus    {} partition {partition} offset {offset}",
            bus.topic_name(Topic::Crossings)
        ))?;
        picture(&bus, &crossing, arguments.picture.as_deref()).await?;
        evidence(&bus, &crossing).await
    })
}

/// What the crossing itself, and the registration of its camera as it is now, say.
fn told(crossing: &Crossing, camera: Option<&Camera>) -> Vec<String> {
    let mut told = vec![
        format!("crossing      {}", crossing.id),
        format!("mine          {}", crossing.mine),
    ];
    told.push(match camera {
        Some(camera) => format!(
            "camera        {}  {}  {}",
            camera.code,
            camera.place.chinese(),
            camera.name
        ),
        None => format!("camera        {}, which is no longer registered", crossing.camera),
    });
    let line = camera.and_then(|camera| camera.lines.iter().find(|line| line.name == crossing.line));
    told.push(match line {
        Some(line) => format!(
            "line          {}, now from ({:.3}, {:.3}) to ({:.3}, {:.3}) of the picture, crossed by the {:?}",
            line.name, line.line.from.x, line.line.from.y, line.line.to.x, line.line.to.y, line.anchor
        ),
        None => format!("line          {}, which the camera no longer has", crossing.line),
    });
    told.push(format!(
        "direction     {:?}{}",
        crossing.direction,
        if !crossing.counted {
            ", against the direction of its gate (闸机逆行): not part of the headcount"
        } else if crossing.regular {
            ""
        } else {
            ", by a way that people should not take (非正常通道)"
        }
    ));
    told.push(format!(
        "what          {:?}, track {}",
        crossing.class, crossing.track
    ));
    told.push(format!(
        "when          {} in Shanghai, {} in UTC",
        crossing.captured_at.shanghai(),
        crossing.captured_at
    ));
    told.push(format!(
        "decided by    frames {} to {} of session {}, mean score {:.2}",
        crossing.from_sequence, crossing.to_sequence, crossing.session, crossing.score
    ));
    let path: Vec<String> = crossing
        .path
        .iter()
        .map(|point| format!("({:.1}, {:.1})", point.x, point.y))
        .collect();
    told.push(format!(
        "positions     {} pixels of the published picture",
        path.join(" → ")
    ));
    told.push(format!(
        "rule          version {}; model {}",
        crossing.rule_version, crossing.model
    ));
    told
}

/// Where the deciding frame lies, and whether it is still there.
async fn picture(bus: &Bus, crossing: &Crossing, to: Option<&Path>) -> Result<(), Failure> {
    let place = crossing.frame;
    let frame = bus
        .fetch_one::<Frame>(place.partition, place.offset, FRAME_DEADLINE)
        .await
        .ok()
        .filter(|frame| frame.value.camera == crossing.camera && frame.value.session == crossing.session);
    let kept = if frame.is_some() {
        "still kept"
    } else {
        "no longer kept"
    };
    line(format!(
        "frame         {} partition {} offset {}, {kept}",
        bus.topic_name(Topic::Frames),
        place.partition,
        place.offset
    ))?;
    match (to, frame) {
        (Some(path), Some(frame)) => {
            std::fs::write(path, &frame.value.jpeg)
                .with_context(|| format!("cannot write {}", path.display()))?;
            line(format!("picture       {}", path.display()))?;
            Ok(())
        }
        (Some(_), None) => {
            Err(anyhow!("the deciding frame is no longer kept, there is no picture to write").into())
        }
        (None, _) => Ok(()),
    }
}

/// The alarms that the same frame decided, and what is kept for them.
async fn evidence(bus: &Bus, crossing: &Crossing) -> Result<(), Failure> {
    let (mine, frame) = (crossing.mine.clone(), crossing.frame);
    let alarms = find::<Alarm>(bus, move |alarm| alarm.mine == mine && alarm.frame == Some(frame)).await?;
    let identities: Vec<Uuid> = alarms.iter().map(|(alarm, _)| alarm.id).collect();
    for (alarm, _) in &alarms {
        line(format!(
            "alarm         {}  {:?}  {}",
            alarm.id, alarm.phase, alarm.message
        ))?;
    }
    if identities.is_empty() {
        line("alarm         none was decided by it")?;
        return Ok(());
    }
    for (evidence, _) in find::<Evidence>(bus, move |evidence| identities.contains(&evidence.alarm)).await? {
        line(format!(
            "evidence      {:?}  {}  sha256 {}",
            evidence.kind, evidence.object, evidence.sha256
        ))?;
    }
    Ok(())
}

/// Every record of a topic that `wanted` takes, with its place.
async fn find<R: mineseal_schemas::Record + Send + 'static>(
    bus: &Bus,
    wanted: impl Fn(&R) -> bool + Send + 'static,
) -> Result<Vec<(R, (i32, i64))>, Failure> {
    let bus = bus.clone();
    tokio::task::spawn_blocking(move || {
        let mut found = Vec::new();
        bus.read_history::<R, Failure>(None, DEADLINE, |record| {
            if wanted(&record.value) {
                found.push((record.value, (record.partition, record.offset)));
            }
            Ok(())
        })?;
        Ok(found)
    })
    .await?
}

#[cfg(test)]
mod tests {
    use mineseal_schemas::samples::samples;

    use super::told;

    #[test]
    fn what_decided_it_is_told() -> Result<(), mineseal_domain::CodeError> {
        let sample = samples()?;
        let text = told(&sample.crossing, Some(&sample.camera)).join("\n");
        for wanted in [
            "line          mouth, now from (0.500, 0.000)",
            "direction     In",
            "frames 38 to 42",
            "mean score 0.75",
            "(350.0, 220.5) → (290.0, 221.0)",
            "rule          version 1",
        ] {
            assert!(text.contains(wanted), "{wanted:?} is missing in\n{text}");
        }
        let text = told(&sample.crossing, None).join("\n");
        assert!(text.contains("no longer registered"), "{text}");
        Ok(())
    }
}
