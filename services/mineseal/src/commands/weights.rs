use mineseal_detector::{Labels, WeightsFacts, convert_weights, inspect_weights};
use serde_json::{Value, json};

use super::detect::input;
use crate::cli::WeightsCommand;
use crate::commands::Failure;
use crate::output::line;

pub(crate) fn run(command: WeightsCommand) -> Result<(), Failure> {
    let facts = match command {
        WeightsCommand::Inspect { file } => inspect_weights(&file)?,
        WeightsCommand::Convert {
            from,
            to,
            classes,
            input: size,
        } => {
            let labels = Labels {
                classes,
                input: input(size.as_deref())?,
            };
            convert_weights(&from, &to, &labels)?
        }
    };
    line(told(&facts))?;
    Ok(())
}

fn told(facts: &WeightsFacts) -> Value {
    let usable = match &facts.card {
        Ok(card) => json!({
            "model": card.id,
            "input": card.input.to_string(),
            "classes": card.classes.iter().map(|class| class.name()).collect::<Vec<_>>(),
        }),
        Err(reason) => json!({ "refused": reason }),
    };
    json!({
        "file": facts.path.display().to_string(),
        "format": facts.format,
        "sha256": facts.sha256,
        "architecture": "yolox",
        "size": facts.size,
        "base_channels": facts.base_channels,
        "depth": facts.depth,
        "depthwise": facts.depthwise,
        "classes": facts.classes,
        "batch_normalisation": if facts.folded { "folded" } else { "separate" },
        "tensors": facts.tensors,
        "parameters": facts.parameters,
        "metadata": facts.metadata,
        "detector": usable,
    })
}
