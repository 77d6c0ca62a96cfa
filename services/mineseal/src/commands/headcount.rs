//! Corrections of headcounts, signed by whoever answers for them.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow};
use mineseal_counter::{CORRECTION_KEYS_FOLDER, SigningKey};
use mineseal_domain::MineCode;
use mineseal_schemas::{Correction, Mine};
use mineseal_settings::Settings;
use tokio::time::timeout;
use uuid::Uuid;

use super::mines::{connect, now, user};
use crate::cli::HeadcountCommand;
use crate::commands::{Failure, block_on};
use crate::output::{line, note};

const DEADLINE: Duration = Duration::from_secs(20);

/// A correction holds from so long after its order on, microseconds: every counter has it by then, so it stands
/// between the same two frames whenever it is counted again.
const AHEAD_MICROS: i64 = 3_000_000;

pub(crate) fn run(settings: Settings, command: HeadcountCommand) -> Result<(), Failure> {
    let folder = settings.data_directory.join(CORRECTION_KEYS_FOLDER);
    match command {
        HeadcountCommand::Key { name } => make_key(&folder, &name),
        HeadcountCommand::Correct {
            mine,
            people,
            reason,
            by,
            key,
            wait,
        } => {
            let by = by.unwrap_or_else(user);
            let path = key.unwrap_or_else(|| folder.join(format!("{by}.key")));
            let text = std::fs::read_to_string(&path).with_context(|| {
                format!(
                    "cannot read {}; `mineseal headcount key {by}` makes a key",
                    path.display()
                )
            })?;
            let key = SigningKey::read(&text).with_context(|| format!("{} is no key", path.display()))?;
            let ordered_at = now();
            let mut correction = Correction {
                id: Uuid::now_v7(),
                mine: mine.parse::<MineCode>()?,
                people,
                reason,
                by,
                at: ordered_at.plus_micros(AHEAD_MICROS),
                ordered_at,
                signature: Vec::new(),
                outcome: None,
            };
            key.sign(&mut correction);
            block_on(order(settings, correction, Duration::from_secs(wait)))
        }
    }
}

/// Makes a pair of keys: `NAME.pub` for the counters, `NAME.key` for the person.
fn make_key(folder: &Path, name: &str) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let (key, kept) = SigningKey::generate()?;
    let secret = folder.join(format!("{name}.key"));
    // Only the person may read it, and nobody loses a key that he has.
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&secret)
        .with_context(|| format!("cannot create {}", secret.display()))?;
    writeln!(file, "{kept}")?;
    let public = folder.join(format!("{name}.pub"));
    std::fs::write(&public, key.public_text() + "\n")
        .with_context(|| format!("cannot write {}", public.display()))?;
    line(format!("{}\n{}", secret.display(), public.display()))?;
    note("counters read the public key when they start; the secret one belongs to the person alone");
    Ok(())
}

/// Publishes the order and waits for what a counter makes of it.
async fn order(settings: Settings, correction: Correction, wait: Duration) -> Result<(), Failure> {
    let bus = connect(&settings, "mineseal-headcount")?;
    bus.wait_until_ready(DEADLINE).await?;
    let mines = bus.table::<Mine>().await?;
    if mines.get(correction.mine.as_str()).is_none() {
        return Err(anyhow!("mine {} is not registered", correction.mine).into());
    }
    let mut corrections = bus.table::<Correction>().await?;
    bus.publisher()?.publish(&correction).await?;
    note(format!(
        "ordered as {}; it holds from the first frame after {} on",
        correction.id,
        correction.at.shanghai()
    ));
    let key = correction.id.to_string();
    let decided = timeout(wait, async {
        loop {
            let known = corrections.get(&key);
            if let Some(outcome) = known.and_then(|entry| entry.value.outcome.clone()) {
                return Ok(outcome);
            }
            if corrections.changed().await.is_none() {
                return Err(anyhow!("the corrections cannot be followed any more"));
            }
        }
    })
    .await;
    match decided {
        Ok(outcome) => {
            let outcome = outcome?;
            if !outcome.applied {
                return Err(anyhow!("refused: {}", outcome.refusal).into());
            }
            line(format!(
                "{}: {} people underground, {:+} to the {} that were counted",
                correction.mine, correction.people, outcome.change, outcome.before
            ))?;
            Ok(())
        }
        Err(_) => Err(anyhow!(
            "no counter has decided within {wait:?}; the order stands, and is decided with the mine's next frame"
        )
        .into()),
    }
}
