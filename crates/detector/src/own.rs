use std::fs;
use std::io;
use std::path::PathBuf;

/// The product's own weights, for rendered scenes; `config/models/mineseal-yolox-nano.md` says what they can do.
const BYTES: &[u8] = include_bytes!("../../../config/models/mineseal-yolox-nano.safetensors");

/// Path of the product's own weights. They are part of the program and are written out once a machine, because
/// weights are loaded from files.
///
/// # Errors
/// The system's folder for temporary files cannot be written.
pub fn own_weights() -> io::Result<PathBuf> {
    let folder = std::env::temp_dir().join(format!("mineseal-weights-{}", env!("CARGO_PKG_VERSION")));
    let file = folder.join(format!("mineseal-yolox-nano-{:08x}.safetensors", checksum(BYTES)));
    if fs::metadata(&file).is_ok_and(|facts| facts.len() == BYTES.len() as u64) {
        return Ok(file);
    }
    fs::create_dir_all(&folder)?;
    // Several processes may do so at once: each writes a file of its own and gives it the name when it is whole.
    let half = folder.join(format!("half-{}", std::process::id()));
    fs::write(&half, BYTES)?;
    fs::rename(&half, &file)?;
    Ok(file)
}

/// FNV-1a: tells the files of different builds apart.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |hash, byte| {
        (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
    })
}
