use std::fs;
use std::path::Path;

use mineseal_schemas::Camera;
use mineseal_video::Source;

use crate::error::CameraFault;

/// The camera's source, with user and password if its registration names a credential.
pub(crate) fn source_of(camera: &Camera, folder: &Path) -> Result<Source, CameraFault> {
    let source = Source::parse(&camera.source)?;
    let Some(name) = camera.credential.as_deref().filter(|name| !name.is_empty()) else {
        return Ok(source);
    };
    let file = folder.join(name);
    let fault = |reason: &str| CameraFault::Credential {
        name: name.to_owned(),
        file: file.clone(),
        reason: reason.to_owned(),
    };
    if name.contains(['/', '\\']) || name.starts_with('.') {
        return Err(fault("a credential's name is a file name, without folders"));
    }
    let text = fs::read_to_string(&file).map_err(|error| fault(&error.to_string()))?;
    let (user, password) = text
        .trim_end_matches(['\r', '\n'])
        .split_once(':')
        .ok_or_else(|| fault("it holds no colon"))?;
    Ok(source.with_credential(user, password))
}
